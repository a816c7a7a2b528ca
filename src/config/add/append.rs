//! `add`: jobs put at the end of the file, comments and order kept, the result read before the file is replaced.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml_edit::{Array, DocumentMut, InlineTable, Value};

use super::given::Given;
use crate::config::problems::known_keys;
use crate::config::tables::jobs::numbered;
use crate::config::{ConfigError, JobsFile, parse, read};
use crate::domain::clean::Clean;
use crate::domain::id;
use crate::domain::job::JobKey;
use crate::domain::service::Service;
use crate::providers;

/// What is to be added.
#[derive(Debug, Clone, Copy)]
pub struct Addition<'a> {
    /// The name of a service of the file.
    pub service: &'a str,
    pub ids: &'a [Given],
    /// A name for those that have none; of several, `<name> 1`, `<name> 2` and so on.
    pub name: Option<&'a str>,
    pub tags: &'a [String],
    /// Their batch; that of the file where none is named.
    pub batch: Option<&'a str>,
    /// The jobs that they were submitted again for, each as `service/id`.
    pub resubmits: &'a [String],
}

/// What came of it: labels, `service/id`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Added {
    /// Jobs that are in the file now.
    pub added: Vec<String>,
    /// Jobs that were there before, or were given twice.
    pub duplicates: Vec<String>,
    /// Jobs whose id does not look like one of their service, and why. They are in the file all the same.
    pub odd: Vec<(String, &'static str)>,
}

/// An id of the new entries, and the job's own name.
type New<'a> = (String, Option<&'a str>);

/// Appends jobs to a file. The error says why it was left as it is.
pub fn add(path: &Path, addition: &Addition<'_>) -> Result<Added, ConfigError> {
    let failed = |error: io::Error| {
        ConfigError::of_file(path, &format!("failed to write the file: {error}"), "it was left as it is")
    };
    // A link stays one: what it leads to is replaced.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    // Two that add at the same time must not undo each other. Not every file system can lock.
    let directory = File::open(target.parent().unwrap_or(Path::new("/")));
    let _locked = directory.inspect(|directory| drop(directory.lock()));
    let text = read(path)?;
    let file = parse(&text, path)?;
    let service = service(&file, addition.service)?;
    let (new, added) = sorted(&file, &service, addition.ids)?;
    if new.is_empty() {
        return Ok(added);
    }
    // Those of the file's own batch need not name it.
    // Nor those that bear the name by which it is told apart from other files of one dashboard.
    let folder = target.parent().and_then(Path::file_name).map(|folder| folder.to_string_lossy());
    let apart = folder.zip(file.batch.as_deref()).map(|(folder, batch)| format!("{folder}/{batch}"));
    let own = [file.batch.as_deref(), apart.as_deref()];
    let batch = addition.batch.filter(|batch| !own.contains(&Some(*batch)));
    let addition = &Addition { batch, ..*addition };
    let longer = appended(&text, addition, &new);
    let longer = match parse(&longer, path) {
        Ok(_) => longer,
        // `jobs = [{ … }]` cannot be gone on with by [[jobs]].
        Err(error) => inserted(&text, addition, &new).ok_or(error)?,
    };
    let now = parse(&longer, path)?;
    if now.jobs.len() != file.jobs.len() + new.len() {
        return Err(ConfigError::of_file(
            path,
            "the jobs would not be read back as they were given",
            "add them by hand",
        ));
    }
    replace(&target, &longer).map_err(failed)?;
    Ok(added)
}

fn service(file: &JobsFile, name: &str) -> Result<Arc<Service>, ConfigError> {
    file.services.iter().find(|service| *service.name == *name).map(Arc::clone).ok_or_else(|| {
        let known: Vec<&str> = file.services.iter().map(|service| &*service.name).collect();
        let help = match (known_keys::meant(name, &known), known.as_slice()) {
            (Some(meant), _) => format!("did you mean \"{meant}\"?"),
            (None, []) => "write a service to it first, see `jobdeck init`".to_owned(),
            (None, known) => format!("the file defines: {}", known.join(", ")),
        };
        ConfigError::of_file(&file.path, &format!("the file defines no service \"{}\"", Clean::new(name)), &help)
    })
}

