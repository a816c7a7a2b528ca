//! Replies that strangers made, read field by field: one wrong field never loses the others.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::provider::Payload;
use crate::domain::reading::{Reading, Verdict};
use crate::domain::state::State;
use crate::json::scan::{self, JsonMember, ScanError, ValueKind};

/// The longest foreign sentence that is kept, in bytes. It bounds hostile replies; real reasons are far shorter.
const LONGEST: usize = 64 * 1024;

/// How deep a sentence is looked for.
const DEEPEST: usize = 4;

/// A JSON object whose fields are looked at one by one. Of duplicate keys the last wins.
#[derive(Debug)]
pub struct Object<'a> {
    fields: Vec<JsonMember<'a>>,
}

impl<'a> Object<'a> {
    /// The object that a text holds, and nothing else.
    pub fn parse(text: &'a [u8]) -> Result<Self, ScanError> {
        Ok(Self { fields: scan::fields(text)? })
    }

    /// The object of these fields.
    pub fn of(fields: Vec<JsonMember<'a>>) -> Self {
        Self { fields }
    }

    /// A field's value; `null` is one.
    pub fn get(&self, key: &str) -> Option<&'a [u8]> {
        self.field(key).map(|field| field.value)
    }

    /// Where a field's value is in the text that was parsed.
    pub fn range(&self, key: &str) -> Option<Range<usize>> {
        self.field(key).map(|field| field.range.clone())
    }

    /// Whether there is such a field, whatever its value.
    pub fn has(&self, key: &str) -> bool {
        self.field(key).is_some()
    }

    /// A field's value, if it is more than `null` or an empty string.
    pub fn held(&self, key: &str) -> Option<&'a [u8]> {
        self.get(key).filter(|value| *value != b"null" && *value != b"\"\"")
    }

    /// How many fields there are, duplicates counted.
    pub fn count(&self) -> usize {
        self.fields.len()
    }

    /// What `status` says: the state, and the word itself. A status that is no string is its own JSON text, and
    /// unknown.
    pub fn word(&self) -> (Verdict, Option<String>) {
        let Some(value) = self.held("status") else { return (Verdict::NoWord, None) };
        match scan::string(value) {
            Some(word) if word.trim().is_empty() => (Verdict::NoWord, None),
            Some(word) => {
                let state = State::from_service_word(&word).unwrap_or(State::Unknown);
                (Verdict::State(state), Some(capped(&word)))
            }
            None => (Verdict::State(State::Unknown), Some(capped(&json_text(value)))),
        }
    }

    fn field(&self, key: &str) -> Option<&JsonMember<'a>> {
        self.fields.iter().rev().find(|field| field.key == key)
    }
}

/// What an object says about an error: its sentence and its code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The sentence.
    pub text: Option<String>,
    pub code: Option<String>,
}

/// The sentence of an error envelope: `{error}`, `{message}`, `{detail}`, `{errors: [{detail}]}`, and what is like
/// them.
pub fn sentence(object: &Object<'_>) -> Said {
    said_by(object, DEEPEST)
}

/// What an error field says: a string that is not blank, the sentence within an object or a list, else its JSON text.
pub fn error_text(value: &[u8]) -> Option<String> {
    match scan::kind(value)? {
        ValueKind::Null | ValueKind::Bool => None,
        ValueKind::String => text(value),
        ValueKind::Number => Some(json_text(value)),
        ValueKind::Object | ValueKind::Array => {
            let said = said_in(value, DEEPEST).text;
            let empty = || value.iter().filter(|byte| !byte.is_ascii_whitespace()).count() == 2;
            said.or_else(|| (!empty()).then(|| capped(&json_text(value))))
        }
    }
}

/// A string that is not blank, trimmed, or a number's own digits.
pub fn text(value: &[u8]) -> Option<String> {
    match scan::kind(value)? {
        ValueKind::String => {
            let text = scan::string(value)?;
            let text = text.trim();
            (!text.is_empty()).then(|| capped(text))
        }
        ValueKind::Number => Some(json_text(value)),
        ValueKind::Object | ValueKind::Array | ValueKind::Bool | ValueKind::Null => None,
    }
}

/// A value's JSON as it came.
pub fn json_text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.get(..value.len().min(LONGEST + 4)).unwrap_or(value)).trim().to_owned()
}

