//! The dashboard in a pseudo-terminal: it starts, quits, stops and dies as a good guest of the terminal.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may say what it means; clippy knows that only of functions that are tests themselves"
)]

use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

/// What leaving must undo: mouse, focus reports, bracketed paste, alternate screen.
const LEFT: [&str; 4] = ["\x1b[?1006l", "\x1b[?1004l", "\x1b[?2004l", "\x1b[?1049l"];
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program in a terminal of its own.
struct Terminal {
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    written: Arc<Mutex<Vec<u8>>>,
    deaf: Arc<AtomicBool>,
}

impl Terminal {
    fn start(program: &str, arguments: &[&str], home: &Path) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        command.cwd(home);
        let settings = [("HOME", home.to_str().unwrap()), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")];
        for (name, value) in settings {
            command.env(name, value);
        }
        command.env("PATH", std::env::var_os("PATH").unwrap());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        let written = Arc::new(Mutex::new(Vec::new()));
        let deaf = Arc::new(AtomicBool::new(false));
        let (sink, stop) = (Arc::clone(&written), Arc::clone(&deaf));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..count]);
                if stop.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        Self { master: Some(pair.master), keys: Some(keys), child, written, deaf }
    }

    fn dashboard(arguments: &[&str], home: &Path) -> Self {
        Self::start(env!("CARGO_BIN_EXE_jobdeck"), arguments, home)
    }

    fn demo(home: &Path) -> Self {
        Self::dashboard(&["demo", "--jobs", "6", "--seed", "7", "--speed", "50", "--state-dir", "state"], home)
    }

    fn press(&mut self, keys: &str) {
        self.keys.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    fn written(&self) -> Vec<u8> {
        self.written.lock().unwrap().clone()
    }

    fn screen(&self) -> String {
        let mut parser = vt100::Parser::new(24, 80, 0);
        parser.process(&self.written());
        parser.screen().contents()
    }

    fn wait_for(&self, what: impl Fn(&Self) -> bool, whatever: &str) {
        let end = Instant::now() + PATIENCE;
        while !what(self) {
            if Instant::now() >= end {
                let written = String::from_utf8_lossy(&self.written()).into_owned();
                let tail: String = written.chars().rev().take(1500).collect::<Vec<_>>().into_iter().rev().collect();
                panic!("no {whatever}:\n{}\n{tail:?}", self.screen());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for_text(&self, text: &str) {
        self.wait_for(|terminal| terminal.screen().contains(text), text);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Closes our end. The thread that reads it lets go with the next drawing, which another size brings about.
    fn hang_up(&mut self) {
        self.deaf.store(true, Ordering::SeqCst);
        self.keys = None;
        let master = self.master.take().unwrap();
        master.resize(PtySize { rows: 25, cols: 90, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    fn exit_code(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn assert_given_back(&self) {
        // What was written last may still be under way when the program has ended.
        self.wait_for(|terminal| terminal.written().ends_with(b"\x1b[23;0t"), "end of the output");
        let text = String::from_utf8_lossy(&self.written()).into_owned();
        for sequence in LEFT {
            assert!(text.contains(sequence), "{sequence:?} was not sent");
        }
        let (_, after) = text.rsplit_once("\x1b[?1049l").unwrap();
        let bare = after.replace("\x1b[?25h", "").replace("\x1b[23;0t", "");
        assert_eq!(bare.trim(), "", "printed after leaving");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn q_leaves_with_0_and_gives_the_terminal_back() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::demo(home.path());
    terminal.wait_for_text("jobdeck");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    terminal.assert_given_back();
}

#[test]
fn a_signal_drains_gives_the_terminal_back_and_exits_by_the_table() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let home = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::demo(home.path());
        terminal.wait_for_text("jobdeck");
        terminal.signal(signal);
        assert_eq!(terminal.exit_code(), code, "{signal:?}");
        terminal.assert_given_back();
    }
}

#[test]
fn a_terminal_that_is_gone_ends_the_program() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::demo(home.path());
    terminal.wait_for_text("jobdeck");
    terminal.hang_up();
    assert_eq!(terminal.exit_code(), 129);
}

#[test]
fn without_a_jobs_file_the_screen_says_how_to_begin() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::dashboard(&[], home.path());
    terminal.wait_for_text("jobdeck init");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    terminal.assert_given_back();
}

#[test]
fn an_idle_dashboard_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let terminal = Terminal::dashboard(&[], home.path());
    terminal.wait_for_text("jobdeck init");
    thread::sleep(Duration::from_millis(300));
    let before = terminal.written().len();
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(terminal.written().len(), before);
}

#[test]
fn y_sends_the_raw_output_byte_for_byte_where_there_is_no_tool() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::demo(home.path());
    terminal.wait_for_text("6/6");
    terminal.press("gy");
    terminal.wait_for_text("by OSC 52");
    let text = String::from_utf8_lossy(&terminal.written()).into_owned();
    let (_, sequence) = text.rsplit_once("\x1b]52;c;").unwrap();
    let (encoded, _) = sequence.split_once("\x1b\\").unwrap();
    let copied = base64::prelude::BASE64_STANDARD.decode(encoded).unwrap();
    assert!(!copied.is_empty());
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn ctrl_z_stops_it_and_fg_brings_it_back() {
    let home = tempfile::tempdir().unwrap();
    let mut shell = Terminal::start("bash", &["--norc", "--noprofile", "-i"], home.path());
    let program = env!("CARGO_BIN_EXE_jobdeck");
    shell.press(&format!("{program} demo --jobs 6 --seed 7 --state-dir state; echo left-$?\n"));
    shell.wait_for_text("▸");
    shell.press("\x1a");
    shell.wait_for_text("Stopped");
    shell.press("fg\n");
    shell.wait_for_text("▸");
    shell.press("q");
    shell.wait_for(|shell| !shell.screen().contains('▸'), "prompt after q");
    shell.press("echo sh''ell-is-back; exit\n");
    shell.wait_for_text("shell-is-back");
}
