//! Replies that are no answer about a job: what they come to, and the sentence that says so.

use std::time::{Duration, SystemTime};

use url::Url;

use super::address;
use super::page;
use super::reply::{self, Object, capped};
use crate::domain::reading::Reading;
use crate::domain::response::Response;
use crate::domain::state::PollOutcome;
use crate::json::scan::{self, ValueKind};

/// The longest wait that a service can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What the response answers to, as far as a refusal has to know.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The job's endpoint.
    pub endpoint: &'a str,
    pub id: &'a str,
    /// The path that the provider put behind the service's base: what comes before it in a redirect's target is the
    /// base that it leads to. Made for those who ask: most responses are no redirects.
    pub path: &'a dyn Fn() -> String,
    /// What the service calls a job.
    pub nouns: Nouns<'a>,
}

/// What a service calls a job, in small letters.
#[derive(Debug, Clone, Copy)]
pub enum Nouns<'a> {
    /// What most services call one.
    Common,
    /// These.
    Own(&'a [String]),
}

impl<'a> Nouns<'a> {
    /// Of a description: none are the common ones.
    pub fn of(own: &'a [String]) -> Self {
        if own.is_empty() { Self::Common } else { Self::Own(own) }
    }

    fn hold(self, word: &str) -> bool {
        match self {
            Self::Common => COMMON_NOUNS.contains(&word),
            Self::Own(own) => own.iter().any(|noun| noun == word),
        }
    }
}

/// A reply whose HTTP code says that it is no answer.
pub fn refused(asked: &Asked<'_>, reply: &Response) -> Reading {
    let wait = retry_after(reply);
    let body = ErrorBody::of(reply);
    let reading = |read: PollOutcome| Reading {
        read,
        reason: Some(body.reason(reply)),
        error_code: body.code.clone(),
        retry_after: None,
        answer: None,
    };
    match reply.status {
        300..=399 => Reading::refused(PollOutcome::Rejected, redirect(asked, reply)),
        429 => Reading { retry_after: wait, ..reading(PollOutcome::Throttled) },
        503 if wait.is_some() => Reading { retry_after: wait, ..reading(PollOutcome::Throttled) },
        // Of a proxy that wants to be logged in to: it says nothing about the job, and nothing about the service.
        407 | 511 => {
            Reading::refused(PollOutcome::Unreachable, format!("a proxy asks for a login: {}", body.reason(reply)))
        }
        401 | 403 => reading(PollOutcome::Unauthorized),
        404 | 410 if body.is_about_the_job(asked, reply.status) => reading(PollOutcome::NotFound),
        408 | 421 | 425 => reading(PollOutcome::ServerError),
        400..=499 => reading(PollOutcome::Rejected),
        200..=299 => malformed(reply),
        _ => reading(PollOutcome::ServerError),
    }
}

/// A 2xx that is no answer about the job.
pub fn malformed(reply: &Response) -> Reading {
    let body = ErrorBody::of(reply);
    let why = match (&body.shape, scan::document(&reply.body)) {
        (Shape::Empty, _) => format!("HTTP {} with an empty body", reply.status),
        (Shape::Markup, _) => format!("a web page instead of an answer, {}", body.reason(reply)),
        (_, Ok(range)) => match scan::kind(reply.body.get(range).unwrap_or_default()) {
            Some(ValueKind::Object) => match &body.said {
                Some(said) => format!("no answer about a job: {said}"),
                None => "a JSON object that is no answer about a job".to_owned(),
            },
            Some(ValueKind::Array) => "a JSON list instead of an answer".to_owned(),
            Some(ValueKind::String | ValueKind::Number | ValueKind::Bool | ValueKind::Null) | None => {
                "a bare JSON value instead of an answer".to_owned()
            }
        },
        (Shape::Json, Err(error)) => format!("broken JSON: {error}"),
        (Shape::Text, Err(_)) => match (&body.said, reply.headers.content_encoding.as_deref()) {
            (_, Some(encoding)) if encoding != "identity" && std::str::from_utf8(&reply.body).is_err() => {
                format!("no JSON but {} bytes that could not be decoded ({encoding})", reply.body.len())
            }
            (Some(said), _) => format!("no JSON but this text: {said}"),
            (None, _) => "no JSON".to_owned(),
        },
    };
    Reading { error_code: body.code.clone(), ..malformed_because(why) }
}

