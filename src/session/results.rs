//! One job's saved result as files: where they go, what is in them, never half, never in the place of something else.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::file_name::file_name;
use super::part_file;
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{BodyId, Damage, Observation, SavedBody};
use crate::engine::saved::{StoreError, WholeResult};

/// A job's JSON line, as JSON lines have it.
pub type JobLine = fn(&Job, &Observation) -> String;

/// How results are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FolderLayout {
    /// A folder for each job, with all that was saved of it.
    #[default]
    Folders,
    /// A file for each job, with its decoded output alone.
    Flat,
}

/// Why a result could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("failed to {step} {path}: {error}. Make room there, or name another directory")]
    Io {
        /// Completes "failed to".
        step: &'static str,
        path: PathBuf,
        error: io::Error,
    },
    /// Something that may lead elsewhere is where a folder or file should be.
    #[error("failed to write into {0}: it is a link or no directory. Take it away, or name another directory")]
    NoFolder(PathBuf),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Damaged(#[from] Damage),
}

/// The saved results as files in one directory.
#[derive(Debug)]
pub struct ResultFolder {
    dir: PathBuf,
    layout: FolderLayout,
    line: JobLine,
    /// Whose a name is. Two files may call two services the same.
    names: HashMap<String, JobKey>,
    pub written: usize,
    /// Files that were there already.
    pub same: usize,
    /// What a person has to know of.
    pub notes: Vec<String>,
}

impl ResultFolder {
    /// Into this directory, which is made if it is missing.
    pub fn new(dir: &Path, layout: FolderLayout, line: JobLine) -> Result<Self, ExportError> {
        make_root(dir)?;
        let (dir, names, notes) = (dir.to_owned(), HashMap::new(), Vec::new());
        Ok(Self { dir, layout, line, names, written: 0, same: 0, notes })
    }

    /// Whether a job's result is there already, as it was saved, and what was fetched beside it too. Reads no body.
    pub fn is_there(&mut self, job: &Job, known: &Observation, also: &BTreeMap<String, SavedBody>) -> bool {
        match self.layout {
            FolderLayout::Folders => {
                let name = self.name(job);
                let folder = self.dir.join(name);
                let line = self.result_line(job, known);
                // A folder that an earlier jobdeck wrote has its line, and no further files.
                holds(&folder.join("result.json"), line.len() as u64, line.as_bytes())
                    && also.iter().all(|(name, saved)| has_file(&folder.join("also"), &file_name(name), saved.bytes))
            }
            FolderLayout::Flat => false,
        }
    }

    /// Writes a job's result: its saved body, what is in that, and what was fetched beside it. Answers with the bodies
    /// that are written out by that.
    pub fn write(&mut self, job: &Job, known: &Observation, whole: WholeResult) -> Result<Vec<BodyId>, ExportError> {
        if let Some(saved) = &known.saved {
            saved.check(&whole.body)?;
        }
        let mut written = Vec::from_iter(known.saved.as_ref().map(|saved| saved.body));
        match self.layout {
            FolderLayout::Folders => {
                written.extend(whole.also.iter().map(|file| file.saved.body));
                self.write_folder(job, known, whole)?;
            }
            FolderLayout::Flat => {
                let Some(output) = whole.payload.output else { return Ok(Vec::new()) };
                let stem = self.name(job);
                let dir = self.dir.clone();
                self.put(&dir, (&stem, "json"), &output)?;
            }
        }
        Ok(written)
    }

