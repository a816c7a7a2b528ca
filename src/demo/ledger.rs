//! What was handed out, for those who check that nothing was lost: counters and bodies, also over HTTP under `/demo`.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;
use serde_json::json;

use super::connection::{Connection, Sending, reply};
use super::kind::JobKind;
use super::plan::DemoPhase;
use super::world::World;
use super::{llmwhisperer, optexity, render, unstract_body, vessl};
use crate::domain::checksum::Checksum;

/// The body of the terminal reply that was handed out whole. It is made again: bodies follow from the seed, and
/// keeping those of 100,000 jobs would take half a gigabyte.
pub fn handed_out(world: &World, id: &str) -> Option<Vec<u8>> {
    let record = world.record(id)?;
    let taken = record.taken.filter(|taken| taken.whole)?;
    let job = &record.job;
    let body = match &job.kind {
        JobKind::Unstract(kind) => unstract_body::body(world, job, kind, &record.names, taken.flags),
        JobKind::Vessl(kind) => vessl::answer(job, kind),
        JobKind::Optexity(kind) => optexity::answer(world, job, kind, DemoPhase::Over),
        JobKind::Whisper(kind) => llmwhisperer::handed_out(job, kind),
        JobKind::Render(kind) => render::handed_out(world, job, kind),
    };
    Some(body.to_string().into_bytes())
}

/// GET /demo/ledger: one JSON line for each job of the batch.
pub async fn all(State(world): State<Arc<World>>, ConnectInfo(line): ConnectInfo<Connection>) -> Response {
    let mut lines = Vec::new();
    for job in &world.batch {
        let Some(record) = world.record(&job.id) else { continue };
        let body = handed_out(&world, &job.id);
        let entry = json!({
            "id": job.id,
            "service": job.kind.common().service,
            "expected": job.kind.state().as_str(),
            "lost_because": job.kind.lost().map(|cause| cause.as_str()),
            "reads": record.reads,
            "consuming_reads": record.consuming,
            "bytes": body.as_ref().map(Vec::len),
            "sha256": body.as_deref().map(|body| Checksum::of(body).to_string()),
        });
        lines.extend(format!("{entry}\n").into_bytes());
    }
    reply(&line, 200, "application/jsonl", lines, Sending::Whole)
}

/// GET /demo/body/{id}: the bytes of [`handed_out`], or 404.
pub async fn body(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    Path(id): Path<String>,
) -> Response {
    match handed_out(&world, &id) {
        Some(body) => reply(&line, 200, "application/octet-stream", body, Sending::Whole),
        None => reply(&line, 404, "text/plain", b"nothing was handed out whole\n".to_vec(), Sending::Whole),
    }
}
