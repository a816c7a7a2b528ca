//! The services as a client meets them, over real sockets.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::kind::{Delivery, JobKind, RenderEnd, UnstractEnd, WhisperEnd};
use super::scenario::TroubleKind;
use super::world::Window;
use super::*;
use crate::domain::state::LostBecause;

const DEPLOYMENT: &str = "/deployment/api/org_Kq3ZtV81nPx/invoice-extract/";
const LLAMA: &str = "k3v9m2q7xw1d";
const EMBEDDINGS: &str = "p8d4rz0c6yt2";

/// A demo that is over at once: every job has ended before the first read.
fn over(jobs: usize) -> Demo {
    let demo = Demo::start(DemoOptions { jobs, seed: Some(7), speed: 1000.0, port: None, calm: true }).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    demo
}

/// A demo that has hardly begun.
fn fresh(jobs: usize) -> Demo {
    Demo::start(DemoOptions { jobs, seed: Some(7), speed: 0.01, port: None, calm: true }).unwrap()
}

/// The first Unstract job that ends so.
fn ending(demo: &Demo, ends: UnstractEnd) -> String {
    let fits = |kind: &JobKind| matches!(kind, JobKind::Unstract(kind) if kind.ends == ends);
    demo.world.batch.iter().find(|job| fits(&job.kind)).unwrap().id.clone()
}

/// A request as it goes over the wire; the connection is closed after it.
struct Request {
    address: SocketAddr,
    head: String,
    body: String,
}

impl Request {
    fn new(demo: &Demo, method: &str, target: &str) -> Self {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n");
        Self { address: demo.address(), head, body: String::new() }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.head, "{name}: {value}\r\n");
        self
    }

    fn body(self, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Head and body of the reply, as far as they came.
    fn send(self) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let text = format!("{}Content-Length: {}\r\n\r\n{}", self.head, self.body.len(), self.body);
        stream.write_all(text.as_bytes()).unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        let reply = String::from_utf8(reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_default();
        // One chunk is all that the demo's chunked replies ever have.
        let body = if head.contains("chunked") { body.split("\r\n").nth(1).unwrap() } else { body };
        (head.to_ascii_lowercase(), body.to_owned())
    }
}

/// Status (0: there was no reply) and body, as far as it came.
fn answer(request: Request) -> (u16, String) {
    let (head, body) = request.send();
    (head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap()), body)
}

fn deployment(demo: &Demo, method: &str, id: &str, flags: &str) -> Request {
    let target = format!("{DEPLOYMENT}?execution_id={id}{flags}");
    Request::new(demo, method, &target).header("Authorization", "Bearer key")
}

fn vessl(demo: &Demo, slug: &str, id: &str) -> Request {
    let target = format!("/api/v1/services/{slug}/async/{id}/output");
    Request::new(demo, "GET", &target).header("Authorization", "Bearer key")
}

fn call(demo: &Demo, key: &str, body: impl Into<String>) -> Request {
    Request::new(demo, "POST", "/api/v1/inference/call").header("x-api-key", key).body(body)
}

fn read(demo: &Demo, id: &str) -> (u16, String) {
    answer(deployment(demo, "GET", id, ""))
}

