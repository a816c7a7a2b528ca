//! `[[jobs]]`: ids in all their forms, `ids` spread out, duplicates found.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::field::{TomlField, TomlTable};
use super::service::{PathBase, expanded};
use crate::config::add::id_list;
use crate::config::files::reading::{Unreadable, read};
use crate::config::files::sources::{Digest, FileSource};
use crate::config::problems::{Problem, Problems, known_keys};
use crate::domain::clean::Clean;
use crate::domain::id::{self, NoId};
use crate::domain::job::{Job, JobKey};
use crate::domain::provider::IdError;
use crate::domain::service::Service;
use crate::providers;

/// The services of a file by name; None where something is wrong with one.
pub type KnownServices<'a> = HashMap<&'a str, Option<Arc<Service>>>;

/// A job, and where its id is.
#[derive(Debug, Clone)]
pub struct PlacedJob {
    pub job: Arc<Job>,
    /// Where its id is in the jobs file, or the name of the file of ids.
    pub span: Range<usize>,
    /// In a file of ids: its name, and the line.
    pub listed: Option<(Arc<str>, usize)>,
}

/// What the entries of a file come to.
#[derive(Debug, Default)]
pub struct Declared {
    /// The jobs in the file's order.
    pub jobs: Vec<PlacedJob>,
    pub sources: Vec<FileSource>,
    /// Of their texts, and of what was added before.
    pub digest: Digest,
    /// The batch of those that do not name one.
    pub batch: Option<Arc<str>>,
}

/// `[[jobs]]` in the file's order.
pub fn jobs(
    file: &TomlTable<'_>,
    known: &KnownServices<'_>,
    place: &PathBase,
    (digest, batch): (Digest, Option<Arc<str>>),
    problems: &mut Problems,
) -> Declared {
    let mut declared = Declared { digest, batch, ..Declared::default() };
    let Some(field) = file.get("jobs") else { return declared };
    let tables = field.tables("write [[jobs]], with two brackets, before each job", problems);
    declared.jobs.reserve(tables.len());
    for table in tables {
        job(&table, known, place, &mut declared, problems);
    }
    declared
}

/// The name of one of the jobs of an entry, the first of which is 0.
pub fn numbered(name: Option<&str>, are_many: bool, ix: usize) -> Option<String> {
    name.map(|name| if are_many { format!("{name} {}", ix + 1) } else { name.to_owned() })
}

/// The jobs that stand in a file before, under the same triple: each with the first.
pub fn duplicates(jobs: &[PlacedJob]) -> Vec<(&PlacedJob, &PlacedJob)> {
    let mut first: HashMap<&JobKey, &PlacedJob> = HashMap::with_capacity(jobs.len());
    let mut found = Vec::new();
    for placed in jobs {
        match first.get(&placed.job.key) {
            Some(earlier) => found.push((placed, *earlier)),
            None => {
                first.insert(&placed.job.key, placed);
            }
        }
    }
    found
}

fn job(
    table: &TomlTable<'_>,
    known: &KnownServices<'_>,
    place: &PathBase,
    declared: &mut Declared,
    problems: &mut Problems,
) {
    table.expect_only(known_keys::JOB, "in [[jobs]]", problems);
    let service = service(table, known, problems);
    let name = table.get("name").and_then(|field| field.text("\"scan 7\"", problems)).map(str::trim);
    let name = name.filter(|name| !name.is_empty());
    let tags: Arc<[String]> = table
        .get("tags")
        .and_then(|field| field.texts("tags = [\"nightly\"]", problems))
        .unwrap_or_default()
        .into_iter()
        .map(|(tag, _)| tag.trim().to_owned())
        .collect();
    let Some(ids) = ids(table, problems) else { return };
    let own_batch = table.get("batch").and_then(|field| field.word("\"nov-22\"", problems)).map(Arc::from);
    let batch = own_batch.or_else(|| declared.batch.clone());
    let resubmits = resubmits(table, known, problems);
    let entry = EntryDefaults { service: service.as_deref(), known, name, tags, batch, resubmits };
    match ids {
        Ids::Listed(file) => {
            let Some(source) = id_file(&file, place, problems) else { return };
            for path in source.files() {
                entry.listed(&path, &file, declared, problems);
            }
            declared.sources.push(source);
        }
        Ids::Given { texts, are_many } => {
            for (ix, (text, span)) in texts.into_iter().enumerate() {
                match entry.job(id::read(text, |name| known.contains_key(name)), numbered(name, are_many, ix)) {
                    Ok(job) => declared.jobs.extend(job.map(|job| PlacedJob { job, span, listed: None })),
                    Err(RefusedId { what, help }) => problems.add(Problem::at(span, what).help(help)),
                }
            }
        }
    }
}

