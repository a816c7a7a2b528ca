//! Optexity's inference call: the status of a browser task, asked for by POST, which can be repeated.

use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::connection::{Connection, json, set, without_nulls};
use super::kind::{JobKind, OptexityEnd, OptexityKind};
use super::plan::{DemoPhase, Planned};
use super::server::{is_right, latency, trouble};
use super::template::{fill, hex};
use super::world::{Flags, HandedOut, World};

/// Seconds before its start from which a task is given to a worker.
const ALLOCATED: f64 = 3.0;

/// POST {"task_id"}.
pub async fn status(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = refused(&line, &headers) {
        return refusal;
    }
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(task_id) = call.get("task_id").and_then(Value::as_str) else {
        return error(&line, 400, "Missing required field: task_id");
    };
    let met = world.meet(task_id);
    let Some((met, kind)) = met.as_ref().and_then(|met| Some((met, of_optexity(&met.job.kind)?))) else {
        return error(&line, 404, &format!("Task not found with ID: {task_id}"));
    };
    if let Some(response) = trouble(&world, &line, met).await {
        return response;
    }
    latency(&world, met).await;
    let over = met.phase == DemoPhase::Over;
    if over && kind.ends == OptexityEnd::Gone && met.read > 1 {
        return error(&line, 404, &format!("Task not found with ID: {task_id}"));
    }
    if over {
        world.take(task_id, HandedOut { flags: Flags::default(), whole: true });
    }
    json(&line, 200, &answer(&world, &met.job, kind, met.phase))
}

/// POST of what is to be done: the task that it became.
pub async fn send(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refused(&line, &headers) {
        return refusal;
    }
    let works = |kind: &JobKind| of_optexity(kind).is_some_and(|kind| kind.ends == OptexityEnd::Completed);
    let Some(job) = world.send_first(works) else { return error(&line, 404, "Endpoint not found") };
    json(&line, 200, &json!({ "success": true, "task_id": job.id, "status": "queued" }))
}

/// What the service says of a task that is so far.
pub fn answer(world: &World, job: &Planned, kind: &OptexityKind, phase: DemoPhase) -> Value {
    let at = |moment: f64| world.clock.at(moment).to_string();
    let mut rng = job.rng(4);
    let mut task = json!({
        "success": true,
        "task_id": job.id,
        "status": "queued",
        "end_point": kind.end_point,
        "goal": fill(&kind.goal, &mut rng, job.number, 1),
        "created_at": at(job.created),
    });
    let share = match phase {
        DemoPhase::Waiting => {
            if world.clock.now() >= job.starts - ALLOCATED {
                set(&mut task, "status", "allocated");
                set(&mut task, "allocated_at", at(job.starts - ALLOCATED));
            }
            return task;
        }
        DemoPhase::Running(share) => Some(share),
        DemoPhase::Over if kind.ends == OptexityEnd::Gone => Some(0.99),
        DemoPhase::Over => None,
    };
    set(&mut task, "started_at", at(job.starts));
    if let Some(share) = share {
        set(&mut task, "status", "running");
        set(&mut task, "progress", (share * 20.0) as u32 * 5);
        set(&mut task, "estimated_completion", at(job.ends));
        return task;
    }
    let (status, ended) = match kind.ends {
        OptexityEnd::Completed | OptexityEnd::Gone => ("completed", "completed_at"),
        OptexityEnd::Success => ("success", "completed_at"),
        OptexityEnd::Failed => ("failed", "failed_at"),
        OptexityEnd::Killed => ("killed", "completed_at"),
        OptexityEnd::Cancelled => ("cancelled", "completed_at"),
    };
    set(&mut task, "status", status);
    set(&mut task, ended, at(job.ends));
    let mut filled = |text: &Option<String>| text.as_ref().map(|text| fill(text, &mut rng, job.number, 1));
    let result: Option<Value> = match (filled(&kind.result), filled(&kind.result_text)) {
        (Some(json), _) => serde_json::from_str(&json).ok(),
        (None, text) => text.map(Value::from),
    };
    set(&mut task, "result", result);
    set(&mut task, "error", filled(&kind.error));
    set(&mut task, "error_code", kind.error_code.clone());
    set(&mut task, "execution_time", format!("{:.1} seconds", job.ends - job.starts));
    if kind.screenshot {
        let (task_id, signature) = (&job.id, hex(&mut rng, 64));
        let picture = format!("https://storage.example.com/optexity-runs/{task_id}/final.png");
        let signed = format!("{picture}?X-Amz-Expires=3600&X-Amz-Signature={signature}");
        set(&mut task, "final_screenshot", signed);
    }
    without_nulls(task)
}

fn refused(line: &Connection, headers: &HeaderMap) -> Option<Response> {
    let key = headers.get("x-api-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    (key.is_empty() || !is_right(key)).then(|| error(line, 401, "Invalid API key"))
}

fn error(line: &Connection, status: u16, error: &str) -> Response {
    json(line, status, &json!({ "error": error }))
}

fn of_optexity(kind: &JobKind) -> Option<&OptexityKind> {
    let JobKind::Optexity(kind) = kind else { return None };
    Some(kind)
}
