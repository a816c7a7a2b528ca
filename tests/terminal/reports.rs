//! What terminals send by themselves, in the middle of what is typed: it is never a key, and it deafens nobody.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::pty::{Home, Terminal};
use crate::service::{Service, completed, executing, file, unstract_job};

fn dashboard(home: &Home) -> (Service, Terminal) {
    let answers = vec![completed(json!([file("a.pdf", &json!({"total": 1}))]))];
    let service = Service::start(home, vec![unstract_job("scan-1", answers)]);
    let mut terminal = home.terminal(&[]);
    terminal.sees("finished ");
    (service, terminal)
}

/// The help can be opened and closed.
#[track_caller]
fn hears(terminal: &mut Terminal, after: &str) {
    terminal.press("?");
    terminal.until(&format!("help after {after:?}"), |terminal| terminal.text().contains("one step back"));
    terminal.press_calmly("\x1b");
    terminal.sees_no_more("one step back");
}

#[test]
fn reports_and_answers_of_a_terminal_are_no_keys() {
    let home = Home::new();
    let (_service, mut terminal) = dashboard(&home);
    let reports = [
        "\x1b[?2026;2$y",
        "\x1b[?997;2n",
        "\x1b[?62;22q",
        "\x1b[>0;276;0c",
        "\x1b[4;600;800t",
        "\x1b[24;80R",
        "\x1bP1$r2 q\x1b\\",
        "\x1bP1+r544e=787465726d\x1b\\",
        "\x1b]11;rgb:qqqq/qqqq/qqqq\x07",
        "\x1b]4;1;rgb:qq/qq/qq\x1b\\",
        "\x1b_Gi=1;qOKq\x1b\\",
        "\x1b^q\x1b\\",
        "\x1bXq\x1b\\",
    ];
    for report in reports {
        terminal.press(report);
        hears(&mut terminal, report);
    }
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn what_never_ends_is_given_up_and_keys_are_heard_again() {
    let home = Home::new();
    let (_service, mut terminal) = dashboard(&home);
    for begun in ["\x1b[?2026;", "\x1bP1$r2 q", "\x1b]11;rgb", "\x1b_Gi=1;q", "\x1b[200~pasted"] {
        terminal.press(begun);
        // Nothing shows when it was given up but that a key is heard.
        while !terminal.text().contains("one step back") {
            assert!(terminal.is_running(), "{begun:?} was taken for keys");
            terminal.press("?");
            terminal.settle(Duration::from_millis(1200));
        }
        terminal.press_calmly("\x1b");
        terminal.sees_no_more("one step back");
    }
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn whoever_types_while_a_report_has_no_end_is_heard_after_a_moment_however_fast_the_keys_come() {
    for begun in ["\x1bP1$r2 q", "\x1b]11;rgb", "\x1b_Gi=1;q"] {
        let home = Home::new();
        let (_service, mut terminal) = dashboard(&home);
        terminal.press(begun);
        for _ in 0..40 {
            if !terminal.is_running() {
                break;
            }
            terminal.press("q");
            terminal.settle(Duration::from_millis(300));
        }
        terminal.ends_well(0);
    }
}

#[test]
fn esc_and_a_key_right_behind_it_are_both_unless_the_key_with_alt_is_bound() {
    let home = Home::new();
    let (_service, mut terminal) = dashboard(&home);
    terminal.press("?");
    terminal.sees("one step back");
    terminal.press("\x1bz");
    terminal.sees_no_more("one step back");
    terminal.press("\x1b?");
    terminal.sees("one step back");
    terminal.press("\x1bq");
    terminal.ends_well(0);

    std::fs::create_dir_all(home.path("config/jobdeck")).unwrap();
    home.write("config/jobdeck/config.toml", "[keys]\nhelp = [\"Alt-x\"]\n");
    let mut terminal = home.terminal(&[]);
    terminal.sees("finished ");
    terminal.press("\x1bx");
    terminal.sees("one step back");
    terminal.press_calmly("\x1b");
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn a_terminal_that_takes_nothing_more_keeps_nobody_from_leaving() {
    let home = Home::new();
    let answers = || vec![executing(), completed(json!([file("a.pdf", &json!({"total": 1}))])).held()];
    let service = Service::start(&home, vec![unstract_job("scan-1", answers())]);
    let mut terminal = home.terminal_of(250, 90, &[crate::pty::JOBDECK]);
    terminal.sees("scan-1");
    service.holds(1);
    // More than a line buffers; nothing of it is read from here on.
    for _ in 0..40 {
        terminal.press("\x0c");
        std::thread::sleep(Duration::from_millis(30));
    }
    terminal.signal(Signal::TERM);
    service.release();
    assert_eq!(terminal.ends_unread(), 143);
    assert!(home.show("scan-1", "--raw").starts_with(b"[{"));
}