/// What is in a body that is no object: nothing, and why it is no JSON if it is none.
pub fn no_object(body: &[u8]) -> Payload {
    let fault = match scan::document(body) {
        Ok(_) => None,
        Err(_) if body.is_empty() => Some("the response was empty: 0 bytes".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    Payload { fault, ..Payload::default() }
}

/// A part of a body, without a copy where it is there unescaped.
pub fn shared(body: &Bytes, part: Cow<'_, [u8]>) -> Bytes {
    match part {
        Cow::Borrowed(part) if body.as_ptr_range().contains(&part.as_ptr()) => body.slice_ref(part),
        Cow::Borrowed(part) => Bytes::copy_from_slice(part),
        Cow::Owned(part) => Bytes::from(part),
    }
}

/// A text that is a decimal number, however large. Not NaN, not Infinity.
pub fn number(text: &[u8]) -> Option<f64> {
    let decimal = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.iter().all(decimal) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A whole number, which has been seen as a number, a string and a float.
pub fn code(value: &[u8]) -> Option<i64> {
    let text = text(value).or_else(|| Some(json_text(value)))?;
    if let Ok(code) = text.parse() {
        return Some(code);
    }
    let code: f64 = text.parse().ok()?;
    let whole = code.fract() == 0.0 && code.abs() < 1e9;
    #[expect(clippy::cast_possible_truncation, reason = "whole and far below the bounds of i64")]
    whole.then_some(code as i64)
}

/// The JSON in a string, without byte order mark and white space around it. A bare word or number that JSON itself
/// does not know is text.
pub fn decoded(said: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    let range = scan::document(&said).ok()?;
    let inside = said.get(range.clone())?;
    let is_json = match scan::kind(inside)? {
        ValueKind::Object | ValueKind::Array | ValueKind::String | ValueKind::Bool | ValueKind::Null => true,
        ValueKind::Number => serde_json::from_slice::<&serde_json::value::RawValue>(inside).is_ok(),
    };
    if !is_json {
        return None;
    }
    Some(match said {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(range)?),
        Cow::Owned(bytes) => Cow::Owned(bytes.get(range)?.to_vec()),
    })
}

/// A time as RFC 3339 has it, one without an offset (it is UTC then), or seconds or milliseconds since 1970.
pub fn time(value: &[u8]) -> Option<Timestamp> {
    let text = text(value)?;
    if let Some(number) = number(text.as_bytes()) {
        let seconds = if number.abs() >= 1e11 { number / 1000.0 } else { number };
        #[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and the constructor checks the range")]
        return Timestamp::from_microsecond((seconds * 1e6) as i64).ok();
    }
    let moment: Option<Timestamp> = text.parse().ok();
    moment.or_else(|| text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()))
}

/// A foreign sentence, trimmed and of bounded length.
pub fn capped(text: &str) -> String {
    let text = text.trim();
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = text.get(..end).unwrap_or_default();
    if end < text.len() { format!("{kept}…") } else { kept.to_owned() }
}

/// A reading whose answer has these warnings, too.
pub fn warned(mut reading: Reading, warnings: impl IntoIterator<Item = String>) -> Reading {
    if let Some(answer) = &mut reading.answer {
        answer.warning = joined(answer.warning.take().into_iter().chain(warnings));
    }
    reading
}

/// Several sentences as one.
pub fn joined(sentences: impl IntoIterator<Item = String>) -> Option<String> {
    let mut all = String::new();
    for sentence in sentences {
        if all.len() > LONGEST {
            break;
        }
        if !all.is_empty() {
            all.push_str("; ");
        }
        all.push_str(&sentence);
    }
    (!all.is_empty()).then(|| capped(&all))
}

fn said_in(value: &[u8], depth: usize) -> Said {
    let Some(depth) = depth.checked_sub(1) else { return Said::default() };
    match scan::kind(value) {
        Some(ValueKind::String) => Said { text: text(value), code: None },
        Some(ValueKind::Object) => Object::parse(value).map(|object| said_by(&object, depth)).unwrap_or_default(),
        Some(ValueKind::Array) => {
            let elements = scan::elements(value).unwrap_or_default();
            let mut code = None;
            let all = joined(elements.into_iter().take(100).filter_map(|range| {
                let said = said_in(value.get(range)?, depth);
                code = code.take().or(said.code);
                said.text
            }));
            Said { text: all, code }
        }
        Some(ValueKind::Number | ValueKind::Bool | ValueKind::Null) | None => Said::default(),
    }
}

fn said_by(object: &Object<'_>, depth: usize) -> Said {
    let said = |key: &str| object.get(key).map(|value| said_in(value, depth)).unwrap_or_default();
    let code = ["code", "error_code"].into_iter().find_map(|key| text(object.get(key)?));
    let error = said("error");
    let others = ["message", "detail", "error_description", "errors", "msg", "error_message", "title", "reason"];
    let other = others.into_iter().map(said).find(|said| said.text.is_some()).unwrap_or_default();
    let code = code.or(error.code).or(other.code);
    let (sentence, code) = match (error.text, other.text) {
        // `{"error": "invalid_token", "error_description": …}` and the like: one word beside a sentence is a code.
        (Some(error), Some(other)) if !error.contains(char::is_whitespace) => (Some(other), code.or(Some(error))),
        (Some(error), Some(other)) if error.contains(&other) => (Some(error), code),
        (Some(error), Some(other)) if other.contains(&error) => (Some(other), code),
        (Some(error), Some(other)) => (Some(format!("{error}: {other}")), code),
        (error, other) => (error.or(other), code),
    };
    let sentence = sentence.map(|sentence| match place(object) {
        Some(place) => capped(&format!("{sentence} ({place})")),
        None => sentence,
    });
    // Some frameworks put the bare word "error" where others put a code.
    Said { text: sentence, code: code.filter(|code| code != "error") }
}

/// What in the request the error is about: the `loc` list or the `fields` list of a validation error.
fn place(object: &Object<'_>) -> Option<String> {
    let list = |key: &str| {
        let value = object.get(key)?;
        let elements = scan::elements(value).ok()?;
        Some(elements.into_iter().take(20).filter_map(|range| value.get(range)).collect::<Vec<_>>())
    };
    let field = |value: &&[u8]| {
        let field = Object::parse(value).ok()?;
        Some(format!("{}: {}", text(field.get("name")?)?, text(field.get("message")?)?))
    };
    let loc: Vec<String> = list("loc").unwrap_or_default().into_iter().filter_map(text).collect();
    if !loc.is_empty() {
        return Some(loc.join("."));
    }
    joined(list("fields")?.iter().filter_map(field))
}
