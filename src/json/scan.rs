//! JSON text that strangers made, read field by field: where a value is, what kind it is, what a string says.
//!
//! Lenient where a whole answer would otherwise be lost (byte order mark, `NaN`, numbers of any size, duplicate
//! keys, lone surrogates, control characters and unknown escapes in strings, invalid UTF-8, any depth), strict about
//! where a document ends.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::cursor::JsonCursor;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    Object,
    Array,
    String,
    /// A number, `NaN` and `Infinity` included.
    Number,
    Bool,
    Null,
}

/// Where and why a text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct ScanError {
    /// Offset in the whole text.
    pub at: usize,
    pub what: &'static str,
}

/// One member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonMember<'a> {
    /// The decoded key.
    pub key: Cow<'a, str>,
    /// Where the value is in the text that was given.
    pub range: Range<usize>,
    /// The value's bytes.
    pub value: &'a [u8],
}

/// Where the text's one document is: without byte order mark and white space around it.
pub fn document(text: &[u8]) -> Result<Range<usize>, ScanError> {
    let start = start_of(text);
    let end = end_of_value(text, start)?;
    end_of_text(text, end)?;
    Ok(start..end)
}

/// Where the object is with which a text begins, if something other than white space follows it.
pub fn leading_object(text: &[u8]) -> Option<Range<usize>> {
    let start = start_of(text);
    let is_object = text.get(start) == Some(&b'{');
    let end = if is_object { end_of_value(text, start).ok()? } else { return None };
    end_of_text(text, end).is_err().then_some(start..end)
}

/// The members of an object in their order, duplicates included. The text is one whole document or value.
pub fn fields(text: &[u8]) -> Result<Vec<JsonMember<'_>>, ScanError> {
    let mut found = Vec::new();
    let mut cursor = JsonCursor::new(text);
    cursor.fields(|key, cursor| {
        let range = cursor.skip()?;
        let value = text.get(range.clone()).unwrap_or_default();
        found.push(JsonMember { key, range, value });
        Ok(())
    })?;
    cursor.finish()?;
    Ok(found)
}

/// Where the elements of an array stand in the text, in their order. The text is one whole document or value.
pub fn elements(text: &[u8]) -> Result<Vec<Range<usize>>, ScanError> {
    let mut found = Vec::new();
    let mut cursor = JsonCursor::new(text);
    cursor.elements(|cursor| {
        found.push(cursor.skip()?);
        Ok(())
    })?;
    cursor.finish()?;
    Ok(found)
}

/// What kind a value is, by its first byte. None if no value can begin so.
pub fn kind(value: &[u8]) -> Option<ValueKind> {
    match value.first()? {
        b'{' => Some(ValueKind::Object),
        b'[' => Some(ValueKind::Array),
        b'"' => Some(ValueKind::String),
        b'-' | b'0'..=b'9' | b'N' | b'I' => Some(ValueKind::Number),
        b't' | b'f' => Some(ValueKind::Bool),
        b'n' => Some(ValueKind::Null),
        _ => None,
    }
}

/// What a string value says: escapes decoded, lone surrogates and invalid UTF-8 as U+FFFD. None if it is no string.
pub fn string(value: &[u8]) -> Option<Cow<'_, str>> {
    Some(match string_bytes(value)? {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    })
}

/// What a string value says, byte for byte: escapes decoded, lone surrogates as U+FFFD, bytes that are no UTF-8 left
/// as they came. None if it is no string.
pub fn string_bytes(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if value.first() != Some(&b'"') || end_of_string(value, 0) != Ok(value.len()) {
        return None;
    }
    let inside = value.get(1..value.len().checked_sub(1)?)?;
    if memchr::memchr(b'\\', inside).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(plain) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at_checked(plain)?;
        out.extend_from_slice(before);
        let length = unescape(escape, &mut out);
        rest = escape.get(length..)?;
    }
    out.extend_from_slice(rest);
    Some(Cow::Owned(out))
}

/// Writes what the escape at the start of `text` stands for and says how long it is. An escape that JSON does not
/// know stands for itself.
fn unescape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let plain = match text.get(1) {
        Some(b'"') => b'"',
        Some(b'\\') => b'\\',
        Some(b'/') => b'/',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return unescape_unit(text, out),
        _ => {
            out.push(b'\\');
            return 1;
        }
    };
    out.push(plain);
    2
}

