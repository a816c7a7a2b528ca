//! How each service speaks, pure: a job to a request, a reply to a reading, a given text to an id.
//! Knows neither network nor store nor screen.

use std::borrow::Cow;

use url::Url;

use crate::domain::files::FileResult;
use crate::domain::job::{JobKey, Provider};
use crate::domain::reading::Reading;
use crate::domain::reply::{NoReply, Reply};
use crate::domain::request::Request;
use crate::domain::service::Service;

/// The query keys that a request carries besides those of the service's base URL: they are no secrets.
pub const OWN_QUERY: &[&str] = &["execution_id", "include_metadata", "include_metrics", "include_extracted_text"];

/// Why a text is no id of a service's job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(pub String);

/// The endpoint under which a service's jobs are kept. VESSL: its base_url without query, trailing slash, default
/// port and user info, scheme and host in lower case. Optexity and Unstract: scheme, host and port.
pub fn endpoint(provider: Provider, base: &Url) -> String {
    let _ = (provider, base);
    String::new()
}

/// The status read of a job.
pub fn request(service: &Service, id: &str) -> Request {
    let _ = (service, id);
    unimplemented!()
}

/// What a reply said about the job.
pub fn read(key: &JobKey, reply: &Reply) -> Reading {
    let _ = (key, reply);
    unimplemented!()
}

/// What a request without a reply comes to.
pub fn read_nothing(no_reply: &NoReply) -> Reading {
    Reading::refused(crate::domain::state::Read::Unreachable, no_reply.reason.clone())
}

/// The id in a text of the jobs file: an id as it is, or a URL or path as the service returned it, which must be
/// of this very service.
pub fn id_from(service: &Service, text: &str) -> Result<String, IdError> {
    let _ = (service, text);
    unimplemented!()
}

/// The raw output in a saved body, byte for byte: VESSL the string in `raw_output`, Optexity the string in `result`
/// (its JSON text if it is no string), Unstract the JSON text of `message`. None if there is none.
pub fn raw_output(provider: Provider, body: &[u8]) -> Option<Cow<'_, [u8]>> {
    let _ = (provider, body);
    None
}

/// The decoded output in a saved body as JSON text: VESSL `output`, Optexity `result` (decoded if it is a string that
/// is JSON), Unstract an object of file name to `result`. None if there is none.
pub fn output(provider: Provider, body: &[u8]) -> Option<Cow<'_, [u8]>> {
    let _ = (provider, body);
    None
}

/// The files of a saved Unstract body, in its order. Empty for the other providers.
pub fn files(provider: Provider, body: &[u8]) -> Vec<FileResult> {
    let _ = (provider, body);
    Vec::new()
}
