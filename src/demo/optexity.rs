//! Optexity's inference call: the status of a browser task, asked for by POST, which can be repeated.

use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::kind::{JobKind, OptexityEnd, OptexityKind};
use super::line::{Connection, Sending, reply};
use super::plan::{DemoPhase, Planned};
use super::server::{JSON, is_right, latency, trouble};
use super::template::{fill, hex};
use super::unstract_body::to_json;
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
    #[derive(Deserialize)]
    struct Call {
        task_id: String,
    }
    if let Some(refusal) = refused(&line, &headers) {
        return refusal;
    }
    let Ok(Call { task_id }) = serde_json::from_slice(&body) else {
        return error(&line, 400, "Missing required field: task_id");
    };
    let met = world.meet(&task_id);
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
        world.take(&task_id, HandedOut { flags: Flags::default(), whole: true });
    }
    reply(&line, 200, JSON, answer(&world, &met.job, kind, met.phase), Sending::Whole)
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
    let accepted = AcceptedTask { success: true, task_id: &job.id, status: "queued" };
    reply(&line, 200, JSON, to_json(&accepted), Sending::Whole)
}

/// What the service says of a task that is so far.
pub fn answer(world: &World, job: &Planned, kind: &OptexityKind, phase: DemoPhase) -> Vec<u8> {
    let clock = world.clock;
    let mut rng = job.rng(4);
    let goal = fill(&kind.goal, &mut rng, job.number, 1);
    let mut task = Task {
        success: true,
        task_id: &job.id,
        status: "queued",
        end_point: &kind.end_point,
        goal,
        created_at: clock.at(job.created).to_string(),
        ..Task::default()
    };
    let share = match phase {
        DemoPhase::Waiting => {
            if clock.now() >= job.starts - ALLOCATED {
                task.status = "allocated";
                task.allocated_at = Some(clock.at(job.starts - ALLOCATED).to_string());
            }
            return to_json(&task);
        }
        DemoPhase::Running(share) => Some(share),
        DemoPhase::Over if kind.ends == OptexityEnd::Gone => Some(0.99),
        DemoPhase::Over => None,
    };
    task.started_at = Some(clock.at(job.starts).to_string());
    if let Some(share) = share {
        task.status = "running";
        task.progress = Some((share * 20.0) as u32 * 5);
        task.estimated_completion = Some(clock.at(job.ends).to_string());
        return to_json(&task);
    }
    let ended = Some(clock.at(job.ends).to_string());
    task.status = match kind.ends {
        OptexityEnd::Completed | OptexityEnd::Gone => "completed",
        OptexityEnd::Success => "success",
        OptexityEnd::Failed => "failed",
        OptexityEnd::Killed => "killed",
        OptexityEnd::Cancelled => "cancelled",
    };
    if kind.ends == OptexityEnd::Failed {
        task.failed_at = ended;
    } else {
        task.completed_at = ended;
    }
    task.execution_time = Some(format!("{:.1} seconds", job.ends - job.starts));
    let mut filled = |text: &Option<String>| text.as_ref().map(|text| fill(text, &mut rng, job.number, 1));
    task.result = match (filled(&kind.result), filled(&kind.result_text)) {
        (Some(json), _) => RawValue::from_string(json).ok(),
        (None, Some(text)) => serde_json::value::to_raw_value(&text).ok(),
        (None, None) => None,
    };
    task.error = filled(&kind.error);
    task.error_code = kind.error_code.clone();
    task.final_screenshot = kind.screenshot.then(|| {
        let (task, signature) = (&job.id, hex(&mut rng, 64));
        format!(
            "https://storage.example.com/optexity-runs/{task}/final.png?X-Amz-Expires=3600&X-Amz-Signature={signature}"
        )
    });
    to_json(&task)
}

#[derive(Default, Serialize)]
struct Task<'a> {
    success: bool,
    task_id: &'a str,
    status: &'static str,
    end_point: &'a str,
    goal: String,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_completion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    final_screenshot: Option<String>,
}

#[derive(Serialize)]
struct AcceptedTask<'a> {
    success: bool,
    task_id: &'a str,
    status: &'static str,
}

#[derive(Serialize)]
struct OptexityProblem<'a> {
    error: &'a str,
}

fn refused(line: &Connection, headers: &HeaderMap) -> Option<Response> {
    let key = headers.get("x-api-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    (key.is_empty() || !is_right(key)).then(|| error(line, 401, "Invalid API key"))
}

fn error(line: &Connection, status: u16, error: &str) -> Response {
    reply(line, status, JSON, to_json(&OptexityProblem { error }), Sending::Whole)
}

fn of_optexity(kind: &JobKind) -> Option<&OptexityKind> {
    let JobKind::Optexity(kind) = kind else { return None };
    Some(kind)
}
