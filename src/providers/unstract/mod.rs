//! How Unstract speaks: `GET …/deployment/api/<organization_id>/<api_name>/?execution_id=…`, a result that is handed
//! out once, and an HTTP code that says little: the body decides.

mod files;
mod peek;

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use url::Url;

use self::files::{File, Parts, cost_of, in_review, is_in_review, name, outcome, output, times};
use super::refusal::{Asked, Nouns, malformed, malformed_because, refused};
use super::reply::{self, Object, capped, error_text, no_object, text};
use super::{address, cost, names};
use crate::domain::files::{FileCounts, FileResult};
use crate::domain::job::ProviderName;
use crate::domain::provider::{About, AddressForm, BodySource, IdError, Next, OneShot, Payload, Peek, Provider};
use crate::domain::reading::{Answer, Reading, Verdict};
use crate::domain::request::{Header, Method, Request};
use crate::domain::response::Response;
use crate::domain::service::Service;
use crate::domain::state::State;
use crate::json::scan::{self, ValueKind};

#[derive(Debug)]
pub struct Unstract;

impl Provider for Unstract {
    fn name(&self) -> ProviderName {
        ProviderName::UNSTRACT
    }

    fn about(&self) -> About {
        About {
            id_noun: "execution",
            made_up_id: "00000000-0000-0000-0000-000000000000",
            token_env: "UNSTRACT_API_KEY",
            address: AddressForm::Deployment,
        }
    }

    fn one_shot(&self) -> OneShot {
        OneShot::Status
    }

    /// Scheme, host and port: an execution is not tied to the deployment in its path.
    fn endpoint(&self, base: &Url, _: &BTreeMap<String, String>) -> String {
        address::origin(base)
    }

    fn request(&self, service: &Service, id: &str) -> Request {
        let mut url = address::below(&service.base, PATH);
        let flag = |on: bool| if on { "true" } else { "false" };
        let include = service.include;
        address::add_query(
            &mut url,
            &[
                ("execution_id", id),
                ("include_metadata", flag(include.metadata)),
                ("include_metrics", flag(include.metrics)),
                ("include_extracted_text", flag(include.extracted_text)),
            ],
        );
        let own_query = OWN_QUERY.iter().map(|key| (*key).to_owned()).collect();
        Request {
            method: Method::Get,
            url,
            headers: vec![Header::bearer()],
            body: None,
            one_shot: true,
            own_query,
            named_by: None,
        }
    }

    fn read(&self, service: &Service, id: &str, response: &Response) -> Next {
        Next::Done(read(service, id, response))
    }

    fn peek(&self, service: &Service, id: &str) -> Option<Request> {
        peek::request(service, id)
    }

    fn peeked(&self, service: &Service, id: &str, response: &Response) -> Peek {
        peek::read(service, id, response)
    }

    /// The execution id in a status URL or path, as the service returns them.
    fn id_from(&self, service: &Service, text: &str) -> Result<String, IdError> {
        let Some(url) = address::named_by_address(|| service.base.clone(), text)? else { return Ok(text.to_owned()) };
        // Behind a gateway the service's own paths lack the gateway's prefix.
        let (base, path) = (service.base.path().trim_end_matches('/'), url.path().trim_end_matches('/'));
        if base != path && !(path.starts_with("/deployment/") && base.ends_with(path)) {
            return Err(IdError::new(
                "this id is an address of another deployment than its service's",
                "name the service that it belongs to, or give the execution_id alone",
            ));
        }
        address::query_value(&url, "execution_id").ok_or_else(|| {
            IdError::new("this id is an address without an `execution_id`", "give the execution_id alone")
        })
    }

    /// Raw: the JSON text of `message` as received. Output: an array of `{"file", "status", "result", "error"}`, one
    /// a file, in the service's order.
    fn extract(&self, _: &BodySource, body: &Bytes) -> Payload {
        let Parts { object, files } = match Parts::parse(body) {
            Ok(parts) => parts,
            Err(_) => return no_object(body),
        };
        let Some(message) = object.get("message").filter(|value| *value != b"null") else { return Payload::default() };
        let results: Vec<FileResult> = files.iter().map(File::read).collect();
        Payload {
            raw: Some(body.slice_ref(message)),
            output: output(&files).map(Bytes::from),
            output_path: String::new(),
            cost: cost::sum(results.iter().filter_map(|file| file.cost.as_deref())),
            title: names::title(&results),
            files: results,
            fault: None,
        }
    }
}