/// The jobs that are not in the file yet. If one of the texts is no id, all of those are named and nothing is new.
fn sorted<'a>(file: &JobsFile, service: &Service, given: &'a [Given]) -> Result<(Vec<New<'a>>, Added), ConfigError> {
    let is_service = |name: &str| file.services.iter().any(|service| *service.name == *name);
    let mut seen: HashSet<JobKey> = file.jobs.iter().map(|job| job.key.clone()).collect();
    let mut new = Vec::new();
    let mut added = Added::default();
    let mut refused = Vec::new();
    for Given { id: text, name, place } in given {
        let id = id::read(text, is_service)
            .map_err(|error| (error.to_string(), error.help()))
            .and_then(|id| providers::id_from(service, id).map_err(|error| (error.what.to_owned(), error.help)));
        let id = match id {
            Ok(id) => id,
            Err((what, help)) => {
                let place = if place.is_empty() { excerpt(text) } else { format!("{place}: {}", excerpt(text)) };
                refused.push(format!("{place}: {what}\n  = {help}"));
                continue;
            }
        };
        let label = format!("{}/{id}", service.name);
        let key = JobKey { provider: service.provider.name(), endpoint: Arc::clone(&service.endpoint), id: id.clone() };
        if seen.insert(key) {
            added.odd.extend(id::oddity(service.provider.name(), &id).map(|why| (label.clone(), why)));
            new.push((id, name.as_deref().map(str::trim).filter(|name| !name.is_empty())));
            added.added.push(label);
        } else {
            added.duplicates.push(label);
        }
    }
    if refused.is_empty() {
        return Ok((new, added));
    }
    let count = refused.len();
    if count > MOST_REFUSED {
        refused.truncate(MOST_REFUSED);
        refused.push(format!("… and {} more", count - MOST_REFUSED));
    }
    refused.push("nothing was added".to_owned());
    // One text: the lines belong together.
    Err(ConfigError::one(refused.join("\n")))
}

/// How many texts that are no ids are named one by one.
const MOST_REFUSED: usize = 20;

/// The beginning of a text that is no id, harmless.
fn excerpt(text: &str) -> String {
    let clean = Clean::new(id::trimmed(text));
    let mut short: String = clean.chars().take(60).collect();
    if short.len() < clean.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// The entries for the new jobs: those without a name share one, a single id or `ids`; each other has its
/// own.
fn entries(addition: &Addition<'_>, new: &[New<'_>]) -> Vec<Vec<(&'static str, Value)>> {
    let unnamed: Vec<&str> = new.iter().filter(|(_, name)| name.is_none()).map(|(id, _)| id.as_str()).collect();
    let shared = (!unnamed.is_empty()).then(|| fields(addition, &unnamed, addition.name));
    let own = new.iter().filter(|(_, name)| name.is_some()).map(|(id, name)| fields(addition, &[id], *name));
    shared.into_iter().chain(own).collect()
}

/// The fields of one entry: one id is `id`, several are one `ids`.
fn fields(addition: &Addition<'_>, ids: &[&str], name: Option<&str>) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("service", Value::from(addition.service))];
    match ids {
        [id] => fields.push(("id", Value::from(*id))),
        ids => {
            let mut array: Array = ids.iter().copied().collect();
            array.iter_mut().for_each(|id| id.decor_mut().set_prefix("\n  "));
            array.set_trailing("\n");
            array.set_trailing_comma(true);
            fields.push(("ids", Value::from(array)));
        }
    }
    if let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) {
        fields.push(("name", Value::from(name)));
    }
    if !addition.tags.is_empty() {
        fields.push(("tags", Value::from(addition.tags.iter().map(String::as_str).collect::<Array>())));
    }
    if let Some(batch) = addition.batch {
        fields.push(("batch", Value::from(batch)));
    }
    if !addition.resubmits.is_empty() {
        let old = addition.resubmits.iter().map(String::as_str);
        fields.push(("resubmits", Value::from(old.collect::<Array>())));
    }
    fields
}

/// The text with the new `[[jobs]]` at its end: not a byte of what is there is changed.
fn appended(text: &str, addition: &Addition<'_>, new: &[New<'_>]) -> String {
    let mut more = String::new();
    if !text.is_empty() && !text.ends_with('\n') {
        more.push('\n');
    }
    for entry in entries(addition, new) {
        let is_first = text.trim().is_empty() && more.is_empty();
        more.push_str(if is_first { "[[jobs]]\n" } else { "\n[[jobs]]\n" });
        for (key, value) in entry {
            more.push_str(&format!("{key} = {}\n", value.to_string().trim()));
        }
    }
    if text.contains("\r\n") {
        more = more.replace('\n', "\r\n");
    }
    format!("{text}{more}")
}

