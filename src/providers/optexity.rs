//! How Optexity speaks: `POST /api/v1/inference/call`, a browser task with times, progress and a result of any kind.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use url::Url;

use super::address;
use super::refusal::{Asked, malformed, malformed_because, refused};
use super::reply::{Object, error_text, no_object, number, quoted, sentence, shared, text, time};
use crate::domain::job::ProviderName;
use crate::domain::provider::{About, AddressForm, IdError, Next, OneShot, Part, Payload, Provider};
use crate::domain::reading::{Answer, Reading, Verdict};
use crate::domain::request::{Header, Method, Request};
use crate::domain::response::Response;
use crate::domain::service::Service;
use crate::domain::state::{PollOutcome, State};
use crate::json::scan::{self, Kind};

/// Where tasks are asked about.
const PATH: &str = "/api/v1/inference/call";

/// The fields of an answer; any other object is not about a task.
const KNOWN: &[&str] = &[
    "success",
    "task_id",
    "status",
    "end_point",
    "goal",
    "created_at",
    "allocated_at",
    "started_at",
    "completed_at",
    "failed_at",
    "result",
    "progress",
    "error",
    "error_code",
    "execution_time",
    "estimated_completion",
];

/// Optexity.
#[derive(Debug)]
pub struct Optexity;

impl Provider for Optexity {
    fn name(&self) -> ProviderName {
        ProviderName::OPTEXITY
    }

    fn about(&self) -> About {
        About {
            id_noun: "task",
            made_up_id: "00000000-0000-0000-0000-000000000000",
            token_env: "OPTEXITY_API_KEY",
            address: AddressForm::Base {
                default: Some("https://api.optexity.com"),
                example: "\"https://host.example\"",
            },
        }
    }

    fn one_shot(&self) -> OneShot {
        OneShot::Never
    }

    fn endpoint(&self, base: &Url, _: &BTreeMap<String, String>) -> String {
        address::origin(base)
    }

    fn request(&self, service: &Service, id: &str) -> Request {
        Request {
            method: Method::Post,
            url: address::below(&service.base, PATH),
            headers: vec![Header::key("x-api-key")],
            body: Some(format!("{{\"task_id\":{}}}", quoted(id))),
            one_shot: false,
            own_query: Vec::new(),
            named_by: None,
        }
    }

    fn read(&self, service: &Service, id: &str, response: &Response) -> Next {
        Next::Done(read(service, id, response))
    }

    /// The task id in a URL or path that names a task by a `task_id` in its query.
    fn id_from(&self, service: &Service, text: &str) -> Result<String, IdError> {
        let Some(url) = address::named_by_address(&service.base, text)? else { return Ok(text.to_owned()) };
        address::query_value(&url, "task_id")
            .ok_or_else(|| IdError::new("this id is an address without a `task_id`", "give the task_id alone"))
    }

    /// Raw: the string in `result`, its JSON text if it is no string. Output: `result`, decoded if it is a string that
    /// is JSON itself.
    fn extract(&self, _: &Part, body: &Bytes) -> Payload {
        let object = match Object::parse(body) {
            Ok(object) => object,
            Err(_) => return no_object(body),
        };
        let Some(value) = object.get("result").filter(|value| *value != b"null") else { return Payload::default() };
        let said = scan::string_bytes(value);
        let inside = said.clone().and_then(decoded);
        let output_path = if inside.is_some() { ".result | fromjson | " } else { ".result" };
        let output = inside.unwrap_or(Cow::Borrowed(value));
        Payload {
            output: object.holds("result").then(|| shared(body, output)),
            raw: Some(shared(body, said.unwrap_or(Cow::Borrowed(value)))),
            output_path: output_path.to_owned(),
            ..Payload::default()
        }
    }
}

