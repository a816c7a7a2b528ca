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

use super::script::{Fault, Script, Scripted};
use crate::store::Results;

const PATIENCE: Duration = Duration::from_secs(60);
const RESULT: &str = r#"{"status":"COMPLETED","message":[{"file":"a.pdf","status":"Success","result":{"output":1}}]}"#;

/// Not a test by itself: what the tests below start.
#[test]
fn the_dashboard_that_is_tripped() {
    let Some(wire) = std::env::var_os("JOBDECK_TRIP") else { return };
    let home = Path::new(&wire).parent().unwrap();
    let (file, state) = (home.join("jobs.toml"), home.join("state"));
    let args = ["jobdeck".as_ref(), "-c".as_ref(), file.as_os_str(), "--state-dir".as_ref(), state.as_os_str()];
    let code = crate::run(args.into_iter().map(Into::into));
    println!("left with 1: {}", code == ExitCode::from(1));
}

/// Starts the dashboard, trips it there while a result that can be read once is on its way, presses keys that lead
/// there, and gives all that was written to the terminal. The result has to be saved.
fn tripped(place: &str, key: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let script = Script::start().unwrap();
    let executing = Scripted::json(422, r#"{"status":"EXECUTING","message":null}"#);
    let late = Scripted::json(200, RESULT).fault(Fault::StallHead(Duration::from_secs(4)));
    script.on("job-1", [executing, late]);
    script.on("job-2", [Scripted::json(200, r#"{"status":"completed","raw_output":"x"}"#)]);
    let (unstract, vessl) = (script.url("/deployment/api/org/api/"), script.url("/s"));
    let file = format!(
        r#"
        poll = {{ interval = "1s" }}
        [services.a]
        provider = "unstract"
        url = "{unstract}"
        token = {{ env = "PATH" }}
        [services.b]
        provider = "vessl"
        base_url = "{vessl}"
        token = {{ env = "PATH" }}
        [[jobs]]
        service = "a"
        id = "job-1"
        [[jobs]]
        service = "b"
        id = "job-2"
        "#
    );
    std::fs::write(home.path().join("jobs.toml"), file).unwrap();
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
    wait("the end of one job and the read of the other", &mut || {
        let mut parser = vt100::Parser::new(24, 80, 0);
        parser.process(&written.lock().unwrap());
        parser.screen().contents().contains("1/2") && script.reads("job-1") == 2
    });
    let at = Instant::now();
    std::fs::write(&wire, place).unwrap();
    let mut keys = pair.master.take_writer().unwrap();
    keys.write_all(key.as_bytes()).unwrap();
    wait("the end", &mut || child.try_wait().unwrap().is_some());
    wait("the last words", &mut || text().contains("test result"));
    let after = format!("{:?}", pair.master.get_termios().unwrap());
    assert_eq!(after, before, "the line's modes differ");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = Results::open(&home.path().join("state")).unwrap();
    let all = runtime.block_on(store.load_all()).unwrap();
    let saved = all.iter().find(|(job, _)| job.key.id == "job-1").and_then(|(_, known)| known.saved.clone());
    assert_eq!(runtime.block_on(store.body(saved.unwrap().body)).unwrap(), RESULT);
    println!("| a panic in {place} during a one-shot read | 1 | 0 | {:.1} s |", at.elapsed().as_secs_f64());
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
    assert!(after.contains("internal error; the polls in flight were finished and saved"), "{after}");
    assert!(after.contains("left with 1: true"), "{after}");
}

#[test]
fn a_panic_in_the_drawing_is_told_on_a_terminal_that_was_given_back() {
    is_told_on_a_terminal_that_was_given_back("draw", "j");
}

#[test]
fn a_panic_in_a_task_is_told_on_a_terminal_that_was_given_back() {
    is_told_on_a_terminal_that_was_given_back("task", "jy");
}

#[test]
fn a_panic_in_the_input_thread_is_told_on_a_terminal_that_was_given_back() {
    is_told_on_a_terminal_that_was_given_back("input", "j");
}
