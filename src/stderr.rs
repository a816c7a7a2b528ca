//! Standard error, written by its own thread: a reader who does not read it holds up no poll, no save and no end.
//!
//! What finds no room in the queue is dropped and counted; the count is said as soon as there is room again.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::fd_writer::FdWriter;

/// How many bytes wait for a reader before lines are dropped.
const LARGEST: usize = 4 * 1024 * 1024;
/// How long the end waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_millis(500);

static QUEUE: StderrQueue = StderrQueue { state: Mutex::new(WriterState::new()), changed: Condvar::new() };

/// Says one line, soon and in order. Never waits.
pub fn line(line: &str) {
    QUEUE.push(format!("{line}\n"));
}

/// Waits until everything was written, or until the reader has taken nothing for half a second.
pub fn finish() {
    QUEUE.finish();
}

/// The same as a writer: what it is given is said line by line.
#[derive(Debug, Default)]
pub struct Stderr {
    begun: Vec<u8>,
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.flush()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        if !begun.is_empty() {
            QUEUE.push(String::from_utf8_lossy(&begun).into_owned());
        }
        Ok(())
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

struct StderrQueue {
    state: Mutex<WriterState>,
    changed: Condvar,
}

struct WriterState {
    lines: VecDeque<String>,
    /// Bytes of these lines and of the one that is being written.
    waiting: usize,
    /// Lines that found no room since the last that did.
    dropped: usize,
    /// Lines that were written, or could not be.
    written: u64,
    thread: WriterThread,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WriterThread {
    NotStarted,
    Running,
    /// No thread can be started: what standard error takes at once is written in place.
    None,
}

impl WriterState {
    const fn new() -> Self {
        Self { lines: VecDeque::new(), waiting: 0, dropped: 0, written: 0, thread: WriterThread::NotStarted }
    }

    /// Takes a line in, if there is room.
    fn admit(&mut self, line: String) {
        if self.waiting + line.len() > LARGEST {
            self.dropped += 1;
            return;
        }
        if self.dropped > 0 {
            let dropped = std::mem::take(&mut self.dropped);
            let told = format!("jobdeck: {dropped} lines were dropped here, since nobody read them\n");
            self.waiting += told.len();
            self.lines.push_back(told);
        }
        self.waiting += line.len();
        self.lines.push_back(line);
    }
}

impl StderrQueue {
    fn push(&'static self, line: String) {
        let mut state = self.lock();
        state.admit(line);
        if state.thread == WriterThread::NotStarted {
            let started = std::thread::Builder::new().name("stderr".to_owned()).spawn(move || self.write_all());
            state.thread = if started.is_ok() { WriterThread::Running } else { WriterThread::None };
        }
        match state.thread {
            WriterThread::Running => self.changed.notify_all(),
            WriterThread::None | WriterThread::NotStarted => {
                while FdWriter::stderr().is_ready()
                    && let Some(line) = state.lines.pop_front()
                {
                    state.waiting = state.waiting.saturating_sub(line.len());
                    let _ = FdWriter::stderr().write_all(line.as_bytes());
                }
            }
        }
    }

    fn write_all(&self) {
        loop {
            let mut state = self.lock();
            let line = loop {
                match state.lines.pop_front() {
                    Some(line) => break line,
                    None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(state);
            // There is nobody to tell that it cannot be written.
            let _ = FdWriter::stderr().write_all(line.as_bytes());
            let mut state = self.lock();
            state.waiting = state.waiting.saturating_sub(line.len());
            state.written += 1;
            drop(state);
            self.changed.notify_all();
        }
    }

    fn finish(&self) {
        let mut state = self.lock();
        while state.waiting > 0 && state.thread == WriterThread::Running {
            let before = state.written;
            let waited =
                self.changed.wait_timeout_while(state, PATIENCE, |state| state.waiting > 0 && state.written == before);
            let (after, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = after;
            if timeout.timed_out() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, WriterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_find_no_room_are_counted_where_they_would_have_stood() {
        let mut state = WriterState::new();
        let long = "x".repeat(LARGEST / 2);
        for line in [&long, &long, "dropped", "dropped too"] {
            state.admit(line.to_owned());
        }
        assert_eq!((state.lines.len(), state.dropped), (2, 2));
        let taken = state.lines.pop_front().unwrap();
        state.waiting -= taken.len();
        state.admit("after".to_owned());
        let rest: Vec<&str> = state.lines.iter().skip(1).map(String::as_str).collect();
        assert_eq!(rest, ["jobdeck: 2 lines were dropped here, since nobody read them\n", "after"]);
    }
}
