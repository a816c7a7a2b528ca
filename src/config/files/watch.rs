//! The jobs file, its files of ids and of providers while we run: read again whenever one was saved, however that is done.
//!
//! Every folder on the way to a file is watched, links and all, and looked up again after each event. Besides, the
//! files are looked at every few seconds: not every file system tells of changes, and not every system has a watch
//! left.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use notify::{ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use rustix::io::Errno;
use tokio::sync::mpsc::UnboundedSender;

use super::sources::{self, FileSource};
use crate::config::{ConfigError, JobsFile, load_named, parse, read};
use crate::domain::job::Job;

/// How long a file has to be left alone before it is read: editors write in several steps.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// How often the files are looked at where nothing tells of changes.
const LOOK: Duration = Duration::from_millis(1500);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct FileWatch {
    told: Sender<Told>,
    polled: Option<WatchError>,
}

impl FileWatch {
    /// Why the files are looked at every now and then and not watched; None if they are watched.
    pub fn polled(&self) -> Option<&WatchError> {
        self.polled.as_ref()
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        let _ = self.told.send(Told::Stop);
    }
}

/// Why a change of the jobs file is noticed late or not at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// A pipe gives its text once: read again, it would seem to be empty.
    #[error("the jobs file is no regular file and is not watched; changes need a new start")]
    NotRegular,
    #[error("the jobs file cannot be watched ({0}); it is looked at every two seconds instead")]
    Polled(String),
    #[error("failed to watch the jobs file: {0}; changes take effect at the next start")]
    NoThread(String),
}

/// What a change of the file came to. After an error the old one still applies.
pub type FileChange = Result<JobsFile, ConfigError>;

/// What wakes the thread.
enum Told {
    /// Something happened in one of the folders.
    Event(notify::Result<Event>),
    /// Nobody wants to know any more.
    Stop,
}

/// Sends what the file says whenever that changes, from its own thread. `file` is what applies
/// now; a change since it was read is sent too.
pub fn watch(file: &JobsFile, changes: UnboundedSender<FileChange>) -> Result<FileWatch, WatchError> {
    if file.path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(WatchError::NotRegular);
    }
    let (told, received) = channel();
    let mut folders = Folders::new(told.clone());
    folders.follow(&file.sources);
    let polled = folders.failed.clone().map(WatchError::Polled);
    let mut last = Last::new(file);
    std::thread::Builder::new()
        .name("jobs file".to_owned())
        .spawn(move || follow(&mut last, &mut folders, &received, &changes))
        .map_err(|error| WatchError::NoThread(error.to_string()))?;
    Ok(FileWatch { told, polled })
}

/// What was sent last.
struct Last {
    path: PathBuf,
    /// The files that are read as one with it.
    further: Vec<PathBuf>,
    /// The files that it is made of; of a file that is wrong those of the one before.
    sources: Vec<FileSource>,
    /// The digest of their texts.
    digest: Option<u64>,
    change: FileChange,
    /// The jobs that apply.
    jobs: Vec<Arc<Job>>,
}

impl Last {
    fn new(file: &JobsFile) -> Self {
        let (path, further, sources) = (file.path.clone(), file.further.clone(), file.sources.clone());
        Self { path, further, sources, digest: file.digest, change: Ok(file.clone()), jobs: file.jobs.clone() }
    }

