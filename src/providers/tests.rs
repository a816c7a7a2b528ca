//! What every provider does: requests, refusals, ids, and what saved bodies hold.

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::domain::files::FileCounts;
use crate::domain::files::FileResult;
use crate::domain::job::JobKey;
use crate::domain::provider::Payload;
use crate::domain::reading::{Answer, Verdict};
use crate::domain::request::Request;
use crate::domain::response::Headers;
use crate::domain::state::State;
use crate::tests::wire_cases::service;
use crate::tests::{PROVIDERS, provider as value, read};
use url::Url;

const VESSL: &str = "https://serve-api.vessl.ai/api/v1/services/slug";
const OPTEXITY: &str = "https://api.optexity.com";
const UNSTRACT: &str = "https://us-central.unstract.com/deployment/api/org/invoices/";

fn reply(status: u16, body: &[u8]) -> Response {
    Response {
        status,
        headers: Headers::default(),
        body: Bytes::copy_from_slice(body),
        broken: None,
        at: Timestamp::from_second(1_800_000_000).unwrap(),
    }
}

fn key(provider: ProviderName) -> JobKey {
    let base = match provider {
        ProviderName::VESSL => VESSL,
        ProviderName::OPTEXITY => OPTEXITY,
        _ => UNSTRACT,
    };
    JobKey { provider, endpoint: service(provider, base).endpoint, id: "job-7".to_owned() }
}

fn request(service: &Service, id: &str) -> Request {
    service.provider.request(service, id)
}

fn extracted(provider: ProviderName, body: &[u8]) -> Payload {
    crate::tests::extract(provider, &Bytes::copy_from_slice(body))
}

fn raw_output(provider: ProviderName, body: &[u8]) -> Option<Bytes> {
    extracted(provider, body).raw
}

fn output(provider: ProviderName, body: &[u8]) -> Option<Bytes> {
    extracted(provider, body).output
}

fn files(provider: ProviderName, body: &[u8]) -> Vec<FileResult> {
    extracted(provider, body).files
}

fn said(provider: ProviderName, status: u16, body: &str) -> Reading {
    read(&key(provider), &reply(status, body.as_bytes()))
}

fn answer(provider: ProviderName, status: u16, body: &str) -> Answer {
    let reading = said(provider, status, body);
    reading.answer.clone().unwrap_or_else(|| panic!("{body}: {reading:?}"))
}

fn url(provider: ProviderName, base: &str, id: &str) -> String {
    request(&service(provider, base), id).url.to_string()
}

#[test]
fn an_id_stays_one_segment_or_one_value_whatever_it_holds() {
    let flags = "include_metadata=true&include_metrics=true&include_extracted_text=false";
    let ids = [
        ("a/b", "a%2Fb"),
        ("..", "%252E%252E"),
        (".", "%252E"),
        ("../x", "..%2Fx"),
        ("a?b#c", "a%3Fb%23c"),
        ("a b\t\n", "a%20b%09%0A"),
        ("é漢", "%C3%A9%E6%BC%A2"),
        ("a\\b", "a%5Cb"),
        ("a%2fb", "a%252fb"),
        ("a&x=1+2", "a%26x%3D1%2B2"),
    ];
    for (id, encoded) in ids {
        assert_eq!(url(ProviderName::VESSL, VESSL, id), format!("{VESSL}/async/{encoded}/output"));
        let sent = request(&service(ProviderName::UNSTRACT, UNSTRACT), id).url;
        assert_eq!(sent.query_pairs().next().unwrap().1, id);
        assert!(sent.as_str().starts_with(UNSTRACT) && sent.as_str().ends_with(flags), "{sent}");
        let body = request(&service(ProviderName::OPTEXITY, OPTEXITY), id).body.unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), serde_json::json!({"task_id": id}));
    }
}

#[test]
fn a_base_url_keeps_its_prefix_and_its_query_and_loses_its_last_slash() {
    let cases = [
        ("https://h/p/services/s/?key=a%20b&x", "https://h/p/services/s/async/1/output?key=a%20b&x"),
        ("https://h:8443", "https://h:8443/async/1/output"),
        ("http://[::1]:80/#f", "http://[::1]/async/1/output"),
    ];
    for (base, expected) in cases {
        assert_eq!(url(ProviderName::VESSL, base, "1"), expected);
    }
    assert_eq!(url(ProviderName::OPTEXITY, "https://gw/o/?k=v", "1"), "https://gw/o/api/v1/inference/call?k=v");
    let unstract = url(ProviderName::UNSTRACT, "https://h/deployment/api/o/a?execution_id=old&k=v", "1");
    assert!(unstract.starts_with("https://h/deployment/api/o/a/?k=v&execution_id=1&include_metadata"), "{unstract}");
}

#[test]
fn an_endpoint_has_no_query_no_last_slash_no_default_port_and_no_user() {
    let base = Url::parse("HTTPS://user:pw@Serve-API.vessl.ai:443/api/v1/Services/S//?key=1#f").unwrap();
    assert_eq!(
        value(ProviderName::VESSL).endpoint(&base, &Default::default()),
        "https://serve-api.vessl.ai/api/v1/Services/S"
    );
    assert_eq!(value(ProviderName::UNSTRACT).endpoint(&base, &Default::default()), "https://serve-api.vessl.ai");
    let base = Url::parse("http://127.0.0.1:8080/x").unwrap();
    assert_eq!(value(ProviderName::OPTEXITY).endpoint(&base, &Default::default()), "http://127.0.0.1:8080");
}