/// Why a text is no id here, and what to do.
struct RefusedId {
    what: String,
    help: &'static str,
}

/// What the jobs of one entry have in common. Without a service nothing comes of it but what is wrong with its ids.
struct EntryDefaults<'a> {
    service: Option<&'a Service>,
    known: &'a KnownServices<'a>,
    name: Option<&'a str>,
    tags: Arc<[String]>,
    batch: Option<Arc<str>>,
    resubmits: Arc<[JobKey]>,
}

impl EntryDefaults<'_> {
    fn job(&self, id: Result<&str, NoId>, name: Option<String>) -> Result<Option<Arc<Job>>, RefusedId> {
        let text = id.map_err(|error| RefusedId { what: error.to_string(), help: error.help() })?;
        let Some(service) = self.service else { return Ok(None) };
        let id = providers::id_from(service, text)
            .map_err(|IdError { what, help }| RefusedId { what: what.to_owned(), help })?;
        let key = JobKey { provider: service.provider.name(), endpoint: Arc::clone(&service.endpoint), id };
        let tags = Arc::clone(&self.tags);
        let traits = service.job_traits();
        Ok(Some(Arc::new(Job {
            key,
            service: Arc::clone(&service.name),
            name,
            tags,
            traits,
            batch: self.batch.clone(),
            resubmits: Arc::clone(&self.resubmits),
        })))
    }

    /// The jobs of a file of ids.
    fn listed(&self, path: &Path, field: &TomlField<'_>, declared: &mut Declared, problems: &mut Problems) {
        // A path that ends in dots has no name.
        let name = path.file_name().unwrap_or(path.as_os_str());
        let file: Arc<str> = Clean::new(&name.to_string_lossy()).as_str().into();
        let text = match read(path) {
            Ok(text) => text,
            Err(Unreadable { what, help }) => {
                let help = match path.metadata() {
                    Ok(about) if about.is_dir() => "name a file in it, or all of them, as \"ids/*.txt\"",
                    Ok(_) => help,
                    Err(_) => "write that file, or name another: a pattern may match none",
                };
                let problem = Problem::at(field.span.clone(), format!("{file}: {what}"));
                problems.add(problem.help(help));
                return;
            }
        };
        declared.digest.add(path, Some(text.as_bytes()));
        let mut refused = 0;
        for (ix, listed) in id_list::read(&text, |name| self.known.contains_key(name)).enumerate() {
            let name = listed.name.map(str::to_owned).or_else(|| numbered(self.name, true, ix));
            match self.job(listed.id, name) {
                Ok(job) => {
                    let listed = Some((Arc::clone(&file), listed.line));
                    declared.jobs.extend(job.map(|job| PlacedJob { job, span: field.span.clone(), listed }));
                }
                Err(RefusedId { what, help }) => {
                    refused += 1;
                    if refused <= MOST_REFUSED {
                        let message = format!("{file}, line {}: {what}", listed.line);
                        field.wrong(message, help, problems);
                    }
                }
            }
        }
        if refused > MOST_REFUSED {
            let message = format!("{file}: {} more lines are no ids", refused - MOST_REFUSED);
            field.wrong(message, "give one id a line, a name after a tab", problems);
        }
    }
}

/// How many lines of one file of ids are refused one by one.
const MOST_REFUSED: usize = 10;

/// The jobs that those of an entry were submitted again for, each as `service/id`.
fn resubmits(table: &TomlTable<'_>, known: &KnownServices<'_>, problems: &mut Problems) -> Arc<[JobKey]> {
    let Some(field) = table.get("resubmits") else { return Arc::default() };
    let texts = field.texts("resubmits = [\"invoices/6b1f2f0a\"]", problems).unwrap_or_default();
    let one = |(text, span): (&str, Range<usize>)| {
        let Some((name, id)) = text.split_once('/') else {
            problems.add(Problem::at(span, "no service before this id").help("write it like \"invoices/6b1f2f0a\""));
            return None;
        };
        // One that is gone from the file has no jobs here any more, and what came of them stays.
        let service = known.get(name)?.as_deref()?;
        // What the file had as a job is an id; anything else matches no job.
        let id = providers::id_from(service, id).unwrap_or_else(|_| id.to_owned());
        Some(JobKey { provider: service.provider.name(), endpoint: Arc::clone(&service.endpoint), id })
    };
    texts.into_iter().filter_map(one).collect()
}

