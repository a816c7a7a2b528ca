//! A render farm of somebody's own, known by a description alone: the status of a render, and a file that lists its frames.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::connection::{Connection, json, without_nulls};
use super::kind::{JobKind, RenderEnd, RenderKind};
use super::plan::{DemoPhase, Planned};
use super::server::{bearer, is_right, latency, trouble};
use super::template::{draw, fill};
use super::world::{Flags, HandedOut, Met, World};

/// What the name of a file of frames ends with, behind the id of its render.
const FILE_END: &str = "-frames.json";
/// US dollars a frame.
const PRICE: f64 = 0.004;
/// The share of its time in which a render loads its scene.
const LOADS: f64 = 0.08;

/// GET of a render's status.
pub async fn status(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let (met, kind) = asked(&world, &line, &headers, &id).await?;
    if met.phase == DemoPhase::Over && !has_frames(&kind) {
        world.take(&id, HandedOut { flags: Flags::default(), whole: true });
    }
    Ok(json(&line, 200, &answer(&world, &met.job, &kind, met.phase)))
}

/// GET of the file that lists a render's frames, as often as one likes.
pub async fn frames(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let id = file.strip_suffix(FILE_END).unwrap_or_default();
    let (met, kind) = asked(&world, &line, &headers, id).await?;
    if met.phase != DemoPhase::Over || !has_frames(&kind) {
        return Err(refuse(&line, 404, "NO_FILE", "no such file"));
    }
    world.take(id, HandedOut { flags: Flags::default(), whole: true });
    Ok(json(&line, 200, &manifest(&met.job, &kind)))
}

/// POST of a scene: 201 and the render that it became.
pub async fn send(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refused(&line, &headers) {
        return refusal;
    }
    let works = |kind: &JobKind| of_render(kind).is_some_and(|kind| kind.ends == RenderEnd::Done);
    let Some(job) = world.send_first(works) else {
        return refuse(&line, 503, "NO_NODES", "the farm has no nodes");
    };
    json(&line, 201, &json!({ "id": job.id, "state": "waiting" }))
}

/// What was handed out of a render that is over: its frames, or the status that says why there are none.
pub fn handed_out(world: &World, job: &Planned, kind: &RenderKind) -> Value {
    if has_frames(kind) { manifest(job, kind) } else { answer(world, job, kind, DemoPhase::Over) }
}

fn has_frames(kind: &RenderKind) -> bool {
    matches!(kind.ends, RenderEnd::Done | RenderEnd::Partial)
}

/// What the farm says of a render that is so far.
fn answer(world: &World, job: &Planned, kind: &RenderKind, phase: DemoPhase) -> Value {
    let clock = world.clock;
    let (total, failing) = plan(job, kind);
    let share = match (phase, kind.ends) {
        (DemoPhase::Waiting, _) | (_, RenderEnd::Broken) => 0.0,
        (DemoPhase::Running(share), _) => ((share - LOADS) / (1.0 - LOADS)).max(0.0),
        (DemoPhase::Over, RenderEnd::Stopped) => 0.6,
        (DemoPhase::Over, RenderEnd::Done | RenderEnd::Partial) => 1.0,
    };
    let over = (share * total as f64) as usize;
    let failed: Vec<usize> = failing.into_iter().take_while(|frame| *frame <= over).collect();
    let is_over = phase == DemoPhase::Over;
    let state = match (phase, kind.ends) {
        (DemoPhase::Waiting, _) => "waiting",
        (DemoPhase::Running(_), _) if share == 0.0 => "loading",
        (DemoPhase::Running(_), _) => "rendering",
        (DemoPhase::Over, RenderEnd::Done | RenderEnd::Partial) => "done",
        (DemoPhase::Over, RenderEnd::Broken) => "broken",
        (DemoPhase::Over, RenderEnd::Stopped) => "stopped",
    };
    let ahead = ((job.starts - clock.now()) / 4.0).ceil().max(1.0) as u32;
    let broken = is_over && kind.ends == RenderEnd::Broken;
    let failures: Vec<Value> =
        failed.iter().map(|frame| json!({ "frame": frame, "message": message(job, kind, *frame) })).collect();
    without_nulls(json!({
        "id": job.id,
        "scene": fill(&kind.scene, &mut job.rng(7), job.number, 1),
        "state": state,
        "ahead": (phase == DemoPhase::Waiting).then_some(ahead),
        "submitted_at": clock.at(job.created).to_string(),
        "started_at": (phase != DemoPhase::Waiting).then(|| clock.at(job.starts).to_string()),
        "eta": matches!(phase, DemoPhase::Running(_)).then(|| clock.at(job.ends).to_string()),
        "finished_at": is_over.then(|| clock.at(job.ends).to_string()),
        "frames": { "total": total, "done": over - failed.len(), "failed": failed.len() },
        "failures": (!failures.is_empty()).then_some(failures),
        "cost_usd": (over as f64 * PRICE * 100.0).round() / 100.0,
        "manifest": (is_over && has_frames(kind)).then(|| format!("{}{FILE_END}", job.id)),
        "error": broken.then(|| problem(&kind.code, &message(job, kind, 1))),
    }))
}

fn manifest(job: &Planned, kind: &RenderKind) -> Value {
    let (total, failing) = plan(job, kind);
    let mut rng = job.rng(9);
    let frame = |frame| {
        let failed = failing.contains(&frame);
        json!({
            "frame": frame,
            "file": (!failed).then(|| format!("{}.{frame:04}.exr", job.name())),
            "seconds": f64::from(rng.u32(40..900)) / 10.0,
            "error": failed.then(|| message(job, kind, frame)),
        })
    };
    json!({ "id": job.id, "frames": (1..=total).map(frame).collect::<Value>() })
}

/// How many frames a render has, and which of them fail.
fn plan(job: &Planned, kind: &RenderKind) -> (usize, BTreeSet<usize>) {
    let mut rng = job.rng(8);
    let total = draw(kind.frames, &mut rng).max(1);
    let failed = draw(kind.failed, &mut rng);
    (total, (0..failed).map(|_| rng.usize(1..=total)).collect())
}

fn message(job: &Planned, kind: &RenderKind, frame: usize) -> String {
    fill(&kind.message, &mut job.rng(10), job.number, frame)
}

/// The render that a request is about; the error is a reply in place of an answer.
async fn asked(
    world: &World,
    line: &Connection,
    headers: &HeaderMap,
    id: &str,
) -> Result<(Met, Arc<RenderKind>), Response> {
    if let Some(refusal) = refused(line, headers) {
        return Err(refusal);
    }
    let met = world.meet(id);
    let Some((met, kind)) = met.and_then(|met| of_render(&met.job.kind).cloned().map(|kind| (met, kind))) else {
        return Err(refuse(line, 404, "NO_RENDER", "no such render"));
    };
    if let Some(response) = trouble(world, line, &met).await {
        return Err(response);
    }
    latency(world, &met).await;
    Ok((met, kind))
}

fn refused(line: &Connection, headers: &HeaderMap) -> Option<Response> {
    let fits = bearer(headers).is_some_and(is_right);
    (!fits).then(|| refuse(line, 401, "WHO_ARE_YOU", "this key opens nothing here"))
}

fn refuse(line: &Connection, status: u16, code: &str, message: &str) -> Response {
    json(line, status, &json!({ "error": problem(code, message) }))
}

fn problem(code: &str, message: &str) -> Value {
    json!({ "code": code, "message": message })
}

fn of_render(kind: &JobKind) -> Option<&Arc<RenderKind>> {
    let JobKind::Render(kind) = kind else { return None };
    Some(kind)
}
