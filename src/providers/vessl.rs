//! How VESSL serverless speaks: `GET {base_url}/async/{request_id}/output`, one status word and the user's own output.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use url::Url;

use super::address;
use super::refusal::{Asked, malformed, refused};
use super::reply::{Object, error_text, json_text, no_object, shared, text};
use crate::domain::job::ProviderName;
use crate::domain::provider::{About, AddressForm, IdError, Next, OneShot, Part, Payload, Provider};
use crate::domain::reading::{Answer, Reading, Verdict};
use crate::domain::request::{Header, Method, Request};
use crate::domain::response::Response;
use crate::domain::service::Service;
use crate::domain::state::State;
use crate::json::scan;

/// The fields of an answer; any other object is not about a job.
const KNOWN: &[&str] = &["status", "status_code", "raw_output", "output", "fail_reason"];

/// VESSL serverless.
#[derive(Debug)]
pub struct Vessl;

impl Provider for Vessl {
    fn name(&self) -> ProviderName {
        ProviderName::VESSL
    }

    fn about(&self) -> About {
        About {
            id_noun: "request",
            made_up_id: "000000000000",
            token_env: "VESSL_TOKEN",
            address: AddressForm::Base {
                default: None,
                example: "\"https://serve-api.vessl.ai/api/v1/services/<slug>\"",
            },
        }
    }

    fn one_shot(&self) -> OneShot {
        OneShot::Never
    }

    /// The base_url without query, trailing slash, default port and user info, scheme and host in lower case.
    fn endpoint(&self, base: &Url, _: &BTreeMap<String, String>) -> String {
        format!("{}{}", address::origin(base), base.path().trim_end_matches('/'))
    }

    fn request(&self, service: &Service, id: &str) -> Request {
        let url = address::below(&service.base, &path(id));
        Request {
            method: Method::Get,
            url,
            headers: vec![Header::bearer()],
            body: None,
            one_shot: false,
            own_query: Vec::new(),
            named_by: None,
        }
    }

    fn read(&self, service: &Service, id: &str, response: &Response) -> Next {
        Next::Done(read(service, id, response))
    }

    /// The request id in a URL or path that names a job.
    fn id_from(&self, service: &Service, text: &str) -> Result<String, IdError> {
        let Some(url) = address::named_by_address(&service.base, text)? else { return Ok(text.to_owned()) };
        let base = service.base.path().trim_end_matches('/');
        let below = url.path().strip_prefix(base).and_then(|rest| rest.strip_prefix("/async/"));
        let segment =
            below.map(|rest| rest.trim_end_matches('/')).map(|rest| rest.strip_suffix("/output").unwrap_or(rest));
        let id = segment.filter(|segment| !segment.contains('/')).and_then(address::decoded);
        id.ok_or_else(|| {
            IdError::new(
                "this id is an address that is not `/async/<id>/output` below its service's base_url",
                "give the id alone",
            )
        })
    }

    /// Raw: the string in `raw_output`, its JSON text should it be no string. Output: `output`, `null` included.
    fn extract(&self, _: &Part, body: &Bytes) -> Payload {
        let object = match Object::parse(body) {
            Ok(object) => object,
            Err(_) => return no_object(body),
        };
        let raw = object.get("raw_output").filter(|value| *value != b"null");
        Payload {
            raw: raw.map(|value| shared(body, scan::string_bytes(value).unwrap_or(Cow::Borrowed(value)))),
            output: object.get("output").map(|value| body.slice_ref(value)),
            output_path: ".output".to_owned(),
            ..Payload::default()
        }
    }
}

/// Where a job is asked about, below the base.
fn path(id: &str) -> String {
    format!("/async/{}/output", address::segment(id))
}

fn read(service: &Service, id: &str, response: &Response) -> Reading {
    if !(200..300).contains(&response.status) {
        return refused(&Asked { endpoint: &service.endpoint, id, path: &path(id) }, response);
    }
    let Ok(object) = Object::parse(&response.body) else { return malformed(response) };
    if !KNOWN.iter().any(|key| object.has(key)) {
        return malformed(response);
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