#[test]
fn an_id_is_taken_as_given_or_out_of_an_address_of_the_very_service() {
    let cases = [
        (ProviderName::VESSL, VESSL, " 98nlux8b0eu6 ", Some("98nlux8b0eu6")),
        (ProviderName::VESSL, VESSL, "a/b ü", Some("a/b ü")),
        (ProviderName::VESSL, VESSL, "  ", None),
        (ProviderName::VESSL, VESSL, "https://serve-api.vessl.ai/api/v1/services/slug/async/7/output", Some("7")),
        (ProviderName::VESSL, VESSL, "/api/v1/services/slug/async/a%2Fb/", Some("a/b")),
        (ProviderName::VESSL, VESSL, "/api/v1/services/other/async/7/output", None),
        (ProviderName::VESSL, VESSL, "/api/v1/services/slug/async//output", None),
        (ProviderName::VESSL, VESSL, "https://evil.example/api/v1/services/slug/async/7/output", None),
        (ProviderName::VESSL, VESSL, "https://u:p@serve-api.vessl.ai/api/v1/services/slug/async/7", None),
        (ProviderName::VESSL, VESSL, "//evil.example/x", None),
        (ProviderName::UNSTRACT, UNSTRACT, "/deployment/api/org/invoices/?execution_id=e-1&x=2", Some("e-1")),
        (ProviderName::UNSTRACT, UNSTRACT, "/deployment/api/org/invoices?execution_id=e%201", Some("e 1")),
        (
            ProviderName::UNSTRACT,
            UNSTRACT,
            "http://us-central.unstract.com/deployment/api/org/invoices/?execution_id=1",
            Some("1"),
        ),
        (ProviderName::UNSTRACT, "https://gw/u/deployment/api/o/a/", "/deployment/api/o/a/?execution_id=1", Some("1")),
        (ProviderName::UNSTRACT, UNSTRACT, "/deployment/api/org/other/?execution_id=1", None),
        (ProviderName::UNSTRACT, UNSTRACT, "/deployment/api/org/invoices/", None),
        (ProviderName::UNSTRACT, UNSTRACT, "https://eu.unstract.com/deployment/api/org/invoices/?execution_id=1", None),
        (ProviderName::OPTEXITY, OPTEXITY, "task_1", Some("task_1")),
        (ProviderName::OPTEXITY, OPTEXITY, "https://api.optexity.com/api/v1/task_status?task_id=t1", Some("t1")),
        (ProviderName::OPTEXITY, OPTEXITY, "https://api.optexity.com/api/v1/inference/call", None),
        (ProviderName::OPTEXITY, OPTEXITY, "https://", None),
    ];
    for (provider, base, text, id) in cases {
        assert_eq!(id_from(&service(provider, base), text).ok().as_deref(), id, "{text}");
    }
}

