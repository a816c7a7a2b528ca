//! The pager: what it is given, and whose the terminal is meanwhile and after.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::pty::{Home, Terminal};
use crate::service::{Job, Service, vessl};

const RAW: &str = "the raw output\n";

fn one_job(home: &Home) -> (Service, Terminal) {
    let answers = vec![vessl("completed", RAW, None)];
    let job = Job { provider: "vessl", id: "one".to_owned(), name: "a-job".to_owned(), answers };
    let service = Service::start(home, vec![job]);
    let mut terminal = home.terminal(&[]);
    terminal.sees("finished ");
    (service, terminal)
}

#[track_caller]
pub fn comes_back(terminal: &mut Terminal) {
    terminal.until("our screen", |terminal| terminal.screen().alternate_screen() && terminal.text().contains("a-job"));
    terminal.hears_again();
    terminal.press("?");
    terminal.sees("╭ Help");
    terminal.press_calmly("\x1b");
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn the_users_pager_gets_its_arguments_and_the_very_bytes_and_the_terminal_as_it_was() {
    let home = Home::new().with("PAGER", "my-pager -x --long");
    home.script("my-pager", "cat \"$3\" > \"$HOME/seen\"; echo \"$@\" > \"$HOME/args\"; echo I have it; read line");
    let (_service, mut terminal) = one_job(&home);
    terminal.press("v");
    terminal.sees("I have it");
    terminal.is_restored();
    assert_eq!(fs::read(home.path("seen")).unwrap(), RAW.as_bytes());
    let args = fs::read_to_string(home.path("args")).unwrap();
    let file = args.trim().strip_prefix("-x --long ").unwrap();
    assert!(Path::new(file).is_file(), "{args}");
    terminal.press("\n");
    comes_back(&mut terminal);
    assert!(!Path::new(file).exists(), "{file} was left behind");
}

#[test]
fn less_stays_until_it_is_left_though_its_options_may_say_otherwise() {
    if Command::new("less").arg("--version").output().is_err() {
        println!("skipped: there is no less here");
        return;
    }
    for options in ["", "FRX"] {
        let home = Home::new().with("LESS", options);
        let (_service, mut terminal) = one_job(&home);
        terminal.press("v");
        terminal.sees("(END)");
        assert!(terminal.text().contains(RAW.trim_end()), "{}", terminal.text());
        terminal.press("q");
        comes_back(&mut terminal);
    }
}

#[test]
fn a_pager_that_is_not_there_is_said_and_the_dashboard_goes_on() {
    let home = Home::new().with("PAGER", "no-such-pager -x");
    let (_service, mut terminal) = one_job(&home);
    terminal.press("v");
    terminal.sees("failed to start the pager \"no-such-pager\"");
    comes_back(&mut terminal);
}

#[test]
fn what_a_pager_that_dies_does_to_the_terminal_is_not_left_to_the_shell() {
    let home = Home::new().with("PAGER", "my-pager");
    home.script("my-pager", "stty raw -echo -isig min 3; echo dying; kill -9 $$");
    let (_service, mut terminal) = one_job(&home);
    terminal.press("v");
    terminal.until("the pager", |terminal| crate::pty::count(&terminal.raw, b"dying") > 0);
    terminal.settle(std::time::Duration::from_millis(300));
    comes_back(&mut terminal);
}

#[test]
fn an_answer_of_the_terminal_to_a_pager_that_has_left_is_no_key() {
    let home = Home::new().with("PAGER", "my-pager");
    home.script("my-pager", "printf '\\033P$q q\\033\\\\' > /dev/tty");
    let (_service, mut terminal) = one_job(&home);
    for late in [0, 300] {
        terminal.press("v");
        terminal
            .until("the question", |terminal| crate::pty::count(&terminal.raw, b"\x1bP$q q") > usize::from(late > 0));
        terminal.settle(std::time::Duration::from_millis(late.max(20)));
        terminal.press("\x1bP1$r2 q\x1b\\");
        terminal.settle(std::time::Duration::from_millis(300));
        assert!(terminal.is_running(), "the q in the answer quit");
    }
    comes_back(&mut terminal);
}