#[test]
fn a_result_is_handed_out_once_and_then_acknowledged() {
    let demo = over(40);
    let id = ending(&demo, UnstractEnd::Completed);
    let (status, body) = read(&demo, &id);
    assert_eq!(status, 200);
    assert!(body.starts_with(r#"{"status":"COMPLETED","message":[{"file":""#), "{body}");
    assert_eq!(demo.handed_out(&id).as_deref(), Some(body.as_bytes()));
    for _ in 0..2 {
        let second = r#"{"status":"COMPLETED","message":"Result already acknowledged"}"#;
        assert_eq!(read(&demo, &id), (406, second.to_owned()));
    }
    assert_eq!((demo.reads(&id), demo.consuming_reads(&id)), (3, 3));
}

#[test]
fn a_trickling_result_arrives_whole_and_counts_as_handed_out_at_its_end() {
    let demo = over(40);
    let trickles = |kind: &JobKind| matches!(kind, JobKind::Unstract(kind) if kind.delivery == Delivery::Trickle);
    let id = demo.world.batch.iter().find(|job| trickles(&job.kind)).unwrap().id.clone();
    let (status, body) = read(&demo, &id);
    assert!(status == 200 && body.ends_with("]}"), "{body}");
    assert_eq!(demo.handed_out(&id), Some(body.into_bytes()));
}

#[test]
fn a_head_takes_the_result_and_hands_out_nothing() {
    let demo = over(40);
    let id = ending(&demo, UnstractEnd::Completed);
    assert_eq!(answer(deployment(&demo, "HEAD", &id, "")), (200, String::new()));
    assert_eq!(read(&demo, &id).0, 406);
    assert_eq!(demo.handed_out(&id), None);
}

#[test]
fn an_execution_that_is_not_over_answers_422_as_often_as_it_is_asked() {
    let demo = fresh(300);
    let mut words = std::collections::BTreeSet::new();
    for job in demo.world.batch.iter().filter(|job| job.id.len() == 36 && job.ends > 20.0).take(60) {
        for _ in 0..2 {
            let (status, body) = read(&demo, &job.id);
            assert_eq!(status, 422);
            words.insert(body);
        }
        assert_eq!(demo.consuming_reads(&job.id), 0);
    }
    let expected = [r#"{"status":"EXECUTING","message":null}"#, r#"{"status":"PENDING","message":null}"#];
    assert_eq!(words.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn every_way_in_which_an_execution_ends_is_answered_as_the_backend_does() {
    let demo = over(1_000);
    let already = r#""message":"Result already acknowledged"}"#;
    let cases = [
        (UnstractEnd::Partial, 200, r#"{"status":"COMPLETED","message":[{"#, ""),
        (UnstractEnd::Error, 422, r#"{"status":"ERROR","message":[{"#, ""),
        (UnstractEnd::ErrorWithoutFiles, 422, r#"{"status":"ERROR","message":null}"#, ""),
        (UnstractEnd::ToolMissing, 500, r#"{"status":"COMPLETED","message":[{"#, "[TOOL_IMAGE_NOT_FOUND]"),
        (UnstractEnd::Stopped, 422, r#"{"status":"STOPPED","message":[{"#, r#""highlight_data":{"#),
        (UnstractEnd::Expired, 200, r#"{"status":"COMPLETED","message":null}"#, ""),
        (UnstractEnd::AlreadyRead, 406, r#"{"status":"COMPLETED","#, already),
        (UnstractEnd::Cut, 200, r#"{"status":"COMPLETED","message":[{"#, ""),
        (UnstractEnd::CutChunked, 200, r#"{"status":"COMPLETED","message":[{"#, ""),
    ];
    for (ends, status, starts, contains) in cases {
        let id = ending(&demo, ends);
        let (code, body) = read(&demo, &id);
        assert!(code == status && body.starts_with(starts) && body.contains(contains), "{ends:?}: {code} {body}");
        let cut = matches!(ends, UnstractEnd::Cut | UnstractEnd::CutChunked);
        assert_eq!(serde_json::from_str::<serde::de::IgnoredAny>(&body).is_err(), cut, "{ends:?}");
        assert_eq!(demo.handed_out(&id).is_some(), !cut && ends != UnstractEnd::AlreadyRead, "{ends:?}");
        let (code, body) = read(&demo, &id);
        assert!(code == 406 && body.ends_with(already), "{ends:?}: {code} {body}");
    }
    let id = ending(&demo, UnstractEnd::NoReply);
    assert_eq!(answer(deployment(&demo, "GET", &id, "")), (0, String::new()));
    assert_eq!(read(&demo, &id).0, 406);
}

#[test]
fn the_include_flags_add_metadata_metrics_and_text_in_whatever_spelling_python_likes() {
    let words = [r#""extraction_llm":[{"model_name""#, r#""time_taken(s)""#, r#""extracted_text""#];
    let cases = [
        ("", [false, false, false]),
        ("&include_metadata=True", [true, false, false]),
        ("&include_metadata=true&include_metrics=1", [true, true, false]),
        ("&include_metrics=yes&include_extracted_text=on", [false, true, true]),
        ("&include_metadata=False&include_metrics=0", [false, false, false]),
    ];
    for (flags, expected) in cases {
        let demo = over(40);
        let id = ending(&demo, UnstractEnd::Partial);
        let (_, body) = answer(deployment(&demo, "GET", &id, flags));
        assert_eq!(words.map(|word| body.contains(word)), expected, "{flags}: {body}");
        assert_eq!(demo.handed_out(&id).as_deref(), Some(body.as_bytes()));
    }
}

#[test]
fn a_refusal_has_the_backends_shape_and_takes_nothing() {
    let demo = over(40);
    let id = ending(&demo, UnstractEnd::Completed);
    let other = "11111111-2222-4333-8444-555555555555";
    let good = DEPLOYMENT;
    let client_error = |detail: &str| {
        format!(r#"{{"type":"client_error","errors":[{{"code":"error","detail":"{detail}","attr":null}}]}}"#)
    };
    let invalid = |code: &str, detail: &str, attr: &str| {
        format!(r#"{{"type":"validation_error","errors":[{{"code":"{code}","detail":"{detail}","attr":"{attr}"}}]}}"#)
    };
    let unknown = client_error(&format!("Execution with ID '{other}' does not exist."));
    let malformed = invalid("invalid", "Invalid execution_id 'x'. Must be a valid UUID.", "execution_id");
    let cases = [
        (format!("{good}?execution_id={id}"), "", 403, client_error("Missing api key")),
        (format!("{good}?execution_id={id}"), "Bearer wrong", 401, client_error("Unauthorized")),
        (format!("/deployment/api/no_org/x/?execution_id={id}"), "Bearer wrong", 404, client_error("API not found")),
        (format!("{good}?execution_id={other}"), "Bearer key", 404, unknown),
        (format!("{good}?execution_id=x"), "Bearer key", 400, malformed),
        (good.to_owned(), "Bearer key", 400, invalid("required", "This field is required.", "execution_id")),
        (
            format!("{good}?execution_id={id}&include_metadata=maybe"),
            "Bearer key",
            400,
            invalid("invalid", "Must be a valid boolean.", "include_metadata"),
        ),
    ];
    for (url, authorization, status, body) in cases {
        let mut request = Request::new(&demo, "GET", &url);
        if !authorization.is_empty() {
            request = request.header("Authorization", authorization);
        }
        assert_eq!(answer(request), (status, body), "{url}");
    }
    let (status, page) = answer(Request::new(&demo, "GET", "/deployment/api/x"));
    assert!(status == 404 && page.contains("<h1>Not Found</h1>"));
    assert_eq!(demo.consuming_reads(&id), 0);
    assert_eq!(read(&demo, &id).0, 200);
}

#[test]
fn an_execution_can_be_sent_and_waited_for() {
    let demo = Demo::start(DemoOptions { jobs: 0, seed: Some(1), speed: 20.0, port: None, calm: true }).unwrap();
    let form = "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"loss.pdf\"\r\n\r\n%PDF\r\n--b\r\n\
                Content-Disposition: form-data; name=\"timeout\"\r\n\r\n";
    let send = |timeout: i32| {
        let request = Request::new(&demo, "POST", "/deployment/api/org_Kq3ZtV81nPx/claims-intake/");
        request.header("Authorization", "Bearer key").body(format!("{form}{timeout}\r\n--b--\r\n"))
    };
    let (status, body) = answer(send(-1));
    assert!(status == 200 && body.contains(r#""execution_status":"PENDING","status_api":"/deployment/api/"#), "{body}");
    assert!(body.ends_with(r#""error":null,"result":null}}"#), "{body}");
    let (status, body) = answer(send(300));
    assert!(status == 200 && body.contains(r#""execution_status":"COMPLETED""#), "{body}");
    assert!(body.contains(r#""result":[{"file":"loss.pdf","#), "{body}");
    let id = body.split('"').find(|text| text.len() == 36).unwrap();
    assert_eq!(read(&demo, id).0, 406);
}

#[test]
fn a_vessl_request_can_be_read_again_and_again() {
    let demo = over(300);
    let mut seen = std::collections::BTreeSet::new();
    for job in &demo.world.batch {
        let JobKind::Vessl(kind) = &job.kind else { continue };
        let slug = if kind.common.service == "llama" { LLAMA } else { EMBEDDINGS };
        let get = || vessl(&demo, slug, &job.id);
        let (status, body) = answer(get());
        assert_eq!((status, body.clone()), answer(get()));
        assert_eq!(demo.handed_out(&job.id), Some(body.clone().into_bytes()));
        serde_json::from_str::<serde::de::IgnoredAny>(&body).unwrap();
        assert_eq!(body.contains(r#","output":"#), kind.json && kind.text.is_some(), "{body}");
        seen.insert(body.split(',').next().unwrap().to_owned());
        if kind.rows == Some(2600) {
            assert!(body.len() > 300_000, "{}", body.len());
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [r#"{"status":"completed""#, r#"{"status":"failed""#]);
    let refused = answer(Request::new(&demo, "GET", &format!("/api/v1/services/{LLAMA}/async/x/output")));
    assert_eq!(refused, (401, r#"{"code":"Unauthorized","message":"Invalid token."}"#.to_owned()));
    let unknown = answer(vessl(&demo, LLAMA, "x"));
    assert_eq!(unknown, (404, r#"{"code":"NotFound","message":"Request not found."}"#.to_owned()));
    let post = Request::new(&demo, "POST", &format!("/api/v1/services/{LLAMA}/async"));
    let (status, body) = answer(post.header("Authorization", "Bearer key").body("{}"));
    assert!(status == 201 && body.len() == r#"{"id":"98nlux8b0eu6"}"#.len(), "{body}");
}

#[test]
fn an_optexity_task_tells_its_progress_and_its_end_and_a_gone_one_is_not_found() {
    let mut words = std::collections::BTreeSet::new();
    for demo in [fresh(2_000), over(2_000)] {
        for job in demo.world.batch.iter().filter(|job| matches!(job.kind, JobKind::Optexity(_))).take(150) {
            let (status, body) = answer(call(&demo, "key", format!(r#"{{"task_id":"{}"}}"#, job.id)));
            assert!(
                status == 200 && body.starts_with(&format!(r#"{{"success":true,"task_id":"{}""#, job.id)),
                "{body}"
            );
            let word = body.split(r#""status":""#).nth(1).unwrap().split('"').next().unwrap();
            assert_eq!(body.contains(r#""progress":"#), word == "running", "{body}");
            words.insert(word.to_owned());
        }
    }
    let expected = ["allocated", "cancelled", "completed", "failed", "killed", "queued", "running", "success"];
    assert_eq!(words.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let demo = over(2_000);
    let gone = demo.world.batch.iter().find(|job| job.kind.lost() == Some(LostBecause::Gone)).unwrap();
    let ask = || call(&demo, "key", format!(r#"{{"task_id":"{}"}}"#, gone.id));
    assert_eq!(answer(ask()).0, 200);
    assert_eq!(answer(ask()), (404, format!(r#"{{"error":"Task not found with ID: {}"}}"#, gone.id)));
    assert_eq!(answer(call(&demo, "wrong", "")), (401, r#"{"error":"Invalid API key"}"#.to_owned()));
    assert_eq!(answer(call(&demo, "key", "{}")).0, 400);
}

#[test]
fn a_whisper_tells_its_status_again_and_again_and_hands_its_text_out_once() {
    let demo = over(1_000);
    let whisper = |what: &str, id: &str| {
        let target = format!("/api/v2/whisper-{what}?whisper_hash={}", id.replace('|', "%7C"));
        answer(Request::new(&demo, "GET", &target).header("unstract-key", "key"))
    };
    let ending = |ends| {
        let fits = |kind: &JobKind| matches!(kind, JobKind::Whisper(kind) if kind.ends == ends);
        demo.world.batch.iter().find(|job| fits(&job.kind)).unwrap().id.clone()
    };
    let delivered = (400, r#"{"message":"Whisper already delivered"}"#.to_owned());

    let id = ending(WhisperEnd::Processed);
    for _ in 0..2 {
        let (status, body) = whisper("status", &id);
        assert!(status == 200 && body.starts_with(r#"{"status":"processed","message":"","detail":[{"#), "{body}");
    }
    assert_eq!((demo.reads(&id), demo.consuming_reads(&id)), (2, 0));
    let (status, text) = whisper("retrieve", &id);
    assert!(status == 200 && text.starts_with(r#"{"result_text":"#) && text.contains("\\n<<<\\n"), "{text}");
    assert_eq!(demo.handed_out(&id), Some(text.into_bytes()));
    assert_eq!(whisper("retrieve", &id), delivered);
    assert!(whisper("status", &id).1.starts_with(r#"{"status":"retrieved""#));

    let id = ending(WhisperEnd::AlreadyRead);
    assert!(whisper("status", &id).1.starts_with(r#"{"status":"processed""#));
    assert_eq!((whisper("retrieve", &id), demo.handed_out(&id)), (delivered.clone(), None));
    let id = ending(WhisperEnd::Cut);
    assert!(serde_json::from_str::<serde::de::IgnoredAny>(&whisper("retrieve", &id).1).is_err());
    assert_eq!((whisper("retrieve", &id), demo.handed_out(&id)), (delivered, None));
    let id = ending(WhisperEnd::Error);
    let failed = r#"{"status":"error","message":"file is password protected","detail":[]}"#.to_owned();
    assert_eq!(whisper("status", &id), (200, failed.clone()));
    assert_eq!(demo.handed_out(&id), Some(failed.into_bytes()));
    let unknown = r#"{"message":"Whisper job not found for the provided whisper hash"}"#.to_owned();
    assert_eq!(whisper("status", "0|0"), (400, unknown));
}

#[test]
fn a_render_counts_its_frames_and_lists_them_in_a_file_of_their_own() {
    let mut seen = std::collections::BTreeSet::new();
    for demo in [fresh(1_000), over(1_000)] {
        let get = |target: &str| {
            answer(Request::new(&demo, "GET", &format!("/farm/api/{target}")).header("Authorization", "Bearer key"))
        };
        for job in &demo.world.batch {
            let JobKind::Render(kind) = &job.kind else { continue };
            let (status, body) = get(&format!("jobs/{}", job.id));
            let said: serde_json::Value = serde_json::from_str(&body).unwrap();
            let [total, done, failed] = ["total", "done", "failed"].map(|key| said["frames"][key].as_u64().unwrap());
            assert!(status == 200 && done + failed <= total, "{body}");
            let state = said["state"].as_str().unwrap();
            assert_eq!(said["failures"].as_array().map_or(0, Vec::len) as u64, failed, "{body}");
            seen.insert(format!("{state} {}", failed > 0));
            let file = get(&format!("files/{}-frames.json", job.id));
            assert_eq!(file.0 == 200, state == "done", "{body}");
            if state == "done" {
                let listed: serde_json::Value = serde_json::from_str(&file.1).unwrap();
                let listed = listed["frames"].as_array().unwrap();
                assert_eq!(listed.len() as u64, total);
                assert_eq!(listed.iter().filter(|frame| frame["file"].is_null()).count() as u64, failed);
                assert_eq!(failed > 0, kind.ends == RenderEnd::Partial, "{body}");
                assert_eq!(demo.handed_out(&job.id), Some(file.1.into_bytes()));
            }
        }
        assert_eq!(get("jobs/rnd-0"), (404, r#"{"error":{"code":"NO_RENDER","message":"no such render"}}"#.to_owned()));
    }
    for state in ["waiting", "loading", "rendering", "broken", "stopped", "done"] {
        assert!(seen.contains(&format!("{state} false")), "{state}: {seen:?}");
    }
    assert!(seen.contains("done true") && !seen.contains("broken true"), "{seen:?}");
}

#[test]
fn trouble_comes_in_every_form_and_never_takes_a_result() {
    let cases = [
        (TroubleKind::Throttled, "http/1.1 429", "120", "Rate limit exceeded"),
        (TroubleKind::ThrottledUntil, "http/1.1 429", "gmt", "slow down"),
        (TroubleKind::Unavailable, "http/1.1 503", "120", "<html>"),
        (TroubleKind::GatewayTimeout, "http/1.1 504", "", "<center>nginx</center>"),
        (TroubleKind::HangsUp, "", "", ""),
    ];
    for (kind, status, retry, page) in cases {
        let options = DemoOptions { seed: Some(7), speed: 1000.0, ..DemoOptions::default() };
        let mut world = World::new(&options, 7).unwrap();
        world.windows = vec![Window { service: "invoices".to_owned(), kind, from: -1.0, to: 120_000.0 }];
        let demo = Demo::of(world, 7, 0).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let id = ending(&demo, UnstractEnd::Completed);
        let (head, body) = deployment(&demo, "GET", &id, "").send();
        let given = head.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap_or_default();
        assert!(head.starts_with(status) && head.is_empty() == status.is_empty(), "{head}");
        assert!(given.ends_with(retry) && given.is_empty() == retry.is_empty(), "{given}");
        assert!(body.contains(page), "{body}");
        assert_eq!((demo.reads(&id), demo.consuming_reads(&id)), (1, 0), "{kind:?}");
    }
}

#[test]
fn trouble_is_rare_the_same_for_the_same_seed_and_over_before_the_batch_is() {
    let options = DemoOptions { seed: Some(9), ..DemoOptions::default() };
    let worlds = [World::new(&options, 9).unwrap(), World::new(&options, 9).unwrap()];
    let [obstacles, again] = worlds.map(|world| {
        assert!(world.windows.iter().all(|window| window.to < world.scenario.services.horizon));
        let id = world.batch.first().unwrap().id.clone();
        let met: Vec<_> = (0..4_000).map(|_| world.meet(&id).unwrap()).collect();
        met.iter().map(|met| world.obstacle(met)).collect::<Vec<_>>()
    });
    assert_eq!(obstacles, again);
    let count = obstacles.iter().flatten().count();
    assert!((40..200).contains(&count), "{count}");
}

#[test]
fn a_jobs_file_is_valid_toml_and_names_every_job_whatever_the_size_of_the_batch() {
    for jobs in [0, 40, 3_000] {
        let demo = fresh(jobs);
        let file: toml::Table = demo.jobs_file().parse().unwrap();
        assert_eq!(file["services"].as_table().unwrap().len(), 7);
        let tables = file.get("jobs").map_or(&[][..], |jobs| jobs.as_array().unwrap());
        let ids = |table: &toml::Value| table.get("ids").map_or(1, |ids| ids.as_array().unwrap().len());
        assert_eq!(tables.iter().map(ids).sum::<usize>(), jobs);
    }
}

#[test]
fn the_same_seed_makes_the_same_jobs_file_and_no_seed_a_new_one() {
    let file = |seed| {
        let demo = Demo::start(DemoOptions { seed, calm: true, ..DemoOptions::default() }).unwrap();
        demo.jobs_file().replace(&demo.address().to_string(), "HOST")
    };
    assert_eq!(file(Some(5)), file(Some(5)));
    assert_ne!(file(None), file(None));
}

#[test]
fn options_out_of_range_and_a_port_in_use_are_said_in_words() {
    let fails = |options| Demo::start(options).unwrap_err().to_string();
    assert!(fails(DemoOptions { jobs: MAX_JOBS + 1, ..DemoOptions::default() }).contains("--jobs"));
    assert!(fails(DemoOptions { speed: f64::NAN, ..DemoOptions::default() }).contains("--speed"));
    let demo = fresh(0);
    assert!(fails(DemoOptions { port: Some(demo.address().port()), ..DemoOptions::default() }).contains("--port"));
}

#[test]
fn the_ledger_tells_what_was_handed_out() {
    let demo = over(40);
    let id = ending(&demo, UnstractEnd::Partial);
    let (_, body) = read(&demo, &id);
    let (_, copy) = answer(Request::new(&demo, "GET", &format!("/demo/body/{id}")));
    assert_eq!(copy, body);
    let (_, ledger) = answer(Request::new(&demo, "GET", "/demo/ledger"));
    assert_eq!(ledger.lines().count(), 40);
    let line = ledger.lines().find(|line| line.contains(&id)).unwrap();
    assert!(
        line.contains(&format!(
            r#""expected":"partial","lost_because":null,"reads":1,"consuming_reads":1,"bytes":{}"#,
            body.len()
        )),
        "{line}"
    );
}