/// The query keys of ours: no secrets.
const OWN_QUERY: &[&str] = &["execution_id", "include_metadata", "include_metrics", "include_extracted_text"];

/// What follows the base: the deployment's URL is the whole address.
const PATH: &str = "/";

fn read(service: &Service, id: &str, response: &Response) -> Reading {
    let refused =
        || refused(&Asked { endpoint: &service.endpoint, id, path: &String::new, nouns: Nouns::Common }, response);
    let no_answer = || if (200..300).contains(&response.status) { malformed(response) } else { refused() };
    let Ok(object) = Object::parse(&response.body) else { return no_answer() };
    let message = UnstractMessage::of(&object);
    if !is_answer(&object, &message, response) {
        return no_answer();
    }
    let (verdict, word) = object.word();
    let state = match verdict {
        Verdict::State(state) => Some(state),
        Verdict::NoWord | Verdict::Acknowledged | Verdict::Expired => None,
    };
    let over = state.is_some_and(State::is_terminal);
    if response.status == 406 && !message.is_result() && (over || message.says_acknowledged()) {
        return Reading::answered(Answer { verdict: Verdict::Acknowledged, word, ..Answer::default() });
    }
    if let (true, UnstractMessage::Text(said)) = (over, &message) {
        let said = if said.is_empty() { "an empty text" } else { said.as_str() };
        return malformed_because(format!("a text where the result should be: {said}"));
    }
    let empty = matches!(&message, UnstractMessage::List(list) if list.is_empty());
    let summary = FilesSummary::of(&message);
    let verdict = if verdict != Verdict::State(State::Succeeded) {
        verdict
    } else if message == UnstractMessage::Nothing || empty {
        Verdict::Expired
    } else if summary.counts.is_some_and(|counts| counts.failed > 0) {
        Verdict::State(State::Partial)
    } else {
        verdict
    };
    let failed = matches!(verdict, Verdict::State(State::Partial | State::Failed | State::Cancelled));
    Reading::answered(Answer {
        verdict,
        word,
        fail_reason: if failed { summary.reason } else { None },
        warning: summary.oddity,
        files: summary.counts,
        started_at: summary.started_at,
        finished_at: summary.finished_at.filter(|_| over),
        cost: cost::sum(summary.costs.iter().map(String::as_str)),
        title: summary.title.map(|first| names::titled(&first, summary.counts.map_or(1, |counts| counts.total))),
        has_payload: message.is_result(),
        ..Answer::default()
    })
}

/// What counts as an answer: 200, 406 and 422 with a `status`, any other code if `message` is a list. A `status`
/// that repeats the HTTP code of a refusal is a gateway's own envelope.
fn is_answer(object: &Object<'_>, message: &UnstractMessage<'_>, response: &Response) -> bool {
    let Some(status) = object.get("status") else {
        return match response.status {
            200 => object.has("message") && !matches!(message, UnstractMessage::Text(_)),
            406 | 422 => false,
            _ => message.names_files(),
        };
    };
    let repeats_the_code = text(status).is_some_and(|text| text == response.status.to_string());
    match (response.status, message) {
        (200, _) => true,
        // A loss is final, so a 406 that neither has a word of the service's nor says so is not taken for one.
        (406, UnstractMessage::Text(_)) if !has_known_word(object) => message.says_acknowledged(),
        (406 | 422, _) => !repeats_the_code,
        (_, UnstractMessage::List(_)) => true,
        // Accepted, still going: what the service is to answer instead of 422 some day.
        (201..=299, UnstractMessage::Nothing) => object.word().0.is_unfinished(),
        (_, UnstractMessage::Nothing | UnstractMessage::Text(_) | UnstractMessage::Other(_)) => false,
    }
}

fn has_known_word(object: &Object<'_>) -> bool {
    object.word().1.is_some_and(|word| State::from_service_word(&word).is_some())
}

