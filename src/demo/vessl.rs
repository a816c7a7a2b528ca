//! VESSL's serverless requests: the status GET, which can be repeated, and the POST that sends a request.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::connection::{Connection, json, without_nulls};
use super::kind::{JobKind, VesslEnd, VesslKind};
use super::plan::{DemoPhase, Planned};
use super::server::{bearer, is_right, latency, trouble};
use super::template::fill;
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
        DemoPhase::Waiting => json!({ "status": "pending" }),
        DemoPhase::Running(_) => json!({ "status": "in_progress" }),
        DemoPhase::Over => {
            world.take(&id, HandedOut { flags: Flags::default(), whole: true });
            answer(&met.job, kind)
        }
    };
    json(&line, 200, &body)
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
    json(&line, 201, &json!({ "id": job.id }))
}

/// The body that a request answers when it is over.
pub fn answer(job: &Planned, kind: &VesslKind) -> Value {
    let mut rng = job.rng(3);
    let raw_output = kind.text.as_ref().map(|text| match kind.rows {
        None => fill(text, &mut rng, job.number, 1),
        Some(rows) => {
            let rows: Vec<_> = (1..=rows).map(|row| fill(text, &mut rng, job.number, row)).collect();
            format!("[{}]", rows.join(","))
        }
    });
    let output: Option<Value> =
        raw_output.as_ref().filter(|_| kind.json).and_then(|raw| serde_json::from_str(raw).ok());
    let status = match kind.ends {
        VesslEnd::Completed => "completed",
        VesslEnd::Failed => "failed",
    };
    let fail_reason = kind.fail_reason.as_ref().map(|reason| fill(reason, &mut rng, job.number, 1));
    without_nulls(json!({
        "status": status,
        "status_code": kind.status_code,
        "raw_output": raw_output,
        "output": output,
        "fail_reason": fail_reason,
    }))
}

fn refused(line: &Connection, headers: &HeaderMap) -> Option<Response> {
    let fits = bearer(headers).is_some_and(is_right);
    (!fits).then(|| error(line, 401, "Unauthorized", "Invalid token."))
}

/// The service's way to refuse.
pub fn error(line: &Connection, status: u16, code: &str, message: &str) -> Response {
    json(line, status, &json!({ "code": code, "message": message }))
}

/// The kind, if it is one of this very service: a request of another service is not found.
fn of_service<'a>(world: &World, kind: &'a JobKind, slug: &str) -> Option<&'a VesslKind> {
    let JobKind::Vessl(kind) = kind else { return None };
    let mut services = world.scenario.services.services.iter();
    services.any(|service| service.slug == slug && service.name == kind.common.service).then_some(kind)
}
