//! The server: one listener, the routes of all services, and the trouble that any of them can meet.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::connection::{Connection, ConnectionListener, JSON, Sending, json, reply};
use super::scenario::TroubleKind;
use super::world::{Met, Obstacle, World};
use super::{ledger, llmwhisperer, optexity, render, resubmit, unstract, vessl};

/// The token that every service refuses.
const WRONG_TOKEN: &str = "wrong";
/// A batch above this is for measuring: no delays.
const LARGE_BATCH: usize = 1_000;

/// A listener on loopback; port 0: one that is free.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves on its own thread until the other end of the channel is dropped.
pub fn spawn(world: Arc<World>, listener: TcpListener, ended: oneshot::Receiver<()>) -> io::Result<JoinHandle<()>> {
    let (given, runtime) = mpsc::sync_channel::<(Runtime, tokio::net::TcpListener)>(1);
    // The thread first: a runtime that is dropped since no thread can be had panics within another.
    let thread = thread::Builder::new().name("demo".to_owned()).spawn(move || {
        let Ok((runtime, listener)) = runtime.recv() else { return };
        runtime.block_on(async {
            let service = routes(world).into_make_service_with_connect_info::<Connection>();
            tokio::select! {
                _ = axum::serve(ConnectionListener(listener), service) => {}
                _ = ended => {}
            }
        });
        // Whatever still trickles is cut off.
        runtime.shutdown_background();
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = {
        let _guard = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let _ = given.send((runtime, listener));
    Ok(thread)
}

/// The token after `Bearer `; None without one.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").filter(|token| !token.is_empty())
}

/// Whether a service lets this token in.
pub fn is_right(token: &str) -> bool {
    token != WRONG_TOKEN
}

/// The trouble that this read meets, as a reply; a delay has passed when there is none.
pub async fn trouble(world: &World, line: &Connection, met: &Met) -> Option<Response> {
    match world.obstacle(met)? {
        Obstacle::Slow(delay) => {
            tokio::time::sleep(delay).await;
            None
        }
        Obstacle::Trouble(kind, seconds) => Some(troubled(line, kind, seconds)),
    }
}

/// The little time that an answer takes.
pub async fn latency(world: &World, met: &Met) {
    if !world.is_calm() && world.batch.len() <= LARGE_BATCH {
        tokio::time::sleep(world.clock.real(0.004 + 0.05 * met.job.rng(u64::from(met.read) + 7).f64())).await;
    }
}

fn routes(world: Arc<World>) -> Router {
    Router::new()
        .route("/deployment/api/{organization}/{api}/", get(unstract::status).post(unstract::execute))
        .route("/api/v1/services/{slug}/async", post(vessl::send))
        .route("/api/v1/services/{slug}/async/{id}/output", get(vessl::status))
        .route("/api/v1/inference", post(optexity::send))
        .route("/api/v1/inference/call", post(optexity::status))
        .route("/api/v2/whisper", post(llmwhisperer::send))
        .route("/api/v2/whisper-status", get(llmwhisperer::status))
        .route("/api/v2/whisper-retrieve", get(llmwhisperer::retrieve))
        .route("/farm/api/jobs", post(render::send))
        .route("/farm/api/jobs/{id}", get(render::status))
        .route("/farm/api/files/{file}", get(render::frames))
        .route("/demo/resubmit/{id}", post(resubmit::resubmit))
        .route("/demo/ledger", get(ledger::all))
        .route("/demo/body/{id}", get(ledger::body))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(64 << 20))
        .with_state(world)
}

async fn unknown_route(ConnectInfo(line): ConnectInfo<Connection>, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/deployment/") {
        let page = "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>Not Found</title>\n</head>\n<body>\n  \
                    <h1>Not Found</h1><p>The requested resource was not found on this server.</p>\n</body>\n</html>\n";
        return html(&line, 404, page);
    }
    if path.starts_with("/api/v1/services/") {
        return vessl::error(&line, 404, "NotFound", "Not found.");
    }
    json(&line, 404, &json!({ "detail": "Not Found" }))
}

async fn wrong_method(ConnectInfo(line): ConnectInfo<Connection>, request: Request) -> Response {
    if request.uri().path().starts_with("/deployment/") {
        return unstract::wrong_method(&line, request.method());
    }
    json(&line, 405, &json!({ "detail": "Method Not Allowed" }))
}

fn troubled(line: &Connection, kind: TroubleKind, seconds: f64) -> Response {
    let whole = seconds.ceil().max(1.0);
    match kind {
        TroubleKind::Throttled => {
            retry_after(json(line, 429, &json!({ "detail": "Rate limit exceeded" })), &whole.to_string())
        }
        TroubleKind::ThrottledUntil => {
            let until = SystemTime::now() + Duration::from_secs_f64(whole + 1.0);
            let response = reply(line, 429, "text/plain", b"slow down".to_vec(), Sending::Whole);
            retry_after(response, &httpdate::fmt_http_date(until))
        }
        TroubleKind::Unavailable => {
            let page = "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>\n";
            retry_after(html(line, 503, page), &whole.to_string())
        }
        TroubleKind::GatewayTimeout => {
            let page = "<html>\n<head><title>504 Gateway Time-out</title></head>\n<body>\n\
                        <center><h1>504 Gateway Time-out</h1></center>\n<hr><center>nginx</center>\n</body>\n</html>\n";
            html(line, 504, page)
        }
        TroubleKind::HangsUp => reply(line, 503, JSON, Vec::new(), Sending::HangUp),
    }
}

fn html(line: &Connection, status: u16, page: &str) -> Response {
    reply(line, status, "text/html; charset=utf-8", page.into(), Sending::Whole)
}

fn retry_after(mut response: Response, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}
