//! A panic anywhere gives the terminal back before it is reported, and the reads in flight are finished.
//!
//! The dashboard runs in this very test binary, started once more in a pseudo-terminal: only a test build can be tripped.

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const PATIENCE: Duration = Duration::from_secs(60);

/// Not a test by itself: what the tests below start.
#[test]
fn the_dashboard_that_is_tripped() {
    let Some(wire) = std::env::var_os("JOBDECK_TRIP") else { return };
    let state = Path::new(&wire).with_file_name("state");
    let args = ["jobdeck", "demo", "--jobs", "6", "--seed", "1", "--speed", "100", "--state-dir"];
    let code = crate::run(args.iter().map(Into::into).chain([state.into_os_string()]));
    println!("left with 1: {}", code == ExitCode::from(1));
}

/// Starts the dashboard, trips it there, presses a key that leads there, and gives all that was written to the terminal.
fn tripped(place: &str, key: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let wire = home.path().join("wire");
    let pair = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::panics::the_dashboard_that_is_tripped", "--nocapture", "--test-threads=1"]);
    command.env_clear();
    for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("PATH", "/usr/bin:/bin")] {
        command.env(name, value);
    }
    command.env("HOME", home.path());
    command.env("JOBDECK_TRIP", &wire);
    let before = format!("{:?}", pair.master.get_termios().unwrap());
    let mut child = pair.slave.spawn_command(command).unwrap();
    let mut reader = pair.master.try_clone_reader().unwrap();
    let written = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&written);
    thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut piece) {
            sink.lock().unwrap().extend_from_slice(&piece[..length]);
        }
    });
    let text = || String::from_utf8_lossy(&written.lock().unwrap()).into_owned();
    let wait = |what: &str, is_so: &mut dyn FnMut() -> bool| {
        let end = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < end, "waited in vain for {what}: {}", text().escape_debug());
            thread::sleep(Duration::from_millis(20));
        }
    };
    wait("the end of the jobs", &mut || {
        let mut parser = vt100::Parser::new(24, 80, 0);
        parser.process(&written.lock().unwrap());
        parser.screen().contents().contains("6/6")
    });
    std::fs::write(&wire, place).unwrap();
    let mut keys = pair.master.take_writer().unwrap();
    keys.write_all(key.as_bytes()).unwrap();
    wait("the end", &mut || child.try_wait().unwrap().is_some());
    wait("the last words", &mut || text().contains("test result"));
    let after = format!("{:?}", pair.master.get_termios().unwrap());
    assert_eq!(after, before, "the line's modes differ");
    text()
}

#[track_caller]
fn is_told_on_a_terminal_that_was_given_back(place: &str, key: &str) {
    let text = tripped(place, key);
    let (screen, after) = text.rsplit_once("\x1b[?1049l").unwrap();
    for (on, off) in [("\x1b[?2004h", "\x1b[?2004l"), ("\x1b[?1004h", "\x1b[?1004l")] {
        assert!(text.rfind(on) < text.rfind(off), "{on:?} stays on");
    }
    assert!(screen.contains("\x1b[?1049h") && after.contains("\x1b[?25h"), "{after:?}");
    assert!(after.contains(&format!("tripped in {place}")), "{after}");
    assert!(after.contains("this was a fault of jobdeck's own"), "{after}");
    assert!(after.contains("left with 1: true"), "{after}");
}

#[test]
fn a_panic_in_the_drawing_is_told_on_a_terminal_that_was_given_back() {
    is_told_on_a_terminal_that_was_given_back("draw", "j");
}

#[test]
fn a_panic_in_a_task_is_told_on_a_terminal_that_was_given_back() {
    is_told_on_a_terminal_that_was_given_back("task", "y");
}

#[test]
fn a_panic_in_the_input_thread_is_told_on_a_terminal_that_was_given_back() {
    is_told_on_a_terminal_that_was_given_back("input", "j");
}