    fn write_folder(&mut self, job: &Job, known: &Observation, whole: WholeResult) -> Result<(), ExportError> {
        let WholeResult { body, payload, also } = whole;
        let name = self.name(job);
        let folder = self.dir.join(name);
        make_folder(&folder)?;
        let saved = self.put(&folder, ("body", ""), &body)?;
        if serde_json::from_slice::<&RawValue>(&body).is_ok() {
            self.put_again(&folder.join("body.json"), &body, &saved)?;
        }
        if let Some(raw) = payload.raw {
            self.put(&folder, ("raw", ""), &raw)?;
        }
        if let Some(output) = payload.output {
            self.put(&folder, ("output", "json"), &output)?;
        }
        if !payload.files.is_empty() {
            let files = folder.join("files");
            make_folder(&files)?;
            let before = self.notes.len();
            for file in payload.files {
                let Some(object) = body.get(file.range.clone()) else { continue };
                self.put(&files, (&file_name(&file.name), "json"), object)?;
            }
            // Two files of one name are no surprise.
            self.notes.truncate(before);
        }
        if !also.is_empty() {
            // A folder of their own: a description may call a file as one of ours is called.
            let dir = folder.join("also");
            make_folder(&dir)?;
            for file in also {
                file.saved.check(&file.bytes)?;
                self.put(&dir, (&file_name(&file.name), ""), &file.bytes)?;
            }
        }
        // The last: where it is, all of it is.
        let line = self.result_line(job, known);
        self.replace(&folder.join("result.json"), line.as_bytes())
    }

    /// Writes a file that is jobdeck's own, over an earlier one of its kind.
    pub fn replace(&mut self, path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
        if holds(path, bytes.len() as u64, bytes) {
            self.same += 1;
            return Ok(());
        }
        if fs::symlink_metadata(path).is_ok_and(|about| !about.is_file()) {
            return Err(ExportError::NoFolder(path.to_owned()));
        }
        part_file::write(path, bytes).map_err(|error| io_error("write", path, error))?;
        self.written += 1;
        Ok(())
    }

    /// The same bytes under a second name, with an ending that programs know them by: a link, for they may be many.
    fn put_again(&mut self, path: &Path, bytes: &[u8], saved: &Path) -> Result<(), ExportError> {
        if fs::symlink_metadata(path).is_ok() || fs::hard_link(saved, path).is_err() {
            return self.replace(path, bytes);
        }
        self.written += 1;
        Ok(())
    }

    /// Writes a file under the first name that is free. One that holds the same is left, and so is any other. Answers
    /// with the path.
    pub fn put(&mut self, dir: &Path, (stem, ending): (&str, &str), bytes: &[u8]) -> Result<PathBuf, ExportError> {
        let ending = if ending.is_empty() { String::new() } else { format!(".{ending}") };
        let mut number = 1_u32;
        loop {
            let name = if number == 1 { format!("{stem}{ending}") } else { format!("{stem}.{number}{ending}") };
            let path = dir.join(name);
            match fs::symlink_metadata(&path) {
                Ok(_) if holds(&path, bytes.len() as u64, bytes) => {
                    self.same += 1;
                    return Ok(path);
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    part_file::write(&path, bytes).map_err(|error| io_error("write", &path, error))?;
                    self.written += 1;
                    if number > 1 {
                        let there = dir.join(format!("{stem}{ending}"));
                        let (there, path) = (there.display(), path.display());
                        self.notes.push(format!("{there} holds something else and was left; see {path}"));
                    }
                    return Ok(path);
                }
                Err(error) => return Err(io_error("write", &path, error)),
            }
            number += 1;
        }
    }

    /// The name of a job's folder or file: always the same, and no other job's.
    fn name(&mut self, job: &Job) -> String {
        let called = match self.layout {
            FolderLayout::Folders => &job.key.id,
            FolderLayout::Flat => job.name.as_ref().unwrap_or(&job.key.id),
        };
        let plain = file_name(&format!("{}__{called}", job.service));
        let owner = self.names.entry(plain.clone()).or_insert_with(|| job.key.clone());
        if *owner == job.key {
            return plain;
        }
        file_name(&format!("{} at {}", job.label(), job.key.endpoint))
    }

    fn result_line(&self, job: &Job, known: &Observation) -> String {
        (self.line)(job, known) + "\n"
    }
}

