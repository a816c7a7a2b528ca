//! Suspending: the terminal is the shell's meanwhile, the claims are another instance's, and everything comes back.

use std::path::Path;

use rustix::process::{Pid, Signal};

use crate::pty::{Home, JOBDECK, Terminal, is_stopped};
use crate::service::{Job, Service, executing, unstract_job};

/// The dashboard under a shell, as it is in life: the leader of a session cannot be suspended.
fn under_a_shell(home: &Home) -> (Terminal, Pid) {
    let terminal = home.terminal_of(80, 24, &["sh", "-c", "\"$@\"; exit $?", "sh", JOBDECK]);
    let shell = terminal.pid();
    let children = format!("/proc/{0}/task/{0}/children", shell.as_raw_nonzero());
    let mut terminal = terminal;
    terminal.until("the program", |_| std::fs::read_to_string(&children).is_ok_and(|text| !text.trim().is_empty()));
    let child = std::fs::read_to_string(&children).unwrap().trim().parse().unwrap();
    (terminal, Pid::from_raw(child).unwrap())
}

fn one_running_job() -> Vec<Job> {
    vec![unstract_job("scan-1", vec![executing()])]
}

#[test]
fn suspending_gives_terminal_and_claims_away_and_going_on_brings_the_screen_back() {
    let by_key: &dyn Fn(&mut Terminal, Pid) = &|terminal, _| terminal.press("\x1a");
    let by_signal: &dyn Fn(&mut Terminal, Pid) =
        &|_, program| rustix::process::kill_process(program, Signal::TSTP).unwrap();
    for suspend in [by_key, by_signal] {
        let home = Home::new();
        let service = Service::start(&home, one_running_job());
        let (mut terminal, program) = under_a_shell(&home);
        terminal.sees("▸ ");
        // Twice, since what worked once may have left something behind.
        for _ in 0..2 {
            suspend(&mut terminal, program);
            terminal.until("a stop", |_| is_stopped(program));
            while terminal.pump(std::time::Duration::ZERO) {}
            terminal.is_restored();

            let before = service.requests();
            let once = home.command(Path::new(JOBDECK)).args(["once", "--format", "jsonl"]).output().unwrap();
            assert_eq!(once.status.code(), Some(4), "{once:?}");
            assert_eq!(service.requests(), before + 1, "the suspended instance keeps its claim");

            terminal.signal_group(Signal::CONT);
            terminal.until("the screen", |terminal| {
                terminal.screen().alternate_screen() && terminal.text().contains("scan-1")
            });
            assert!(terminal.text().starts_with(" jobdeck  jobs"), "{}", terminal.text());
            let after = service.requests();
            terminal.until("reading again", |_| service.requests() > after + 1);
        }
        terminal.press("q");
        terminal.ends_well(0);
    }
}

#[test]
fn what_a_stop_from_outside_left_on_the_screen_is_drawn_over() {
    let home = Home::new();
    let service = Service::start(&home, one_running_job());
    let (mut terminal, program) = under_a_shell(&home);
    terminal.sees("▸ ");
    // SIGSTOP asks nobody: the shell takes the terminal as it finds it.
    terminal.signal_group(Signal::STOP);
    terminal.until("a stop", |_| is_stopped(program));
    let written = terminal.raw.len();
    terminal.signal_group(Signal::CONT);
    terminal.until("a whole new frame", |terminal| {
        let since = String::from_utf8_lossy(&terminal.raw[written..]).into_owned();
        since.contains("\x1b[?1049h") && since.contains("jobdeck") && since.contains("scan-1")
    });
    let requests = service.requests();
    terminal.until("reading again", |_| service.requests() > requests);
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn the_leader_of_a_session_goes_on_since_nobody_could_wake_it_up() {
    let home = Home::new();
    let service = Service::start(&home, one_running_job());
    let mut terminal = home.terminal(&[]);
    terminal.sees("▸ ");
    terminal.press("\x1a");
    let requests = service.requests();
    terminal.until("reading on", |_| service.requests() > requests + 1);
    assert!(!is_stopped(terminal.pid()) && terminal.screen().alternate_screen());
    terminal.press("q");
    terminal.ends_well(0);
}

/// Waits until the shell reads a line; what is typed before that may still be the program's.
fn prompts(shell: &mut Terminal) {
    shell.until("a prompt", |shell| {
        let (row, column) = shell.screen().cursor_position();
        column == 7 && shell.screen().rows(0, 80).nth(row.into()).is_some_and(|line| line.trim_end() == "ready>")
    });
}

#[test]
fn a_shell_with_jobs_sees_it_stop_and_brings_it_back() {
    if std::process::Command::new("bash").arg("--version").output().is_err() {
        println!("skipped: there is no bash here");
        return;
    }
    let home = Home::new().with("PS1", "ready> ");
    let _service = Service::start(&home, one_running_job());
    let mut shell = home.terminal_of(80, 24, &["bash", "--norc", "--noprofile", "-i"]);
    prompts(&mut shell);
    shell.press(&format!("{JOBDECK}\n"));
    shell.sees("▸ ");
    shell.press("\x1a");
    shell.sees("Stopped");
    prompts(&mut shell);
    assert!(!shell.screen().alternate_screen() && !shell.screen().hide_cursor());
    shell.press("stty -a; fg\n");
    shell.sees("▸ ");
    shell.hears_again();
    shell.press("q");
    shell.sees_no_more("▸ ");
    prompts(&mut shell);
    shell.press("echo left-$?\n");
    shell.sees("left-0");
    let said = String::from_utf8_lossy(&shell.raw).into_owned();
    assert!(said.contains(" icanon") && said.contains(" echo "), "the shell's modes were not as a shell wants them");
    shell.press("exit\n");
    shell.ends();
}
