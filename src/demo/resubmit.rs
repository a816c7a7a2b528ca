//! `POST /demo/resubmit/{id}`: a job of the demo is sent again, and this time it works. What a command of the user's own
//! would do over a real service.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;
use serde_json::json;

use super::connection::{Connection, Sending, json, reply};
use super::world::World;

/// Answers with the new job's id.
pub async fn resubmit(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    Path(id): Path<String>,
) -> Response {
    match world.send_again(&id) {
        Some(job) => reply(&line, 200, "text/plain; charset=utf-8", format!("{}\n", job.id).into(), Sending::Whole),
        None => json(&line, 404, &json!({ "detail": "the demo has no job of this id" })),
    }
}