/// The text with one more table for each new job in its array `jobs`, if it has one.
fn inserted(text: &str, addition: &Addition<'_>, new: &[New<'_>]) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let jobs = document.get_mut("jobs")?.as_array_mut()?;
    for (ix, (id, own)) in new.iter().enumerate() {
        let numbered = numbered(addition.name, new.len() > 1, ix);
        let name = own.or(numbered.as_deref());
        jobs.push(fields(addition, &[id], name).into_iter().collect::<InlineTable>());
    }
    Some(document.to_string())
}

/// Puts a whole new file in the place of one, on disk before it is seen, with the same permissions and owner. A file
/// that cannot be replaced, as one that is mounted by itself, is written in place once the new text is safe beside it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let written = write(&beside, path, text).and_then(|()| std::fs::rename(&beside, path));
    let written = match written {
        Err(error) if matches!(error.kind(), ErrorKind::ResourceBusy | ErrorKind::CrossesDevices) => {
            in_place(path, text).inspect(|()| drop(std::fs::remove_file(&beside))).map_err(|error| {
                io::Error::new(error.kind(), format!("{error}; the new text is in {}", beside.display()))
            })
        }
        Err(error) => {
            let _ = std::fs::remove_file(&beside);
            Err(error)
        }
        Ok(()) => Ok(()),
    };
    written?;
    // Of the rename: it has happened whether or not the directory can be synced.
    let directory: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

