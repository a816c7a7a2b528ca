//! How each service speaks, pure: a job to a request, a reply to a reading, a given text to an id.
//! Knows neither network nor store nor screen.

mod address;
mod optexity;
mod page;
mod refusal;
mod reply;
mod unstract;
mod vessl;

use std::borrow::Cow;

use url::Url;

use crate::domain::files::FileResult;
use crate::domain::job::{JobKey, Provider};
use crate::domain::reading::Reading;
use crate::domain::reply::{NoReply, Reply};
use crate::domain::request::Request;
use crate::domain::service::Service;
use crate::domain::state::Read;
use crate::json::scan::{self, Kind};

/// The query keys that a request carries besides those of the service's base URL: they are no secrets.
pub const OWN_QUERY: &[&str] = &["execution_id", "include_metadata", "include_metrics", "include_extracted_text"];

/// Why a text is no id of a service's job. Says what to do instead, and holds nothing of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(pub String);

/// The endpoint under which a service's jobs are kept. VESSL: its base_url without query, trailing slash, default
/// port and user info, scheme and host in lower case. Optexity and Unstract: scheme, host and port.
pub fn endpoint(provider: Provider, base: &Url) -> String {
    address::endpoint(provider, base)
}

/// The status read of a job. The id stays one segment of a path, or one value of a query, whatever it holds.
pub fn request(service: &Service, id: &str) -> Request {
    match service.provider {
        Provider::Vessl => vessl::request(service, id),
        Provider::Optexity => optexity::request(service, id),
        Provider::Unstract => unstract::request(service, id),
    }
}

/// What a reply said about the job. One that broke off counts as whole if its bytes hold one complete JSON document.
pub fn read(key: &JobKey, reply: &Reply) -> Reading {
    if let Some(why) = &reply.broken
        && !holds_a_document(&reply.body)
    {
        return Reading::refused(Read::Unreachable, reply::capped(why));
    }
    let mut reading = match key.provider {
        Provider::Vessl => vessl::read(&key.endpoint, &key.id, reply),
        Provider::Optexity => optexity::read(&key.endpoint, &key.id, reply),
        Provider::Unstract => unstract::read(&key.endpoint, &key.id, reply),
    };
    if let (Some(why), Some(answer)) = (&reply.broken, &mut reading.answer) {
        let cut = format!("the reply broke off, bytes may be missing at its end ({why})");
        answer.warning = reply::joined(answer.warning.take().into_iter().chain([cut]));
    }
    reading
}

/// What a request without a reply comes to.
pub fn read_nothing(no_reply: &NoReply) -> Reading {
    Reading::refused(Read::Unreachable, no_reply.reason.clone())
}

/// The id in a text of the jobs file: an id as it is, or a URL or path as the service returned it, which must be
/// of this very service.
pub fn id_from(service: &Service, text: &str) -> Result<String, IdError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(IdError("this id is empty; write the id that the service returned".to_owned()));
    }
    match service.provider {
        Provider::Vessl => vessl::id_from(service, text),
        Provider::Optexity => optexity::id_from(service, text),
        Provider::Unstract => unstract::id_from(service, text),
    }
}

/// The raw output in a saved body, byte for byte: VESSL the string in `raw_output`, Optexity the string in `result`
/// (their JSON text if they are no strings), Unstract the JSON text of `message`. None if there is none. Lone
/// surrogates come out as U+FFFD, bytes that are no UTF-8 as they are.
pub fn raw_output(provider: Provider, body: &[u8]) -> Option<Cow<'_, [u8]>> {
    match provider {
        Provider::Vessl => vessl::raw_output(body),
        Provider::Optexity => optexity::raw_output(body),
        Provider::Unstract => unstract::raw_output(body),
    }
}

/// The decoded output in a saved body as JSON text: VESSL `output` (`null` is one), Optexity `result` (decoded if it
/// is a string that is JSON), Unstract an object of file name to `result`. None if there is none.
pub fn output(provider: Provider, body: &[u8]) -> Option<Cow<'_, [u8]>> {
    match provider {
        Provider::Vessl => vessl::output(body),
        Provider::Optexity => optexity::output(body),
        Provider::Unstract => unstract::output(body),
    }
}

/// The files of a saved Unstract body, in its order. Empty for the other providers.
pub fn files(provider: Provider, body: &[u8]) -> Vec<FileResult> {
    match provider {
        Provider::Vessl | Provider::Optexity => Vec::new(),
        Provider::Unstract => unstract::files(body),
    }
}

/// Whether a text is one complete document: of a bare number nobody knows where it would have ended.
fn holds_a_document(text: &[u8]) -> bool {
    let range = scan::document(text).ok();
    let kind = range.and_then(|range| scan::kind(text.get(range)?));
    kind.is_some_and(|kind| kind != Kind::Number)
}
