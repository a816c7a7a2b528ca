//! Where the tokens of JSON text end. As lenient as [`crate::json::scan`] about what is in them.

use std::ops::Range;

use crate::json::scan::ScanError;

const UNEXPECTED_END: &str = "the text ends too early";

/// The first byte at or after `at` that is not white space.
pub fn skip_space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = text.get(at) {
        at += 1;
    }
    at
}

/// Where the document may begin: after a byte order mark and white space.
pub fn skip_start(text: &[u8]) -> usize {
    skip_space(text, if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 })
}

/// The end of the string whose opening quote stands at `at`.
pub fn string_end(text: &[u8], at: usize) -> Result<usize, ScanError> {
    let mut from = at + 1;
    loop {
        let rest = text.get(from..).unwrap_or_default();
        let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
            return Err(ScanError { at, what: "a string that does not end" });
        };
        if rest.get(found) == Some(&b'"') {
            return Ok(from + found + 1);
        }
        from += found + 2;
    }
}

/// The end of the number or word that begins at `at`.
pub fn scalar_end(text: &[u8], at: usize) -> Result<usize, ScanError> {
    let Some(&first) = text.get(at) else { return Err(ScanError { at, what: UNEXPECTED_END }) };
    let rest = text.get(at..).unwrap_or_default();
    let end = match first {
        b'-' | b'0'..=b'9' => number_end(rest),
        b't' => word(rest, b"true"),
        b'f' => word(rest, b"false"),
        b'n' => word(rest, b"null"),
        b'N' => word(rest, b"NaN"),
        b'I' => word(rest, b"Infinity"),
        _ => None,
    };
    end.map(|end| at + end).ok_or(ScanError { at, what: "no value can begin so" })
}

/// What was missing at `at`, or that the text ends there.
pub fn unexpected(text: &[u8], at: usize, what: &'static str) -> ScanError {
    ScanError { at, what: if at < text.len() { what } else { UNEXPECTED_END } }
}

/// The string or scalar that begins at `at`.
pub fn leaf(text: &[u8], at: usize) -> Result<Range<usize>, ScanError> {
    let end = if text.get(at) == Some(&b'"') { string_end(text, at) } else { scalar_end(text, at) };
    end.map(|end| at..end)
}

fn number_end(rest: &[u8]) -> Option<usize> {
    let digits_at = usize::from(rest.first() == Some(&b'-'));
    let unsigned = rest.get(digits_at..).unwrap_or_default();
    if unsigned.first() == Some(&b'I') {
        return word(unsigned, b"Infinity").map(|end| end + digits_at);
    }
    if !unsigned.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let length = unsigned.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')).count();
    Some(digits_at + length)
}

fn word(rest: &[u8], word: &[u8]) -> Option<usize> {
    let ends = !rest.get(word.len()).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    (rest.starts_with(word) && ends).then_some(word.len())
}
