//! The files of an Unstract reply: where each is, whether it failed, what it cost and when it was done.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use crate::domain::files::FileResult;
use crate::domain::state::State;
use crate::json::cursor::JsonCursor;
use crate::json::scan::{self, JsonMember, ScanError, ValueKind};
use crate::json::text::quoted;
use crate::providers::reply::{self, Object, error_text, json_text, text};

/// A body and the files in its `message`, read in one pass. Entries that are no objects are no files.
pub(super) struct Parts<'a> {
    pub(super) object: Object<'a>,
    pub(super) files: Vec<File<'a>>,
}

/// A file's object and where it is in the body.
pub(super) struct File<'a> {
    pub(super) object: Object<'a>,
    place: Range<usize>,
    shape: ResultShape<'a>,
}

/// What is in a file's `result` that is an object, as far as it is looked for.
#[derive(Default)]
pub(super) struct ResultShape<'a> {
    /// How many members it has, duplicates counted.
    members: Option<u32>,
    /// The same of its last `output`: None if there is none, or if it is no object.
    output: Option<Option<u32>>,
    /// Its last `metadata`.
    metadata: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, ScanError> {
        let (mut fields, mut files) = (Vec::new(), Vec::new());
        let mut cursor = JsonCursor::new(body);
        cursor.fields(|key, cursor| {
            let is_message = key == "message";
            if is_message {
                files.clear();
            }
            let range = if is_message && cursor.kind() == Some(ValueKind::Array) {
                cursor.elements(|cursor| {
                    if cursor.kind() == Some(ValueKind::Object) {
                        files.push(File::parse(body, cursor)?);
                    }
                    Ok(())
                })?
            } else {
                cursor.skip()?
            };
            fields.push(JsonMember { key, value: body.get(range.clone()).unwrap_or_default(), range });
            Ok(())
        })?;
        cursor.finish()?;
        Ok(Self { object: Object::of(fields), files })
    }
}

impl<'a> File<'a> {
    pub(super) fn parse(body: &'a [u8], cursor: &mut JsonCursor<'a>) -> Result<Self, ScanError> {
        let (mut fields, mut shape) = (Vec::new(), ResultShape::default());
        let place = cursor.fields(|key, cursor| {
            let range = if key == "result" {
                shape = ResultShape::default();
                shape.read(body, cursor)?
            } else {
                cursor.skip()?
            };
            fields.push(JsonMember { key, value: body.get(range.clone()).unwrap_or_default(), range });
            Ok(())
        })?;
        Ok(Self { object: Object::of(fields), place, shape })
    }

    pub(super) fn read(&self) -> FileResult {
        let (failed, error) = outcome(&self.object);
        FileResult {
            name: name(&self.object),
            status: self
                .object
                .get("status")
                .map(|value| text(value).unwrap_or_else(|| json_text(value)))
                .unwrap_or_default(),
            failed,
            error,
            keys: self.shape.output.unwrap_or(self.shape.members),
            size: u64::try_from(self.place.len()).unwrap_or(u64::MAX),
            cost: self.cost(),
            in_review: is_in_review(&self.object),
            range: self.place.clone(),
            result: self.object.range("result"),
        }
    }

    /// What the file cost, digit for digit: a number or a string.
    pub(super) fn cost(&self) -> Option<String> {
        let of_file = self.object.get("metadata").and_then(cost_in);
        of_file.or_else(|| self.shape.metadata.and_then(cost_in))
    }
}

impl<'a> ResultShape<'a> {
    pub(super) fn read(&mut self, text: &'a [u8], cursor: &mut JsonCursor<'a>) -> Result<Range<usize>, ScanError> {
        if cursor.kind() != Some(ValueKind::Object) {
            return cursor.skip();
        }
        let mut members: u32 = 0;
        let place = cursor.fields(|key, cursor| {
            members = members.saturating_add(1);
            match key.as_ref() {
                "output" => {
                    let mut count: u32 = 0;
                    let is_object = cursor.kind() == Some(ValueKind::Object);
                    if is_object {
                        cursor.fields(|_, _| {
                            count = count.saturating_add(1);
                            Ok(())
                        })?;
                    }
                    self.output = Some(is_object.then_some(count));
                }
                "metadata" => self.metadata = text.get(cursor.skip()?),
                _ => {}
            }
            Ok(())
        })?;
        self.members = Some(members);
        Ok(place)
    }
}