fn unescape_unit(text: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(first) = code_unit(text) else {
        out.push(b'\\');
        return 1;
    };
    let second = text.get(6..).and_then(code_unit);
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    let (c, length) = match (char::from_u32(u32::from(first)), pair) {
        (Some(c), _) => (c, 6),
        (None, Some(c)) => (c, 12),
        (None, None) => (char::REPLACEMENT_CHARACTER, 6),
    };
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    length
}

/// The code unit of a `\uXXXX` at the start of a text.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// The end of the value that begins at `start`. An own stack instead of recursion: nesting costs a bit a level.
pub(super) fn end_of_value(text: &[u8], start: usize) -> Result<usize, ScanError> {
    let mut open = OpenContainers::default();
    let mut at = start;
    loop {
        at = after_space(text, at);
        match text.get(at) {
            Some(b'{') => {
                at = after_space(text, at + 1);
                if text.get(at) == Some(&b'}') {
                    at += 1;
                } else {
                    open.push(true);
                    at = after_key(text, at)?;
                    continue;
                }
            }
            Some(b'[') => {
                at = after_space(text, at + 1);
                if text.get(at) == Some(&b']') {
                    at += 1;
                } else {
                    open.push(false);
                    continue;
                }
            }
            _ => at = end_of_leaf(text, at)?,
        }
        loop {
            let Some(object) = open.innermost() else { return Ok(at) };
            at = after_space(text, at);
            match (text.get(at), object) {
                (Some(b','), true) => {
                    at = after_key(text, after_space(text, at + 1))?;
                    break;
                }
                (Some(b','), false) => {
                    at += 1;
                    break;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    open.pop();
                    at += 1;
                }
                (other, true) => return Err(unexpected(at, other, "expected `,` or `}`")),
                (other, false) => return Err(unexpected(at, other, "expected `,` or `]`")),
            }
        }
    }
}

/// From a key to the start of its value.
pub(super) fn after_key(text: &[u8], at: usize) -> Result<usize, ScanError> {
    if text.get(at) != Some(&b'"') {
        return Err(unexpected(at, text.get(at), "expected a key"));
    }
    let colon = after_space(text, end_of_string(text, at)?);
    if text.get(colon) != Some(&b':') {
        return Err(unexpected(colon, text.get(colon), "expected `:`"));
    }
    Ok(after_space(text, colon + 1))
}

/// The key itself in a text of key, colon and white space.
pub(super) fn until_colon(key: &[u8]) -> &[u8] {
    let end = memchr::memrchr(b'"', key).map_or(0, |quote| quote + 1);
    key.get(..end).unwrap_or_default()
}

/// The end of the string, number or word that begins at `at`.
pub(super) fn end_of_leaf(text: &[u8], at: usize) -> Result<usize, ScanError> {
    match text.get(at) {
        Some(b'"') => end_of_string(text, at),
        Some(b'-' | b'0'..=b'9') => end_of_number(text, at),
        Some(b't') => end_of_word(text, at, b"true"),
        Some(b'f') => end_of_word(text, at, b"false"),
        Some(b'n') => end_of_word(text, at, b"null"),
        Some(b'N') => end_of_word(text, at, b"NaN"),
        Some(b'I') => end_of_word(text, at, b"Infinity"),
        other => Err(unexpected(at, other, "expected a value")),
    }
}

/// The end of the string whose opening quote is at `quote`.
pub(super) fn end_of_string(text: &[u8], quote: usize) -> Result<usize, ScanError> {
    let mut at = quote + 1;
    // Most strings are short: eight bytes at once cost less than a call.
    for _ in 0..3 {
        let Some(eight) = text.get(at..).and_then(<[u8]>::first_chunk) else { break };
        let eight = u64::from_le_bytes(*eight);
        let found = zero_bytes(eight ^ every(b'"')) | zero_bytes(eight ^ every(b'\\'));
        if found == 0 {
            at += 8;
            continue;
        }
        at += (found.trailing_zeros() / 8) as usize;
        if text.get(at) == Some(&b'"') {
            return Ok(at + 1);
        }
        at += 2;
    }
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if text.get(at) == Some(&b'"') {
            return Ok(at + 1);
        }
        at += 2;
    }
    Err(ScanError { at: text.len(), what: "the text ends within a string" })
}

/// The byte in each of eight places.
const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The upper bit of each byte that is zero; above the lowest of them there may be bits that mean nothing.
const fn zero_bytes(eight: u64) -> u64 {
    eight.wrapping_sub(every(1)) & !eight & every(0x80)
}

