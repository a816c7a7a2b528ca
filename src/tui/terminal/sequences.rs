//! The bytes that a terminal sends, parted into keys, pastes and control sequences. Pure.
//!
//! A terminal also sends what nobody typed: answers to questions of a program that has left, reports of its state.
//! Control strings and control sequences that are not known are tokens like any other, so that no part of them is ever
//! taken for a key, and nothing that is unfinished is waited for for ever.

use std::time::Duration;

/// How long an Esc waits for what may follow it: alone it is a key.
const ESC: Duration = Duration::from_millis(50);
/// How long the beginning of a sequence waits for the rest; some of them are keys with Alt as well.
const BEGUN: Duration = Duration::from_millis(150);
/// How long anything else that is unfinished waits for the next byte.
const UNFINISHED: Duration = Duration::from_secs(1);
/// More than any control sequence has.
const LONGEST_CSI: usize = 256;
/// More of one paste than this is dropped.
const LONGEST_PASTE: usize = 4 * 1024 * 1024;

const PASTE_END: &[u8] = b"\x1b[201~";

/// One thing that the terminal sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalToken {
    /// A character, control characters among them; with Alt, if Esc came right before it.
    Char(char, bool),
    /// `ESC O` and a letter.
    Ss3(u8),
    /// `ESC [`, parameters and intermediates, and the final byte.
    Csi(Vec<u8>, u8),
    /// A pasted text, as it came.
    Paste(String),
    /// A control string (DCS, OSC, APC, PM, SOS): never a key.
    ControlString,
}

/// What has come and is not parted yet.
#[derive(Debug, Default)]
pub struct Sequences {
    bytes: Vec<u8>,
    /// What came of a paste that has not ended.
    paste: Option<Vec<u8>>,
}

/// What some bytes begin with.
enum First {
    /// So many bytes are this.
    Whole(TerminalToken, usize),
    /// So many bytes are nothing.
    Nothing(usize),
    /// More has to come.
    Unfinished,
}

impl Sequences {
    /// Takes bytes in; gives all that is whole.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<TerminalToken> {
        self.bytes.extend_from_slice(bytes);
        let mut tokens = Vec::new();
        let mut at = 0;
        loop {
            if self.paste.is_some() {
                at += self.take_paste(at, &mut tokens);
                if self.paste.is_some() {
                    break;
                }
            }
            match first(self.bytes.get(at..).unwrap_or_default()) {
                First::Whole(TerminalToken::Csi(parameters, b'~'), length) if parameters == b"200" => {
                    at += length;
                    self.paste = Some(Vec::new());
                }
                First::Whole(token, length) => {
                    at += length;
                    tokens.push(token);
                }
                First::Nothing(length) => at += length,
                First::Unfinished => break,
            }
            if at >= self.bytes.len() {
                break;
            }
        }
        self.bytes.drain(..at.min(self.bytes.len()));
        self.forget_string();
        tokens
    }

    /// Whether a control string has begun that has not ended.
    pub fn is_in_string(&self) -> bool {
        matches!(self.bytes.as_slice(), [0x1b, b'P' | b']' | b'_' | b'^' | b'X', _, ..])
    }

    /// Of a control string under way only the beginning is kept, and the last byte where that may begin its end:
    /// however long it is, it takes no memory, and no byte is looked at twice.
    fn forget_string(&mut self) {
        if self.is_in_string() {
            let ends_in_esc = self.bytes.len() > 3 && self.bytes.last() == Some(&0x1b);
            self.bytes.truncate(3);
            self.bytes.extend(ends_in_esc.then_some(0x1b));
        }
    }

    /// How long what is unfinished waits for more; None if nothing is.
    pub fn patience(&self) -> Option<Duration> {
        match self.bytes.as_slice() {
            _ if self.paste.is_some() => Some(UNFINISHED),
            [] => None,
            [0x1b] => Some(ESC),
            [0x1b, _] => Some(BEGUN),
            _ => Some(UNFINISHED),
        }
    }

    /// Gives up what is unfinished, since no more came of it: what may have been typed is a key, anything else nothing.
    pub fn give_up(&mut self) -> Vec<TerminalToken> {
        let bytes = std::mem::take(&mut self.bytes);
        if let Some(mut pasted) = self.paste.take() {
            pasted.extend_from_slice(&bytes);
            return vec![paste(&pasted)];
        }
        match bytes.as_slice() {
            [0x1b] => vec![TerminalToken::Char('\u{1b}', false)],
            [0x1b, byte] if byte.is_ascii() => vec![TerminalToken::Char(char::from(*byte), true)],
            _ => Vec::new(),
        }
    }

    /// Takes what belongs to the paste that is under way; how many bytes that is.
    fn take_paste(&mut self, at: usize, tokens: &mut Vec<TerminalToken>) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let end = memchr::memmem::find(rest, PASTE_END);
        // The end may be here in part.
        let taken = end.unwrap_or_else(|| rest.len().saturating_sub(PASTE_END.len() - 1));
        let Some(pasted) = &mut self.paste else { return 0 };
        if pasted.len() < LONGEST_PASTE {
            pasted.extend_from_slice(rest.get(..taken).unwrap_or_default());
        }
        if end.is_none() {
            return taken;
        }
        tokens.push(paste(pasted));
        self.paste = None;
        taken + PASTE_END.len()
    }
}

