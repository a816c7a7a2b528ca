//! The jobs file while we run: read again whenever it was saved, however the editor does that.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::UnboundedSender;

use super::{ConfigError, JobsFile, digest, directory, parse, read};
use crate::domain::job::Job;

/// How long a file has to be left alone before it is read: editors write in several steps.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
}

/// What a change of the file came to. An error leaves the old one in force.
pub type Change = Result<JobsFile, ConfigError>;

/// Sends what the file says whenever that is another thing than before, from a thread of its own. `file` is what is
/// in force; a change between its reading and now is sent too. The error is a sentence for a person.
pub fn watch(file: &JobsFile, changes: UnboundedSender<Change>) -> Result<Watch, String> {
    let failed = |error: notify::Error| {
        // The error's own text would repeat the path.
        format!("failed to watch the jobs file: {:?}; changes take effect at the next start", error.kind)
    };
    if file.path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        // A pipe gives its text once: read again, it would seem to be empty.
        return Err("the jobs file is no regular file and is not watched; changes need a new start".to_owned());
    }
    let (events, received) = channel();
    let mut watcher = notify::recommended_watcher(move |event| drop(events.send(event))).map_err(failed)?;
    let path = std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone());
    // A file that is replaced is another file: its directory is watched. A link can change at both of its ends.
    let mut places = vec![path.clone()];
    places.extend(path.canonicalize().ok().filter(|target| *target != path));
    for place in &places {
        watcher.watch(&parent(place), RecursiveMode::NonRecursive).map_err(failed)?;
    }
    let names: Vec<OsString> = places.iter().filter_map(|place| place.file_name()).map(OsString::from).collect();
    let mut last = Last::new(file);
    std::thread::Builder::new()
        .name("jobs file".to_owned())
        .spawn(move || follow(&mut last, &names, &received, &changes))
        .map_err(|error| format!("failed to watch the jobs file: {error}; changes take effect at the next start"))?;
    Ok(Watch { _watcher: watcher })
}

/// What was sent last.
struct Last {
    path: PathBuf,
    /// The digest of its text.
    text: Option<u64>,
    change: Change,
    /// The jobs in force.
    jobs: Vec<Arc<Job>>,
}

impl Last {
    fn new(file: &JobsFile) -> Self {
        Self { path: file.path.clone(), text: file.text, change: Ok(file.clone()), jobs: file.jobs.clone() }
    }

    /// What the file says now, if that is another thing.
    fn again(&mut self) -> Option<&Change> {
        // A long text is not taken into memory only to be found the same.
        let now = File::open(&self.path).ok().and_then(digest);
        if now.is_some() && now == self.text {
            return None;
        }
        let text = read(&self.path);
        self.text = text.as_deref().ok().and_then(|text| digest(text.as_bytes()));
        let mut change = text.as_ref().map_err(Clone::clone).and_then(|text| parse(text, &self.path));
        if text.as_ref().is_ok_and(|text| text.trim().is_empty()) && change != self.change {
            // Whoever writes a file from the start, as a shell does, empties it first.
            change = Err(ConfigError::of_file(&self.path, "the file is empty", "write the jobs to it again"));
        }
        if let Ok(file) = &mut change {
            share(&mut file.jobs, &self.jobs);
            self.jobs.clone_from(&file.jobs);
        }
        if change == self.change {
            return None;
        }
        self.change = change;
        Some(&self.change)
    }
}

/// Replaces jobs that are declared as before by those before, which others hold: so no job is held twice.
fn share(jobs: &mut [Arc<Job>], before: &[Arc<Job>]) {
    let before: HashSet<&Arc<Job>> = before.iter().collect();
    for job in jobs {
        if let Some(same) = before.get(job) {
            *job = Arc::clone(same);
        }
    }
}

fn follow(
    last: &mut Last,
    names: &[OsString],
    events: &Receiver<notify::Result<Event>>,
    changes: &UnboundedSender<Change>,
) {
    loop {
        if let Some(change) = last.again()
            && changes.send(change.clone()).is_err()
        {
            return;
        }
        loop {
            match events.recv() {
                Ok(event) if concerns(&event, names) => break,
                Ok(_) => {}
                Err(_) => return,
            }
        }
        loop {
            match events.recv_timeout(DEBOUNCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

fn concerns(event: &notify::Result<Event>, names: &[OsString]) -> bool {
    match event {
        // Reading the file is no change of it.
        Ok(event) if event.kind.is_access() => false,
        Ok(event) => {
            event.need_rescan()
                || event.paths.iter().any(|path| names.iter().any(|name| path.file_name() == Some(name.as_os_str())))
        }
        Err(_) => true,
    }
}

fn parent(path: &Path) -> PathBuf {
    let directory = directory(path);
    if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::config::load;

    const FILE: &str =
        "[services.llama]\nprovider = \"vessl\"\nbase_url = \"https://host.example\"\ntoken = { env = \"T\" }\n";
    const JOB: &str = "[[jobs]]\nservice = \"llama\"\nid = \"a\"\n";

    #[test]
    fn a_file_that_is_saved_in_any_way_is_read_again_and_a_bad_one_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.toml");
        std::fs::write(&path, FILE).unwrap();
        let file = load(&path).unwrap();
        let (sender, mut changes) = tokio::sync::mpsc::unbounded_channel();
        let _watch = watch(&file, sender).unwrap();
        let mut next = || changes.blocking_recv().unwrap().map(|file| file.jobs.len()).map_err(|error| error.count);
        // In one step: a file that is written in place may be seen half written on a busy machine.
        let save = |text: &str| {
            std::fs::write(path.with_extension("new"), text).unwrap();
            std::fs::rename(path.with_extension("new"), &path).unwrap();
        };
        let with_job = format!("{FILE}{JOB}");
        let mut in_place = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        in_place.write_all(JOB.as_bytes()).unwrap();
        assert_eq!(next(), Ok(1), "written in place");
        save(&format!("{with_job}colour = 1\n"));
        assert_eq!(next(), Err(1), "a bad file");
        // What is in force again is said, a remark alone is not.
        save(&format!("# remark\n{with_job}"));
        assert_eq!(next(), Ok(1), "replaced");
        save("\n");
        assert_eq!(next(), Err(1), "a file that is only begun takes no job out");
        save(FILE);
        assert_eq!(next(), Ok(0));
    }

    #[test]
    fn a_job_that_an_edit_does_not_touch_is_held_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.toml");
        std::fs::write(&path, format!("{FILE}{JOB}")).unwrap();
        let file = load(&path).unwrap();
        let mut last = Last::new(&file);
        let cases = [
            (format!("{FILE}{JOB}colour = 1\n"), None),
            (format!("{FILE}[[jobs]]\nservice = \"llama\"\nid = \"b\"\n{JOB}"), Some(true)),
            (format!("{FILE}{JOB}name = \"first\"\n"), Some(false)),
        ];
        for (text, is_same) in cases {
            std::fs::write(&path, &text).unwrap();
            let change = last.again().unwrap().as_ref().ok();
            let job = change.map(|change| change.jobs.last().unwrap());
            assert_eq!(job.map(|job| Arc::ptr_eq(job, &file.jobs[0])), is_same, "{text}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_read_once() {
        let file = JobsFile { path: PathBuf::from("/dev/null"), ..parse(FILE, Path::new("jobs.toml")).unwrap() };
        let (sender, _changes) = tokio::sync::mpsc::unbounded_channel();
        assert!(watch(&file, sender).unwrap_err().contains("no regular file"));
    }
}