fn write(beside: &Path, like: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(beside)?;
    let old = std::fs::metadata(like)?;
    let new = file.metadata()?;
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        // Under sudo, or by a member of the file's group: who may not give it away keeps at least the group.
        fchown(&file, Some(old.uid()), Some(old.gid())).or_else(|_| fchown(&file, None, Some(old.gid()))).ok();
    }
    // After the owner: changing that clears bits of the permissions.
    file.set_permissions(old.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Writes over a file, which is never shorter than the old text while that happens: jobs are only added.
fn in_place(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const FILE: &str = "# mine\n[services.llama]\nprovider = \"vessl\"\nbase_url = \"https://host.example/llama\"\ntoken = { env = \"T\" }\n\n[[jobs]]\nservice = \"llama\"\nid = \"first\" # keep\n";

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn given(ids: &[&str]) -> Vec<Given> {
        ids.iter().map(|id| Given { id: (*id).to_owned(), ..Given::default() }).collect()
    }

    /// Adds to a file of this text: what it says afterwards, and what came of it.
    fn added(text: &str, ids: &[&str], name: Option<&str>, tags: &[&str]) -> (String, Result<Added, ConfigError>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.toml");
        std::fs::write(&path, text).unwrap();
        let (ids, tags) = (given(ids), strings(tags));
        let outcome =
            add(&path, &Addition { service: "llama", ids: &ids, name, tags: &tags, batch: None, resubmits: &[] });
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
        (std::fs::read_to_string(&path).unwrap(), outcome)
    }

    #[test]
    fn jobs_are_added_at_the_end_and_nothing_else_is_touched() {
        let cases = [
            (&["a"][..], None, &[][..], "\n[[jobs]]\nservice = \"llama\"\nid = \"a\"\n"),
            (
                &["a"],
                Some("x \"y\""),
                &["t", "u"],
                "\n[[jobs]]\nservice = \"llama\"\nid = \"a\"\nname = 'x \"y\"'\ntags = [\"t\", \"u\"]\n",
            ),
            (
                &["a", "b "],
                Some("n"),
                &[],
                "\n[[jobs]]\nservice = \"llama\"\nids = [\n  \"a\",\n  \"b\",\n]\nname = \"n\"\n",
            ),
            (
                &["https://host.example/llama/async/98nl/output"],
                None,
                &[],
                "\n[[jobs]]\nservice = \"llama\"\nid = \"98nl\"\n",
            ),
            (&["first", "a", "a"], None, &[], "\n[[jobs]]\nservice = \"llama\"\nid = \"a\"\n"),
            (&["first"], None, &[], ""),
            (&[], None, &[], ""),
        ];
        for (ids, name, tags, end) in cases {
            let (text, outcome) = added(FILE, ids, name, tags);
            assert_eq!(text, format!("{FILE}{end}"), "{outcome:?}");
        }
        let (_, outcome) = added(FILE, &["first", "a", "a"], None, &[]);
        let duplicates = strings(&["llama/first", "llama/a"]);
        assert_eq!(outcome, Ok(Added { added: strings(&["llama/a"]), duplicates, odd: Vec::new() }));
    }

    #[test]
    fn a_batch_stands_with_the_jobs_unless_it_is_that_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nov.toml");
        for (batch, end) in [("dec \"2\"", "batch = 'dec \"2\"'\n"), ("nov", "")] {
            std::fs::write(&path, FILE).unwrap();
            let ids = given(&["a", "b"]);
            add(
                &path,
                &Addition { service: "llama", ids: &ids, name: None, tags: &[], batch: Some(batch), resubmits: &[] },
            )
            .unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.ends_with(&format!("  \"b\",\n]\n{end}")), "{text}");
            let file = parse(&text, &path).unwrap();
            let batches: Vec<_> = file.jobs.iter().map(|job| job.batch.as_deref().unwrap_or_default()).collect();
            assert_eq!(batches, ["nov", batch, batch]);
        }
        // The name by which one file's batch is told from another's, both in one dashboard, is none to be written.
        let folder = directory.path().canonicalize().unwrap();
        let apart = format!("{}/nov", folder.file_name().unwrap().to_str().unwrap());
        std::fs::write(&path, FILE).unwrap();
        let ids = given(&["a"]);
        add(
            &path,
            &Addition { service: "llama", ids: &ids, name: None, tags: &[], batch: Some(&apart), resubmits: &[] },
        )
        .unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains(&apart));
    }

    #[test]
    fn a_job_that_was_submitted_again_names_the_one_it_is_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.toml");
        std::fs::write(&path, FILE).unwrap();
        let (ids, old) = (given(&["a"]), strings(&["llama/first"]));
        let addition = Addition { service: "llama", ids: &ids, name: None, tags: &[], batch: None, resubmits: &old };
        add(&path, &addition).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("id = \"a\"\nresubmits = [\"llama/first\"]\n"), "{text}");
        let jobs = parse(&text, &path).unwrap().jobs;
        assert_eq!(*jobs[1].resubmits, [jobs[0].key.clone()]);
    }

    #[test]
    fn line_endings_a_missing_last_line_break_and_an_inline_array_are_kept() {
        let (text, _) = added(&FILE.replace('\n', "\r\n"), &["a"], None, &[]);
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        let (text, _) = added(FILE.trim_end(), &["a"], None, &[]);
        assert!(text.ends_with("# keep\n\n[[jobs]]\nservice = \"llama\"\nid = \"a\"\n"), "{text}");
        let inline = format!(
            "jobs = [{{ service = \"llama\", id = \"z\" }}] # mine\n{}",
            FILE.split("[[jobs]]").next().unwrap()
        );
        let (text, outcome) = added(&inline, &["a", "b"], Some("n"), &[]);
        assert_eq!(outcome.unwrap().added.len(), 2);
        assert!(text.contains("name = \"n 2\"") && text.contains("# mine"), "{text}");
    }

    #[test]
    fn a_file_that_is_wrong_or_an_unknown_service_is_left_as_it_is() {
        let wrong = format!("{FILE}colour = 1\n");
        let cases =
            [(wrong.as_str(), "unknown key `colour`"), ("# nothing\n", "the file defines no service \"llama\"")];
        for (text, expected) in cases {
            let (after, outcome) = added(text, &["a"], None, &[]);
            assert_eq!(after, text);
            assert!(outcome.unwrap_err().to_string().contains(expected));
        }
    }

    #[test]
    fn a_link_stays_a_link_and_the_permissions_stay() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("real.toml"), directory.path().join("jobs.toml"));
        std::fs::write(&file, FILE).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real.toml", &link).unwrap();
        add(
            &link,
            &Addition { service: "llama", ids: &given(&["a"]), name: None, tags: &[], batch: None, resubmits: &[] },
        )
        .unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert!(std::fs::read_to_string(&file).unwrap().ends_with("id = \"a\"\n"));
    }
}