/// What is under `message`.
#[derive(Debug, PartialEq, Eq)]
enum UnstractMessage<'a> {
    /// `null`, or no such field.
    Nothing,
    /// A sentence.
    Text(String),
    /// A list, as a result should be.
    List(Vec<&'a [u8]>),
    /// Anything else.
    Other(&'a [u8]),
}

impl<'a> UnstractMessage<'a> {
    fn of(object: &Object<'a>) -> Self {
        let Some(value) = object.get("message") else { return Self::Nothing };
        match scan::kind(value) {
            Some(ValueKind::Null) | None => Self::Nothing,
            Some(ValueKind::String) => Self::Text(capped(&scan::string(value).unwrap_or_default())),
            Some(ValueKind::Array) => {
                let elements = scan::elements(value).unwrap_or_default();
                Self::List(elements.into_iter().filter_map(|range| value.get(range)).collect())
            }
            Some(ValueKind::Object | ValueKind::Number | ValueKind::Bool) => Self::Other(value),
        }
    }

    /// Whether it holds something that must not be lost.
    fn is_result(&self) -> bool {
        match self {
            Self::List(list) => !list.is_empty(),
            Self::Other(value) => Object::parse(value).is_ok_and(|object| object.count() > 0),
            Self::Nothing | Self::Text(_) => false,
        }
    }

    fn says_acknowledged(&self) -> bool {
        match self {
            Self::Text(said) => said.to_lowercase().contains("acknowledged"),
            Self::Nothing | Self::List(_) | Self::Other(_) => false,
        }
    }

    fn names_files(&self) -> bool {
        let is_file = |value: &&[u8]| Object::parse(value).is_ok_and(|object| object.has("file"));
        match self {
            Self::List(list) => list.iter().any(is_file),
            Self::Nothing | Self::Text(_) | Self::Other(_) => false,
        }
    }
}

/// What a message comes to over all its files.
#[derive(Debug, Default)]
struct FilesSummary {
    counts: Option<FileCounts>,
    /// The first failed file's error, else the first error that is said at all.
    reason: Option<String>,
    /// What is in the place of files and is none, and what does not come here.
    oddity: Option<String>,
    /// When the first of its files was begun, by the service's clock.
    started_at: Option<Timestamp>,
    /// When the last of them was done; None where one does not say.
    finished_at: Option<Timestamp>,
    /// What each file cost.
    costs: Vec<String>,
    title: Option<String>,
}

impl FilesSummary {
    fn of(message: &UnstractMessage<'_>) -> Self {
        let list = match message {
            UnstractMessage::List(list) => list,
            UnstractMessage::Other(value) => {
                let oddity = Some("the result is no list of files".to_owned());
                return Self { reason: error_text(value), oddity, ..Self::default() };
            }
            UnstractMessage::Text(said) => {
                return Self { oddity: Some(said.clone()).filter(|said| !said.is_empty()), ..Self::default() };
            }
            UnstractMessage::Nothing => return Self::default(),
        };
        let mut counts = FileCounts::default();
        let (mut of_failed, mut of_any, mut strange, mut reviewed) = (None, None, 0_usize, 0);
        let (mut started, mut finished) = (Vec::new(), Vec::new());
        let (mut costs, mut title) = (Vec::new(), None);
        for value in list {
            let Ok(object) = Object::parse(value) else {
                strange += 1;
                of_any = of_any.or_else(|| text(value));
                continue;
            };
            let (failed, error) = outcome(&object);
            let (start, end) = times(&object);
            started.extend(start);
            finished.push(end);
            reviewed += u32::from(is_in_review(&object));
            costs.extend(cost_of(&object));
            title = title.or_else(|| Some(name(&object)).filter(|name| !name.is_empty()));
            counts.total = counts.total.saturating_add(1);
            counts.failed = counts.failed.saturating_add(u32::from(failed));
            if failed && of_failed.is_none() {
                of_failed = error;
            } else if of_any.is_none() {
                of_any = error;
            }
        }
        Self {
            counts: (counts.total > 0).then_some(counts),
            reason: of_failed.or(of_any),
            oddity: reply::joined(
                (strange > 0)
                    .then(|| format!("{strange} of {} entries of the result are no files", list.len()))
                    .into_iter()
                    .chain((reviewed > 0).then(|| in_review(reviewed, counts.total))),
            ),
            started_at: started.into_iter().min(),
            finished_at: finished.into_iter().collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max()),
            costs,
            title,
        }
    }
}
