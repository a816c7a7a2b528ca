//! Foreign text made harmless, once, where it enters: the only foreign text that screens, tables and logs take.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// One line of text without escape sequences, control characters, bidi overrides or invisible characters.
/// Line breaks and tabs have become spaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Clean(Box<str>);

impl Clean {
    /// The text made harmless. Escape sequences are taken out whole; other controls become `\xNN` or `\u{…}`.
    pub fn new(text: &str) -> Self {
        Self(cleaned(text).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Clean {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for Clean {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Clean {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

/// Whether a character may reach a terminal as it is. Not for line breaks and tabs, which have their own meaning.
pub fn is_harmless(c: char) -> bool {
    !c.is_control() && !is_invisible(c)
}

/// A character that cannot be seen and can mislead: bidi controls, zero-width characters, tags, separators.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// A character that must not reach a terminal, written out.
pub fn escaped(c: char) -> String {
    if u32::from(c) < 0x100 { format!("\\x{:02x}", u32::from(c)) } else { format!("\\u{{{:x}}}", u32::from(c)) }
}

fn cleaned(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\u{9b}' => skip_csi(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push(' '),
            c if is_harmless(c) => out.push(c),
            c if is_invisible(c) => {}
            c => out.push_str(&escaped(c)),
        }
    }
    Cow::Owned(out)
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn skip_escape(rest: &mut Rest<'_>) {
    match rest.next() {
        Some('[') => skip_csi(rest),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(rest),
        Some(' '..='/') => {
            while rest.next_if(|c| (' '..='/').contains(c)).is_some() {}
            rest.next_if(|c| ('0'..='~').contains(c));
        }
        _ => {}
    }
}

fn skip_csi(rest: &mut Rest<'_>) {
    while rest.next_if(|c| (' '..='?').contains(c)).is_some() {}
    rest.next_if(|c| ('@'..='~').contains(c));
}

/// The longest control string that is looked for; also what keeps hostile text from costing quadratic time.
const LONGEST_CONTROL_STRING: usize = 4096;

/// A control string ends with BEL or ST. One that does not end is not a control string: only its introducer goes,
/// so that a stray byte cannot swallow the rest of a reason.
fn skip_string(rest: &mut Rest<'_>) {
    let mut ahead = rest.clone();
    for _ in 0..LONGEST_CONTROL_STRING {
        let Some(c) = ahead.next() else { return };
        match c {
            '\u{7}' | '\u{9c}' => {
                *rest = ahead;
                return;
            }
            '\u{1b}' => {
                ahead.next_if_eq(&'\\');
                *rest = ahead;
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_loses_its_escape_sequences_and_keeps_its_words() {
        let cases = [
            ("plain é 漢字 👍", "plain é 漢字 👍"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}]52;c;aGk=\u{7}b", "ab"),
            ("a\u{1b}]0;title\u{1b}\\b", "ab"),
            ("a\u{9b}2Jb", "ab"),
            ("a\u{9d}52;c;x\u{9c}b", "ab"),
            ("never ends \u{1b}]52;c;x", "never ends 52;c;x"),
            ("two\r\nlines\tand a tab", "two lines and a tab"),
            ("nul\0 bell\u{7}", "nul\\x00 bell\\x07"),
            ("ab\u{202e}cd\u{200b}ef", "abcdef"),
            ("\u{1b}(B\u{1b}cok", "ok"),
        ];
        for (foreign, harmless) in cases {
            assert_eq!(Clean::new(foreign).as_str(), harmless, "{foreign:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_a_terminal_would_obey_survives(text in "\\PC*|[\\x00-\\u{9f}\\u{200b}-\\u{206f}]*") {
            let clean = Clean::new(&text);
            proptest::prop_assert!(clean.chars().all(is_harmless));
            proptest::prop_assert_eq!(Clean::new(&clean), clean.clone());
        }
    }
}
