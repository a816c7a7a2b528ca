//! What a token from the terminal means to the app: a key, a paste, the mouse, the focus, or nothing.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::sequences::TerminalToken;
use crate::app::event::{Event, Mouse, MouseKind};
use crate::app::keys::Key;

/// The event; None for what nobody asked for.
pub fn event(token: TerminalToken) -> Option<Event> {
    match token {
        TerminalToken::Char(c, alt) => key(character(c), if alt { KeyModifiers::ALT } else { KeyModifiers::NONE }),
        TerminalToken::Ss3(letter) => key(Some((named(letter)?, KeyModifiers::NONE)), KeyModifiers::NONE),
        TerminalToken::Csi(parameters, last) => csi(&parameters, last),
        TerminalToken::Paste(text) => Some(Event::Paste(text)),
        TerminalToken::ControlString => None,
    }
}

fn key(key: Option<(KeyCode, KeyModifiers)>, more: KeyModifiers) -> Option<Event> {
    let (code, modifiers) = key?;
    Key::from_event(KeyEvent::new(code, modifiers | more)).map(Event::Key)
}

fn character(c: char) -> Option<(KeyCode, KeyModifiers)> {
    let ctrl = |c| (KeyCode::Char(c), KeyModifiers::CONTROL);
    let plain = |code| (code, KeyModifiers::NONE);
    Some(match c {
        '\u{1b}' => plain(KeyCode::Esc),
        '\r' => plain(KeyCode::Enter),
        '\t' => plain(KeyCode::Tab),
        '\u{7f}' => plain(KeyCode::Backspace),
        '\0' => ctrl(' '),
        '\u{1}'..='\u{1a}' => ctrl(offset(c, '\u{1}', 'a')?),
        '\u{1c}'..='\u{1f}' => ctrl(offset(c, '\u{1c}', '4')?),
        c if c.is_uppercase() => (KeyCode::Char(c), KeyModifiers::SHIFT),
        c => plain(KeyCode::Char(c)),
    })
}

/// The character that is as far behind `new` as `c` is behind `old`.
fn offset(c: char, old: char, new: char) -> Option<char> {
    char::from_u32(u32::from(new) + u32::from(c).checked_sub(u32::from(old))?)
}

fn named(letter: u8) -> Option<KeyCode> {
    match letter {
        b'A' => Some(KeyCode::Up),
        b'B' => Some(KeyCode::Down),
        b'C' => Some(KeyCode::Right),
        b'D' => Some(KeyCode::Left),
        b'F' => Some(KeyCode::End),
        b'H' => Some(KeyCode::Home),
        b'M' => Some(KeyCode::Enter),
        b'P' => Some(KeyCode::F(1)),
        b'Q' => Some(KeyCode::F(2)),
        b'R' => Some(KeyCode::F(3)),
        b'S' => Some(KeyCode::F(4)),
        b'Z' => Some(KeyCode::BackTab),
        _ => None,
    }
}

fn csi(parameters: &[u8], last: u8) -> Option<Event> {
    let text = str::from_utf8(parameters).ok()?;
    if let Some(mouse) = text.strip_prefix('<') {
        return self::mouse(mouse, last).map(Event::Mouse);
    }
    if text == "[" {
        return key(
            Some((KeyCode::F((b'A'..=b'E').contains(&last).then(|| last - b'A' + 1)?), KeyModifiers::NONE)),
            KeyModifiers::NONE,
        );
    }
    if text.chars().any(|c| !matches!(c, '0'..='9' | ';' | ':')) {
        return None;
    }
    let numbers: Vec<u32> = text.split(';').map(|part| number(part).unwrap_or_default()).collect();
    let nth = |at: usize| numbers.get(at).copied().unwrap_or_default();
    match last {
        b'I' if text.is_empty() => Some(Event::Focus(true)),
        b'O' if text.is_empty() => Some(Event::Focus(false)),
        // With parameters it is the cursor's position.
        b'R' if !text.is_empty() => None,
        b'A'..=b'D' | b'F' | b'H' | b'P'..=b'S' | b'Z' => {
            (nth(0) <= 1).then(|| key(Some((named(last)?, modifiers(nth(1)))), KeyModifiers::NONE))?
        }
        b'~' if nth(0) == 27 => unicode(nth(2), nth(1)),
        b'~' => key(Some((numbered(nth(0))?, modifiers(nth(1)))), KeyModifiers::NONE),
        // The kind of the event follows the modifiers; the third is a release.
        b'u' if text.ends_with(":3") => None,
        b'u' => unicode(nth(0), nth(1)),
        _ => None,
    }
}

/// The first number of `1:2`.
fn number(text: &str) -> Option<u32> {
    text.split(':').next()?.parse().ok()
}