/// Makes the directory that was named, where it is missing, and takes away what a killed export left in it.
pub fn make_root(dir: &Path) -> Result<(), ExportError> {
    fs::create_dir_all(dir).map_err(|error| match fs::metadata(dir) {
        Ok(about) if !about.is_dir() => ExportError::NoFolder(dir.to_owned()),
        Ok(_) | Err(_) => io_error("make the directory", dir, error),
    })?;
    part_file::clear(dir);
    Ok(())
}

/// Puts what was written into a folder on its disk: what counts as exported may be forgotten.
pub fn sync(dir: &Path) -> Result<(), ExportError> {
    let failed = |error| io_error("put on its disk what was written to", dir, error);
    let folder = fs::File::open(dir).map_err(failed)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&folder).map_err(|error| failed(error.into()))?;
    #[cfg(not(target_os = "linux"))]
    folder.sync_all().map(|()| rustix::fs::sync()).map_err(failed)?;
    Ok(())
}

/// Makes a job's folder. A link in its place may lead anywhere and is refused.
fn make_folder(folder: &Path) -> Result<(), ExportError> {
    match fs::create_dir(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io_error("make the directory", folder, error)),
    }
    match fs::symlink_metadata(folder) {
        Ok(about) if about.is_dir() => {
            part_file::clear(folder);
            Ok(())
        }
        Ok(_) | Err(_) => Err(ExportError::NoFolder(folder.to_owned())),
    }
}

