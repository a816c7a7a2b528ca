//! Commands of the user's own on a key: whatever the program does, it is told, bounded, and the screen is ours again.

use std::fs;

use rustix::process::{Pid, test_kill_process};

use crate::pager::comes_back;
use crate::pty::{Home, Terminal, count};
use crate::service::{Job, Service, vessl};

/// The dashboard over two jobs that are over, with a command on `R` that runs this script.
fn dashboard(home: &Home, command: &str, script: &str) -> (Service, Terminal) {
    let job = |name: &str| Job {
        provider: "vessl",
        id: name.to_owned(),
        name: format!("a-job-{name}"),
        answers: vec![vessl("completed", "words\n", None)],
    };
    let service = Service::start(home, vec![job("one"), job("two")]);
    home.script("my-act", script);
    let file = fs::read_to_string(home.path("jobs.toml")).unwrap();
    let run = if command.contains("run = ") { "" } else { "run = [\"my-act\"]\n" };
    home.write("jobs.toml", &format!("{file}[[commands]]\nname = \"act\"\nkey = \"R\"\n{run}{command}\n"));
    let mut terminal = home.terminal(&[]);
    terminal.sees("2 succeeded");
    (service, terminal)
}

fn told(home: &Home, what: &str) -> bool {
    fs::read_to_string(home.path("state/jobdeck/jobdeck.log")).unwrap().contains(what)
}

#[test]
fn a_command_that_has_the_terminal_reads_from_it_and_gives_it_back() {
    let home = Home::new();
    let (_service, mut terminal) =
        dashboard(&home, "mode = \"terminal\"", "echo ask me; read line; echo \"$line $JOBDECK_NAME\" > \"$HOME/got\"");
    terminal.press("R");
    terminal.sees("ask me");
    terminal.is_restored();
    terminal.press("yes\n");
    terminal.sees("act: done");
    comes_back(&mut terminal);
    let got = fs::read_to_string(home.path("got")).unwrap();
    assert!(got.starts_with("yes a-job-"), "{got}");
}

#[test]
fn what_a_command_does_to_the_terminal_before_it_dies_is_undone() {
    let cases = [
        ("stty raw -echo -isig min 3; kill -9 $$", "act: signal: 9"),
        (
            "printf '\\033[?1049h\\033[?1003h\\033[?2004h\\033[5;9r\\033[?25l\\033]0;mine\\007'; exit 3",
            "act: exit code 3",
        ),
        (
            "printf '\\033(0\\033[31m'; head -c 300000 /dev/urandom | tr -d '\\033\\220-\\237'; exit 4",
            "act: exit code 4",
        ),
    ];
    for (script, said) in cases {
        let home = Home::new();
        let (_service, mut terminal) = dashboard(&home, "mode = \"terminal\"", script);
        terminal.press("R");
        terminal.sees(said);
        assert!(
            terminal.text().contains("a-job-one") && terminal.text().contains("2 succeeded"),
            "{}",
            terminal.text()
        );
        comes_back(&mut terminal);
    }
}

#[test]
fn a_command_that_hangs_in_the_terminal_is_ended_by_the_user_and_jobdeck_goes_on() {
    let home = Home::new();
    let (_service, mut terminal) = dashboard(&home, "mode = \"terminal\"", "echo hanging; exec sleep 1000");
    terminal.press("R");
    terminal.sees("hanging");
    terminal.press("\x03");
    terminal.sees("act: signal: 2");
    comes_back(&mut terminal);
}

#[test]
fn a_program_that_is_not_there_is_said_in_every_mode() {
    for mode in ["background", "terminal", "pager"] {
        let home = Home::new();
        let command = format!("run = [\"no-such-act\"]\nmode = \"{mode}\"");
        let (_service, mut terminal) = dashboard(&home, &command, "");
        terminal.press("R");
        terminal.sees("act: failed to start no-such-act");
        comes_back(&mut terminal);
    }
}