/// Whether a file was sent to a person to look through: its result does not come here.
pub(super) fn is_in_review(file: &Object<'_>) -> bool {
    let sent = |metadata: &[u8]| {
        let metadata = Object::parse(metadata).ok()?;
        let review = Object::parse(metadata.get("hitl")?).ok()?;
        Some(review.get("file_sent_to_hitl")? == b"true")
    };
    file.get("metadata").and_then(sent).unwrap_or(false)
}

pub(super) fn in_review(reviewed: u32, total: u32) -> String {
    match (reviewed, total) {
        (1, 1) => "one file was sent to human review: its result does not come here".to_owned(),
        (1, _) => format!("one file of {total} was sent to human review: its result does not come here"),
        (_, _) => format!("{reviewed} of {total} files were sent to human review: their results do not come here"),
    }
}

/// When a file was begun and done, by the service's clock.
pub(super) fn times(file: &Object<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
    let metadata = file.get("metadata").and_then(|metadata| Object::parse(metadata).ok());
    let Some(metadata) = metadata else { return (None, None) };
    let start = metadata.get("workflow_start_time").and_then(reply::time);
    let took = metadata.get("total_elapsed_time").and_then(|took| reply::number(took.trim_ascii()));
    let took = took.and_then(|took| SignedDuration::try_from_secs_f64(took).ok());
    (start, start.zip(took).and_then(|(start, took)| start.checked_add(took).ok()))
}

/// One object a file, its values as they came. None where there is no file.
pub(super) fn output(files: &[File<'_>]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for File { object, .. } in files {
        out.push(if out.is_empty() { b'[' } else { b',' });
        out.extend_from_slice(b"{\"file\":");
        out.extend_from_slice(quoted(&name(object)).as_bytes());
        for key in ["status", "result", "error"] {
            out.extend_from_slice(format!(",\"{key}\":").as_bytes());
            out.extend_from_slice(object.get(key).unwrap_or(b"null"));
        }
        out.push(b'}');
    }
    out.push(b']');
    (!files.is_empty()).then_some(out)
}

/// Whether a file failed, and its error: by its word, and where that says neither by whether it has an error.
pub(super) fn outcome(file: &Object<'_>) -> (bool, Option<String>) {
    let error = file.get("error").and_then(error_text);
    let word = file.get("status").and_then(text);
    let failed = match word.as_deref().and_then(State::from_service_word) {
        Some(State::Succeeded) => false,
        Some(State::Failed) => true,
        Some(State::Queued | State::Running | State::Partial | State::Cancelled | State::Lost | State::Unknown)
        | None => error.is_some(),
    };
    (failed, error)
}

pub(super) fn name(file: &Object<'_>) -> String {
    let named = ["file", "file_name", "file_execution_id"].into_iter().find_map(|key| scan::string(file.held(key)?));
    named.unwrap_or_default().into_owned()
}

/// What a file cost, looked up in its own text.
pub(super) fn cost_of(file: &Object<'_>) -> Option<String> {
    let within_result = || Object::parse(file.get("result")?).ok()?.get("metadata").and_then(cost_in);
    file.get("metadata").and_then(cost_in).or_else(within_result)
}

/// The costs that metadata names, digit for digit: a number or a string.
pub(super) fn cost_in(metadata: &[u8]) -> Option<String> {
    let metadata = Object::parse(metadata).ok()?;
    let usage = Object::parse(metadata.get("usage")?).ok()?;
    usage.get("cost_in_dollars").and_then(reply::text)
}
