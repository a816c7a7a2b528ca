//! Unstract's API deployments: the one-shot status GET and the POST that starts an execution, as the open-source backend does them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use bytes::Bytes;
use memchr::memmem;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::connection::{Connection, JSON, Sending, json, reply, reply_then};
use super::kind::{Delivery, JobKind, UnstractEnd, UnstractKind};
use super::plan::DemoPhase;
use super::server::{bearer, is_right, latency, trouble};
use super::unstract_body::{body, files, verdict};
use super::world::{Flags, HandedOut, Met, World};

/// GET (and HEAD, which takes the result just as well).
pub async fn status(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    Path((organization, api)): Path<(String, String)>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = match admitted(&world, &organization, &api, &headers).and_then(|()| asked(query.as_deref())) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.reply(&line),
    };
    let met = world.meet(&asked.id);
    let Some((met, kind)) = met.as_ref().and_then(|met| Some((met, of_unstract(&met.job.kind)?))) else {
        let detail = format!("Execution with ID '{}' does not exist.", asked.given);
        return RefusedRead::client(404, detail).reply(&line);
    };
    if let Some(response) = trouble(&world, &line, met).await {
        return response;
    }
    let word = match met.phase {
        DemoPhase::Waiting => "PENDING",
        DemoPhase::Running(_) => "EXECUTING",
        DemoPhase::Over => return finished(&world, &line, met, kind, asked.flags, &method).await,
    };
    latency(&world, met).await;
    json(&line, 422, &json!({ "status": word, "message": null }))
}

/// POST: starts an execution, and waits for its end if the form's `timeout` is above zero.
pub async fn execute(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    Path((organization, api)): Path<(String, String)>,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    if let Err(refusal) = admitted(&world, &organization, &api, &headers) {
        return refusal.reply(&line);
    }
    let Some(kind) = sent_kind(&world, &organization, &api) else {
        return RefusedRead::client(404, "API not found").reply(&line);
    };
    let job = world.send(JobKind::Unstract(kind.clone()), file_names(&form));
    let timeout: i64 = field(&form, "timeout").and_then(|text| text.trim().parse().ok()).unwrap_or(-1);
    if timeout > 0 {
        let left = world.clock.real((job.ends - world.clock.now()).max(0.0)) + Duration::from_millis(5);
        tokio::time::sleep(left.min(Duration::from_secs(timeout.cast_unsigned()))).await;
    }
    let status_api = format!("/deployment/api/{organization}/{api}/?execution_id={}", job.id);
    let flags = form_flags(&form);
    let (word, result) = match job.phase(world.clock.now()) {
        DemoPhase::Over if timeout > 0 => {
            world.take(&job.id, HandedOut { flags, whole: true });
            let record = world.record(&job.id);
            let names = record.as_ref().map_or(&[][..], |record| &record.names);
            (verdict(kind.ends).0, files(&world, &job, &kind, names, flags))
        }
        DemoPhase::Running(_) => ("EXECUTING", Value::Null),
        DemoPhase::Waiting | DemoPhase::Over => ("PENDING", Value::Null),
    };
    let message = json!({
        "execution_id": job.id,
        "execution_status": word,
        "status_api": status_api,
        "error": null,
        "result": result,
    });
    json(&line, 200, &json!({ "message": message }))
}

/// A method that the deployment does not have.
pub fn wrong_method(line: &Connection, method: &Method) -> Response {
    let detail = format!("Method \"{method}\" not allowed.");
    RefusedRead { code: "method_not_allowed", ..RefusedRead::client(405, detail) }.reply(line)
}

struct StatusRead {
    /// The id as it was given.
    given: String,
    /// The same as a plain UUID.
    id: String,
    flags: Flags,
}

/// A request that is refused: nothing was taken.
struct RefusedRead {
    status: u16,
    kind: &'static str,
    code: &'static str,
    detail: Cow<'static, str>,
    attr: Option<&'static str>,
}

impl RefusedRead {
    fn client(status: u16, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind: "client_error", code: "error", detail: detail.into(), attr: None }
    }

    fn invalid(attr: &'static str, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 400, kind: "validation_error", code, detail: detail.into(), attr: Some(attr) }
    }

    fn reply(&self, line: &Connection) -> Response {
        let because = json!({ "code": self.code, "detail": self.detail, "attr": self.attr });
        json(line, self.status, &json!({ "type": self.kind, "errors": [because] }))
    }
}

/// The result is deleted first and sent then: what happens in between, or on the way, is the reader's loss.
async fn finished(
    world: &Arc<World>,
    line: &Connection,
    met: &Met,
    kind: &UnstractKind,
    flags: Flags,
    method: &Method,
) -> Response {
    let (word, code) = verdict(kind.ends);
    let sending = match kind.ends {
        UnstractEnd::Cut => Sending::Cut,
        UnstractEnd::CutChunked => Sending::CutChunked,
        UnstractEnd::NoReply => Sending::HangUp,
        UnstractEnd::Completed
        | UnstractEnd::Partial
        | UnstractEnd::Error
        | UnstractEnd::ErrorWithoutFiles
        | UnstractEnd::ToolMissing
        | UnstractEnd::Stopped
        | UnstractEnd::Expired
        | UnstractEnd::AlreadyRead => match kind.delivery {
            Delivery::Whole => Sending::Whole,
            Delivery::Trickle => Sending::Trickle(world.clock.real(0.25)),
        },
    };
    let id = met.job.id.clone();
    let first = world.take(&id, HandedOut { flags, whole: false });
    latency(world, met).await;
    if !first || kind.ends == UnstractEnd::AlreadyRead {
        return json(line, 406, &json!({ "status": word, "message": "Result already acknowledged" }));
    }
    let body = body(world, &met.job, kind, &met.names, flags).to_string().into_bytes();
    if method == Method::HEAD {
        return reply(line, code, JSON, body, Sending::Whole);
    }
    let world = world.clone();
    reply_then(line, code, JSON, body, sending, move || world.sent_whole(&id))
}

