//! Words to a user who is elsewhere: by the terminal, by a command, and none to one who is looking.

use std::fs;

use crate::pty::{Home, Terminal, count};
use crate::service::{Job, Service, vessl};

/// Two jobs under way; what becomes of them is held back.
fn under_way(home: &Home) -> (Service, Terminal) {
    let job = |name: &str, end| Job {
        provider: "vessl",
        id: format!("id-{name}"),
        name: name.to_owned(),
        answers: vec![vessl("in_progress", "", None), end],
    };
    let bad = vessl("failed", "", Some("no \u{1b}]0;memory\u{7} left; at all")).held();
    let service = Service::start(home, vec![job("bad", bad), job("good", vessl("completed", "", None).held())]);
    let mut terminal = home.terminal(&[]);
    service.holds(2);
    terminal.sees("0/2");
    (service, terminal)
}

fn leaves(mut terminal: Terminal) {
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn each_terminal_gets_the_messages_that_it_knows_and_a_bell() {
    let cases = [
        (
            "TERM_PROGRAM",
            "iTerm.app",
            "\x1b]9;jobs: bad failed: no ",
            "\x1b]9;jobs: finished: 1 of 2 succeeded, 1 failed",
        ),
        (
            "TERM",
            "foot",
            "\x1b]777;notify;jobdeck;jobs: bad failed: no ",
            "\x1b]777;notify;jobdeck;jobs: finished: 1 of 2",
        ),
        ("TERM_PROGRAM", "Apple_Terminal", "\x07", "\x07"),
    ];
    for (name, value, failure, end) in cases {
        let home = Home::new().with(name, value);
        let (service, mut terminal) = under_way(&home);
        terminal.press("\x1b[O");
        service.release();
        terminal.sees("finished ");
        terminal.until("both messages", |terminal| {
            count(&terminal.raw, failure.as_bytes()) >= 1 && count(&terminal.raw, end.as_bytes()) >= 1
        });
        assert_eq!(count(&terminal.raw, b"\x1b]0;memory"), 0, "{value}");
        leaves(terminal);
    }
}

#[test]
fn the_users_command_gets_the_message_as_its_last_argument() {
    let home = Home::new();
    fs::create_dir_all(home.path("config/jobdeck")).unwrap();
    home.write("config/jobdeck/config.toml", "[notify]\ncommand = ['tell', '-u', 'critical']\n");
    home.script("tell", "echo \"$#: $1 $2 $3\" >> \"$HOME/told\"");
    let (service, mut terminal) = under_way(&home);
    service.release();
    terminal.sees("finished ");
    let told = || fs::read_to_string(home.path("told")).unwrap_or_default();
    terminal.until("both messages", |_| told().lines().count() == 2);
    let mut lines: Vec<String> = told().lines().map(str::to_owned).collect();
    lines.sort();
    assert!(lines[1].starts_with("3: -u critical jobs: finished: 1 of 2 succeeded, 1 failed"), "{lines:?}");
    assert!(lines[0].starts_with("3: -u critical jobs: bad failed: no ") && !lines[0].contains('\u{1b}'), "{lines:?}");
    leaves(terminal);
}

#[test]
fn one_who_is_looking_hears_only_of_the_end_and_one_who_wants_nothing_hears_nothing() {
    for (settings, messages) in [("", 1), ("[notify]\non = []\n", 0)] {
        let home = Home::new().with("TERM_PROGRAM", "WezTerm");
        fs::create_dir_all(home.path("config/jobdeck")).unwrap();
        home.write("config/jobdeck/config.toml", settings);
        let (service, mut terminal) = under_way(&home);
        terminal.press("\x1b[I");
        // A key after it: when its effect is seen, the report before it was read too.
        terminal.press("?");
        terminal.sees("╭ Help");
        terminal.press_calmly("\x1b");
        service.release();
        terminal.sees("finished ");
        // What was to be sent has been sent when a key after it has its effect.
        terminal.press("?");
        terminal.sees("╭ Help");
        assert_eq!(count(&terminal.raw, b"\x1b]9;"), messages, "{}", String::from_utf8_lossy(&terminal.raw));
        terminal.press_calmly("\x1b");
        leaves(terminal);
    }
}
