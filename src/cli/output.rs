//! The only place that prints: data to standard output, everything else to standard error.
//!
//! A closed standard output (`watch | head`) is no error: what is printed after it goes nowhere.

use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::ColorChoice;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::FileType;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::args::CommonArgs;
use super::locale;
use crate::config::user::ThemeChoice;
use crate::domain::clean::Clean;
use crate::fd_writer::FdWriter;
use crate::session::settings;
use crate::stderr;

/// How data is made up for whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputStyle {
    pub colour: bool,
    /// Whether only ASCII symbols may be drawn.
    pub ascii: bool,
    /// Whether colours are those of the theme for colour-blind users.
    pub cvd: bool,
    /// Cells in a line where standard output is a terminal.
    pub width: Option<usize>,
}

impl OutputStyle {
    /// The look that fits the flags, the environment and standard output.
    pub fn of(common: &CommonArgs) -> Self {
        let terminal = io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        let colour = match common.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                terminal && !dumb && set("NO_COLOR").is_none() && set("CLICOLOR").is_none_or(|value| value != "0")
            }
        };
        // crossterm leaves colours out by itself where NO_COLOR is set; a flag goes before that.
        crossterm::style::force_color_output(colour);
        let console = terminal && set("TERM").is_some_and(|term| term == "linux" || term == "dumb");
        let size = if terminal { crossterm::terminal::size().ok() } else { None };
        // A terminal whose size was never set says that it has none.
        let width = size.map(|(columns, _)| columns.into()).filter(|columns| *columns > 0);
        let ascii = common.ascii || console || (terminal && !locale::is_narrow_utf8());
        // The dashboard reports what is wrong with config.toml.
        let cvd = colour && settings::read().is_ok_and(|(user, _)| user.theme == ThemeChoice::Cvd);
        Self { colour, ascii, cvd, width }
    }
}

/// How long a reader of standard output may take nothing before a command that was asked to end leaves without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Standard output, buffered.
#[derive(Debug)]
pub struct StdoutWriter {
    inner: BufWriter<FdWriter>,
    closed: bool,
}

impl StdoutWriter {
    /// Takes standard output for a command that uses it alone.
    pub fn new() -> Self {
        Self { inner: BufWriter::with_capacity(1 << 16, FdWriter::stdout()), closed: false }
    }

    /// Prints bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let done = self.inner.write_all(bytes);
        self.bear(done)
    }

    pub fn line(&mut self, line: &str) -> io::Result<()> {
        let done = writeln!(self.inner, "{line}");
        self.bear(done)
    }

    /// Prints one line and hands everything on at once.
    pub fn line_now(&mut self, line: &str) -> io::Result<()> {
        self.line(line)?;
        self.flush()
    }

    /// Hands everything on.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let done = self.inner.flush();
        self.bear(done)
    }

    fn bear(&mut self, done: io::Result<()>) -> io::Result<()> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            done => done,
        }
    }
}

impl Write for StdoutWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Self::flush(self)
    }
}

/// How a stream of lines came to its end before the program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// Nobody reads any more.
    ByReader,
    /// It cannot be written; why.
    Failed(String),
}

/// Resolves when standard output was closed; never if it was not.
pub async fn wait_closed(closed: &mut Option<UnboundedReceiver<Closed>>) -> Closed {
    if let Some(receiver) = closed.as_mut()
        && let Some(how) = receiver.recv().await
    {
        return how;
    }
    *closed = None;
    std::future::pending().await
}

/// Lines that are printed by their own thread, so that a reader who has stopped reading (`watch | less`) never
/// keeps a one-shot reply waiting.
#[derive(Debug)]
pub struct LinePrinter {
    lines: mpsc::Sender<String>,
    /// Lines that standard output has taken.
    printed: Arc<AtomicU64>,
    done: oneshot::Receiver<()>,
}

impl LinePrinter {
    /// Begins to print. The other end says when standard output was closed, even while there is
    /// nothing to print; it stays silent if that never happens. An error where no thread can be started.
    pub fn start() -> io::Result<(Self, UnboundedReceiver<Closed>)> {
        let (lines, queue) = mpsc::channel::<String>();
        let (closed, on_closed) = unbounded_channel();
        let (finished, done) = oneshot::channel();
        let reader_gone = closed.clone();
        let printed = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&printed);
        let of_reader = std::thread::Builder::new().name("stdout's reader".to_owned());
        of_reader.spawn(move || {
            if wait_until_reader_leaves().is_some() {
                let _ = reader_gone.send(Closed::ByReader);
            }
        })?;
        std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            print_all(&queue, &closed, &count);
            let _ = finished.send(());
        })?;
        Ok((Self { lines, printed, done }, on_closed))
    }

    /// Prints one line, soon and in order.
    pub fn line(&self, line: String) {
        let _ = self.lines.send(line);
    }

    /// Waits until every line was handed on.
    pub async fn finish(self) {
        drop(self.lines);
        let _ = self.done.await;
    }

    /// Waits until every line was handed on, or until the reader has taken none for a while.
    pub async fn finish_soon(self) {
        let Self { lines, printed, mut done } = self;
        drop(lines);
        let mut before = printed.load(Ordering::Relaxed);
        while timeout(PATIENCE, &mut done).await.is_err() {
            let now = printed.load(Ordering::Relaxed);
            if now == before {
                return;
            }
            before = now;
        }
    }
}

fn print_all(queue: &mpsc::Receiver<String>, closed: &UnboundedSender<Closed>, printed: &AtomicU64) {
    let mut out = StdoutWriter::new();
    while let Ok(line) = queue.recv() {
        let failed = out.line_now(&line).err();
        if out.closed || failed.is_some() {
            let how = failed.map_or(Closed::ByReader, |error| Closed::Failed(error.to_string()));
            let _ = closed.send(how);
            return;
        }
        printed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits for the other end of a pipe or socket to be closed; None at once where standard output is neither.
fn wait_until_reader_leaves() -> Option<()> {
    let stdout = rustix::stdio::stdout();
    let kind = FileType::from_raw_mode(rustix::fs::fstat(stdout).ok()?.st_mode);
    if !matches!(kind, FileType::Fifo | FileType::Socket) {
        return None;
    }
    // Errors and hang-ups are reported without being asked for.
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    while rustix::event::poll(&mut polled, None).is_err_and(|error| error == rustix::io::Errno::INTR) {}
    polled.iter().any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP)).then_some(())
}

/// Asks whoever sits at the terminal; no answer is a no.
pub fn ask(question: &str) -> io::Result<bool> {
    say(&format!("{question} [y/N]"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Says something to the person at the terminal, on standard error.
pub fn say(message: &str) {
    for line in message.lines() {
        stderr::line(&Clean::new(line));
    }
}

pub fn say_error(message: &str) {
    say(&format!("jobdeck: {message}"));
}