#[test]
fn a_missing_word_is_an_answer_only_where_the_service_s_own_fields_stand() {
    let no_word = [
        (ProviderName::VESSL, 200, r#"{"status":null}"#),
        (ProviderName::VESSL, 200, r#"{"status":" "}"#),
        (ProviderName::VESSL, 201, r#"{"raw_output":"x"}"#),
        (ProviderName::OPTEXITY, 200, r#"{"status":"","success":true}"#),
        (ProviderName::OPTEXITY, 200, r#"{"task_id":" job-7 ","goal":"x"}"#),
        (ProviderName::OPTEXITY, 200, r#"{"task_id":null,"progress":3}"#),
        (ProviderName::UNSTRACT, 200, r#"{"message":null}"#),
        (ProviderName::UNSTRACT, 422, r#"{"status":null,"message":null}"#),
        (ProviderName::UNSTRACT, 406, r#"{"status":null,"message":null}"#),
        (ProviderName::UNSTRACT, 500, r#"{"status":null,"message":[]}"#),
    ];
    for (provider, status, body) in no_word {
        let answer = answer(provider, status, body);
        assert_eq!((answer.verdict, answer.word), (Verdict::NoWord, None), "{body}");
    }
    for provider in PROVIDERS {
        for body in ["{}", r#"{"ok":true}"#, "[]", "3", "\"x\"", "null", "{\"status\":\"pending\"", "text", ""] {
            assert_eq!(said(provider, 200, body).read, PollOutcome::Malformed, "{provider} {body}");
        }
    }
}

#[test]
fn every_service_understands_every_word_and_keeps_its_own() {
    for provider in PROVIDERS {
        for (word, state) in [(" IN progress ", State::Running), ("Killed", State::Failed), ("soon", State::Unknown)] {
            let answer = answer(provider, 200, &format!("{{\"status\":\"{word}\"}}"));
            assert_eq!(answer.verdict, Verdict::State(state), "{provider} {word}");
            assert_eq!(answer.word.as_deref(), Some(word.trim()));
        }
        for word in ["3", "true", "{\"a\":1}"] {
            let answer = answer(provider, 200, &format!("{{\"status\":{word}}}"));
            assert_eq!((answer.verdict, answer.word.as_deref()), (Verdict::State(State::Unknown), Some(word)));
        }
    }
}

#[test]
fn a_vessl_job_succeeded_only_if_the_user_s_own_service_said_2xx_or_nothing() {
    let cases = [
        ("200", State::Succeeded, Some(200)),
        ("\"204\"", State::Succeeded, Some(204)),
        ("200.0", State::Succeeded, Some(200)),
        ("null", State::Succeeded, None),
        ("\"\"", State::Succeeded, None),
        ("true", State::Succeeded, None),
        ("500", State::Failed, Some(500)),
        ("\" 302 \"", State::Failed, Some(302)),
        ("199", State::Failed, Some(199)),
    ];
    for (code, state, seen) in cases {
        let answer = answer(ProviderName::VESSL, 200, &format!("{{\"status\":\"completed\",\"status_code\":{code}}}"));
        assert_eq!((answer.verdict, answer.service_status_code), (Verdict::State(state), seen), "{code}");
        assert_eq!(answer.word.as_deref(), Some("completed"));
    }
}

#[test]
fn progress_is_percent_a_fraction_below_1_or_nothing() {
    let cases = [
        ("0", Some(0.0)),
        ("-0.0", Some(0.0)),
        ("1", Some(1.0)),
        ("1.0", Some(1.0)),
        ("0.57", Some(57.0)),
        ("99.5", Some(99.5)),
        ("150", Some(100.0)),
        ("1e400", Some(100.0)),
        ("\" 75 % \"", Some(75.0)),
        ("\"0.5%\"", Some(0.5)),
        ("\"0.5\"", Some(50.0)),
        ("\"150%\"", Some(100.0)),
        ("{\"current\":30,\"total\":40}", Some(75.0)),
        ("{\"current\":\"1\",\"total\":\"3\"}", Some(33.333_333_333)),
        ("{\"current\":5,\"total\":4}", Some(100.0)),
        ("{\"current\":0,\"total\":0}", None),
        ("{\"current\":5}", None),
        ("-1", None),
        ("\"-5%\"", None),
        ("NaN", None),
        ("Infinity", None),
        ("\"nan\"", None),
        ("\"inf\"", None),
        ("\"abc\"", None),
        ("\"\"", None),
        ("\"%\"", None),
        ("true", None),
        ("null", None),
        ("[50]", None),
    ];
    for (text, percent) in cases {
        let body = format!("{{\"status\":\"running\",\"progress\":{text}}}");
        assert_eq!(answer(ProviderName::OPTEXITY, 200, &body).progress, percent, "{text}");
        assert_eq!(answer(ProviderName::VESSL, 200, &body).progress, None);
        assert_eq!(answer(ProviderName::UNSTRACT, 422, &body).progress, None);
    }
}

#[test]
fn an_error_is_the_reason_of_a_failure_and_beside_anything_else_a_warning() {
    let cases = [
        ("failed", r#""error":"x y","error_code":"E""#, Some("x y"), Some("E"), None),
        ("failed", r#""error":{"code":7,"message":"m"}"#, Some("m"), Some("7"), None),
        ("failed", r#""error":{"why":"unknown"}"#, Some(r#"{"why":"unknown"}"#), None, None),
        ("failed", r#""error":["a","b"]"#, Some(r#"["a","b"]"#), None, None),
        ("failed", r#""error":{},"message":"told elsewhere""#, Some("told elsewhere"), None, None),
        ("failed", r#""error":" ""#, None, None, None),
        ("cancelled", r#""error":"by user""#, Some("by user"), None, None),
        ("running", r#""error":"x","error_code":"E""#, None, None, Some("x")),
        ("completed", r#""error":"""#, None, None, None),
    ];
    for (word, fields, reason, code, warning) in cases {
        let answer = answer(ProviderName::OPTEXITY, 200, &format!("{{\"status\":\"{word}\",{fields}}}"));
        assert_eq!(answer.fail_reason.as_deref(), reason, "{fields}");
        assert_eq!(answer.error_code.as_deref(), code, "{fields}");
        assert_eq!(answer.warning.as_deref(), warning, "{fields}");
    }
}

#[test]
fn times_are_read_in_every_shape_and_a_job_that_runs_has_not_finished() {
    let moment = Some("2026-11-20T10:32:15Z".parse().unwrap());
    for text in [
        "\"2026-11-20T11:32:15+01:00\"",
        "\"2026-11-20T10:32:15\"",
        "\"2026-11-20 10:32:15\"",
        "1795170735",
        "1795170735000",
    ] {
        let done = answer(ProviderName::OPTEXITY, 200, &format!("{{\"status\":\"success\",\"completed_at\":{text}}}"));
        assert_eq!(done.finished_at, moment, "{text}");
        let running =
            answer(ProviderName::OPTEXITY, 200, &format!("{{\"status\":\"running\",\"completed_at\":{text}}}"));
        assert_eq!(running.finished_at, None);
    }
    for text in ["\"yesterday\"", "1e300", "{}", "\"\"", "-1e300", "\"9999999-01-01\""] {
        let done = answer(ProviderName::OPTEXITY, 200, &format!("{{\"status\":\"success\",\"completed_at\":{text}}}"));
        assert_eq!(done.finished_at, None, "{text}");
    }
}

#[test]
fn an_optexity_reply_about_another_task_or_about_none_is_no_answer() {
    let cases = [
        (r#"{"task_id":"other","status":"failed"}"#, PollOutcome::Malformed),
        (r#"{"task_id":7,"status":"failed"}"#, PollOutcome::Malformed),
        (r#"{"task_id":"other","success":false}"#, PollOutcome::Malformed),
        (r#"{"success":false,"message":"no such workspace"}"#, PollOutcome::Rejected),
        (r#"{"success":false,"status":null,"error":"x"}"#, PollOutcome::Rejected),
        (r#"{"success":false,"status":"failed"}"#, PollOutcome::Answered),
    ];
    for (body, outcome) in cases {
        assert_eq!(said(ProviderName::OPTEXITY, 200, body).read, outcome, "{body}");
    }
}

const GOOD: &str = r#"{"file":"a.pdf","status":"Success","result":{"output":{"k":1}},"error":null}"#;
const BAD: &str = r#"{"file":"b.pdf","status":"Failed","result":null,"error":"corrupt"}"#;

#[test]
fn an_unstract_body_is_believed_before_its_code() {
    let list = |files: &[&str]| format!("[{}]", files.join(","));
    let (good, mixed, bad) = (list(&[GOOD]), list(&[GOOD, BAD]), list(&[BAD]));
    let state = Verdict::State;
    let cases = [
        (200, "COMPLETED", good.as_str(), state(State::Succeeded)),
        (200, "COMPLETED", &mixed, state(State::Partial)),
        (200, "COMPLETED", &bad, state(State::Partial)),
        (500, "COMPLETED", &mixed, state(State::Partial)),
        (502, "ERROR", &bad, state(State::Failed)),
        (404, "EXECUTING", &good, state(State::Running)),
        (500, "COMPLETED", "[]", Verdict::Expired),
        (200, "COMPLETED", "null", Verdict::Expired),
        (422, "COMPLETED", "[]", Verdict::Expired),
        (422, "ERROR", "null", state(State::Failed)),
        (422, "STOPPED", &good, state(State::Cancelled)),
        (200, "EXECUTING", "null", state(State::Running)),
        (200, "PENDING", "\"in the queue\"", state(State::Queued)),
        (200, "COMPLETED", "{\"a\":1}", state(State::Succeeded)),
        (200, "COMPLETED", "7", state(State::Succeeded)),
        (406, "COMPLETED", "\"Result already acknowledged\"", Verdict::Acknowledged),
        (406, "COMPLETED", "null", Verdict::Acknowledged),
        (406, "COMPLETED", "[]", Verdict::Acknowledged),
        (406, "COMPLETED", &mixed, state(State::Partial)),
        (406, "EXECUTING", "null", state(State::Running)),
        (406, "EXECUTING", "\"Result already acknowledged\"", Verdict::Acknowledged),
        (406, "EXECUTING", "\"Not Acceptable\"", state(State::Running)),
        (406, "EXECUTING", "[]", state(State::Running)),
        (406, "SOON", "{}", state(State::Unknown)),
    ];
    for (status, word, message, verdict) in cases {
        let body = format!("{{\"status\":\"{word}\",\"message\":{message}}}");
        let answer = answer(ProviderName::UNSTRACT, status, &body);
        assert_eq!(answer.verdict, verdict, "{status} {body}");
        assert_eq!(answer.word.as_deref(), Some(word));
        let failed = matches!(verdict, Verdict::State(State::Partial | State::Failed));
        assert_eq!(answer.fail_reason.is_some(), failed && message.contains("corrupt"), "{status} {body}");
    }
}

#[test]
fn a_text_beside_a_job_that_is_not_over_is_a_warning() {
    let answer = answer(ProviderName::UNSTRACT, 200, r#"{"status":"PENDING","message":"in the queue"}"#);
    assert_eq!(answer.warning.as_deref(), Some("in the queue"));
    assert!(!answer.has_payload);
}

#[test]
fn a_gateway_s_json_is_no_answer_of_unstract() {
    let cases = [
        (422, r#"{"message":"x"}"#, PollOutcome::Rejected),
        (406, r#"{"message":"Not Acceptable"}"#, PollOutcome::Rejected),
        (406, r#"{"status":406,"error":"Not Acceptable"}"#, PollOutcome::Rejected),
        (406, r#"{"status":"fail","message":"Not Acceptable"}"#, PollOutcome::Rejected),
        (406, r#"{"status":null,"message":"Not Acceptable"}"#, PollOutcome::Rejected),
        (406, r#"{"status":"SOON","message":"Result already acknowledged"}"#, PollOutcome::Answered),
        (422, r#"{"status":"422","error":"Unprocessable"}"#, PollOutcome::Rejected),
        (200, r#"{"status":"error","message":"upstream failed"}"#, PollOutcome::Malformed),
        (422, r#"{"status":"ERROR","message":""}"#, PollOutcome::Malformed),
        (200, r#"{"message":"welcome"}"#, PollOutcome::Malformed),
        (202, r#"{"status":"EXECUTING","message":null}"#, PollOutcome::Answered),
        (201, r#"{"status":"PENDING"}"#, PollOutcome::Answered),
        (202, r#"{"status":"accepted","message":null}"#, PollOutcome::Malformed),
        (202, r#"{"status":"COMPLETED","message":null}"#, PollOutcome::Malformed),
        (202, r#"{"status":"EXECUTING","message":"queued behind a proxy"}"#, PollOutcome::Malformed),
        (500, r#"{"status":"ERROR","message":"boom"}"#, PollOutcome::ServerError),
        (502, r#"{"status":"COMPLETED","message":null}"#, PollOutcome::ServerError),
        (400, r#"{"message":["this field is required"]}"#, PollOutcome::Rejected),
        (401, r#"{"status":"error","message":"no"}"#, PollOutcome::Unauthorized),
        (503, r#"{"status":"error"}"#, PollOutcome::ServerError),
    ];
    for (status, body, outcome) in cases {
        assert_eq!(said(ProviderName::UNSTRACT, status, body).read, outcome, "{status} {body}");
    }
}

#[test]
fn a_file_failed_by_its_word_or_else_by_its_error() {
    let files = [
        (r#"{"status":"ERROR"}"#, true),
        (r#"{"status":"failed","error":null}"#, true),
        (r#"{"status":"Success","error":"minor"}"#, false),
        (r#"{"error":{"message":"m"}}"#, true),
        (r#"{"status":"odd","error":""}"#, false),
        ("{}", false),
        ("3", false),
    ];
    let list: Vec<_> = files.iter().map(|(file, _)| *file).collect();
    let body = format!("{{\"status\":\"COMPLETED\",\"message\":[{}]}}", list.join(","));
    let answer = answer(ProviderName::UNSTRACT, 200, &body);
    assert_eq!(answer.files, Some(FileCounts { total: 6, failed: 3 }));
    assert_eq!(answer.fail_reason.as_deref(), Some("m"));
    assert_eq!(answer.warning.as_deref(), Some("1 of 7 entries of the result are no files"));
    let failed: Vec<_> =
        extracted(ProviderName::UNSTRACT, body.as_bytes()).files.iter().map(|file| file.failed).collect();
    assert_eq!(failed, [true, true, false, true, false, false]);
}

#[test]
fn a_404_is_about_the_job_only_if_it_speaks_of_one() {
    let cases = [
        (r#"{"message":"Request not found."}"#, PollOutcome::NotFound),
        (r#"{"detail":"Task xyz not found"}"#, PollOutcome::NotFound),
        (r#"{"detail":"No task_id like that"}"#, PollOutcome::NotFound),
        (r#"{"error":"nothing under 'job-7'"}"#, PollOutcome::NotFound),
        (r#"{"error":"Task not found or not owned by this API key"}"#, PollOutcome::NotFound),
        (r#"{"code":"TaskNotFound","message":"Not Found"}"#, PollOutcome::NotFound),
        ("Execution is gone", PollOutcome::NotFound),
        (r#"{"error":{"message":"No task found","type":"invalid_request_error"}}"#, PollOutcome::NotFound),
        (r#"{"message":"no route to /batches/job-7"}"#, PollOutcome::Rejected),
        (r#"{"message":"The requested resource could not be found."}"#, PollOutcome::Rejected),
        ("\"job-7 is unknown\"", PollOutcome::NotFound),
        (r#"{"detail":"Not Found"}"#, PollOutcome::Rejected),
        (r#"{"message":"API not found for this execution"}"#, PollOutcome::Rejected),
        (r#"{"message":"no Route matched with those values"}"#, PollOutcome::Rejected),
        (r#"{"error":"Not Found","status":404,"path":"/async/job-7/output"}"#, PollOutcome::Rejected),
        ("Cannot GET /api/v1/services/slug/async/job-7/output", PollOutcome::Rejected),
        ("The requested URL /async/job-7 was not found on this server.", PollOutcome::Rejected),
        ("404 page not found", PollOutcome::Rejected),
        ("no service can take your request", PollOutcome::Rejected),
        ("<html><title>Task job-7 not found</title></html>", PollOutcome::Rejected),
        ("{}", PollOutcome::Rejected),
        ("", PollOutcome::Rejected),
    ];
    // What a service calls a job is in its description; of one that says nothing it is what most call one.
    for (body, of_vessl) in [
        (r#"{"detail":"prediction not found"}"#, PollOutcome::Rejected),
        (r#"{"message":"Run was deleted"}"#, PollOutcome::Rejected),
        (r#"{"message":"Execution was deleted"}"#, PollOutcome::NotFound),
    ] {
        assert_eq!(said(ProviderName::VESSL, 404, body).read, of_vessl, "{body}");
        assert_eq!(said(ProviderName::UNSTRACT, 404, body).read, PollOutcome::NotFound, "{body}");
    }
    for provider in PROVIDERS {
        for (body, outcome) in cases {
            assert_eq!(said(provider, 404, body).read, outcome, "{provider} {body}");
        }
        for (body, outcome) in [
            ("", PollOutcome::NotFound),
            (r#"{"detail":"Gone"}"#, PollOutcome::NotFound),
            ("<html>", PollOutcome::Rejected),
        ] {
            assert_eq!(said(provider, 410, body).read, outcome, "{provider} {body}");
        }
    }
}

#[test]
fn a_code_without_an_answer_comes_to_what_the_contract_says() {
    let cases = [
        (400, PollOutcome::Rejected),
        (401, PollOutcome::Unauthorized),
        (402, PollOutcome::Rejected),
        (403, PollOutcome::Unauthorized),
        (404, PollOutcome::Rejected),
        (405, PollOutcome::Rejected),
        (407, PollOutcome::Unreachable),
        (511, PollOutcome::Unreachable),
        (408, PollOutcome::ServerError),
        (410, PollOutcome::NotFound),
        (421, PollOutcome::ServerError),
        (425, PollOutcome::ServerError),
        (429, PollOutcome::Throttled),
        (451, PollOutcome::Rejected),
        (500, PollOutcome::ServerError),
        (503, PollOutcome::ServerError),
        (520, PollOutcome::ServerError),
        (204, PollOutcome::Malformed),
        (304, PollOutcome::Rejected),
    ];
    for provider in PROVIDERS {
        for (status, outcome) in cases {
            let reading = said(provider, status, "");
            assert_eq!((reading.read, reading.retry_after), (outcome, None), "{provider} {status}");
            assert!(reading.reason.unwrap().contains(&status.to_string()), "{provider} {status}");
        }
    }
}

#[test]
fn a_response_that_broke_off_behind_a_document_that_is_no_answer_is_one_that_broke_off() {
    for body in ["{\"x\":1}{\"success\":true,\"task", "{\"x\":1}\0", "{\"x\":1} and mo"] {
        let cut = Response { broken: Some("closed".to_owned()), ..reply(200, body.as_bytes()) };
        let reading = read(&key(ProviderName::OPTEXITY), &cut);
        assert_eq!((reading.read, reading.reason.as_deref()), (PollOutcome::Unreachable, Some("closed")), "{body:?}");
    }
}

#[test]
fn a_service_is_waited_for_as_long_as_it_asks_against_its_own_clock_and_an_hour_at_most() {
    let date = Some("Sat, 21 Nov 2026 16:00:00 GMT");
    let cases = [
        (Some("12"), None, Some(12)),
        (Some(" 0 "), None, Some(0)),
        (Some("7200"), None, Some(3600)),
        (Some("99999999999999999999999"), None, Some(3600)),
        (Some("Sat, 21 Nov 2026 16:00:45 GMT"), date, Some(45)),
        (Some("Saturday, 21-Nov-26 16:00:45 GMT"), date, Some(45)),
        (Some("Sat, 21 Nov 2026 15:59:00 GMT"), date, Some(0)),
        (Some("Sat, 21 Nov 2026 23:59:00 GMT"), date, Some(3600)),
        (Some("Fri, 15 Jan 2027 08:00:30 GMT"), None, Some(30)),
        (Some("Fri, 15 Jan 2027 08:00:30 GMT"), Some("garbage"), Some(30)),
        (Some("-5"), None, None),
        (Some("soon"), None, None),
        (Some(""), None, None),
        (None, date, None),
    ];
    for (asked, date, wait) in cases {
        let headers =
            Headers { retry_after: asked.map(str::to_owned), date: date.map(str::to_owned), ..Headers::default() };
        for (status, outcome) in [
            (429, PollOutcome::Throttled),
            (503, if wait.is_some() { PollOutcome::Throttled } else { PollOutcome::ServerError }),
        ] {
            let reading =
                read(&key(ProviderName::OPTEXITY), &Response { headers: headers.clone(), ..reply(status, b"") });
            assert_eq!(reading.read, outcome, "{asked:?}");
            assert_eq!(reading.retry_after, wait.map(Duration::from_secs), "{asked:?}");
        }
    }
}

#[test]
fn a_redirect_names_no_more_than_where_it_leads() {
    let cases = [
        (
            Some("https://serve-api.vessl.ai/new/async/job-7/output?sig=s3cret"),
            "write https://serve-api.vessl.ai/new in",
        ),
        (Some("https://u:s3cret@login.example.net/s3cret?next=s3cret"), "another host, https://login.example.net:"),
        (Some("//login.example.net/s3cret"), "another host, https://login.example.net:"),
        (Some("\\\\login.example.net/s3cret"), "another host, https://login.example.net:"),
        (Some("/elsewhere?s3cret"), "to https://serve-api.vessl.ai/elsewhere:"),
        (Some("elsewhere?s3cret"), "within https://serve-api.vessl.ai:"),
        (Some("javascript:s3cret"), "cannot be read"),
        (Some("https://"), "cannot be read"),
        (None, "does not say where"),
    ];
    for (location, told) in cases {
        let headers = Headers { location: location.map(str::to_owned), ..Headers::default() };
        let reading = read(&key(ProviderName::VESSL), &Response { headers, ..reply(307, b"") });
        let reason = reading.reason.unwrap();
        assert_eq!(reading.read, PollOutcome::Rejected);
        assert!(reason.contains("redirect") && reason.contains(told), "{reason}");
        assert!(!reason.contains("s3cret"), "{reason}");
    }
}

#[test]
fn the_reason_is_the_service_s_own_sentence_in_full() {
    let long = "x".repeat(7000);
    let beginning = format!("{}…", "x".repeat(299));
    let cases = [
        (r#"{"error":"e"}"#.to_owned(), "e", None),
        (r#"{"error":{"message":"m","code":"C"}}"#.to_owned(), "m", Some("C")),
        (r#"{"error":"invalid_token","error_description":"it ended"}"#.to_owned(), "it ended", Some("invalid_token")),
        (r#"{"error":"Bad Request","message":"no id"}"#.to_owned(), "Bad Request: no id", None),
        (r#"{"detail":[{"msg":"a","loc":["body","id"]},{"msg":"b"}]}"#.to_owned(), "a (body.id); b", None),
        (r#"{"errors":[{"code":"error","detail":"d"},{"detail":"e"}]}"#.to_owned(), "d; e", None),
        (r#"{"message":null,"detail":" ","title":"t"}"#.to_owned(), "t", None),
        (r#"["one","two"]"#.to_owned(), "one; two", None),
        (r#"{"other":1}"#.to_owned(), r#"HTTP 400: {"other":1}"#, None),
        (format!("\n{long}\n"), beginning.as_str(), None),
        ("\n\nValueError at /x\n  nan\n\nTraceback".to_owned(), "ValueError at /x nan", None),
        ("one\r\n\r\ntwo".to_owned(), "one", None),
        ("<h1>Nope &amp; no</h1>".to_owned(), "HTTP 400: Nope & no", None),
        ("<html><head><TITLE lang=x>\n 504  T</TITLE>".to_owned(), "HTTP 400: 504 T", None),
        ("<?xml version='1'?><Error><Message>Denied</Message></Error>".to_owned(), "HTTP 400: Denied", None),
        ("<html><title></title><body></body></html>".to_owned(), "HTTP 400", None),
    ];
    for (body, reason, code) in cases {
        let reading = said(ProviderName::VESSL, 400, &body);
        assert_eq!(reading.reason.as_deref(), Some(reason), "{body}");
        assert_eq!(reading.error_code.as_deref(), code, "{body}");
    }
    let endless =
        said(ProviderName::VESSL, 400, &format!(r#"{{"error":"{}"}}"#, "é".repeat(1_000_000))).reason.unwrap();
    assert!(endless.len() < 100_000 && endless.ends_with('…'));
}

#[test]
fn a_reply_that_broke_off_counts_only_if_its_bytes_hold_one_whole_document() {
    let broken = |status: u16, body: &str| {
        let reply = Response { broken: Some("connection reset".to_owned()), ..reply(status, body.as_bytes()) };
        read(&key(ProviderName::VESSL), &reply)
    };
    let whole = broken(200, r#"{"status":"completed"}"#).answer.unwrap();
    assert_eq!(whole.verdict, Verdict::State(State::Succeeded));
    assert!(whole.warning.unwrap().contains("bytes may be missing"));
    for (status, body) in [(200, r#"{"status":"completed""#), (200, ""), (200, "12"), (502, "<html>"), (429, "")] {
        let reading = broken(status, body);
        assert_eq!((reading.read, reading.reason.as_deref()), (PollOutcome::Unreachable, Some("connection reset")));
    }
    assert_eq!(broken(401, r#"{"error":"x"}"#).read, PollOutcome::Unauthorized);
}

#[test]
fn the_raw_output_is_byte_for_byte_what_stands_in_the_body() {
    type Case<'a> = (ProviderName, &'a [u8], Option<&'a [u8]>);
    let cases: [Case<'_>; 16] = [
        (ProviderName::VESSL, br#"{"raw_output":"a\nb\u0000\u00e9"}"#, Some(b"a\nb\0\xc3\xa9")),
        (ProviderName::VESSL, br#"{"raw_output":"\ud800x"}"#, Some("\u{fffd}x".as_bytes())),
        (ProviderName::VESSL, b"{\"raw_output\":\"caf\xff\xfe\"}", Some(b"caf\xff\xfe")),
        (ProviderName::VESSL, br#"{"raw_output":""}"#, Some(b"")),
        (ProviderName::VESSL, br#"{"raw_output":null}"#, None),
        (ProviderName::VESSL, br#"{"raw_output":{"a": 1}}"#, Some(br#"{"a": 1}"#)),
        (ProviderName::VESSL, br#"{"raw_output":"a","raw_output":"b"}"#, Some(b"b")),
        (ProviderName::VESSL, b"no json", None),
        (ProviderName::OPTEXITY, br#"{"result":"{\"a\": 1}"}"#, Some(br#"{"a": 1}"#)),
        (ProviderName::OPTEXITY, br#"{"result":[1e400, 0.10]}"#, Some(b"[1e400, 0.10]")),
        (ProviderName::OPTEXITY, br#"{"result":null}"#, None),
        (ProviderName::OPTEXITY, br#"{"result":""}"#, Some(b"")),
        (ProviderName::UNSTRACT, b"\xef\xbb\xbf{\"message\" : [ {\"a\":\"\xff\"} ] }", Some(b"[ {\"a\":\"\xff\"} ]")),
        (ProviderName::UNSTRACT, br#"{"message":"t"}"#, Some(br#""t""#)),
        (ProviderName::UNSTRACT, br#"{"message":null}"#, None),
        (ProviderName::UNSTRACT, br#"{"status":"ERROR"}"#, None),
    ];
    for (provider, body, raw) in cases {
        assert_eq!(raw_output(provider, body).as_deref(), raw, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn the_output_is_json_as_it_came_decoded_where_it_was_a_string() {
    let files = r#"{"message":[{"file":"a\"b","result":{"n":1.50}},{"file":"c"},{"file":"c","result":"t"}]}"#;
    let cases = [
        (ProviderName::VESSL, r#"{"output":null}"#, Some("null")),
        (
            ProviderName::VESSL,
            r#"{"output":{"n":123456789012345678901234567890, "p":1e400}}"#,
            Some(r#"{"n":123456789012345678901234567890, "p":1e400}"#),
        ),
        (ProviderName::VESSL, r#"{"raw_output":"{}"}"#, None),
        (ProviderName::OPTEXITY, r#"{"result":"{\"a\": 1}"}"#, Some(r#"{"a": 1}"#)),
        (ProviderName::OPTEXITY, r#"{"result":" [1] "}"#, Some("[1]")),
        (ProviderName::OPTEXITY, r#"{"result":"Claim 4471"}"#, Some(r#""Claim 4471""#)),
        (ProviderName::OPTEXITY, r#"{"result":"007"}"#, Some(r#""007""#)),
        (ProviderName::OPTEXITY, r#"{"result":"42"}"#, Some("42")),
        (ProviderName::OPTEXITY, r#"{"result":{"a":[]}}"#, Some(r#"{"a":[]}"#)),
        (ProviderName::OPTEXITY, r#"{"result":""}"#, None),
        (ProviderName::OPTEXITY, r#"{"result":null}"#, None),
        (
            ProviderName::UNSTRACT,
            files,
            Some(
                r#"[{"file":"a\"b","status":null,"result":{"n":1.50},"error":null},{"file":"c","status":null,"result":null,"error":null},{"file":"c","status":null,"result":"t","error":null}]"#,
            ),
        ),
        (ProviderName::UNSTRACT, r#"{"message":[]}"#, None),
        (ProviderName::UNSTRACT, r#"{"message":null}"#, None),
        (ProviderName::UNSTRACT, r#"{"message":"x"}"#, None),
    ];
    for (provider, body, expected) in cases {
        let output = output(provider, body.as_bytes()).map(|output| String::from_utf8_lossy(&output).into_owned());
        assert_eq!(output.as_deref(), expected, "{body}");
    }
}

#[test]
fn a_file_says_where_it_stands_what_it_holds_and_what_it_cost() {
    let body = concat!(
        "\u{feff}{\"status\":\"COMPLETED\", \"message\" : [\n",
        r#" {"file":"a.pdf","status":"Success","result":{"output":{"x":1,"y":2}},"metadata":{"usage":{"cost_in_dollars":0.0068440}}},"#,
        r#"{"file":"b","status":"Success","result":{"x":1},"metadata":{"usage":{"cost_in_dollars":"0.1"}}},"#,
        r#"{"file":"c","status":"Failed","result":null,"error":"bad"},"#,
        r#"{"file":"d","status":"Success","result":"text"}]}"#,
    );
    let files = files(ProviderName::UNSTRACT, body.as_bytes());
    let told: Vec<_> =
        files.iter().map(|file| (file.name.as_str(), file.keys, file.cost.as_deref(), file.failed)).collect();
    assert_eq!(
        told,
        [
            ("a.pdf", Some(2), Some("0.0068440"), false),
            ("b", Some(1), Some("0.1"), false),
            ("c", None, None, true),
            ("d", None, None, false),
        ]
    );
    assert_eq!(files[2].error.as_deref(), Some("bad"));
    for file in &files {
        let object = &body.as_bytes()[file.range.clone()];
        assert!(object.starts_with(b"{\"file\"") && object.ends_with(b"}") && object.len() as u64 == file.size);
    }
    assert_eq!(&body.as_bytes()[files[3].result.clone().unwrap()], b"\"text\"");
    assert!(extracted(ProviderName::VESSL, body.as_bytes()).files.is_empty());
}

proptest::proptest! {
    #[test]
    fn no_reply_makes_reading_panic_and_no_refusal_carries_an_answer(
        status in 0..700u16,
        body in proptest::prop_oneof![
            proptest::collection::vec(proptest::num::u8::ANY, 0..120),
            bodies(),
        ],
        header in proptest::option::of("\\PC{0,40}|[a-z]{2,6}://\\PC{0,20}|//\\PC{0,20}|[0-9]{1,30}"),
        broken in proptest::bool::ANY,
        id in "\\PC{0,8}|[a-z0-9/.-]{1,12}",
    ) {
        for provider in PROVIDERS {
            let headers = Headers {
                content_type: header.clone(),
                content_encoding: header.clone(),
                retry_after: header.clone(),
                date: header.clone(),
                location: header.clone(),
            };
            let broken = broken.then(|| "cut".to_owned());
            let reply = Response { headers, broken, ..reply(status, &body) };
            let key = JobKey { id: id.clone(), ..key(provider) };
            let reading = read(&key, &reply);
            proptest::prop_assert_eq!(reading.read == PollOutcome::Answered, reading.answer.is_some());
            proptest::prop_assert_eq!(reading.read == PollOutcome::Answered, reading.reason.is_none());
            proptest::prop_assert!(reading.retry_after.is_none_or(|wait| wait <= Duration::from_secs(3600)));
            let answer = reading.answer.unwrap_or_default();
            proptest::prop_assert!(answer.progress.is_none_or(|percent| (0.0..=100.0).contains(&percent)));
            let _ = (raw_output(provider, &body), files(provider, &body));
            if let Some(output) = output(provider, &body) {
                proptest::prop_assert!(scan::document(&output).is_ok());
            }
        }
    }

    #[test]
    fn no_text_makes_an_id_panic_and_no_id_leaves_its_place(text in "\\PC{0,20}|(https?:)?/{0,2}[a-z./%?=:@]{0,30}") {
        for (provider, base) in [(ProviderName::VESSL, VESSL), (ProviderName::OPTEXITY, OPTEXITY), (ProviderName::UNSTRACT, UNSTRACT)] {
            let service = service(provider, base);
            let _ = id_from(&service, &text);
            let sent = request(&service, &text).url;
            proptest::prop_assert_eq!(sent.host_str(), service.base.host_str());
            if provider == ProviderName::VESSL && !text.is_empty() {
                let count = service.base.path_segments().unwrap().count();
                proptest::prop_assert_eq!(sent.path_segments().unwrap().count(), count + 3);
                proptest::prop_assert_eq!((sent.query(), sent.fragment()), (None, None));
            }
        }
    }
}

/// Almost answers: known fields with values of any kind.
fn bodies() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("-Infinity".to_owned()),
        Just("1e400".to_owned()),
        Just("\"COMPLETED\"".to_owned()),
        Just("\"failed\"".to_owned()),
        Just("\"job-7\"".to_owned()),
        Just(format!("[{GOOD},{BAD},3]")),
        Just(r#"{"current":3,"total":"4"}"#.to_owned()),
        Just(r#"[{"msg":"m","loc":["a",1]},{"detail":{"message":"x"}}]"#.to_owned()),
        "[0-9.eE+-]{1,9}".prop_map(|text| format!("1{text}")),
        "\\PC{0,9}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    let keys = [
        "status",
        "status_code",
        "raw_output",
        "output",
        "fail_reason",
        "success",
        "task_id",
        "result",
        "progress",
        "error",
        "error_code",
        "message",
        "completed_at",
        "detail",
        "errors",
    ];
    proptest::collection::vec((proptest::sample::select(keys.to_vec()), value), 0..6).prop_map(|members| {
        let members: Vec<_> = members.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    })
}
