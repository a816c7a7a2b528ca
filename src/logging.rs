//! Our own log lines, to the rotated file in the state directory, to the log pane and, where asked for, to stderr.
//!
//! Only lines of this crate are taken: HTTP libraries log headers and URLs, which hold secrets.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::domain::clean::Clean;
use crate::stderr;

/// At this size the file becomes `jobdeck.log.1`, and a new one is begun.
const LARGEST: u64 = 4 * 1024 * 1024;
/// After so many bytes of our own the file's size is looked at again.
const LOOKED_AT_EVERY: usize = 16 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    pub at: Timestamp,
    pub level: Level,
    /// Who it is about: a job or a service; empty for the program itself.
    pub source: Clean,
    pub text: Clean,
}

impl fmt::Display for LoggedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} {:<5}", self.at, self.level)?;
        if !self.source.is_empty() {
            write!(f, " {}:", self.source)?;
        }
        write!(f, " {}", self.text)
    }
}

#[derive(Debug, Default)]
pub struct Targets {
    /// The state directory; None: no file.
    pub state_dir: Option<PathBuf>,
    pub pane: Option<UnboundedSender<LoggedEvent>>,
    /// Whether stderr gets them too. Never while a dashboard has the terminal.
    pub stderr: bool,
    /// How often `-v` was given: none and one give information, two what helps to find faults, three everything.
    pub verbosity: u8,
}

/// Begins to take lines, once a process. A log file that cannot be opened is no reason not to run.
pub fn start(targets: Targets) {
    let most = most(targets.verbosity);
    let file = targets.state_dir.as_deref().and_then(|dir| LogFile::open(dir).ok()).map(Mutex::new);
    let layer = LogLayer { most, file, pane: targets.pane, stderr: targets.stderr };
    // A second start, as in tests, leaves the first as it is.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
}

/// The least important lines that are logged with this many `-v`; the first only sends them to standard error too.
fn most(verbosity: u8) -> Level {
    match verbosity {
        0 | 1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    }
}

struct LogLayer {
    most: Level,
    file: Option<Mutex<LogFile>>,
    pane: Option<UnboundedSender<LoggedEvent>>,
    stderr: bool,
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("jobdeck") && *metadata.level() <= self.most
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut words = EventFields::default();
        event.record(&mut words);
        let line = LoggedEvent {
            at: Timestamp::now(),
            level: *event.metadata().level(),
            source: Clean::from(words.job),
            text: Clean::from(words.message),
        };
        if let Some(file) = &self.file {
            file.lock().unwrap_or_else(PoisonError::into_inner).write(&line);
        }
        if words.file_only {
            return;
        }
        if self.stderr {
            stderr::line(&line.to_string());
        }
        if let Some(pane) = &self.pane {
            let _ = pane.send(line);
        }
    }
}

#[derive(Default)]
struct EventFields {
    /// What a command of the user's own printed: too much for people who look on.
    file_only: bool,
    job: String,
    message: String,
}

impl Visit for EventFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "job" => value.clone_into(&mut self.job),
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "file_only" => self.file_only = value,
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}{}", self.message),
            "job" => self.job = format!("{value:?}"),
            name => self.message.push_str(&format!(" {name}={value:?}")),
        }
    }
}

/// The file, 0600, and its one predecessor. Other instances write to it too, and rename it.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: File,
    /// Bytes that we wrote since its size was looked at; None: it never was.
    unlooked: Option<usize>,
}

impl LogFile {
    fn open(state_dir: &Path) -> io::Result<Self> {
        let path = state_dir.join("jobdeck.log");
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        // Whatever the umask leaves of it, for the next process.
        let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
        Ok(Self { path, file, unlooked: None })
    }

    /// A line that the disk does not take is dropped: there is nobody to tell.
    fn write(&mut self, line: &LoggedEvent) {
        if self.is_too_large()
            && let Ok(fresh) = self.rotated()
        {
            *self = fresh;
        }
        let line = format!("{line}\n");
        self.unlooked = self.unlooked.map(|bytes| bytes + line.len());
        let _ = self.file.write_all(line.as_bytes());
    }

    /// By its size on disk, to which every instance adds: looked at now and then, not at every line.
    fn is_too_large(&mut self) -> bool {
        if self.unlooked.is_some_and(|bytes| bytes < LOOKED_AT_EVERY) {
            return false;
        }
        self.unlooked = Some(0);
        self.file.metadata().is_ok_and(|file| file.len() > LARGEST)
    }

    /// The file that is to be written to from now on: the first instance that finds it too large renames it, under a
    /// lock, and the others find a new one at the path.
    fn rotated(&self) -> io::Result<Self> {
        self.file.lock()?;
        let ours = self.file.metadata()?;
        let is_ours = |at: &fs::Metadata| (at.dev(), at.ino()) == (ours.dev(), ours.ino());
        if fs::metadata(&self.path).as_ref().is_ok_and(is_ours) {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
        }
        // Closing the old file, by dropping it, gives the lock up.
        Self::open(self.path.parent().unwrap_or(Path::new(".")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn line(text: &str) -> LoggedEvent {
        LoggedEvent { at: Timestamp::UNIX_EPOCH, level: Level::WARN, source: Clean::new("a/b"), text: Clean::new(text) }
    }

    #[test]
    fn a_line_names_time_level_and_source_and_no_escape_sequence() {
        assert_eq!(line("\u{1b}[31mred").to_string(), "1970-01-01T00:00:00.000Z WARN  a/b: red");
    }

    #[test]
    fn each_v_after_the_first_gives_more() {
        assert_eq!([0, 1, 2, 3, 9].map(most), [Level::INFO, Level::INFO, Level::DEBUG, Level::TRACE, Level::TRACE]);
    }

    #[test]
    fn the_file_is_private_and_becomes_its_own_predecessor_when_it_is_large() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = LogFile::open(dir.path()).unwrap();
        file.file.set_len(LARGEST + 1).unwrap();
        file.write(&line("new"));
        let mode = fs::metadata(dir.path().join("jobdeck.log")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(dir.path().join("jobdeck.log.1").exists());
        assert!(fs::read_to_string(dir.path().join("jobdeck.log")).unwrap().contains("new"));
    }

    #[test]
    fn however_many_instances_write_the_file_it_stays_within_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let long = line(&"x".repeat(64 * 1024));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut file = LogFile::open(dir.path()).unwrap();
                    (0..100).for_each(|_| file.write(&long));
                });
            }
        });
        for name in ["jobdeck.log", "jobdeck.log.1"] {
            let size = fs::metadata(dir.path().join(name)).unwrap().len();
            assert!(size <= LARGEST + 4 * 65 * 1024, "{name} has {size} bytes");
        }
    }
}
