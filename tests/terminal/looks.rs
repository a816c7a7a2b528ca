//! Poorer terminals: no colour, no UTF-8, no name.

use crate::pty::{Home, Terminal};

const DEMO: &[&str] = &["demo", "--seed", "1", "--jobs", "60", "--speed", "100"];

#[track_caller]
fn shown(home: Home, args: &[&str]) -> Terminal {
    let mut terminal = home.terminal(&[DEMO, args].concat());
    terminal.sees("60/60");
    // A job whose reason, output and name are hostile or foreign, and every tab of it.
    for key in ["f", "f", "f", "]", "]", "]", "]", "?", "\x1b", "D", "\x1b", "Y"] {
        terminal.press_calmly(key);
    }
    terminal
}

fn leaves(mut terminal: Terminal) {
    terminal.sees("Copy from");
    terminal.press("\x1b");
    terminal.sees_no_more("Copy from");
    terminal.press("q");
    terminal.ends_well(0);
}

/// The parameters of every sequence that changes how text looks.
fn styles(raw: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(raw).into_owned();
    let sequences = text.split("\x1b[").skip(1);
    let ends = sequences.filter_map(|rest| rest.split_once('m'));
    ends.map(|(style, _)| style.to_owned())
        .filter(|style| style.chars().all(|c| c.is_ascii_digit() || c == ';'))
        .collect()
}

fn is_colour(style: &str) -> bool {
    style.split(';').any(|part| matches!(part.parse(), Ok(30..=38 | 40..=48 | 58 | 90..=97 | 100..=107)))
}

#[test]
fn without_colour_nothing_is_coloured_and_the_selection_is_still_seen() {
    let homes = [
        (Home::new().with("NO_COLOR", "1"), &[][..]),
        (Home::new().with("TERM", "dumb"), &[]),
        (Home::new().with("CLICOLOR", "0"), &[]),
        (Home::new(), &["--color", "never"]),
    ];
    for (home, args) in homes {
        let terminal = shown(home, args);
        let styles = styles(&terminal.raw);
        let coloured: Vec<_> = styles.iter().filter(|style| is_colour(style)).collect();
        assert!(coloured.is_empty(), "{args:?}: {coloured:?}");
        assert!(styles.iter().any(|style| style.split(';').any(|part| part == "7")), "{args:?}: {styles:?}");
        leaves(terminal);
    }
    let terminal = shown(Home::new(), &[]);
    assert!(styles(&terminal.raw).iter().any(|style| is_colour(style)));
    leaves(terminal);
}

#[test]
fn without_utf_8_everything_but_foreign_text_is_ascii() {
    let homes = [
        (Home::new(), &["--ascii"][..]),
        (Home::new().with("LANG", "C"), &[]),
        (Home::new().with("LANG", "ja_JP.UTF-8"), &[]),
        (Home::new().with("LC_ALL", "C"), &[]),
        (Home::new().with("TERM", "linux"), &[]),
    ];
    for (home, args) in homes {
        let mut terminal = home.terminal(&[DEMO, args].concat());
        terminal.sees("60/60");
        for key in ["?", "\x1b", ":", "\x1b", "e", "\x1b", "D", "\x1b", "=", "\x1b", "f", "]", "[", "Y"] {
            terminal.press_calmly(key);
            let odd: String = terminal.text().lines().filter(|line| !line.is_ascii()).collect();
            assert!(odd.is_empty(), "{args:?} after {key:?}: {odd}");
        }
        leaves(terminal);
    }
}

#[test]
fn a_dumb_terminal_gets_no_title() {
    let terminal = shown(Home::new().with("TERM", "dumb"), &[]);
    assert_eq!(crate::pty::count(&terminal.raw, b"\x1b]0;"), 0);
    leaves(terminal);
}

#[test]
fn a_terminal_without_another_screen_is_cleared_first() {
    let home = Home::new();
    let mut terminal = home.terminal(DEMO);
    terminal.sees("60/60");
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    let cleared = raw.find("\x1b[2J").expect("it is cleared");
    assert!(cleared < raw.find("jobdeck").unwrap(), "before anything is drawn");
    terminal.press("q");
    terminal.ends_well(0);
}
