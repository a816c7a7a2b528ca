//! The terminal: taken, given back, and given back whatever happens. Nothing else of the program changes its modes.

mod decode;
pub mod input;
mod rows;
mod sequences;
pub mod tty;

use std::io::{self, IsTerminal, Write, stdin};
use std::panic;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{Command, execute};
use ratatui::Terminal;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::sync::Notify;

use self::rows::RowBackend;
use self::tty::TtyWriter;

/// What is drawn on: a whole frame goes out at once.
pub type Screen = Terminal<RowBackend<TtyWriter>>;

/// Told when any thread or task has panicked.
pub static PANICKED: Notify = Notify::const_new();

/// Whether the terminal is ours. One for the process, as the terminal is: a panic hook knows of no guard.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal's modes before we first took it, whatever a pager has left behind since.
static MODES_BEFORE: OnceLock<Termios> = OnceLock::new();

/// Xterm's stack of titles: the shell's own comes back when we leave.
const KEEP_TITLE: &[u8] = b"\x1b[22;0t";
const BRING_TITLE_BACK: &[u8] = b"\x1b[23;0t";

/// Gives the terminal back when it goes out of scope.
#[derive(Debug)]
pub struct Guard {
    mouse: bool,
}

impl Guard {
    /// Takes the terminal: raw mode, alternate screen, bracketed paste, focus reports. From now on a panic in any
    /// thread gives it back before it is reported.
    pub fn take() -> io::Result<Self> {
        hook_panics();
        let guard = Self { mouse: false };
        guard.set_up()?;
        Ok(guard)
    }

    /// Takes the terminal again after [`give_back`], or after someone else may have changed it.
    pub fn take_again(&self) -> io::Result<()> {
        self.set_up()
    }

    /// Takes the mouse, or gives it back. The terminal's own selection does not work meanwhile.
    pub fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        let mut out = TtyWriter::default();
        if on { execute!(out, EnableMouseCapture) } else { execute!(out, DisableMouseCapture) }
    }

    fn set_up(&self) -> io::Result<()> {
        let was_taken = TAKEN.swap(true, Ordering::SeqCst);
        tty::start()?;
        set_raw_mode()?;
        let mut out = TtyWriter::default();
        // After a stop that asked nobody the shell's title is kept already; it is brought back once.
        if !was_taken {
            out.write_all(KEEP_TITLE)?;
        }
        // The Linux console has no other screen: what is there is cleared, since only what differs is drawn.
        execute!(out, EnterAlternateScreen, Clear(ClearType::All), EnableBracketedPaste, EnableFocusChange)?;
        if self.mouse {
            execute!(out, EnableMouseCapture)?;
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, once however often it is called and from whichever thread. On a dead terminal every step
/// fails, which is as good as done.
pub fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    attempt(DisableMouseCapture);
    attempt(DisableFocusChange);
    attempt(DisableBracketedPaste);
    attempt(LeaveAlternateScreen);
    attempt(Show);
    let _ = tty::send(BRING_TITLE_BACK);
    tty::finish();
    if let Some(modes) = MODES_BEFORE.get() {
        let _ = set_modes(modes);
    }
}

/// Whether the terminal is this process group's; to draw on it or to read it from the background would stop us.
pub fn is_in_foreground() -> bool {
    let ours = rustix::process::getpgrp();
    let holder = if stdin().is_terminal() { tcgetpgrp(stdin()) } else { tcgetpgrp(rustix::stdio::stdout()) };
    // A terminal that does not say so, or is not the controlling one, stops nobody.
    holder.map_or(true, |holder| holder == ours)
}

/// Keys as they are pressed, without an echo.
fn set_raw_mode() -> io::Result<()> {
    let now = modes()?;
    let mut raw = MODES_BEFORE.get_or_init(|| now).clone();
    raw.make_raw();
    set_modes(&raw)
}

fn modes() -> io::Result<Termios> {
    let modes = if stdin().is_terminal() { tcgetattr(stdin()) } else { tcgetattr(rustix::stdio::stdout()) };
    modes.map_err(io::Error::from)
}

fn set_modes(modes: &Termios) -> io::Result<()> {
    let now = OptionalActions::Now;
    let set = if stdin().is_terminal() {
        tcsetattr(stdin(), now, modes)
    } else {
        tcsetattr(rustix::stdio::stdout(), now, modes)
    };
    set.map_err(io::Error::from)
}

/// A screen to draw on.
pub fn screen() -> io::Result<Screen> {
    Terminal::new(RowBackend::new(TtyWriter::default()))
}

/// Writes bytes that are no picture: a bell, a title, OSC 52. Never between the halves of a frame, since frames are
/// drawn by the same thread.
pub fn send(bytes: &[u8]) -> io::Result<()> {
    tty::send(bytes)
}

/// Puts a hook before the present one, for good: the terminal first, then the report.
fn hook_panics() {
    static HOOKED: AtomicBool = AtomicBool::new(false);
    if HOOKED.swap(true, Ordering::SeqCst) {
        return;
    }
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        give_back();
        report(info);
        PANICKED.notify_one();
    }));
}

fn attempt(command: impl Command) {
    let mut out = TtyWriter::default();
    let _ = execute!(out, command);
}
