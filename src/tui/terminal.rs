//! The terminal: taken, given back, and given back whatever happens. Nothing else of the program changes its modes.

use std::io::{self, BufWriter, Stdout, Write, stdout};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{Command, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::sync::Notify;

/// What is drawn on: a whole frame goes out in few writes.
pub type Screen = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// Told when any thread or task has panicked.
pub static PANICKED: Notify = Notify::const_new();

/// Whether the terminal is ours. One for the process, as the terminal is: a panic hook knows of no guard.
static TAKEN: AtomicBool = AtomicBool::new(false);

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
        // The library thinks it knows the mode; only leaving and entering makes sure of it.
        let _ = disable_raw_mode();
        self.set_up()
    }

    /// Takes the mouse, or gives it back. The terminal's own selection does not work meanwhile.
    pub fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        if on { execute!(stdout(), EnableMouseCapture) } else { execute!(stdout(), DisableMouseCapture) }
    }

    fn set_up(&self) -> io::Result<()> {
        let was_taken = TAKEN.swap(true, Ordering::SeqCst);
        enable_raw_mode()?;
        let mut out = stdout();
        // After a stop that asked nobody the shell's title is kept already; it is brought back once.
        if !was_taken {
            out.write_all(KEEP_TITLE)?;
        }
        // The Linux console has no other screen: what stands there is cleared, since only what differs is drawn.
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
    let mut out = stdout();
    let _ = out.write_all(BRING_TITLE_BACK).and_then(|()| out.flush());
    let _ = disable_raw_mode();
}

/// A screen to draw on.
pub fn screen() -> io::Result<Screen> {
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, stdout())))
}

/// Writes bytes that are no picture: a bell, a title, OSC 52. Never between the halves of a frame, since frames are
/// drawn by the same thread.
pub fn send(bytes: &[u8]) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(bytes)?;
    out.flush()
}

/// Puts a hook before the one in force, for good: the terminal first, then the report.
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
    let _ = execute!(stdout(), command);
}