fn paste(bytes: &[u8]) -> TerminalToken {
    TerminalToken::Paste(String::from_utf8_lossy(bytes).into_owned())
}

fn first(bytes: &[u8]) -> First {
    match bytes {
        [] => First::Unfinished,
        [0x1b, rest @ ..] => after_esc(rest),
        _ => character(bytes, false, 0),
    }
}

fn after_esc(rest: &[u8]) -> First {
    match rest {
        [] => First::Unfinished,
        // The second begins anew: Esc, and then perhaps a key that is a sequence.
        [0x1b, ..] => First::Whole(TerminalToken::Char('\u{1b}', false), 1),
        [b'[', rest @ ..] => csi(rest),
        [b'P' | b']' | b'_' | b'^' | b'X', rest @ ..] => control_string(rest),
        [b'O'] => First::Unfinished,
        [b'O', letter @ (b'A'..=b'H' | b'P'..=b'S' | b'M' | b'Z'), ..] => First::Whole(TerminalToken::Ss3(*letter), 3),
        _ => character(rest, true, 1),
    }
}

/// A character, after `before` bytes that belong to it.
fn character(bytes: &[u8], alt: bool, before: usize) -> First {
    let longest = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    let valid = match str::from_utf8(longest) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => {
            str::from_utf8(longest.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(error) if error.error_len().is_none() => return First::Unfinished,
        Err(_) => return First::Nothing(before + 1),
    };
    match valid.chars().next() {
        None => First::Unfinished,
        // Controls in their form of eight bits are no keys.
        Some(c @ '\u{80}'..='\u{9f}') => First::Nothing(before + c.len_utf8()),
        Some(c) => First::Whole(TerminalToken::Char(c, alt), before + c.len_utf8()),
    }
}

fn csi(rest: &[u8]) -> First {
    // The Linux console's function keys.
    if let [b'[', after @ ..] = rest {
        return match after {
            [] => First::Unfinished,
            [letter, ..] => First::Whole(TerminalToken::Csi(vec![b'['], *letter), 4),
        };
    }
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            0x20..=0x3f if at < LONGEST_CSI => {}
            // Mouse reports of the oldest kind have three bytes behind them.
            b'M' if at == 0 => {
                return if rest.len() < 4 { First::Unfinished } else { First::Nothing(6) };
            }
            0x40..=0x7e => {
                let parameters = rest.get(..at).unwrap_or_default().to_vec();
                return First::Whole(TerminalToken::Csi(parameters, *byte), at + 3);
            }
            // Broken off by another sequence, which counts, or by CAN and SUB, which end it.
            0x18 | 0x1a => return First::Nothing(at + 3),
            _ => return First::Nothing(at + 2),
        }
    }
    First::Unfinished
}

