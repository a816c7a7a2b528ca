//! Ways of leaving: the key, the signals, while results are on their way, and no terminal at all.

use rustix::process::Signal;
use serde_json::json;

use crate::pty::{Home, Terminal};
use crate::service::{Service, completed, executing, file, unstract_job};

const DEMO: &[&str] = &["demo", "--seed", "1", "--jobs", "12", "--speed", "0.5"];

/// Two results that can be read once are on their way, and the service keeps them waiting.
fn in_flight(args: &[&str]) -> (Home, Service, Terminal) {
    let home = Home::new();
    let answers = || vec![executing(), completed(json!([file("a.pdf", &json!({"total": 72.47}))])).held()];
    let jobs = ["scan-1", "scan-2"].map(|name| unstract_job(name, answers()));
    let service = Service::start(&home, jobs.into());
    let mut terminal = home.terminal(args);
    terminal.sees("scan-1");
    service.holds(2);
    (home, service, terminal)
}

/// Both results are there, whole.
fn both_are_saved(home: &Home) {
    for job in ["scan-1", "scan-2"] {
        let raw = String::from_utf8(home.show(job, "--raw")).unwrap();
        assert!(raw.starts_with("[{") && raw.ends_with("}]") && raw.contains("72.47"), "{raw}");
    }
}

#[test]
fn the_first_screen_shows_the_jobs_and_q_leaves_the_terminal_as_it_was() {
    let home = Home::new();
    let mut terminal = home.terminal(DEMO);
    terminal.until("the header", |terminal| terminal.text().starts_with(" jobdeck  demo"));
    terminal.until("the jobs", |terminal| terminal.text().contains("/12") && terminal.text().contains("Summary"));
    assert!(terminal.screen().alternate_screen() && terminal.screen().hide_cursor());
    assert!(terminal.screen().bracketed_paste());
    terminal.press("q");
    terminal.ends_well(0);
    let said = terminal.text();
    assert!(said.starts_with("demo: 12 jobs: ") && said.lines().count() <= 2, "{said}");
    let left: Vec<_> = std::fs::read_dir(home.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "the demo left something behind: {left:?}");
}

#[test]
fn control_c_leaves_like_q() {
    let mut terminal = Home::new().terminal(DEMO);
    terminal.sees("Summary");
    terminal.press("\x03");
    terminal.ends_well(0);
}

#[test]
fn the_mouse_is_given_back_too() {
    let mut terminal = Home::new().terminal(DEMO);
    terminal.sees("Summary");
    terminal.press("M");
    terminal.until("the mouse", |t| t.screen().mouse_protocol_mode() != vt100::MouseProtocolMode::None);
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn a_signal_leaves_with_its_own_exit_code() {
    let endings = [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)];
    let others = [(Signal::USR1, 138), (Signal::USR2, 140), (Signal::ALARM, 142), (Signal::XCPU, 152)];
    for (signal, code) in endings.into_iter().chain(others) {
        let mut terminal = Home::new().terminal(DEMO);
        terminal.sees("Summary");
        terminal.signal(signal);
        terminal.ends_well(code);
    }
}

#[test]
fn quitting_names_the_reads_in_flight_and_waits_for_them_and_saves_them() {
    let (home, service, mut terminal) = in_flight(&[]);
    terminal.press("q");
    terminal.sees("2 responses are in flight that can be fetched only once");
    let dialog = terminal.text();
    assert!(dialog.contains("scan-1, scan-2") || dialog.contains("scan-2, scan-1"), "{dialog}");
    assert!(terminal.is_running());
    service.release();
    terminal.ends_well(0);
    both_are_saved(&home);
}

#[test]
fn a_signal_waits_for_the_reads_in_flight_too() {
    let (home, service, mut terminal) = in_flight(&[]);
    terminal.signal(Signal::TERM);
    terminal.sees("2 responses are in flight that can be fetched only once");
    service.release();
    terminal.ends_well(143);
    both_are_saved(&home);
}

#[test]
fn the_exit_code_of_the_table_is_had_where_it_is_asked_for() {
    let (_home, service, mut terminal) = in_flight(&["--exit-status"]);
    terminal.press("q");
    service.release();
    terminal.ends_well(0);

    let home = Home::new();
    let _service = Service::start(&home, vec![unstract_job("scan-1", vec![executing()])]);
    let mut terminal = home.terminal(&["--exit-status"]);
    terminal.sees("▸ ");
    terminal.press("q");
    terminal.ends_well(4);
}

#[test]
fn leaving_at_once_keeps_what_came_and_says_what_may_be_lost() {
    for key in [true, false] {
        let (home, _service, mut terminal) = in_flight(&[]);
        terminal.press("\x03");
        terminal.sees("2 responses are in flight that can be fetched only once");
        if key {
            terminal.press("\x03");
            terminal.ends_well(0);
        } else {
            terminal.signal(Signal::TERM);
            terminal.ends_well(143);
        }
        let said = terminal.text().replace('\n', "");
        assert!(said.contains("left without waiting for 2 one-shot polls") && said.contains("scan-1"), "{said}");
        let kept = home.show("scan-1", "--body");
        assert!(kept.starts_with(b"{") && !kept.ends_with(b"}"), "{}", String::from_utf8_lossy(&kept));
    }
}

#[test]
fn a_broken_jobs_file_is_shown_and_nothing_is_written_to_it() {
    let home = Home::new();
    home.write("jobs.toml", "[services.llama]\nprovider = \"vessel\"\n");
    let mut terminal = home.terminal(&[]);
    terminal.sees("vessl");
    assert!(terminal.text().contains('^'), "{}", terminal.text());
    terminal.press("q");
    let status = terminal.ends();
    assert!([0, 2].contains(&status.exit_code()));
    terminal.is_restored();
}

#[test]
fn without_a_jobs_file_the_screen_says_how_to_begin() {
    let mut terminal = Home::new().terminal(&[]);
    terminal.sees("jobdeck init");
    terminal.press("q");
    let status = terminal.ends();
    assert!([0, 2].contains(&status.exit_code()));
    terminal.is_restored();
}

#[test]
fn without_a_terminal_the_demo_says_what_to_do_instead() {
    let run = Home::new().run(&["demo"]);
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!((run.status.code(), run.stdout.as_slice()), (Some(2), &b""[..]), "{said}");
    assert!(said.contains("needs a terminal") && said.contains("jobdeck demo --serve"), "{said}");
}
