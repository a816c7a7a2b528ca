//! How VESSL serverless speaks: `GET {base_url}/async/{request_id}/output`, one status word and the user's own output.

use std::borrow::Cow;

use super::refusal::{malformed, refused};
use super::reply::{Object, error_text, json_text, text};
use super::{Contents, IdError, address};
use crate::domain::reading::{Answer, Reading, Verdict};
use crate::domain::request::{Auth, Method, Request};
use crate::domain::response::Response;
use crate::domain::service::Service;
use crate::domain::state::State;
use crate::json::scan::{self, ScanError};

/// The fields of an answer; any other object is not about a job.
const KNOWN: &[&str] = &["status", "status_code", "raw_output", "output", "fail_reason"];

/// The status read of a job.
pub fn request(service: &Service, id: &str) -> Request {
    let url = address::below(&service.base, &format!("/async/{}/output", address::segment(id)));
    Request { method: Method::Get, url, auth: Auth::Bearer, body: None, one_shot: false }
}

/// What a reply said.
pub fn read(endpoint: &str, id: &str, reply: &Response) -> Reading {
    if !(200..300).contains(&reply.status) {
        return refused(endpoint, id, reply);
    }
    let Ok(object) = Object::parse(&reply.body) else { return malformed(reply) };
    if !KNOWN.iter().any(|key| object.has(key)) {
        return malformed(reply);
    }
    let code = object.get("status_code").and_then(code);
    let (verdict, word) = object.word();
    let refused = code.is_some_and(|code| !(200..300).contains(&code));
    let succeeded = verdict == Verdict::State(State::Succeeded);
    let verdict = if succeeded && refused { Verdict::State(State::Failed) } else { verdict };
    let reason = object.get("fail_reason").and_then(error_text);
    let failed = matches!(verdict, Verdict::State(State::Failed | State::Cancelled));
    let (fail_reason, warning) = if failed { (reason, None) } else { (None, reason) };
    Reading::answered(Answer {
        verdict,
        word,
        service_status_code: code,
        fail_reason,
        warning,
        has_payload: object.holds("raw_output") || object.holds("output"),
        ..Answer::default()
    })
}

/// The request id in a URL or path that names a job.
pub fn id_from(service: &Service, text: &str) -> Result<String, IdError> {
    let Some(url) = address::named_by_address(&service.base, text)? else { return Ok(text.to_owned()) };
    let base = service.base.path().trim_end_matches('/');
    let below = url.path().strip_prefix(base).and_then(|rest| rest.strip_prefix("/async/"));
    let segment = below.map(|rest| rest.trim_end_matches('/')).map(|rest| rest.strip_suffix("/output").unwrap_or(rest));
    let id = segment.filter(|segment| !segment.contains('/')).and_then(address::decoded);
    id.ok_or_else(|| {
        IdError::new(
            "this id is an address that is not `/async/<id>/output` below its service's base_url",
            "give the id alone",
        )
    })
}

/// The string in `raw_output`, byte for byte; its JSON text should it be no string.
pub fn raw_output(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    raw_of(&Object::parse(body).ok()?)
}

/// The JSON text of `output`, `null` included.
pub fn output(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    output_of(&Object::parse(body).ok()?)
}

/// All that is looked for in a saved body.
pub fn contents(body: &[u8]) -> Result<Contents<'_>, ScanError> {
    let object = Object::parse(body)?;
    Ok(Contents { raw: raw_of(&object), output: output_of(&object), files: Vec::new() })
}

fn raw_of<'a>(object: &Object<'a>) -> Option<Cow<'a, [u8]>> {
    let value = object.get("raw_output").filter(|value| *value != b"null")?;
    Some(scan::string_bytes(value).unwrap_or(Cow::Borrowed(value)))
}

fn output_of<'a>(object: &Object<'a>) -> Option<Cow<'a, [u8]>> {
    object.get("output").map(Cow::Borrowed)
}

/// The user's own service's code, which has been seen as a number, a string and a float.
fn code(value: &[u8]) -> Option<i64> {
    let text = text(value).or_else(|| Some(json_text(value)))?;
    if let Ok(code) = text.parse() {
        return Some(code);
    }
    let code: f64 = text.parse().ok()?;
    let whole = code.fract() == 0.0 && code.abs() < 1e9;
    #[expect(clippy::cast_possible_truncation, reason = "whole and far below the bounds of i64")]
    whole.then_some(code as i64)
}