/// Ends with ST (or BEL, as OSC may). What breaks it off is looked at anew; so does Ctrl-c, which stands in none.
fn control_string(rest: &[u8]) -> First {
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            0x07 | 0x18 | 0x1a => return First::Whole(TerminalToken::ControlString, at + 3),
            0x1b => {
                return match rest.get(at + 1) {
                    None => First::Unfinished,
                    Some(b'\\') => First::Whole(TerminalToken::ControlString, at + 4),
                    Some(_) => First::Whole(TerminalToken::ControlString, at + 2),
                };
            }
            0x03 => return First::Whole(TerminalToken::ControlString, at + 2),
            _ => {}
        }
    }
    First::Unfinished
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<TerminalToken> {
        text.chars().map(|c| TerminalToken::Char(c, false)).collect()
    }

    #[test]
    fn what_a_terminal_sends_by_itself_is_never_a_key_and_what_is_typed_after_it_is() {
        let reports = [
            "\x1b[?2026;2$y",
            "\x1b[?997;1n",
            "\x1b[?62;22c",
            "\x1b[>41;354;0c",
            "\x1b[8;24;80t",
            "\x1b[12;40R",
            "\x1bP1$r2 q\x1b\\",
            "\x1bP>|tmux 3.3a\x1b\\",
            "\x1b]11;rgb:0000/0000/0000\x07",
            "\x1b]52;c;cXVpdA==\x1b\\",
            "\x1b_Gi=31;OK\x1b\\",
            "\x1b^private q\x1b\\",
            "\x1bXq\x1b\\",
            "\x1b[M\"qq",
            "\u{9b}",
        ];
        for report in reports {
            for size in [1, 2, report.len()] {
                let mut sequences = Sequences::default();
                let all = format!("{report}jk");
                let tokens: Vec<TerminalToken> =
                    all.as_bytes().chunks(size).flat_map(|part| sequences.push(part)).collect();
                let keys: Vec<TerminalToken> = tokens
                    .into_iter()
                    .filter(|token| matches!(token, TerminalToken::Char(..) | TerminalToken::Ss3(_)))
                    .collect();
                assert_eq!(keys, chars("jk"), "{report:?} in pieces of {size}");
                assert_eq!(sequences.patience(), None, "{report:?}");
            }
        }
    }

    #[test]
    fn what_is_unfinished_is_given_up_and_deafens_nobody() {
        let cases: [(&str, &[TerminalToken]); 8] = [
            ("\x1b", &[TerminalToken::Char('\u{1b}', false)]),
            ("\x1b[", &[TerminalToken::Char('[', true)]),
            ("\x1bO", &[TerminalToken::Char('O', true)]),
            ("\x1b]", &[TerminalToken::Char(']', true)]),
            ("\x1bP1$r", &[]),
            ("\x1b[?2026;", &[]),
            ("\x1b]11;rgb", &[]),
            ("\x1b[200~pasted", &[TerminalToken::Paste("pasted".into())]),
        ];
        for (begun, expected) in cases {
            let mut sequences = Sequences::default();
            assert_eq!(sequences.push(begun.as_bytes()), [], "{begun:?}");
            assert!(sequences.patience().is_some());
            assert_eq!(sequences.give_up(), expected, "{begun:?}");
            assert_eq!(sequences.push(b"q"), chars("q"), "{begun:?}");
        }
    }

    #[test]
    fn a_control_string_without_an_end_takes_no_memory_and_control_c_is_heard_in_it() {
        for begun in ["\x1b]52;c;", "\x1bP1$r", "\x1b_G", "\x1b^", "\x1bX"] {
            for end in ["\x07", "\x1b\\", "\x03"] {
                let mut sequences = Sequences::default();
                assert_eq!(sequences.push(begun.as_bytes()), []);
                for piece in [&[b'q'; 4096][..], b"q", b"qq\x1b"] {
                    sequences.push(piece);
                    assert!(sequences.bytes.len() <= 4, "{begun:?}");
                }
                // The Esc that came last began its end, or is what broke it off.
                let (esc, end) = if end == "\x1b\\" { (false, "\\") } else { (true, end) };
                let mut keys = sequences.push(format!("{end}j").as_bytes());
                keys.retain(|token| *token != TerminalToken::ControlString);
                assert_eq!(keys.last(), Some(&TerminalToken::Char('j', false)), "{begun:?} {end:?}");
                assert_eq!(keys.len(), if esc { 2 } else { 1 }, "{begun:?} {end:?}: {keys:?}");
            }
        }
        let mut sequences = Sequences::default();
        let typed = sequences.push(b"\x1b]11;rgb\x03");
        assert_eq!(typed, [TerminalToken::ControlString, TerminalToken::Char('\u{3}', false)]);
    }

    #[test]
    fn keys_pastes_and_alt_come_as_they_were_sent_in_whatever_pieces() {
        let sent = "a\u{1b}[A\u{1b}OPé\u{1b}\u{1b}[Bx\u{1b}x\u{1b}[200~two\x1b[A q\n\u{1b}[201~漢";
        let csi = |letter| TerminalToken::Csi(Vec::new(), letter);
        let expected = [
            TerminalToken::Char('a', false),
            csi(b'A'),
            TerminalToken::Ss3(b'P'),
            TerminalToken::Char('é', false),
            TerminalToken::Char('\u{1b}', false),
            csi(b'B'),
            TerminalToken::Char('x', false),
            TerminalToken::Char('x', true),
            TerminalToken::Paste("two\x1b[A q\n".into()),
            TerminalToken::Char('漢', false),
        ];
        for size in 1..=sent.len() {
            let mut sequences = Sequences::default();
            let tokens: Vec<TerminalToken> =
                sent.as_bytes().chunks(size).flat_map(|part| sequences.push(part)).collect();
            assert_eq!(tokens, expected, "in pieces of {size}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_the_next_key_after_a_moment_is_heard(bytes in proptest::collection::vec(0_u8.., 0..200)) {
            let mut sequences = Sequences::default();
            let _ = sequences.push(&bytes);
            let _ = sequences.give_up();
            proptest::prop_assert_eq!(sequences.push(b"q"), chars("q"));
        }
    }
}
