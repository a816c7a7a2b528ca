//! Any reply of any service: it is read without a panic, and what is read holds together.
//!
//! An input is a byte (bits 0 and 1 the provider, bit 2 whether the reply broke off), two bytes of HTTP code, six lines
//! (`Content-Type`, `Content-Encoding`, `Retry-After`, `Date`, `Location`, the job's id), and the body.

#![no_main]

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use jobdeck::bench_api::{
    BodySource, Clean, Headers, Next, Payload, PollOutcome, ProviderName, Reading, Response, Role, Service, Verdict,
    is_harmless, parse, read, scan,
};
use libfuzzer_sys::fuzz_target;

/// One service of each provider that is asked once for a result.
const SERVICES: &str = r#"
[services.vessl]
provider = "vessl"
base_url = "https://serve-api.vessl.ai/api/v1/services/slug"
token = { env = "T" }
[services.optexity]
provider = "optexity"
base_url = "https://api.optexity.com"
token = { env = "T" }
[services.unstract]
provider = "unstract"
url = "https://us-central.unstract.com/deployment/api/org/api/"
token = { env = "T" }
"#;

fuzz_target!(|data: &[u8]| {
    let Some((service, id, reply)) = input(data) else { return };
    let reading = match read(&service, &id, &reply) {
        Next::Done(reading) => reading,
        Next::Fetch(fetch) => fetch.status,
    };
    let provider = service.provider.name();
    check_reading(provider, &reply, &reading);
    let source = BodySource { role: Role::Status, http_status: reply.status };
    let payload = service.provider.extract(&source, &reply.body);
    check_body(provider, &reply.body, &payload);
    if provider == ProviderName::UNSTRACT {
        check_files(&reply, &reading, &payload);
    }
});

fn input(data: &[u8]) -> Option<(Arc<Service>, String, Response)> {
    static FILE: OnceLock<Vec<Arc<Service>>> = OnceLock::new();
    let services = FILE.get_or_init(|| parse(SERVICES, Path::new("/jobs.toml")).expect("a jobs file").services);
    let (head, rest) = data.split_at_checked(3)?;
    let name = match head[0] & 3 {
        0 => "vessl",
        1 => "optexity",
        _ => "unstract",
    };
    let service = Arc::clone(services.iter().find(|service| &*service.name == name)?);
    let mut lines = rest.splitn(7, |byte| *byte == b'\n');
    let mut line = || Some(String::from_utf8_lossy(lines.next()?).into_owned()).filter(|line| !line.is_empty());
    let headers =
        Headers { content_type: line(), content_encoding: line(), retry_after: line(), date: line(), location: line() };
    let id = line().unwrap_or_default();
    let reply = Response {
        status: 100 + u16::from_le_bytes([head[1], head[2]]) % 500,
        headers,
        body: Bytes::copy_from_slice(lines.next()?),
        broken: (head[0] & 4 != 0).then(|| "connection closed before the message was complete".to_owned()),
        at: Timestamp::from_second(1_800_000_000).unwrap(),
    };
    Some((service, id.trim().to_owned(), reply))
}

fn check_reading(provider: ProviderName, reply: &Response, reading: &Reading) {
    assert_eq!(reading.answer.is_some(), reading.read == PollOutcome::Answered);
    assert_eq!(reading.reason.is_some(), reading.read != PollOutcome::Answered);
    assert!(reading.reason.as_deref().is_none_or(|reason| !reason.trim().is_empty()));
    assert!(reading.retry_after.is_none_or(|wait| wait <= Duration::from_secs(3600)));
    assert!(reading.retry_after.is_none() || reading.read == PollOutcome::Throttled);
    // One whole document that is an answer is taken, whatever of a second one came; that is said.
    let is_warned = reading.answer.as_ref().is_some_and(|answer| answer.warning.is_some());
    let is_whole = is_self_contained(&reply.body) || is_warned;
    assert!(reply.broken.is_none() || is_whole || reading.read == PollOutcome::Unreachable);
    // Which a proxy says of itself.
    let of_a_proxy = matches!(reply.status, 407 | 511);
    assert!(reply.broken.is_some() || of_a_proxy || reading.read != PollOutcome::Unreachable);
    assert!(
        provider == ProviderName::UNSTRACT
            || reading.read != PollOutcome::Answered
            || (200..300).contains(&reply.status)
    );
    if (300..400).contains(&reply.status) && reply.broken.is_none() {
        // A query may be a signature.
        assert!(reading.reason.as_deref().is_none_or(|reason| !reason.contains('?')));
    }
    if let Some(answer) = &reading.answer {
        assert!(answer.progress.is_none_or(|percent| (0.0..=100.0).contains(&percent)));
        assert!(reply.broken.is_none() || answer.warning.is_some());
        let without_result = matches!(answer.verdict, Verdict::Acknowledged | Verdict::Expired);
        assert!(!without_result || (provider == ProviderName::UNSTRACT && !answer.has_payload));
        for text in [&answer.word, &answer.fail_reason, &answer.error_code, &answer.warning] {
            check_text(text.as_deref());
        }
    }
    check_text(reading.reason.as_deref());
    check_text(reading.error_code.as_deref());
}

/// Whether nothing can be missing at the end: of a bare number nobody knows.
fn is_self_contained(text: &[u8]) -> bool {
    scan::document(text).is_ok_and(|range| scan::kind(&text[range]) != Some(scan::ValueKind::Number))
}

fn check_text(text: Option<&str>) {
    assert!(Clean::new(text.unwrap_or_default()).chars().all(is_harmless));
}

fn check_body(provider: ProviderName, body: &[u8], payload: &Payload) {
    assert!(payload.fault.is_none() || (payload.raw.is_none() && payload.output.is_none() && payload.files.is_empty()));
    if let Some(output) = &payload.output {
        assert!(scan::document(output).is_ok(), "{}", String::from_utf8_lossy(output));
    }
    if let (ProviderName::UNSTRACT, Some(raw)) = (provider, &payload.raw) {
        assert_eq!(scan::document(raw), Ok(0..raw.len()));
    }
    assert!(provider == ProviderName::UNSTRACT || payload.files.is_empty());
    assert!(payload.fault.is_none() || scan::document(body).is_err() || body.is_empty());
}

fn check_files(reply: &Response, reading: &Reading, payload: &Payload) {
    let (body, files) = (&reply.body[..], &payload.files);
    let mut end = 0;
    for file in files {
        assert!(end <= file.range.start && file.size == file.range.len() as u64);
        end = file.range.end;
        assert!(scan::fields(&body[file.range.clone()]).is_ok());
        if let Some(result) = &file.result {
            assert!(file.range.start < result.start && result.end < file.range.end);
            assert_eq!(scan::document(&body[result.clone()]), Ok(0..result.len()));
        }
    }
    let Some(answer) = &reading.answer else { return };
    // What was handed out once is never taken for nothing.
    assert!(answer.has_payload || files.is_empty());
    let failed = files.iter().filter(|file| file.failed).count();
    let counts = answer.files.map_or((0, 0), |counts| (counts.total as usize, counts.failed as usize));
    assert_eq!(counts, (files.len(), failed));
}
