//! Text that tries to be the terminal's master: nothing of it is ever an escape sequence on the screen.

use serde_json::json;

use crate::pty::{Home, Terminal};
use crate::service::{Answer, Job, Service, completed, file, vessl};

/// A title, a write to the clipboard, a clearing of the screen, colours, C1, bidi, invisible characters, a device query.
const PAYLOAD: &str = "a\u{1b}]0;PWNED\u{7}\u{1b}]52;c;UFdORUQ=\u{7}\u{1b}[2J\u{1b}[1;1H\u{1b}[31mred\u{9b}31m\u{9d}0;PWNED\u{9c}\
    \u{202e}dlrow\u{202c}\u{2066}x\u{2069}\u{200b}\u{feff}\u{1b}[6n\u{1b}P1$r\u{1b}\\\r\n\u{8}\u{0}\u{7f}\u{e0041}b";

/// What stands in what was written that this program does not write of itself.
fn foreign(raw: &[u8]) -> Vec<String> {
    let text = String::from_utf8(raw.to_vec()).unwrap();
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '\u{1b}' {
            let length = known(rest);
            match length {
                Some(length) => rest = &rest[length..],
                None => found.push(format!("ESC {}", rest.chars().take(20).collect::<String>().escape_debug())),
            }
        } else if is_unseen(c) && !matches!(c, '\r' | '\n' | '\u{7}') {
            found.push(c.escape_unicode().to_string());
        }
    }
    found
}

/// The length of a sequence that the dashboard itself may write, after its ESC.
fn known(rest: &str) -> Option<usize> {
    if let Some(parameters) = rest.strip_prefix('[') {
        let end = parameters.find(|c: char| !matches!(c, '0'..='9' | ';' | ':' | '?'))?;
        let is_known = matches!(parameters[end..].chars().next()?, 'H' | 'm' | 'J' | 'K' | 'h' | 'l' | 't');
        return is_known.then_some(1 + end + 1);
    }
    // The title is ours, though it may have a name in it.
    let title = rest.strip_prefix("]0;")?;
    let end = title.find('\u{7}')?;
    (!title[..end].chars().any(is_unseen) && !title[..end].starts_with("PWNED")).then_some(3 + end + 1)
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Goes everywhere where a job's text may be seen.
fn looks_around(terminal: &mut Terminal) {
    for key in ["]", "H", "L", "\t", "G", "w", "]", "]", "]", "3", "1", "Y", "\x1b", "e", "\x1b", "!", "!", "z", "z"] {
        terminal.press_calmly(key);
    }
    for (width, height) in [(200, 60), (120, 40), (60, 15), (38, 6), (80, 24)] {
        terminal.resize(width, height);
        terminal.settle(std::time::Duration::from_millis(60));
    }
}

#[track_caller]
fn is_harmless(terminal: &mut Terminal) {
    assert_eq!(foreign(&terminal.raw), [""; 0], "{}", terminal.text());
    terminal.press("q");
    terminal.ends_well(0);
    assert_eq!(foreign(&terminal.raw), [""; 0], "at its end");
}

#[test]
fn the_check_itself_finds_what_it_looks_for() {
    for bad in ["\x1b]52;c;AA==\x07", "\x1b]0;PWNED\x07", "\x1b[6n", "\x1bP1$r\x1b\\", "\u{9b}31m", "\u{202e}", "\x08"]
    {
        assert_ne!(foreign(bad.as_bytes()), [""; 0], "{bad:?}");
    }
    assert_eq!(foreign("\x1b[1;2H\x1b[0;7mjobdeck 漢\x1b[?1049l\x1b]0;jobdeck 1/2\x07\r\n".as_bytes()), [""; 0]);
}

#[test]
fn the_hostile_job_of_the_demo_stays_text() {
    let mut terminal = Home::new().terminal(&["demo", "--seed", "1", "--jobs", "60", "--speed", "100"]);
    terminal.sees("60/60");
    terminal.press("/untrusted\r");
    terminal.until("the job", |terminal| terminal.selected().starts_with("untrusted"));
    looks_around(&mut terminal);
    is_harmless(&mut terminal);
}

#[test]
fn whatever_a_job_is_called_and_whatever_it_answers_stays_text() {
    let failed = json!([
        {"file": PAYLOAD, "status": "Failed", "result": null, "error": PAYLOAD, "metadata": {PAYLOAD: PAYLOAD}},
        file(PAYLOAD, &json!({PAYLOAD: [PAYLOAD, {"x": PAYLOAD}]}))
    ]);
    let word = json!({"status": PAYLOAD, "raw_output": PAYLOAD, "fail_reason": PAYLOAD, "output": PAYLOAD});
    let jobs = |id: &str, name: &str| {
        let id = |n: u8| format!("{id}{n}");
        // One that holds NUL is refused by the file too.
        let name = |n: u8| format!("{n} {}", name.replace('\0', ""));
        let odd = Answer { status: 500, body: PAYLOAD.to_owned(), held: false };
        let unknown = Answer { status: 200, body: word.to_string(), held: false };
        vec![
            Job { provider: "vessl", id: id(1), name: name(1), answers: vec![vessl("failed", PAYLOAD, Some(PAYLOAD))] },
            Job { provider: "unstract", id: id(2), name: name(2), answers: vec![completed(failed.clone())] },
            Job { provider: "vessl", id: id(3), name: name(3), answers: vec![unknown] },
            Job { provider: "vessl", id: id(4), name: name(4), answers: vec![odd] },
        ]
    };
    let home = Home::new();
    // An id that holds what a terminal obeys is refused by the file, and so is a name with a NUL.
    let service = Service::start(&home, jobs("x", &PAYLOAD.replace('\0', "")));
    let mut terminal = home.terminal(&[]);
    terminal.until("answers", |_| service.requests() >= 6);
    for _ in 0..4 {
        looks_around(&mut terminal);
        terminal.press("1j");
        terminal.settle(std::time::Duration::from_millis(60));
    }
    assert!(terminal.text().contains("areddlrowx"), "the harmless rest is shown: {}", terminal.text());
    is_harmless(&mut terminal);
}
