//! How each service speaks, pure: a job to a request, a reply to a reading, a given text to an id.
//! Knows neither network nor store nor screen.

mod address;
mod cost;
pub mod described;
pub mod fields;
mod names;
mod page;
mod percent;
mod refusal;
mod reply;
pub mod submission;
mod unstract;

use bytes::Bytes;

use crate::domain::job::ProviderName;
use crate::domain::provider::{BodySource, Fetch, IdError, Next, Payload, ProviderRef};
use crate::domain::reading::Reading;
use crate::domain::response::{NoReply, Response};
use crate::domain::service::Service;
use crate::domain::state::PollOutcome;
use crate::json::scan::{self, ValueKind};

type Make = fn() -> ProviderRef;

/// The providers that are code, by the name of each. A new one is its own file and a line here.
const IN_CODE: &[(ProviderName, Make)] = &[(ProviderName::UNSTRACT, || ProviderRef::new(unstract::Unstract))];

/// What people call the services of the providers that are code, and the page of each.
pub const IN_CODE_TITLES: &[(ProviderName, &str, &str)] =
    &[(ProviderName::UNSTRACT, "Unstract deployments", "https://docs.unstract.com/unstract/")];

/// The names of all providers that jobdeck brings along, in the order of the manual.
pub fn names() -> Vec<ProviderName> {
    IN_CODE.iter().map(|(name, _)| *name).chain(described::shipped_names().map(ProviderName::new)).collect()
}

/// Whether a provider is code, so that no description may have its name.
pub fn in_code(name: ProviderName) -> bool {
    IN_CODE.iter().any(|(known, _)| *known == name)
}

/// A provider that jobdeck brings along.
pub fn by_name(name: ProviderName) -> Option<ProviderRef> {
    let in_code = IN_CODE.iter().find(|(known, _)| *known == name).map(|(_, make)| make());
    in_code.or_else(|| described::shipped(name).map(ProviderRef::new))
}

/// What the response to a job's status read means. One that broke off counts as whole if its bytes hold one complete
/// JSON document, and so does one behind whose document there is something else: both with a warning.
pub fn read(service: &Service, id: &str, response: &Response) -> Next {
    whole(response, |response| service.provider.read(service, id, response))
}

/// What the response to a further request of the same poll means, by the same rule.
pub fn fetched(service: &Service, id: &str, fetch: &Fetch, response: &Response) -> Next {
    whole(response, |response| service.provider.fetched(service, id, fetch, response))
}

/// What `read` answers, and what decided it: each step as a sentence, none where code decides.
pub fn explain(service: &Service, id: &str, response: &Response) -> (Next, Vec<String>) {
    let mut why = Vec::new();
    let next = whole(response, |response| {
        let (next, steps) = service.provider.explain(service, id, response);
        why = steps;
        next
    });
    (next, why)
}

/// What `fetched` answers, likewise.
pub fn explain_fetched(service: &Service, id: &str, fetch: &Fetch, response: &Response) -> (Next, Vec<String>) {
    let mut why = Vec::new();
    let next = whole(response, |response| {
        let (next, steps) = service.provider.explain_fetched(service, id, fetch, response);
        why = steps;
        next
    });
    (next, why)
}

/// The id of the job that a response to a status read names, if it names one.
pub fn named_id(service: &Service, body: &Bytes) -> Option<String> {
    service.provider.named_id(&document_in(body))
}

/// How a poll goes on without a further file; None where it was another response that did not come.
pub fn further_missed(fetch: &Fetch, why: &str) -> Option<Next> {
    described::further_missed(fetch, why)
}

/// How a poll ends where neither this file nor any behind it is asked for.
pub fn none_further(fetch: &Fetch, why: &str) -> Reading {
    described::none_further(fetch, why)
}

/// What is in a saved body, looked through once.
pub fn extract(provider: &ProviderRef, source: &BodySource, body: &Bytes) -> Payload {
    provider.extract(source, &document_in(body))
}

/// The provider of a description that was kept with a job.
pub fn from_description(name: ProviderName, text: &str) -> Option<ProviderRef> {
    described::from_text(name, text, &described::Shipped, described::KnownSecrets::Any).ok().map(ProviderRef::new)
}

/// What a request without a reply comes to.
pub fn read_nothing(no_reply: &NoReply) -> Reading {
    Reading::refused(PollOutcome::Unreachable, no_reply.reason.clone())
}

/// The id in a text of the jobs file: an id as it is, or a URL or path as the service returned it, which must be
/// of this very service.
pub fn id_from(service: &Service, text: &str) -> Result<String, IdError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(IdError::new("this id is empty", "write the id that the service returned"));
    }
    service.provider.id_from(service, text)
}

fn whole(response: &Response, mut read: impl FnMut(&Response) -> Next) -> Next {
    let document = document_in(&response.body);
    let has_rest = document.len() < response.body.len();
    let cut_off = |why: &String| Next::Done(Reading::refused(PollOutcome::Unreachable, reply::capped(why)));
    if let Some(why) = &response.broken
        && !has_rest
        && !holds_a_document(&response.body)
    {
        return cut_off(why);
    }
    if response.broken.is_none() && !has_rest {
        return read(response);
    }
    let next = read(&Response { body: document, ..response.clone() });
    if has_rest && !is_answered(&next) {
        return response.broken.as_ref().map_or_else(|| read(response), cut_off);
    }
    let cut = response.broken.as_ref();
    let cut = cut.map(|why| format!("the response broke off, bytes may be missing at its end ({why})"));
    let rest = has_rest.then(|| "something else stands behind the response's JSON".to_owned());
    match reply::joined(cut.into_iter().chain(rest)) {
        Some(warning) => warned(next, &warning),
        None => next,
    }
}

fn is_answered(next: &Next) -> bool {
    match next {
        Next::Done(reading) => reading.read == PollOutcome::Answered,
        Next::Fetch(_) => true,
    }
}

fn warned(next: Next, warning: &str) -> Next {
    let warn = |reading| reply::warned(reading, [warning.to_owned()]);
    match next {
        Next::Done(reading) => Next::Done(warn(reading)),
        Next::Fetch(fetch) => Next::Fetch(Box::new(Fetch { status: warn(fetch.status.clone()), ..*fetch })),
    }
}

/// The object with which a body begins and behind which there is something that is no JSON (a NUL, a remark); else the
/// body. Two objects in a row are none: nobody knows which of them is meant. What ends as an object does is not looked
/// through for it: that would be to read every body twice.
fn document_in(body: &Bytes) -> Bytes {
    let ends_well = body.trim_ascii_end().last() == Some(&b'}');
    let leading = if ends_well { None } else { scan::leading_object(body) };
    leading.map_or_else(|| body.clone(), |range| body.slice(range))
}

/// Whether a text is one complete document: of a bare number nobody knows where it would have ended.
fn holds_a_document(text: &[u8]) -> bool {
    let range = scan::document(text).ok();
    let kind = range.and_then(|range| scan::kind(text.get(range)?));
    kind.is_some_and(|kind| kind != ValueKind::Number)
}

#[cfg(test)]
mod tests;