#[test]
fn a_command_beside_the_screen_has_no_terminal_and_the_job_on_its_input() {
    let home = Home::new();
    let script = "{ read key < /dev/tty && echo got it; echo drawn > /dev/tty; } 2> /dev/null; read line; \
                  echo \"$line\" > \"$HOME/got\"; echo broken >&2; exit 5";
    let (_service, mut terminal) = dashboard(&home, "", script);
    terminal.press("R");
    terminal.sees("act: exit code 5: broken");
    assert_eq!(count(&terminal.raw, b"drawn"), 0);
    assert!(fs::read_to_string(home.path("got")).unwrap().starts_with("{\"v\":1"));
    comes_back(&mut terminal);
}

#[test]
fn a_flood_is_bounded_and_told_and_none_of_it_is_an_id() {
    let flood = "head -c 100000000 /dev/zero | tr '\\0' 'x' & head -c 50000000 /dev/zero >&2; wait";
    for (more, said) in [
        ("", "act: done; of what it printed, 100 MB were not kept"),
        ("adds = \"vessl\"", "no id was added"),
        ("mode = \"pager\"", "xxxxxxxx"),
    ] {
        let home = Home::new().with("PAGER", "my-pager");
        home.script("my-pager", "wc -c < \"$1\"; head -c 50 \"$1\"; read line");
        let (_service, mut terminal) = dashboard(&home, more, flood);
        let before = fs::read_to_string(home.path("jobs.toml")).unwrap();
        terminal.press("R");
        terminal.sees(said);
        if more.contains("pager") {
            terminal.sees("262144");
            terminal.press("\n");
        }
        comes_back(&mut terminal);
        assert_eq!(fs::read_to_string(home.path("jobs.toml")).unwrap(), before);
        assert!(fs::metadata(home.path("state/jobdeck/jobdeck.log")).unwrap().len() < 5 << 20);
        assert!(told(&home, "more bytes"), "what was dropped is told in the log");
    }
}

#[test]
fn the_pager_shows_what_the_command_printed_for_all_marked_jobs() {
    let home = Home::new().with("PAGER", "my-pager");
    home.script("my-pager", "cat \"$1\"; echo end of it; read line");
    let (_service, mut terminal) =
        dashboard(&home, "mode = \"pager\"", "echo \"of $JOBDECK_NAME\"; [ $JOBDECK_ID = two ] && kill -9 $$");
    terminal.press("\0");
    terminal.press("R");
    terminal.sees("end of it");
    assert!(
        terminal.text().contains("of a-job-one") && terminal.text().contains("of a-job-two"),
        "{}",
        terminal.text()
    );
    terminal.press("\n");
    comes_back(&mut terminal);
    assert!(told(&home, "signal: 9"));

    let home = Home::new().with("PAGER", "my-pager");
    home.script("my-pager", "echo shown; read line");
    let (_service, mut terminal) = dashboard(&home, "mode = \"pager\"", "echo nothing to show >&2");
    terminal.press("R");
    terminal.sees("act: done");
    comes_back(&mut terminal);
    assert_eq!(count(&terminal.raw, b"shown"), 0);
}

#[test]
fn leaving_waits_for_a_command_that_hangs_until_it_is_told_not_to() {
    for mode in ["background", "pager"] {
        let home = Home::new();
        let script = "echo $$ > \"$HOME/pid\"; sleep 1000 & wait";
        let (_service, mut terminal) = dashboard(&home, &format!("mode = \"{mode}\""), script);
        terminal.press("R");
        terminal.until("the script", |_| fs::read_to_string(home.path("pid")).is_ok_and(|pid| pid.ends_with('\n')));
        let pid = fs::read_to_string(home.path("pid")).unwrap().trim().parse().unwrap();
        let pid = Pid::from_raw(pid).unwrap();
        terminal.press("\x03");
        terminal.sees("Ctrl-c again: leave at once");
        assert!(terminal.is_running() && test_kill_process(pid).is_ok(), "{}", terminal.text());
        terminal.press("\x03");
        terminal.ends_well(0);
        terminal.until("its end", |_| {
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        });
    }
}