/// A reply that is no answer about the job, for this reason.
pub fn malformed_because(why: impl Into<String>) -> Reading {
    Reading::refused(PollOutcome::Malformed, capped(&why.into()))
}

/// The sentence in a response that is no answer.
pub fn said(response: &Response) -> Option<String> {
    ErrorBody::of(response).said
}

/// How long the service asks us to wait: seconds, or an HTTP-date against the reply's own Date (our clock where it
/// has none). A time that is past is no wait.
pub fn retry_after(reply: &Response) -> Option<Duration> {
    let text = reply.headers.retry_after.as_deref()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let sent = reply.headers.date.as_deref().and_then(|date| httpdate::parse_http_date(date.trim()).ok());
    let now = sent.unwrap_or_else(|| SystemTime::from(reply.at));
    Some(until.duration_since(now).unwrap_or_default().min(LONGEST_WAIT))
}

/// What kind of text a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Empty,
    /// HTML, or XML.
    Markup,
    /// Whole or broken.
    Json,
    Text,
}

/// What a body that is no answer says.
struct ErrorBody {
    shape: Shape,
    said: Option<String>,
    code: Option<String>,
}

impl ErrorBody {
    fn of(reply: &Response) -> Self {
        let bytes = reply.body.as_ref();
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        let plain = |shape, said: Option<String>| Self { shape, said, code: None };
        if text.is_empty() {
            return plain(Shape::Empty, None);
        }
        if let Ok(object) = Object::parse(text) {
            let said = reply::sentence(&object);
            return Self { shape: Shape::Json, said: said.text, code: said.code };
        }
        if page::is_markup(text) {
            return plain(Shape::Markup, page::title(text));
        }
        match scan::kind(text) {
            Some(ValueKind::Object) => plain(Shape::Json, None),
            Some(ValueKind::Array) => plain(Shape::Json, reply::error_text(text)),
            Some(ValueKind::String) if scan::string(text).is_some() => plain(Shape::Json, reply::text(text)),
            Some(ValueKind::String | ValueKind::Number | ValueKind::Bool | ValueKind::Null) | None => {
                plain(Shape::Text, page::beginning(text))
            }
        }
    }

    /// The sentence; the HTTP code where there is none, or where it comes from a proxy in between.
    fn reason(&self, reply: &Response) -> String {
        let status = reply.status;
        match (&self.said, self.shape) {
            (Some(said), Shape::Markup) => format!("HTTP {status}: {said}"),
            (Some(said), Shape::Json | Shape::Text | Shape::Empty) => said.clone(),
            (None, Shape::Json) => format!("HTTP {status}: {}", capped(&reply::json_text(&reply.body))),
            (None, Shape::Markup | Shape::Text | Shape::Empty) => format!("HTTP {status}"),
        }
    }

    /// Whether a 404 or 410 is about the job, and not about a route, a deployment or a whole server. A 410 is, unless
    /// it says otherwise.
    fn is_about_the_job(&self, asked: &Asked<'_>, status: u16) -> bool {
        let id = asked.id;
        if self.shape == Shape::Markup {
            return false;
        }
        // Routers like to repeat the address, which holds the id too: such parts of a sentence say nothing.
        let said = self.said.as_deref().unwrap_or_default();
        let plain = |word: &&str| !word.contains('/') || word.trim_matches(|c: char| !c.is_alphanumeric()) == id;
        let words: Vec<&str> = said.split_whitespace().filter(plain).collect();
        if names(&words.join(" "), id.trim()) {
            return true;
        }
        let mut words: Vec<String> = words.into_iter().flat_map(parts).collect();
        words.extend(self.code.as_deref().into_iter().flat_map(parts));
        let of_a_router = words.iter().any(|word| ROUTER_WORDS.contains(&word.as_str()));
        let missing_route = words.windows(2).any(|pair| match pair {
            [first, second] => {
                let (first, second) = (first.as_str(), second.as_str());
                (ROUTER_WORDS.contains(&first) && ["not", "does", "doesn", "is", "was", "could"].contains(&second))
                    || (["no", "such", "unknown", "invalid"].contains(&first) && ROUTER_WORDS.contains(&second))
                    || (first == "cannot" && ["get", "post"].contains(&second))
            }
            _ => false,
        });
        if missing_route {
            return false;
        }
        let http_request = words.windows(2).any(|pair| match pair {
            [which, what] => what == "request" && ["your", "this", "bad", "http"].contains(&which.as_str()),
            _ => false,
        });
        // "request" is what some call a job and everybody an HTTP request.
        let is_request = |word: &str| matches!(word, "request" | "requests");
        let named = |word: &String| asked.nouns.hold(word) && !is_request(word);
        let asked_for = |word: &String| asked.nouns.hold(word) && is_request(word) && !http_request;
        words.iter().any(named) || (!of_a_router && (status == 410 || words.iter().any(asked_for)))
    }
}