    /// What the file says now, if that is another thing.
    fn again(&mut self) -> Option<&FileChange> {
        // A long text is not taken into memory only to be found the same.
        let now = sources::digest(&self.sources);
        if now.is_some() && now == self.digest {
            return None;
        }
        let text = read(&self.path);
        let mut change = match self.further.is_empty() {
            true => text.as_ref().map_err(Clone::clone).and_then(|text| parse(text, &self.path)),
            false => load_named(&[slice::from_ref(&self.path), &self.further].concat()),
        };
        // What was read is what counts: it may have been saved again meanwhile.
        self.digest = match &change {
            Ok(file) => {
                self.sources.clone_from(&file.sources);
                file.digest
            }
            Err(_) => now,
        };
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

fn follow(last: &mut Last, folders: &mut Folders, told: &Receiver<Told>, changes: &UnboundedSender<FileChange>) {
    let mut seen = look(&last.sources);
    loop {
        if let Some(change) = last.again()
            && changes.send(change.clone()).is_err()
        {
            return;
        }
        folders.follow(&last.sources);
        if !wait(folders, told, &last.sources, &mut seen) {
            return;
        }
    }
}

/// Waits until something may have changed and has then been left alone for a moment; false where it is over.
fn wait(folders: &Folders, told: &Receiver<Told>, sources: &[FileSource], seen: &mut Vec<FileStamp>) -> bool {
    // Other files of a busy folder neither put off the look nor the end of the waiting.
    let (mut until, mut is_settling) = (Instant::now() + LOOK, false);
    loop {
        match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Told::Event(event)) if folders.concern(&event) => {
                (until, is_settling) = (Instant::now() + DEBOUNCE, true);
            }
            Ok(Told::Event(_)) => {}
            Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => {
                let now = look(sources);
                let is_changed = now != *seen;
                *seen = now;
                match (is_settling, is_changed) {
                    (true, _) => return true,
                    (false, true) => (until, is_settling) = (Instant::now() + DEBOUNCE, true),
                    (false, false) => until = Instant::now() + LOOK,
                }
            }
        }
    }
}

/// What tells without reading it whether a file may have changed: which file it is, its length and times.
type FileStamp = (PathBuf, Option<[i64; 7]>);

fn look(sources: &[FileSource]) -> Vec<FileStamp> {
    let marks = |data: Metadata| {
        let (device, node, size) = (data.dev().cast_signed(), data.ino().cast_signed(), data.size().cast_signed());
        [device, node, size, data.mtime(), data.mtime_nsec(), data.ctime(), data.ctime_nsec()]
    };
    let files = sources.iter().flat_map(FileSource::files);
    files.map(|path| (path.metadata().ok().map(marks), path)).map(|(marks, path)| (path, marks)).collect()
}

/// The folders that are watched.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    /// Each with its device and inode: a folder that was replaced is another one.
    watched: HashMap<PathBuf, (u64, u64)>,
    /// The names that matter in them; None if all do.
    names: Option<HashSet<OsString>>,
    /// Why not all are watched.
    failed: Option<String>,
}

impl Folders {
    fn new(told: Sender<Told>) -> Self {
        let none = |why| Self { watcher: None, watched: HashMap::new(), names: None, failed: Some(why) };
        let alive = Arc::new(told);
        let in_thread = Arc::clone(&alive);
        match notify::recommended_watcher(move |event| drop(in_thread.send(Told::Event(event)))) {
            // The library does not say that its thread could not be started: it panics at each call, the last included.
            Ok(watcher) if Arc::strong_count(&alive) == 1 => {
                std::mem::forget(watcher);
                none("no thread can be started".to_owned())
            }
            Ok(watcher) => Self { watcher: Some(watcher), watched: HashMap::new(), names: None, failed: None },
            // The error's own text would repeat the path.
            Err(error) => none(why_not(&error)),
        }
    }

    /// Watches what leads to these files now, and nothing else.
    fn follow(&mut self, sources: &[FileSource]) {
        let Some(watcher) = &mut self.watcher else { return };
        let ways: Vec<sources::LinkPath> = sources.iter().map(|source| sources::way(source.path())).collect();
        let needed: HashSet<&PathBuf> = ways.iter().flat_map(|way| &way.folders).collect();
        let identity = |path: &Path| path.metadata().ok().map(|data| (data.dev(), data.ino()));
        let wanted: HashMap<PathBuf, (u64, u64)> = ways
            .iter()
            .flat_map(|way| way.folders.iter().chain(&way.above))
            .filter_map(|path| Some((path.clone(), identity(path)?)))
            .collect();
        for gone in self.watched.extract_if(|path, identity| wanted.get(path) != Some(identity)) {
            let _ = watcher.unwatch(&gone.0);
        }
        for (path, identity) in &wanted {
            if self.watched.contains_key(path) {
                continue;
            }
            match watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(path.clone(), *identity);
                }
                Err(error) if needed.contains(path) => self.failed = Some(why_not(&error)),
                // Others' folders may not be readable; what happens there is noticed at the next look.
                Err(_) => {}
            }
        }
        let is_pattern = sources.iter().any(FileSource::is_pattern);
        self.names = (!is_pattern).then(|| ways.into_iter().flat_map(|way| way.names).collect());
    }

    fn concern(&self, event: &notify::Result<Event>) -> bool {
        match event {
            // Reading the file is no change of it.
            Ok(event) if event.kind.is_access() => false,
            Ok(event) => {
                let Some(names) = &self.names else { return true };
                let is_named = |path: &PathBuf| path.file_name().is_some_and(|name| names.contains(name));
                event.need_rescan() || event.paths.iter().any(is_named)
            }
            Err(_) => true,
        }
    }
}