fn end_of_number(text: &[u8], start: usize) -> Result<usize, ScanError> {
    let digits = start + usize::from(text.get(start) == Some(&b'-'));
    match text.get(digits) {
        Some(b'I') => return end_of_word(text, digits, b"Infinity"),
        Some(b'N') => return end_of_word(text, digits, b"NaN"),
        Some(b'0'..=b'9') => {}
        other => return Err(unexpected(digits, other, "expected a digit")),
    }
    let rest = text.get(digits..).unwrap_or_default();
    let length = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    Ok(digits + length.unwrap_or(rest.len()))
}

fn end_of_word(text: &[u8], at: usize, word: &'static [u8]) -> Result<usize, ScanError> {
    let rest = text.get(at..).unwrap_or_default();
    if rest.starts_with(word) {
        Ok(at + word.len())
    } else if word.starts_with(rest) {
        Err(ScanError { at: text.len(), what: "the text ends within a value" })
    } else {
        Err(ScanError { at, what: "expected a value" })
    }
}

/// Refuses anything but white space from `at` on.
pub(super) fn end_of_text(text: &[u8], at: usize) -> Result<(), ScanError> {
    let at = after_space(text, at);
    if at < text.len() { Err(ScanError { at, what: "more text after the document" }) } else { Ok(()) }
}

/// Where a document may begin.
pub(super) fn start_of(text: &[u8]) -> usize {
    after_space(text, if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 })
}

/// The first byte from `at` on that is no white space.
pub(super) fn after_space(text: &[u8], mut at: usize) -> usize {
    loop {
        match text.get(at) {
            Some(b' ') => {
                at += 1;
                // Indentation.
                while let Some(eight) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
                    let other = u64::from_le_bytes(*eight) ^ every(b' ');
                    at += (other.trailing_zeros() / 8) as usize;
                    if other != 0 {
                        break;
                    }
                }
            }
            Some(b'\n' | b'\r' | b'\t') => at += 1,
            _ => return at,
        }
    }
}

pub(super) fn unexpected(at: usize, found: Option<&u8>, what: &'static str) -> ScanError {
    ScanError { at, what: if found.is_none() { "the text ends too early" } else { what } }
}

/// The objects (true) and arrays (false) that are open, innermost last.
#[derive(Default)]
struct OpenContainers {
    full: Vec<u64>,
    bits: u64,
    depth: usize,
}

