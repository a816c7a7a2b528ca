//! Every way of leaving the dashboard while results that can be read once are on their way: nothing is lost.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::json;

use crate::pty::{Home, JOBDECK, Terminal, is_stopped};
use crate::service::{Answer, Service, completed, executing, file, unstract_job};
use crate::support::{rests, row};

const JOBS: [&str; 2] = ["scan-1", "scan-2"];

/// A dashboard that has asked for two results, of which the service holds back the second half.
struct Disturbed {
    home: Home,
    service: Service,
    terminal: Terminal,
}

impl Disturbed {
    fn new(argv: &[&str]) -> Self {
        let home = Home::new();
        let answers = || vec![executing(), completed(json!([file("a.pdf", &json!({"total": 72.47}))])).held()];
        let service = Service::start(&home, JOBS.map(|name| unstract_job(name, answers())).into());
        let mut terminal = home.terminal_of(80, 24, argv);
        terminal.sees("scan-1");
        service.holds(2);
        Self { home, service, terminal }
    }

    /// The service goes on; the program has to end with this code by itself, and both results are there.
    #[track_caller]
    fn recovers(mut self, fault: &str, code: u32) {
        let at = Instant::now();
        self.service.release();
        assert_eq!(self.terminal.ends().exit_code(), code, "{fault}: {}", self.terminal.text());
        self.is_saved(fault, at.elapsed());
    }

    #[track_caller]
    fn is_saved(&self, fault: &str, recovered: Duration) {
        for job in JOBS {
            let raw = String::from_utf8(self.home.show(&format!("e748d90f-{job}"), "--raw")).unwrap();
            assert!(raw.starts_with("[{") && raw.ends_with("}]") && raw.contains("72.47"), "{fault}: {raw}");
        }
        row(&format!("{fault}, two one-shot reads under way"), 1, 0, recovered);
    }
}

#[test]
fn keys_and_signals_that_end_the_dashboard_lose_no_result() {
    for (fault, key, code) in [("the key q", "q", 0), ("the key Ctrl-c", "\x03", 0)] {
        let mut disturbed = Disturbed::new(&[JOBDECK]);
        disturbed.terminal.press(key);
        disturbed.terminal.sees("2 responses are in flight that can be fetched only once");
        disturbed.recovers(fault, code);
    }
    for (fault, signal, code) in
        [("SIGINT", Signal::INT, 130), ("SIGTERM", Signal::TERM, 143), ("SIGHUP", Signal::HUP, 129)]
    {
        let mut disturbed = Disturbed::new(&[JOBDECK]);
        disturbed.terminal.signal(signal);
        disturbed.terminal.sees("2 responses are in flight that can be fetched only once");
        disturbed.recovers(&format!("{fault} to the dashboard"), code);
    }
}

#[test]
fn a_terminal_that_is_closed_loses_no_result() {
    let mut disturbed = Disturbed::new(&[JOBDECK]);
    disturbed.terminal.hang_up();
    disturbed.recovers("the terminal is closed", 129);
}

#[test]
fn a_suspend_and_a_resume_lose_no_result() {
    // Under a shell, as in life: the leader of a session cannot be suspended.
    let mut disturbed = Disturbed::new(&["sh", "-c", "\"$@\"; exit $?", "sh", JOBDECK]);
    let shell = disturbed.terminal.pid().as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
    let program = Pid::from_raw(children.trim().parse().unwrap()).unwrap();
    disturbed.terminal.press("\x1a");
    disturbed.service.release();
    disturbed.terminal.until("a stop", |_| is_stopped(program));
    let at = Instant::now();
    disturbed.terminal.signal_group(Signal::CONT);
    disturbed.terminal.until("the screen", |terminal| terminal.text().contains("2/2"));
    disturbed.is_saved("suspended and resumed", at.elapsed());
    disturbed.terminal.hears_again();
    disturbed.terminal.press("q");
    assert_eq!(disturbed.terminal.ends().exit_code(), 0);
}

#[test]
fn a_job_that_is_taken_out_of_the_file_while_its_result_comes_loses_nothing() {
    let mut disturbed = Disturbed::new(&[JOBDECK]);
    let path = disturbed.home.path("jobs.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.rsplit_once("[[jobs]]").unwrap().0).unwrap();
    disturbed.terminal.sees_no_more("scan-2");
    disturbed.terminal.press("q");
    disturbed.recovers("the jobs file is saved without the job, then q", 0);
}

#[test]
fn a_pause_while_a_key_is_refused_lets_the_engine_sleep() {
    let home = Home::new();
    let refused = Answer { status: 401, body: r#"{"error":"Invalid API key"}"#.to_owned(), held: false };
    let _service = Service::start(&home, vec![unstract_job("scan-1", vec![refused])]);
    let mut terminal = home.terminal(&[]);
    terminal.sees("unstract: token rejected");
    terminal.press("p");
    terminal.sees("paused");
    // Longer than the pause between two looks for another key.
    terminal.pump_for(Duration::from_secs(1));
    let before = rests(terminal.pid());
    terminal.pump_for(Duration::from_secs(1));
    let rests = rests(terminal.pid()) - before;
    assert!(rests < 100, "it woke {rests} times in a second");
}
