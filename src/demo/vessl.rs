//! VESSL's serverless requests: the status GET, which can be repeated, and the POST that sends a request.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::line::{Line, Sending, reply};
use super::plan::{Phase, Planned};
use super::scenario::{Kind, VesslEnd, VesslKind};
use super::server::{JSON, bearer, is_right, latency, trouble};
use super::template::fill;
use super::unstract_body::to_json;
use super::world::{Flags, Taken, World};

/// GET of a request's output.
pub async fn status(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Line>,
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
        Phase::Waiting => to_json(&Answer::new("pending")),
        Phase::Running(_) => to_json(&Answer::new("in_progress")),
        Phase::Over => {
            world.take(&id, Taken { flags: Flags::default(), whole: true });
            answer(&met.job, kind)
        }
    };
    reply(&line, 200, JSON, body, Sending::Whole)
}

/// POST of a request: 201 and its id.
pub async fn send(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refused(&line, &headers) {
        return refusal;
    }
    let Some(kind) = world.scenario.kinds.iter().find(|kind| of_service(&world, kind, &slug).is_some()) else {
        return error(&line, 404, "NotFound", "Service not found.");
    };
    let job = world.send(kind.clone(), Vec::new());
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
    to_json(&Answer { status, status_code: kind.status_code, raw_output, output, fail_reason })
}

#[derive(Serialize)]
struct Answer {
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
struct Problem {
    code: &'static str,
    message: &'static str,
}

impl Answer {
    fn new(status: &'static str) -> Self {
        Self { status, status_code: None, raw_output: None, output: None, fail_reason: None }
    }
}

fn refused(line: &Line, headers: &HeaderMap) -> Option<Response> {
    let fits = bearer(headers).is_some_and(is_right);
    (!fits).then(|| error(line, 401, "Unauthorized", "Invalid token."))
}

fn error(line: &Line, status: u16, code: &'static str, message: &'static str) -> Response {
    reply(line, status, JSON, to_json(&Problem { code, message }), Sending::Whole)
}

/// The kind, if it is one of this very service: a request of another service is not found.
fn of_service<'a>(world: &World, kind: &'a Kind, slug: &str) -> Option<&'a VesslKind> {
    match kind {
        Kind::Vessl(kind) => {
            let mut services = world.scenario.services.services.iter();
            services.any(|service| service.slug == slug && service.name == kind.common.service).then_some(kind)
        }
        Kind::Unstract(_) | Kind::Optexity(_) => None,
    }
}