/// One more than the sum of the modifiers' bits.
fn modifiers(number: u32) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let pairs = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)];
    pairs.into_iter().filter(|(bit, _)| bits & bit != 0).fold(KeyModifiers::NONE, |all, (_, one)| all | one)
}

fn unicode(code: u32, with: u32) -> Option<Event> {
    let c = char::from_u32(code).filter(|c| !matches!(c, '\u{e000}'..='\u{f8ff}'))?;
    key(character(c), modifiers(with))
}

fn numbered(number: u32) -> Option<KeyCode> {
    let function = |base: u32| u8::try_from(number - base).ok().map(KeyCode::F);
    match number {
        1 | 7 => Some(KeyCode::Home),
        2 => Some(KeyCode::Insert),
        3 => Some(KeyCode::Delete),
        4 | 8 => Some(KeyCode::End),
        5 => Some(KeyCode::PageUp),
        6 => Some(KeyCode::PageDown),
        11..=15 => function(10),
        17..=21 => function(11),
        23..=26 => function(12),
        28..=29 => function(13),
        31..=34 => function(14),
        _ => None,
    }
}

fn mouse(text: &str, last: u8) -> Option<Mouse> {
    let mut numbers = text.split(';').map(str::parse::<u16>);
    let (button, x, y) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    // Without the bits of Shift, Alt and Ctrl.
    let kind = match (button & !0b1_1100, last) {
        (0, b'M') => MouseKind::Press,
        (32, b'M') => MouseKind::Drag,
        (0 | 32, b'm') => MouseKind::Release,
        (64, b'M') => MouseKind::WheelUp,
        (65, b'M') => MouseKind::WheelDown,
        _ => return None,
    };
    Some(Mouse { kind, x: x.checked_sub(1)?, y: y.checked_sub(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::terminal::sequences::Sequences;

    fn events(sent: &str) -> Vec<Event> {
        let mut sequences = Sequences::default();
        let mut tokens = sequences.push(sent.as_bytes());
        tokens.extend(sequences.give_up());
        tokens.into_iter().filter_map(event).collect()
    }

    #[test]
    fn keys_are_known_in_every_spelling_of_terminals() {
        let cases = [
            ("j", "j"),
            ("G", "G"),
            ("\r", "Enter"),
            ("\t", "Tab"),
            ("\x1b", "Esc"),
            ("\x7f", "Backspace"),
            ("\x03", "Ctrl-c"),
            ("\x0c", "Ctrl-l"),
            ("\0", "Ctrl-Space"),
            ("\x1b[A", "Up"),
            ("\x1bOB", "Down"),
            ("\x1b[1;5C", "Ctrl-Right"),
            ("\x1b[Z", "Shift-Tab"),
            ("\x1b[5~", "PgUp"),
            ("\x1b[6;5~", "Ctrl-PgDn"),
            ("\x1b[1~", "Home"),
            ("\x1b[15~", "F5"),
            ("\x1bOP", "F1"),
            ("\x1b[[B", "F2"),
            ("\x1b[24~", "F12"),
            ("\x1bx", "Alt-x"),
            ("\x1b\r", "Alt-Enter"),
            ("\x1b[27;5;100~", "Ctrl-d"),
            ("\x1b[100;5u", "Ctrl-d"),
        ];
        for (sent, name) in cases {
            let keys: Vec<Key> = events(sent)
                .into_iter()
                .filter_map(|event| if let Event::Key(key) = event { Some(key) } else { None })
                .collect();
            assert_eq!(keys, Vec::from_iter(Key::parse(name)), "{sent:?}");
        }
    }

    #[test]
    fn focus_mouse_and_paste_are_events_and_reports_are_none() {
        let press = Mouse { kind: MouseKind::Press, x: 4, y: 0 };
        let cases = [
            ("\x1b[I", Some(Event::Focus(true))),
            ("\x1b[O", Some(Event::Focus(false))),
            ("\x1b[<0;5;1M", Some(Event::Mouse(press))),
            ("\x1b[<65;1;1M", Some(Event::Mouse(Mouse { kind: MouseKind::WheelDown, x: 0, y: 0 }))),
            ("\x1b[<35;1;1M", None),
            ("\x1b[200~hi\x1b[201~", Some(Event::Paste("hi".to_owned()))),
            ("\x1b[?2026;2$y", None),
            ("\x1b[12;40R", None),
            ("\x1b[97;1:3u", None),
            ("\x1b[?1u", None),
            ("\x1b[0n", None),
        ];
        for (sent, expected) in cases {
            let (came, expected) = (events(sent), Vec::from_iter(expected));
            assert_eq!(format!("{came:?}"), format!("{expected:?}"), "{sent:?}");
        }
    }
}
