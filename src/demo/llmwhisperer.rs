//! LLMWhisperer: the status of a whisper, which can be read again and again, and its text, which is handed out once.

use std::sync::Arc;

use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::connection::{Connection, JSON, Sending, json, reply_then};
use super::kind::{JobKind, WhisperEnd, WhisperKind};
use super::plan::{DemoPhase, Planned};
use super::server::{is_right, latency, trouble};
use super::template::{draw, fill};
use super::world::{Flags, HandedOut, Met, World};

/// Between two pages, as the real service has it.
const PAGE_END: &str = "\n<<<\n";

/// GET of a whisper's status.
pub async fn status(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let unknown = (400, "Whisper job not found for the provided whisper hash");
    let (met, kind) = asked(&world, &line, &headers, query.as_deref(), unknown).await?;
    let id = &met.job.id;
    if met.phase == DemoPhase::Over && kind.ends == WhisperEnd::Error {
        world.take(id, HandedOut { flags: Flags::default(), whole: true });
    }
    let is_taken = world.record(id).is_some_and(|record| record.taken.is_some());
    Ok(json(&line, 200, &answer(&met.job, &kind, met.phase, is_taken)))
}

/// GET of a whisper's text: the first one takes it.
pub async fn retrieve(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let (met, kind) = asked(&world, &line, &headers, query.as_deref(), (404, "Whisper job unknown")).await?;
    let sending = match (met.phase, kind.ends) {
        (DemoPhase::Waiting | DemoPhase::Running(_), _) => {
            return Err(said(&line, 400, "Whisper not ready : processing"));
        }
        (DemoPhase::Over, WhisperEnd::Error) => return Err(said(&line, 400, "Whisper not ready : error")),
        (DemoPhase::Over, WhisperEnd::Processed | WhisperEnd::AlreadyRead) => Sending::Whole,
        (DemoPhase::Over, WhisperEnd::Cut) => Sending::Cut,
    };
    let id = met.job.id.clone();
    let first = world.take(&id, HandedOut { flags: Flags::default(), whole: false });
    if !first || kind.ends == WhisperEnd::AlreadyRead {
        return Err(said(&line, 400, "Whisper already delivered"));
    }
    let text = text(&met.job, &kind).to_string();
    Ok(reply_then(&line, 200, JSON, text.into(), sending, move || world.sent_whole(&id)))
}

/// POST of a document: 202 and the hash by which its whisper is asked for.
pub async fn send(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Connection>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refused(&line, &headers) {
        return refusal;
    }
    let works = |kind: &JobKind| of_whisper(kind).is_some_and(|kind| kind.ends == WhisperEnd::Processed);
    let Some(job) = world.send_first(works) else { return said(&line, 404, "Resource not found") };
    let accepted = json!({ "message": "Whisper Job Accepted", "status": "processing", "whisper_hash": job.id });
    json(&line, 202, &accepted)
}

/// What was handed out of a whisper that is over: its text, or the status that says why there is none.
pub fn handed_out(job: &Planned, kind: &WhisperKind) -> Value {
    match kind.ends {
        WhisperEnd::Error => answer(job, kind, DemoPhase::Over, true),
        WhisperEnd::Processed | WhisperEnd::AlreadyRead | WhisperEnd::Cut => text(job, kind),
    }
}

fn answer(job: &Planned, kind: &WhisperKind, phase: DemoPhase, is_taken: bool) -> Value {
    let mut rng = job.rng(5);
    let pages = draw(kind.pages, &mut rng);
    let (status, done) = match phase {
        DemoPhase::Waiting => ("accepted", 0),
        DemoPhase::Running(share) => ("processing", (share * pages as f64) as usize),
        DemoPhase::Over => match kind.ends {
            WhisperEnd::Error => ("error", 0),
            WhisperEnd::Processed | WhisperEnd::AlreadyRead | WhisperEnd::Cut if is_taken => ("retrieved", pages),
            WhisperEnd::Processed | WhisperEnd::AlreadyRead | WhisperEnd::Cut => ("processed", pages),
        },
    };
    let message = if status == "error" { &kind.message } else { "" };
    let page = |page_no| {
        let seconds = f64::from(rng.u32(8..60)) / 10.0;
        json!({ "execution_time_in_seconds": seconds, "message": "extraction_success", "page_no": page_no })
    };
    json!({ "status": status, "message": message, "detail": (1..=done).map(page).collect::<Value>() })
}

fn text(job: &Planned, kind: &WhisperKind) -> Value {
    let pages = draw(kind.pages, &mut job.rng(5));
    let mut rng = job.rng(6);
    let page = |page| fill(&kind.text, &mut rng, job.number, page) + PAGE_END;
    let result_text: String = (1..=pages).map(page).collect();
    json!({ "result_text": result_text, "confidence_metadata": [], "metadata": {}, "webhook_metadata": "" })
}

/// The whisper that a request is about; the error is a reply in place of an answer, with this code and sentence where
/// there is no such whisper.
async fn asked(
    world: &World,
    line: &Connection,
    headers: &HeaderMap,
    query: Option<&str>,
    unknown: (u16, &'static str),
) -> Result<(Met, Arc<WhisperKind>), Response> {
    if let Some(refusal) = refused(line, headers) {
        return Err(refusal);
    }
    let mut fields = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let met = fields.find(|(key, _)| key == "whisper_hash").and_then(|(_, id)| world.meet(&id));
    let Some((met, kind)) = met.and_then(|met| of_whisper(&met.job.kind).cloned().map(|kind| (met, kind))) else {
        return Err(said(line, unknown.0, unknown.1));
    };
    if let Some(response) = trouble(world, line, &met).await {
        return Err(response);
    }
    latency(world, &met).await;
    Ok((met, kind))
}

fn said(line: &Connection, status: u16, message: &str) -> Response {
    json(line, status, &json!({ "message": message }))
}

/// The gateway before the service asks for the key.
fn refused(line: &Connection, headers: &HeaderMap) -> Option<Response> {
    let key = headers.get("unstract-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    (key.is_empty() || !is_right(key)).then(|| said(line, 401, "Access denied due to invalid subscription key."))
}

fn of_whisper(kind: &JobKind) -> Option<&Arc<WhisperKind>> {
    let JobKind::Whisper(kind) = kind else { return None };
    Some(kind)
}