/// Why a folder cannot be watched, and what would help.
fn why_not(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::Io(error) if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => {
            "no inotify instance is left for you: end other watchers, or raise fs.inotify.max_user_instances".to_owned()
        }
        ErrorKind::MaxFilesWatch => "no inotify watch is left for you: raise fs.inotify.max_user_watches".to_owned(),
        ErrorKind::Io(error) => error.to_string(),
        ErrorKind::Generic(why) => why.clone(),
        ErrorKind::PathNotFound | ErrorKind::WatchNotFound => "its folder is not there".to_owned(),
        ErrorKind::InvalidConfig(_) => error.to_string(),
    }
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
    fn what_cannot_be_watched_says_which_limit_to_raise() {
        let cases = [
            (notify::Error::io(std::io::Error::from_raw_os_error(24)), "fs.inotify.max_user_instances"),
            (notify::Error::new(ErrorKind::MaxFilesWatch), "fs.inotify.max_user_watches"),
            (notify::Error::io(std::io::Error::from_raw_os_error(13)), "Permission denied"),
            (notify::Error::path_not_found(), "not there"),
        ];
        for (error, said) in cases {
            let why = why_not(&error);
            assert!(why.contains(said) && !why.contains("kind"), "{why}");
        }
    }

    #[test]
    fn a_file_that_is_saved_in_any_way_is_read_again_and_a_bad_one_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.toml");
        std::fs::write(&path, FILE).unwrap();
        let file = load(&path).unwrap();
        let (sender, mut changes) = tokio::sync::mpsc::unbounded_channel();
        let _watch = watch(&file, sender).unwrap();
        let mut next = || changes.blocking_recv().unwrap().map(|file| file.jobs.len()).map_err(|error| error.count());
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
        // A return to the file that applies is sent, a mere comment is not.
        save(&format!("# remark\n{with_job}"));
        assert_eq!(next(), Ok(1), "replaced");
        save("\n");
        assert_eq!(next(), Err(1), "a file that is only begun takes no job out");
        save(FILE);
        assert_eq!(next(), Ok(0));
    }

    /// Begins with a file at `path`, changes it step by step, and waits after each until the new job is seen.
    fn seen_after(path: &Path, steps: &mut [&mut dyn FnMut(&str)]) {
        let text = |jobs: usize| {
            let jobs = (0..jobs).map(|n| format!("[[jobs]]\nservice = \"llama\"\nid = \"{n}\"\n"));
            format!("{FILE}{}", jobs.collect::<String>())
        };
        let file = load(path).unwrap();
        let (sender, mut changes) = tokio::sync::mpsc::unbounded_channel();
        let _watch = watch(&file, sender).unwrap();
        for (n, step) in steps.iter_mut().enumerate() {
            step(&text(n + 1));
            // While it is being replaced, it may be seen not to be there.
            let seen = std::iter::from_fn(|| changes.blocking_recv()).find_map(Result::ok);
            assert_eq!(seen.map(|file| file.jobs.len()), Some(n + 1));
        }
    }

    #[test]
    fn a_file_behind_links_and_in_folders_that_are_replaced_is_watched_however_often_they_change() {
        use std::fs::{create_dir_all, remove_dir_all, rename, write};
        use std::os::unix::fs::symlink;
        let swap = |target: &str, link: &Path| {
            let beside = link.with_file_name("swap");
            symlink(target, &beside).unwrap();
            rename(beside, link).unwrap();
        };
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        let file = |path: &str, text: &str| {
            create_dir_all(at(path).parent().unwrap()).unwrap();
            write(at(path), text).unwrap();
        };
        // As Kubernetes mounts a configmap.
        file("map/..v0/jobs.toml", FILE);
        symlink("..v0", at("map/..data")).unwrap();
        symlink("..data/jobs.toml", at("map/jobs.toml")).unwrap();
        let update = |n: usize, text: &str| {
            file(&format!("map/..v{n}/jobs.toml"), text);
            swap(&format!("..v{n}"), &at("map/..data"));
            remove_dir_all(at(&format!("map/..v{}", n - 1))).unwrap();
        };
        seen_after(&at("map/jobs.toml"), &mut [&mut |text| update(1, text), &mut |text| update(2, text)]);
        // A link above the file, to the folder of a release.
        file("r0/etc/jobs.toml", FILE);
        symlink("r0", at("current")).unwrap();
        let release = |n: usize, text: &str| {
            file(&format!("r{n}/etc/jobs.toml"), text);
            swap(&format!("r{n}"), &at("current"));
        };
        let within = |text: &str| file("r2/etc/jobs.toml", text);
        seen_after(
            &at("current/etc/jobs.toml"),
            &mut [&mut |text| release(1, text), &mut |text| release(2, text), &mut |text| within(text)],
        );
        // The folder is moved away and made again, and again.
        file("cfg/jobs.toml", FILE);
        let replace = |n: usize, text: &str| {
            rename(at("cfg"), at(&format!("cfg{n}"))).unwrap();
            file("cfg/jobs.toml", text);
        };
        let in_place = |text: &str| file("cfg/jobs.toml", text);
        seen_after(
            &at("cfg/jobs.toml"),
            &mut [&mut |text| replace(1, text), &mut |text| in_place(text), &mut |text| replace(2, text)],
        );
    }

    #[test]
    fn where_nothing_tells_of_changes_the_files_are_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.toml");
        std::fs::write(&path, FILE).unwrap();
        let sources = [FileSource::file(&path)];
        let (told, received) = channel();
        let folders = Folders { watcher: None, watched: HashMap::new(), names: None, failed: Some("none".to_owned()) };
        let mut seen = look(&sources);
        std::fs::write(&path, format!("{FILE}{JOB}")).unwrap();
        assert!(wait(&folders, &received, &sources, &mut seen));
        told.send(Told::Stop).unwrap();
        assert!(!wait(&folders, &received, &sources, &mut seen));
    }

    #[test]
    fn files_of_ids_are_watched_like_the_jobs_file_and_a_pattern_takes_new_ones() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        let entry = "[[jobs]]\nservice = \"llama\"\nids_file = \"ids/*.txt\"\n";
        std::fs::write(at("jobs.toml"), format!("{FILE}{entry}")).unwrap();
        let file = load(&at("jobs.toml")).unwrap();
        assert!(file.jobs.is_empty());
        let (sender, mut changes) = tokio::sync::mpsc::unbounded_channel();
        let _watch = watch(&file, sender).unwrap();
        let mut next = || changes.blocking_recv().unwrap().map(|file| file.jobs.len()).map_err(|error| error.count());
        std::fs::create_dir(at("ids")).unwrap();
        std::fs::write(at("new"), "a\nb\tsecond\n").unwrap();
        std::fs::rename(at("new"), at("ids/1.txt")).unwrap();
        assert_eq!(next(), Ok(2));
        std::fs::write(at("new"), "c d\n").unwrap();
        std::fs::rename(at("new"), at("ids/2.txt")).unwrap();
        assert_eq!(next(), Err(1));
        std::fs::write(at("new"), "c\n").unwrap();
        std::fs::rename(at("new"), at("ids/2.txt")).unwrap();
        assert_eq!(next(), Ok(3));
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
        assert_eq!(watch(&file, sender).unwrap_err(), WatchError::NotRegular);
    }
}