impl OpenContainers {
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.full.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.bits >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.bits = self.full.pop().unwrap_or_default();
        }
    }

    fn innermost(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_document(text: &[u8]) -> bool {
        document(text).is_ok()
    }

    #[test]
    fn what_strangers_send_is_still_one_document() {
        let whole: [&[u8]; 20] = [
            b"null",
            b" [1, -2.5e+9, 1e400, 0123, 123456789012345678901234567890] ",
            b"\xef\xbb\xbf{}",
            b"[NaN, Infinity, -Infinity, -NaN]",
            b"{\"a\":1,\"a\":2}",
            b"\"\\ud800 \\q \\u12\"",
            b"\"raw \x00\x1b\x7f\n controls\"",
            b"\"caf\xff\xfe\"",
            b"{\"a\":[{\"b\":[[]]},{}]}",
            b"\"\\\\\"",
            b"\"\\\"\"",
            b"true",
            b"false",
            b"-0",
            b"[]",
            b"{ }",
            b"[ ]",
            b"{\"\":\"\"}",
            b"{\"k\" : 1 , \"l\" : [ ] }",
            b"\t\r\n1\n",
        ];
        for text in whole {
            assert!(is_document(text), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_text_that_is_cut_glued_or_no_json_is_no_document() {
        let broken: [&[u8]; 30] = [
            b"",
            b" ",
            b"\xef\xbb\xbf",
            b"{",
            b"[",
            b"[1",
            b"[1,",
            b"[1,]",
            b"{\"a\"",
            b"{\"a\":",
            b"{\"a\":1",
            b"{\"a\":1,",
            b"{\"a\":1,}",
            b"\"",
            b"\"a",
            b"\"a\\",
            b"\"a\\\"",
            b"tru",
            b"-",
            b"nul",
            b"{}{}",
            b"[][]",
            b"1 2",
            b"{]",
            b"[}",
            b"{a:1}",
            b"{'a':1}",
            b"<html>",
            b"[1 2]",
            b"plain",
        ];
        for text in broken {
            assert!(!is_document(text), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn nesting_of_any_depth_is_read_without_recursion() {
        for depth in [1, 63, 64, 65, 127, 128, 129, 1_000_000] {
            let mut text = Vec::new();
            for level in 0..depth {
                text.extend_from_slice(if level % 3 == 0 { b"{\"a\":" } else { b"[" });
            }
            text.push(b'1');
            for level in (0..depth).rev() {
                text.push(if level % 3 == 0 { b'}' } else { b']' });
            }
            assert_eq!(document(&text), Ok(0..text.len()), "{depth}");
            text.pop();
            assert!(!is_document(&text));
        }
    }

    #[test]
    fn the_fields_of_an_object_come_in_order_with_their_places_and_their_duplicates() {
        let text = b" {\"a\" : 1, \"b\\u0041\":[2,{}] ,\"a\":\"x\"} ";
        let found: Vec<_> = fields(text)
            .unwrap()
            .into_iter()
            .map(|field| {
                assert_eq!(&text[field.range.clone()], field.value);
                (field.key.into_owned(), String::from_utf8_lossy(field.value).into_owned())
            })
            .collect();
        let expected = [("a", "1"), ("bA", "[2,{}]"), ("a", "\"x\"")];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert!(fields(b"[1]").is_err() && fields(b"{}x").is_err() && fields(b"{\"a\":1}{").is_err());
        assert_eq!(fields(b"{}"), Ok(vec![]));
    }

    #[test]
    fn the_elements_of_an_array_come_in_order() {
        let text = b"[1, [2] ,\"3\" ]";
        let found: Vec<_> = elements(text).unwrap().into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, [&b"1"[..], b"[2]", b"\"3\""]);
        assert!(elements(b"{}").is_err() && elements(b"[1]]").is_err());
        assert_eq!(elements(b" [ ] "), Ok(vec![]));
    }

    #[test]
    fn a_string_says_what_its_escapes_stand_for_and_never_fails_on_surrogates_or_bytes() {
        let cases: [(&[u8], &str); 9] = [
            (b"\"plain\"", "plain"),
            (b"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{c}\n\r\t"),
            (b"\"\\u00e9\\ud83d\\ude00\"", "é😀"),
            (b"\"\\ud83dx\"", "\u{fffd}x"),
            (b"\"\\ude00\\ud83d\"", "\u{fffd}\u{fffd}"),
            (b"\"\\ud83d\\ud83d\\ude00\"", "\u{fffd}😀"),
            (b"\"caf\xff\xfe\"", "caf\u{fffd}\u{fffd}"),
            (b"\"caf\xff\\n\"", "caf\u{fffd}\n"),
            (b"\"\\q\\u12\"", "\\q\\u12"),
        ];
        for (value, says) in cases {
            assert_eq!(string(value).as_deref(), Some(says));
        }
        assert_eq!(string_bytes(b"\"a\\u00e9\xff\"").as_deref(), Some(&b"a\xc3\xa9\xff"[..]));
        for no_string in [&b"1"[..], b"", b"\"", b"\"a", b"\"a\"b", b"\"a\\\""] {
            assert_eq!(string(no_string), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = (document(&text), fields(&text), elements(&text), string(&text), kind(&text));
        }

        #[test]
        fn no_almost_json_makes_it_panic(text in "[\\[\\]{}:,\" \\\\u0d8e1.+NaIn-]{0,60}") {
            let text = text.as_bytes();
            let _ = (document(text), fields(text), elements(text), string(text), kind(text));
        }

        #[test]
        fn what_serde_json_reads_is_one_document_and_no_part_of_it_is(text in json()) {
            proptest::prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
            proptest::prop_assert_eq!(document(text.as_bytes()), Ok(0..text.len()));
            if text.starts_with(['{', '[', '"']) {
                for end in 0..text.len() {
                    proptest::prop_assert!(!is_document(&text.as_bytes()[..end]));
                }
            }
        }

        #[test]
        fn a_string_says_what_serde_json_says(text in "\\PC*|[\\x00-\\x7f]*") {
            let value = serde_json::to_string(&text).unwrap();
            let said = string(value.as_bytes());
            proptest::prop_assert_eq!(said.as_deref(), Some(text.as_str()));
        }
    }

    fn json() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i64>().prop_map(|value| value.to_string()),
            (-1e9..1e9f64).prop_map(|value| serde_json::to_string(&value).unwrap()),
            "\\PC{0,6}".prop_map(|value| serde_json::to_string(&value).unwrap()),
        ];
        leaf.prop_recursive(6, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(|values| format!("[{}]", values.join(" , "))),
                proptest::collection::vec(("\\PC{0,4}", inner), 0..5).prop_map(|members| {
                    let members: Vec<_> = members
                        .into_iter()
                        .map(|(key, value)| format!("{}:{value}", serde_json::to_string(&key).unwrap()))
                        .collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }
}