/// The files of ids that a path or pattern names.
fn id_file(field: &TomlField<'_>, place: &PathBase, problems: &mut Problems) -> Option<FileSource> {
    let text = field.word("\"ids.txt\"", problems)?;
    let source = if text.starts_with('~') {
        expanded(text, place)
            .map_err(|error| error.to_string())
            .and_then(|path| FileSource::pattern(Path::new(""), &path).map_err(|error| error.to_string()))
    } else {
        FileSource::pattern(&place.directory, Path::new(text)).map_err(|error| error.to_string())
    };
    source.map_err(|what| field.wrong(what, "write it like \"ids.txt\" or \"ids/*.txt\"", problems)).ok()
}

fn service(table: &TomlTable<'_>, known: &KnownServices<'_>, problems: &mut Problems) -> Option<Arc<Service>> {
    let Some(field) = table.get("service") else {
        let help = "write service = \"<name>\", the name of one of [services.<name>]";
        problems.add(Problem::at(table.span(), "no `service` in this job").help(help).absence());
        return None;
    };
    let name = field.word("\"llama\"", problems)?;
    if let Some(service) = known.get(name) {
        return service.clone();
    }
    problems.add(no_such_service(name, field.span, known.keys().copied()));
    None
}

/// That the file does not define the service that is named there.
pub fn no_such_service<'a>(name: &str, span: Range<usize>, known: impl Iterator<Item = &'a str>) -> Problem {
    let mut names: Vec<&str> = known.filter(|name| known_keys::is_service_name(name)).collect();
    names.sort_unstable();
    let help = match (known_keys::meant(name, &names), names.as_slice()) {
        (Some(meant), _) => format!("did you mean \"{meant}\"?"),
        (None, []) => "the file defines no service: write [services.<name>] first".to_owned(),
        (None, names) => {
            let more = if names.len() > 9 { ", …" } else { "" };
            format!("the file defines: {}{more}", names.get(..9).unwrap_or(names).join(", "))
        }
    };
    // The services may stand in a part of the file that could not be read.
    Problem::at(span, "the file defines no service of this name").help(help).absence()
}

/// The ids that a job's table gives.
enum Ids<'a> {
    /// In the file, each with its place.
    Given { texts: Vec<(&'a str, Range<usize>)>, are_many: bool },
    /// In separate files.
    Listed(TomlField<'a>),
}

fn ids<'a>(table: &TomlTable<'a>, problems: &mut Problems) -> Option<Ids<'a>> {
    let mut given: Vec<TomlField<'a>> = known_keys::ID.iter().filter_map(|key| table.get(key)).collect();
    given.sort_by_key(|field| field.key_span.start);
    let [field, others @ ..] = given.as_slice() else {
        let help = "write id = \"…\", as the service gave it, ids = [\"…\", \"…\"] for many at once, or ids_file = \"ids.txt\"";
        problems.add(Problem::at(table.span(), "no `id` in this job").help(help).absence());
        return None;
    };
    for other in others {
        let message = format!("`{}` beside `{}`: a job has one id", other.key, field.key);
        other.wrong_key(message, "keep one of them; `ids` takes many", problems);
    }
    match field.key {
        "ids_file" => Some(Ids::Listed(field.clone())),
        "ids" => {
            let texts = field.texts("ids = [\"…\", \"…\"]", problems)?;
            Some(Ids::Given { texts, are_many: true })
        }
        _ if field.value.is_array() => {
            let message = format!("`{}` takes one id", field.key);
            field.wrong_key(message, "write `ids` for many at once", problems);
            None
        }
        _ => {
            let text = field.text("\"98nlux8b0eu6\"", problems)?;
            Some(Ids::Given { texts: vec![(text, field.span.clone())], are_many: false })
        }
    }
}
