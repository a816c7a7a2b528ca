//! What goes to the terminal, written by its own thread: a terminal that takes nothing for a while holds up neither
//! keys nor signals nor the end.
//!
//! One for the process, as the terminal is. A frame is not drawn before the one before it was taken.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::fd_writer::FdWriter;

/// Told when the terminal has taken everything, or takes nothing any more.
pub static CAUGHT_UP: Notify = Notify::const_new();

/// How long a terminal may take nothing before it is given back, or left, without its having taken the rest.
const PATIENCE: Duration = Duration::from_millis(500);

static QUEUE: TtyQueue = TtyQueue {
    state: Mutex::new(TtyState { waiting: Vec::new(), writing: 0, written: 0, failure: None, runs: false }),
    changed: Condvar::new(),
};

struct TtyQueue {
    state: Mutex<TtyState>,
    changed: Condvar,
}

struct TtyState {
    waiting: Vec<u8>,
    /// Bytes that are being written.
    writing: usize,
    /// How often something was written.
    written: u64,
    failure: Option<io::ErrorKind>,
    runs: bool,
}

impl TtyState {
    fn is_behind(&self) -> bool {
        self.writing > 0 || !self.waiting.is_empty()
    }
}

/// Collects what is written to it, and hands it on at once when it is flushed.
#[derive(Debug, Default)]
pub struct TtyWriter {
    frame: Vec<u8>,
}

impl Write for TtyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        send(&std::mem::take(&mut self.frame))
    }
}

/// Starts the thread, if it does not run.
pub fn start() -> io::Result<()> {
    let mut state = QUEUE.lock();
    if !state.runs {
        std::thread::Builder::new().name("tty".to_owned()).spawn(|| QUEUE.write_all())?;
        state.runs = true;
    }
    Ok(())
}

/// Writes bytes after all that was handed over before. An error is that of an earlier write.
pub fn send(bytes: &[u8]) -> io::Result<()> {
    let mut state = QUEUE.lock();
    if let Some(kind) = state.failure {
        return Err(kind.into());
    }
    state.waiting.extend_from_slice(bytes);
    drop(state);
    QUEUE.changed.notify_all();
    Ok(())
}

/// Whether the terminal has not taken everything yet.
pub fn is_behind() -> bool {
    QUEUE.lock().is_behind()
}

/// Why the terminal takes nothing any more.
pub fn failure() -> Option<io::Error> {
    QUEUE.lock().failure.map(io::Error::from)
}

/// Waits until the terminal has taken everything, or has taken nothing for half a second.
pub fn finish() {
    let mut state = QUEUE.lock();
    while state.is_behind() && state.failure.is_none() && state.runs {
        let before = state.written;
        let unchanged = |state: &mut TtyState| state.is_behind() && state.written == before;
        let waited = QUEUE.changed.wait_timeout_while(state, PATIENCE, unchanged);
        let (after, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state = after;
        if timeout.timed_out() {
            return;
        }
    }
}

impl TtyQueue {
    fn write_all(&self) {
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let bytes = std::mem::take(&mut state.waiting);
            state.writing = bytes.len();
            drop(state);
            let mut failure = None;
            // In pieces, so that a slow terminal can be told from one that takes nothing.
            for piece in bytes.chunks(4096) {
                failure = FdWriter::stdout().write_all(piece).err();
                if failure.is_some() {
                    break;
                }
                self.lock().written += 1;
            }
            let mut state = self.lock();
            state.writing = 0;
            state.failure = failure.map(|error| error.kind());
            if state.failure.is_some() {
                state.waiting.clear();
            }
            let caught_up = !state.is_behind();
            drop(state);
            self.changed.notify_all();
            if caught_up {
                CAUGHT_UP.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, TtyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
