//! What is made of responses that somebody saved, without asking anybody: for `check --reply`.

use bytes::Bytes;
use jiff::Timestamp;

use crate::domain::observation::Role;
use crate::domain::provider::{BodySource, Fetch, Next, Payload};
use crate::domain::reading::{Reading, Verdict};
use crate::domain::response::{Headers, Response};
use crate::domain::service::Service;
use crate::providers;

/// What a saved response means.
#[derive(Debug)]
pub struct Explained {
    /// The id of the job that it was read for.
    pub id: String,
    /// What it says; of a job whose result is at another address, what it says once that is fetched.
    pub reading: Reading,
    /// The request for the result, if it is at another address.
    pub fetch: Option<Fetch>,
    /// What is in the response itself.
    pub payload: Payload,
    /// What decided, each step as a sentence. Foreign text in it is not sanitised.
    pub why: Vec<String>,
}

/// Reads a response to a status read of this job, else of the one that it names, else of some job of this service, which
/// came with this HTTP code.
pub fn response(service: &Service, id: Option<&str>, status: u16, body: Bytes) -> Explained {
    let named = providers::named_id(service, &body);
    let id = id.or(named.as_deref()).unwrap_or(service.provider.about().made_up_id);
    let response = saved(status, body);
    let (next, mut why) = providers::explain(service, id, &response);
    let (reading, fetch) = match next {
        Next::Done(reading) => (reading, None),
        Next::Fetch(fetch) => (fetch.status.clone(), Some(*fetch)),
    };
    if why.is_empty() {
        why = why_of(&reading, status);
    }
    let source = BodySource { role: Role::Status, http_status: status };
    let payload = providers::extract(&service.provider, &source, &response.body);
    Explained { id: id.to_owned(), reading, fetch, payload, why }
}

/// Reads a response to the request for the result to which the response to a status read of this job led.
pub fn result(service: &Service, (fetch, id): (&Fetch, &str), status: u16, body: Bytes) -> Explained {
    let response = saved(status, body);
    let (next, mut why) = providers::explain_fetched(service, id, fetch, &response);
    let reading = match next {
        Next::Done(reading) => reading,
        Next::Fetch(further) => {
            let roles = std::iter::once(&further.role).chain(further.then.iter().map(|(role, _)| role));
            let names: Vec<&str> = roles
                .filter_map(|role| match role {
                    Role::Also(name) => Some(name.as_str()),
                    Role::Status | Role::Result => None,
                })
                .collect();
            why.push(format!("then what is beside it is fetched: {}", names.join(", ")));
            further.status
        }
    };
    let source = BodySource { role: Role::Result, http_status: status };
    let payload = providers::extract(&service.provider, &source, &response.body);
    Explained { id: id.to_owned(), reading, fetch: None, payload, why }
}

fn saved(status: u16, body: Bytes) -> Response {
    Response { status, headers: Headers::default(), body, broken: None, at: Timestamp::now() }
}

/// What decided where a provider that is code read the response: it names no steps, its reading tells them.
fn why_of(reading: &Reading, status: u16) -> Vec<String> {
    let Some(answer) = &reading.answer else {
        return vec![format!("HTTP {status} is no answer about the job: {}", reading.read)];
    };
    let mut why = vec![match &answer.word {
        Some(word) => format!("HTTP {status} is an answer about the job, and its word is `{word}`"),
        None => format!("HTTP {status} is an answer about the job, without a word"),
    }];
    if let Some(files) = answer.files {
        why.push(format!("{} of {} files failed", files.failed, files.total));
    }
    why.push(match answer.verdict {
        Verdict::State(state) => format!("together that is {state}"),
        Verdict::NoWord => "that names no state: it stays as it was".to_owned(),
        Verdict::Acknowledged => "that says that the result was read before".to_owned(),
        Verdict::Expired => "that says that it is over, and no result is there any more: it has expired".to_owned(),
    });
    why
}
