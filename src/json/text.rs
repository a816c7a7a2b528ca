//! What a string or scalar looks like on one line: escapes decoded, everything harmful or invisible written out, and
//! no more of it read than is seen.

use crate::domain::clean::{self, Clean};

/// The beginning of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownText {
    /// What there is of it, harmless. Line breaks are `\n`, tabs `\t`, other controls `\x1b` or `\u{200b}`.
    pub text: Clean,
    /// Whether that is all.
    pub whole: bool,
}

/// The beginning of a value or key as it is in the source, up to about `most` characters. A string comes without
/// its quotes and with its escapes decoded; everything else as it came.
pub fn shown(source: &[u8], most: usize) -> ShownText {
    let (inside, escapes) = match source {
        [b'"', inside @ .., b'"'] => (inside, true),
        other => (other, false),
    };
    // The longest escape is twelve bytes.
    let read = inside.get(..most.saturating_mul(12).saturating_add(16)).unwrap_or(inside);
    let mut out = LimitedText { text: String::new(), left: most };
    let mut chars = Chars { rest: read, escapes };
    let all = loop {
        match chars.next() {
            None => break read.len() == inside.len(),
            Some(_) if out.left == 0 => break false,
            Some(c) => out.push(c),
        }
    };
    ShownText { text: Clean::new(&out.text), whole: all }
}

/// Whether a value is a string that begins as a JSON object or array begins.
pub fn may_hold_json(source: &[u8]) -> bool {
    source.strip_prefix(b"\"").is_some_and(|inside| {
        let first = Chars { rest: inside, escapes: true }.find(|c| !c.is_whitespace() && *c != '\u{feff}');
        matches!(first, Some('{' | '['))
    })
}

/// A text as a JSON string.
pub fn quoted(text: &str) -> String {
    // Text can always be written as JSON; an empty string is what is left of the impossible.
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

struct LimitedText {
    text: String,
    left: usize,
}

impl LimitedText {
    fn push(&mut self, c: char) {
        self.left -= 1;
        match c {
            '\n' => self.text.push_str("\\n"),
            '\r' => self.text.push_str("\\r"),
            '\t' => self.text.push_str("\\t"),
            c if clean::is_harmless(c) => self.text.push(c),
            c => self.text.push_str(&clean::escaped(c)),
        }
    }
}

/// The characters of the inside of a string.
struct Chars<'a> {
    rest: &'a [u8],
    escapes: bool,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let first = *self.rest.first()?;
        let (c, length) = if first == b'\\' && self.escapes { self.escape() } else { first_char(self.rest) };
        self.rest = self.rest.get(length..).unwrap_or_default();
        Some(c)
    }
}

impl Chars<'_> {
    fn escape(&self) -> (char, usize) {
        let c = match self.rest.get(1) {
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(&c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'u') => return self.code_point(),
            _ => return ('\\', 1),
        };
        (c, 2)
    }

    fn code_point(&self) -> (char, usize) {
        let Some(first) = self.unit(0) else { return ('\\', 1) };
        if let Some(Ok(c)) = char::decode_utf16([first]).next() {
            return (c, 6);
        }
        match self.unit(6).and_then(|second| char::decode_utf16([first, second]).next()) {
            Some(Ok(c)) => (c, 12),
            _ => (char::REPLACEMENT_CHARACTER, 6),
        }
    }

    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.rest.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digits = str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    }
}

/// The first character of some bytes and its length; U+FFFD for a byte that belongs to none.
pub fn first_char(bytes: &[u8]) -> (char, usize) {
    match decoded(bytes) {
        Some(c) => (c, c.len_utf8()),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

/// The character that some bytes begin with, if they are UTF-8.
pub fn decoded(bytes: &[u8]) -> Option<char> {
    let length = match bytes.first()? {
        0..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return None,
    };
    str::from_utf8(bytes.get(..length)?).ok()?.chars().next()
}

/// A number of bytes as people read it: `523 B`, `10.2 MB`.
pub fn size(bytes: u64) -> String {
    let mut tenths = bytes.saturating_mul(10);
    for unit in ["B", "KB", "MB"] {
        if tenths < 10_000 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) };
        }
        tenths = tenths.div_ceil(1000);
    }
    format!("{}.{} GB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_one_harmless_line_that_hides_nothing() {
        let cases: &[(&[u8], &str)] = &[
            (br#""plain""#, "plain"),
            (br#""two\nlines\tand \"quotes\" \/ \\""#, r#"two\nlines\tand "quotes" / \"#),
            (br#""\u001b[31mred\u202e""#, r"\x1b[31mred\u{202e}"),
            (b"\"raw \x1b]52;c;x\x07\xff\"", "raw \\x1b]52;c;x\\x07\u{fffd}"),
            (br#""\ud83d\udc4d \ud83d \u00e9 \uzz""#, "👍 \u{fffd} é \\uzz"),
            (b"1.50e+400", "1.50e+400"),
            (b"\"\"", ""),
        ];
        for (source, text) in cases {
            let shown = shown(source, 1000);
            assert_eq!((shown.text.as_str(), shown.whole), (*text, true), "{source:?}");
        }
    }

    #[test]
    fn only_the_beginning_of_a_long_string_is_read() {
        let long = format!("\"{}\"", "é".repeat(1_000_000));
        assert_eq!(shown(long.as_bytes(), 3), ShownText { text: Clean::new("ééé"), whole: false });
        assert_eq!(shown(b"\"abc\"", 3), ShownText { text: Clean::new("abc"), whole: true });
        assert_eq!(shown(b"\"abc\"", 0), ShownText { text: Clean::new(""), whole: false });
    }

    #[test]
    fn sizes_are_read_at_a_glance() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KB"),
            (10_240, "10.3 KB"),
            (999_999, "1.0 MB"),
            (2_500_000_000, "2.5 GB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_is_what_the_scanner_reads(inside in "[a-z\\\\\"u0-9dé👍]{0,30}") {
            let source = format!("\"{inside}\"");
            if let Some(text) = crate::json::scan::string(source.as_bytes()) {
                let mut out = LimitedText { text: String::new(), left: 1000 };
                text.chars().for_each(|c| out.push(c));
                proptest::prop_assert_eq!(shown(source.as_bytes(), 1000).text, Clean::new(&out.text));
            }
        }
    }
}
