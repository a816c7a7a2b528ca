//! VESSL's serverless requests: the status GET, which can be repeated, and the POST that sends a request.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::kind::{JobKind, VesslEnd, VesslKind};
use super::line::{Connection, Sending, reply};
use super::plan::{DemoPhase, Planned};
use super::server::{JSON, bearer, is_right, latency, trouble};
use super::template::fill;
use super::unstract_body::to_json;
use super::world::{Flags, HandedOut, World};

/// GET of a request's output.
pub async fn status(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    Path((slug, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refused(&line, &headers) {
        return refusal;
    }
    let met = world.meet(&id);
    let Some((met, kind)) = met.as_ref().and_then(|met| Some((met, of_service(&world, &met.job.kind, &slug)?))) else {
        return error(&line, 404, "NotFound", "Request not found.");
    };
    if let Some(response) = trouble(&world, &line, met).await {
        return response;
    }
    latency(&world, met).await;
    let body = match met.phase {
        DemoPhase::Waiting => to_json(&StatusBody::new("pending")),
        DemoPhase::Running(_) => to_json(&StatusBody::new("in_progress")),
        DemoPhase::Over => {
            world.take(&id, HandedOut { flags: Flags::default(), whole: true });
            answer(&met.job, kind)
        }
    };
    reply(&line, 200, JSON, body, Sending::Whole)
}

/// POST of a request: 201 and its id.
pub async fn send(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refused(&line, &headers) {
        return refusal;
    }
    let Some(job) = world.send_first(|kind| of_service(&world, kind, &slug).is_some()) else {
        return error(&line, 404, "NotFound", "Service not found.");
    };
    reply(&line, 201, JSON, to_json(&Sent { id: &job.id }), Sending::Whole)
}

/// The body that a request answers when it is over.
pub fn answer(job: &Planned, kind: &VesslKind) -> Vec<u8> {
    let mut rng = job.rng(3);
    let raw_output = kind.text.as_ref().map(|text| match kind.rows {
        None => fill(text, &mut rng, job.number, 1),
        Some(rows) => {
            let rows: Vec<_> = (1..=rows).map(|row| fill(text, &mut rng, job.number, row)).collect();
            format!("[{}]", rows.join(","))
        }
    });
    let output = raw_output.as_ref().filter(|_| kind.json).and_then(|raw| RawValue::from_string(raw.clone()).ok());
    let status = match kind.ends {
        VesslEnd::Completed => "completed",
        VesslEnd::Failed => "failed",
    };
    let fail_reason = kind.fail_reason.as_ref().map(|reason| fill(reason, &mut rng, job.number, 1));
    to_json(&StatusBody { status, status_code: kind.status_code, raw_output, output, fail_reason })
}

#[derive(Serialize)]
struct StatusBody {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_reason: Option<String>,
}

#[derive(Serialize)]
struct Sent<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct VesslProblem {
    code: &'static str,
    message: &'static str,
}

impl StatusBody {
    fn new(status: &'static str) -> Self {
        Self { status, status_code: None, raw_output: None, output: None, fail_reason: None }
    }
}

fn refused(line: &Connection, headers: &HeaderMap) -> Option<Response> {
    let fits = bearer(headers).is_some_and(is_right);
    (!fits).then(|| error(line, 401, "Unauthorized", "Invalid token."))
}

fn error(line: &Connection, status: u16, code: &'static str, message: &'static str) -> Response {
    reply(line, status, JSON, to_json(&VesslProblem { code, message }), Sending::Whole)
}

/// The kind, if it is one of this very service: a request of another service is not found.
fn of_service<'a>(world: &World, kind: &'a JobKind, slug: &str) -> Option<&'a VesslKind> {
    let JobKind::Vessl(kind) = kind else { return None };
    let mut services = world.scenario.services.services.iter();
    services.any(|service| service.slug == slug && service.name == kind.common.service).then_some(kind)
}