fn read(service: &Service, id: &str, response: &Response) -> Reading {
    if !(200..300).contains(&response.status) {
        return refused(&Asked { endpoint: &service.endpoint, id, path: PATH }, response);
    }
    let Ok(object) = Object::parse(&response.body) else { return malformed(response) };
    if object.get("task_id").and_then(text).is_some_and(|other| other != id.trim()) {
        return malformed_because("the reply is about another task");
    }
    let (verdict, word) = object.word();
    if verdict == Verdict::NoWord && object.get("success").is_some_and(is_false) {
        let said = sentence(&object);
        let reason = said.text.unwrap_or_else(|| "the service says `success: false` and no reason".to_owned());
        return Reading { error_code: said.code, ..Reading::refused(PollOutcome::Rejected, reason) };
    }
    if !KNOWN.iter().any(|key| object.has(key)) {
        return malformed(response);
    }
    Reading::answered(answer(&object, verdict, word))
}

fn answer(object: &Object<'_>, verdict: Verdict, word: Option<String>) -> Answer {
    let state = match verdict {
        Verdict::State(state) => state,
        Verdict::NoWord | Verdict::Acknowledged | Verdict::Expired => State::Unknown,
    };
    let failed = matches!(state, State::Failed | State::Cancelled);
    let error = object.get("error");
    let reason = error.and_then(error_text);
    let (fail_reason, warning) =
        if failed { (reason.or_else(|| object.get("message").and_then(error_text)), None) } else { (None, reason) };
    let own_code = || error.and_then(|error| Object::parse(error).ok()).and_then(|error| text(error.get("code")?));
    let time = |key: &str| object.get(key).and_then(time);
    let finished_at = match state {
        State::Failed => time("failed_at").or_else(|| time("completed_at")),
        State::Succeeded | State::Partial | State::Cancelled | State::Lost => {
            time("completed_at").or_else(|| time("failed_at"))
        }
        State::Queued | State::Running | State::Unknown => None,
    };
    Answer {
        verdict,
        word,
        progress: object.get("progress").and_then(progress),
        fail_reason,
        error_code: if failed { object.get("error_code").and_then(text).or_else(own_code) } else { None },
        warning,
        created_at: time("created_at"),
        started_at: time("started_at"),
        finished_at,
        eta: time("estimated_completion"),
        has_payload: object.holds("result"),
        ..Answer::default()
    }
}

fn is_false(value: &[u8]) -> bool {
    value == b"false" || scan::string(value).is_some_and(|text| text.trim().eq_ignore_ascii_case("false"))
}

/// Percent done: a number, "75%", a fraction below 1, or `{current, total}`.
fn progress(value: &[u8]) -> Option<f64> {
    match scan::kind(value)? {
        Kind::Number => percent(number(value)?),
        Kind::String => {
            let text = scan::string(value)?;
            let text = text.trim();
            match text.strip_suffix('%') {
                Some(signed) => bounded(number(signed.trim_end().as_bytes())?),
                None => percent(number(text.as_bytes())?),
            }
        }
        Kind::Object => {
            let object = Object::parse(value).ok()?;
            let count = |key: &str| number(text(object.get(key)?)?.as_bytes());
            let (current, total) = (count("current")?, count("total")?);
            if total > 0.0 { bounded(current / total * 100.0) } else { None }
        }
        Kind::Array | Kind::Bool | Kind::Null => None,
    }
}

fn percent(value: f64) -> Option<f64> {
    bounded(if value < 1.0 { value * 100.0 } else { value })
}

/// Rounded so that 0.57 is 57 and not 56.99999999999999, and without a negative zero.
fn bounded(value: f64) -> Option<f64> {
    (value >= 0.0).then(|| (value.min(100.0) * 1e9).round() / 1e9 + 0.0)
}

/// The JSON in a string, without byte order mark and white space around it. A bare word or number that JSON itself
/// does not know is text.
fn decoded(said: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    let range = scan::document(&said).ok()?;
    let inside = said.get(range.clone())?;
    let is_json = match scan::kind(inside)? {
        Kind::Object | Kind::Array | Kind::String | Kind::Bool | Kind::Null => true,
        Kind::Number => serde_json::from_slice::<&serde_json::value::RawValue>(inside).is_ok(),
    };
    if !is_json {
        return None;
    }
    Some(match said {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(range)?),
        Cow::Owned(bytes) => Cow::Owned(bytes.get(range)?.to_vec()),
    })
}