/// In the backend's order: a key must be there, then the deployment, then the key must fit.
fn admitted(world: &World, organization: &str, api: &str, headers: &HeaderMap) -> Result<(), RefusedRead> {
    let token = bearer(headers).ok_or_else(|| RefusedRead::client(403, "Missing api key"))?;
    let mut services = world.scenario.services.services.iter();
    if !services.any(|service| service.organization == organization && service.api == api) {
        return Err(RefusedRead::client(404, "API not found"));
    }
    if !is_right(token) {
        return Err(RefusedRead::client(401, "Unauthorized"));
    }
    Ok(())
}

fn asked(query: Option<&str>) -> Result<StatusRead, RefusedRead> {
    let mut given = None;
    let mut flags = Flags::default();
    for (key, value) in query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')) {
        let value = percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().trim().to_owned();
        match key {
            "execution_id" => given = Some(value),
            "include_metadata" => flags.metadata = boolean("include_metadata", &value)?,
            "include_metrics" => flags.metrics = boolean("include_metrics", &value)?,
            "include_extracted_text" => flags.extracted_text = boolean("include_extracted_text", &value)?,
            _ => {}
        }
    }
    let given = given.ok_or_else(|| RefusedRead::invalid("execution_id", "required", "This field is required."))?;
    if given.is_empty() {
        return Err(RefusedRead::invalid("execution_id", "blank", "This field may not be blank."));
    }
    let Some(id) = plain_uuid(&given) else {
        let detail = format!("Invalid execution_id '{given}'. Must be a valid UUID.");
        return Err(RefusedRead::invalid("execution_id", "invalid", detail));
    };
    Ok(StatusRead { given, id, flags })
}

/// As Python reads a UUID: braces, a `urn:uuid:` before it and hyphens anywhere do not matter.
fn plain_uuid(text: &str) -> Option<String> {
    let text = text.replace("urn:", "").replace("uuid:", "");
    let digits: Vec<char> = text.trim_matches(['{', '}']).chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || !digits.iter().all(char::is_ascii_hexdigit) {
        return None;
    }
    let mut id = String::with_capacity(36);
    for (index, digit) in digits.iter().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(digit.to_ascii_lowercase());
    }
    Some(id)
}

/// As Django REST framework reads a boolean: `True` of the Python client, `true`, `1`, `yes`, `on`…
fn boolean(attr: &'static str, text: &str) -> Result<bool, RefusedRead> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "y" | "yes" | "true" | "on" | "1" => Ok(true),
        "f" | "n" | "no" | "false" | "off" | "0" | "0.0" | "" => Ok(false),
        _ => Err(RefusedRead::invalid(attr, "invalid", "Must be a valid boolean.")),
    }
}

fn of_unstract(kind: &JobKind) -> Option<&Arc<UnstractKind>> {
    let JobKind::Unstract(kind) = kind else { return None };
    Some(kind)
}

/// What becomes of an execution that is sent to this deployment: the first of its kinds that goes well.
fn sent_kind(world: &World, organization: &str, api: &str) -> Option<Arc<UnstractKind>> {
    let mut services = world.scenario.services.services.iter();
    let service = services.find(|service| service.organization == organization && service.api == api)?;
    let mut kinds = world.scenario.kinds.iter().filter_map(of_unstract);
    kinds.find(|kind| kind.common.service == service.name && kind.ends == UnstractEnd::Completed).cloned()
}

fn form_flags(form: &[u8]) -> Flags {
    let flag = |name| field(form, name).is_some_and(|text| boolean("", text.trim()).unwrap_or(false));
    Flags {
        metadata: flag("include_metadata"),
        metrics: flag("include_metrics"),
        extracted_text: flag("include_extracted_text"),
    }
}

/// The names of the files in a multipart form.
fn file_names(form: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"; filename=\"";
    let after = memmem::find_iter(form, KEY).filter_map(|at| form.get(at + KEY.len()..));
    after.filter_map(|rest| until(rest, b"\"")).collect()
}

/// The text of a plain field of a multipart form.
fn field(form: &[u8], name: &str) -> Option<String> {
    let key = format!("name=\"{name}\"");
    let rest = form.get(memmem::find(form, key.as_bytes())?..)?;
    until(rest.get(memmem::find(rest, b"\r\n\r\n")? + 4..)?, b"\r\n")
}

fn until(text: &[u8], end: &[u8]) -> Option<String> {
    let value = text.get(..memmem::find(text, end)?)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_id_is_read_as_python_reads_a_uuid() {
        let id = "11111111-2222-4333-8444-55555555555a";
        for text in [id, "11111111222243338444 55555555555a", "{11111111-2222-4333-8444-55555555555A}"] {
            let expected = (!text.contains(' ')).then(|| id.to_owned());
            assert_eq!(plain_uuid(text), expected, "{text}");
        }
        assert_eq!(plain_uuid("not-a-uuid"), None);
    }

    #[test]
    fn a_form_gives_its_file_names_and_its_fields() {
        let form =
            b"--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a b.pdf\"\r\n\r\n%PDF\r\n--x\r\n\
            Content-Disposition: form-data; name=\"timeout\"\r\nContent-Type: text/plain\r\n\r\n-1\r\n--x--\r\n";
        assert_eq!(file_names(form), ["a b.pdf"]);
        assert_eq!(field(form, "timeout").as_deref(), Some("-1"));
        assert_eq!(field(form, "tags"), None);
    }
}