/// What a router's 404 speaks of.
const ROUTER_WORDS: &[&str] =
    &["route", "routes", "url", "uri", "path", "endpoint", "page", "api", "deployment", "resource"];

/// What services call a job of which nothing else is known.
const COMMON_NOUNS: &[&str] = &[
    "request",
    "requests",
    "task",
    "tasks",
    "execution",
    "executions",
    "job",
    "jobs",
    "batch",
    "batches",
    "run",
    "runs",
    "prediction",
    "predictions",
    "operation",
    "operations",
    "crawl",
    "transcript",
    "generation",
    "session",
    "snapshot",
    "video",
];

/// Whether a sentence names an id, and not as a part of something longer.
fn names(sentence: &str, id: &str) -> bool {
    !id.is_empty()
        && sentence.match_indices(id).any(|(at, _)| {
            let before = sentence.get(..at).and_then(|before| before.chars().next_back());
            let after = sentence.get(at + id.len()..).and_then(|after| after.chars().next());
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
}

/// The words in a word, lower-cased: `TaskNotFound` and `task_not_found` are three.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut small = false;
    for c in word.chars() {
        if (!c.is_alphanumeric() || (c.is_uppercase() && small)) && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(String::new());
        }
        small = c.is_lowercase();
        if let (true, Some(part)) = (c.is_alphanumeric(), parts.last_mut()) {
            part.extend(c.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// A redirect instead of a result. The address asked came from the description or from the response to the status read,
/// so the jobs file has nothing that could be corrected.
pub fn result_redirected(asked: &Url, reply: &Response) -> Reading {
    let location = reply.headers.location.as_deref().map(str::trim).filter(|location| !location.is_empty());
    let target = location.and_then(|location| asked.join(location).ok()).filter(Url::has_host);
    let to = match target {
        Some(target) => format!("to {}", address::origin(&target)),
        None => "that does not say where to".to_owned(),
    };
    let reason = format!(
        "the result's address answers with a redirect (HTTP {}) {to}: not followed; the [result] of the description leads \
         elsewhere",
        reply.status
    );
    Reading::refused(PollOutcome::Rejected, capped(&reason))
}

/// Where a redirect leads, which is never followed: it would take the token along. Of another host no more than its
/// name is shown, and never a query.
fn redirect(asked: &Asked<'_>, reply: &Response) -> String {
    let code = reply.status;
    let home = Url::parse(asked.endpoint).ok();
    let location = reply.headers.location.as_deref().map(str::trim).filter(|location| !location.is_empty());
    let Some(location) = location else {
        return format!("a redirect (HTTP {code}) that does not say where to");
    };
    let target = match &home {
        Some(home) => home.join(location).ok(),
        None => Url::parse(location).ok(),
    };
    let Some(target) = target.filter(Url::has_host) else {
        return format!("a redirect (HTTP {code}) to an address that cannot be read");
    };
    let origin = address::origin(&target);
    if home.is_none_or(|home| home.host_str() != target.host_str()) {
        return format!(
            "a redirect (HTTP {code}) to another host, {origin}: not followed, because it would take the token \
             along; check the address in the jobs file, or what stands in between"
        );
    }
    // Relative to a path that is not known here.
    if !location.contains("://") && !location.starts_with('/') {
        return format!("a redirect (HTTP {code}) within {origin}: not followed; check the address in the jobs file");
    }
    let path = target.path();
    let base = path.strip_suffix(&*(asked.path)()).unwrap_or(path);
    capped(&format!(
        "a redirect (HTTP {code}) to {origin}{path}: not followed; if that is the right address, write {origin}{base} \
         in the jobs file"
    ))
}