/// Whether a folder has a file of this length under one of the names that `put` gives.
fn has_file(folder: &Path, stem: &str, length: u64) -> bool {
    for number in 1_u32.. {
        let name = if number == 1 { stem.to_owned() } else { format!("{stem}.{number}") };
        match fs::symlink_metadata(folder.join(name)) {
            Ok(about) if about.is_file() && about.len() == length => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

/// Whether a file has exactly these bytes and no others. A link is no file.
pub fn holds(path: &Path, length: u64, bytes: impl BufRead) -> bool {
    fs::symlink_metadata(path).is_ok_and(|about| about.is_file() && about.len() == length)
        && fs::File::open(path).and_then(|file| are_equal(BufReader::new(file), bytes)).unwrap_or(false)
}

fn are_equal(mut one: impl BufRead, mut other: impl BufRead) -> io::Result<bool> {
    loop {
        let (piece, second) = (one.fill_buf()?, other.fill_buf()?);
        let length = piece.len().min(second.len());
        if length == 0 {
            return Ok(piece.is_empty() && second.is_empty());
        }
        if piece.get(..length) != second.get(..length) {
            return Ok(false);
        }
        one.consume(length);
        other.consume(length);
    }
}

fn io_error(step: &'static str, path: &Path, error: io::Error) -> ExportError {
    ExportError::Io { step, path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use bytes::Bytes;

    use super::*;
    use crate::domain::checksum::Checksum;
    use crate::domain::job::ProviderName;
    use crate::domain::observation::{BodyId, SavedBody};
    use crate::engine::saved::AlsoFile;

    fn job(service: &str, endpoint: &str, id: &str) -> Job {
        let key = JobKey { provider: ProviderName::UNSTRACT, endpoint: endpoint.into(), id: id.to_owned() };
        crate::tests::job(key, service)
    }

    fn known(body: &[u8]) -> Observation {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let sha256 = Checksum::of(body);
        let saved =
            SavedBody { body: BodyId(1), bytes: body.len() as u64, sha256, http_status: 200, at, masked: false };
        Observation { saved: Some(saved), ..Observation::default() }
    }

    fn results(dir: &Path) -> ResultFolder {
        ResultFolder::new(dir, FolderLayout::Folders, |job, known| format!("{} {:?}", job.label(), known.saved))
            .unwrap()
    }

    fn below(dir: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(dir).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    fn whole(body: &'static [u8]) -> WholeResult {
        let body = Bytes::from_static(body);
        WholeResult { payload: crate::tests::extract(ProviderName::UNSTRACT, &body), body, also: Vec::new() }
    }

    fn also(name: &str, bytes: &'static [u8]) -> AlsoFile {
        let bytes = Bytes::from_static(bytes);
        AlsoFile { name: name.to_owned(), saved: known(&bytes).saved.unwrap(), bytes }
    }

    const BODY: &[u8] = br#"{"status":"COMPLETED","message":[
        {"file":"a.pdf","status":"Success","result":{"output":{"total":1.50}},"error":null},
        {"file":"a.pdf","status":"Success","result":{"output":{"total":2}},"error":null},
        {"file":"../up","status":"Failed","result":null,"error":"no page"}]}"#;

    #[test]
    fn a_job_becomes_a_folder_and_a_second_run_writes_only_what_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let (job, known) = (job("inv", "https://h", "1"), known(BODY));
        let mut first = results(dir.path());
        assert!(!first.is_there(&job, &known, &BTreeMap::new()));
        first.write(&job, &known, whole(BODY)).unwrap();
        let expected = [
            "body",
            "body.json",
            "files/.._up",
            "files/a.pdf.2.json",
            "files/a.pdf.json",
            "output.json",
            "raw",
            "result.json",
        ];
        let found = below(&dir.path().join("inv__1"));
        for name in expected {
            assert!(
                found.iter().any(|found| found.starts_with(name) || found.replace("_..", "..").starts_with(name)),
                "{name}: {found:?}"
            );
        }
        assert_eq!(fs::read(dir.path().join("inv__1/body.json")).unwrap(), BODY);
        for name in &found {
            let about = fs::metadata(dir.path().join("inv__1").join(name)).unwrap();
            assert_eq!(about.permissions().mode() & 0o777, 0o600, "{name}");
        }
        let mut second = results(dir.path());
        assert!(second.is_there(&job, &known, &BTreeMap::new()));
        second.write(&job, &known, whole(BODY)).unwrap();
        assert_eq!((second.written, second.same), (0, found.len()));
        assert_eq!(below(&dir.path().join("inv__1")), found);
    }

    #[test]
    fn what_is_not_what_was_saved_is_not_written_out() {
        let dir = tempfile::tempdir().unwrap();
        let cut = WholeResult { body: Bytes::from_static(&BODY[..40]), ..whole(BODY) };
        let error = results(dir.path()).write(&job("inv", "https://h", "1"), &known(BODY), cut).unwrap_err();
        assert!(matches!(error, ExportError::Damaged(_)), "{error}");
        assert_eq!(below(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn what_was_fetched_beside_a_result_is_written_under_its_name_which_stays_in_a_folder_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (job, known) = (job("batch", "https://h", "1"), known(BODY));
        let named = ["errors", "errors.jsonl", "body", "../up", "/etc/passwd", "nul", "A", "a", ".x", "", "é\u{1b}[2J"];
        let further = || named.iter().map(|name| also(name, b"x")).collect();
        let all = WholeResult { also: further(), ..whole(BODY) };
        results(dir.path()).write(&job, &known, all.clone()).unwrap();
        let folder = dir.path().join("batch__1");
        let found: Vec<String> = below(&folder).into_iter().filter(|name| name.starts_with("also/")).collect();
        assert_eq!(found.len(), named.len(), "{found:?}");
        for name in ["also/errors", "also/errors.jsonl", "also/body", "also/_nul~", "also/A~", "also/a"] {
            assert!(found.iter().any(|found| found.starts_with(name)), "{name}: {found:?}");
        }
        assert!(found.iter().all(|name| name.is_ascii() && name.split('/').count() == 2), "{found:?}");
        assert_eq!(fs::read(folder.join("body")).unwrap(), BODY);
        let mut second = results(dir.path());
        second.write(&job, &known, all).unwrap();
        assert_eq!(second.written, 0, "the same names every time");
    }

    #[test]
    fn a_folder_without_the_further_files_is_not_all_of_a_result() {
        let dir = tempfile::tempdir().unwrap();
        let (job, known) = (job("batch", "https://h", "1"), known(BODY));
        results(dir.path()).write(&job, &known, whole(BODY)).unwrap();
        let further = BTreeMap::from([("errors".to_owned(), also("errors", b"x").saved)]);
        let mut again = results(dir.path());
        assert!(again.is_there(&job, &known, &BTreeMap::new()) && !again.is_there(&job, &known, &further));
        let all = WholeResult { also: vec![also("errors", b"x")], ..whole(BODY) };
        assert_eq!(again.write(&job, &known, all).unwrap().len(), 2);
        assert!(again.is_there(&job, &known, &further));
    }

    #[test]
    fn where_outputs_alone_are_written_what_has_none_does_not_count_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let line: JobLine = |job, _| job.label();
        let mut flat = ResultFolder::new(dir.path(), FolderLayout::Flat, line).unwrap();
        for (id, body, count) in [("1", BODY, 1), ("2", b"no json", 0)] {
            let written = flat.write(&job("inv", "https://h", id), &known(body), whole(body)).unwrap();
            assert_eq!((written.len(), flat.written), (count, 1), "{id}");
        }
    }

    #[test]
    fn a_job_whose_further_file_is_damaged_is_not_called_whole() {
        let dir = tempfile::tempdir().unwrap();
        let damaged = AlsoFile { bytes: Bytes::from_static(b"y"), ..also("errors", b"x") };
        let whole = WholeResult { also: vec![damaged], ..whole(BODY) };
        let (job, known) = (job("batch", "https://h", "1"), known(BODY));
        let error = results(dir.path()).write(&job, &known, whole).unwrap_err();
        assert!(matches!(error, ExportError::Damaged(_)), "{error}");
        let found = below(&dir.path().join("batch__1"));
        assert!(found.contains(&"body".to_owned()) && !found.contains(&"result.json".to_owned()), "{found:?}");
    }

    #[test]
    fn a_link_in_the_place_of_a_folder_or_file_leads_nowhere() {
        for (link, makes_folder) in
            [("inv__1", false), ("inv__1/files", true), ("inv__1/also", true), ("inv__1/result.json", true)]
        {
            let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            if makes_folder {
                fs::create_dir(dir.path().join("inv__1")).unwrap();
            }
            std::os::unix::fs::symlink(elsewhere.path(), dir.path().join(link)).unwrap();
            let whole = WholeResult { also: vec![also("errors", b"x")], ..whole(BODY) };
            let written = results(dir.path()).write(&job("inv", "https://h", "1"), &known(BODY), whole);
            assert!(matches!(written, Err(ExportError::NoFolder(_))), "{link}: {written:?}");
            assert_eq!(below(elsewhere.path()), Vec::<String>::new(), "{link}");
        }
    }

    #[test]
    fn a_file_of_other_content_is_left_and_the_new_one_stands_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut results = results(dir.path());
        for bytes in [b"one", b"one", b"two", b"two"] {
            results.put(dir.path(), ("body", "json"), bytes).unwrap();
        }
        assert_eq!((results.written, results.same, results.notes.len()), (2, 2, 1));
        assert_eq!(fs::read(dir.path().join("body.json")).unwrap(), b"one");
        assert_eq!(fs::read(dir.path().join("body.2.json")).unwrap(), b"two");
        assert_eq!(below(dir.path()), ["body.2.json", "body.json"], "and no piece is left behind");
    }

    #[test]
    fn no_two_jobs_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let mut results = results(dir.path());
        let jobs = [
            job("a", "https://h", "1"),
            job("a", "https://h", "2"),
            job("a", "https://other", "2"),
            job("b__c", "https://h", "3"),
            job("b", "https://h", "c__3"),
        ];
        let names: Vec<String> = jobs.iter().map(|job| results.name(job)).collect();
        assert_eq!(names.first().unwrap(), "a__1");
        let distinct: std::collections::HashSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), jobs.len(), "{names:?}");
        assert_eq!(jobs.iter().map(|job| results.name(job)).collect::<Vec<_>>(), names, "and always the same");
    }
}
