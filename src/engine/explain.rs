//! What is made of a response that somebody saved, without asking anybody: for `check --reply`.

use bytes::Bytes;
use jiff::Timestamp;

use crate::domain::provider::{Fetch, Next, Part, Payload};
use crate::domain::reading::Reading;
use crate::domain::response::{Headers, Response};
use crate::domain::service::Service;
use crate::providers;

/// What a saved response means.
#[derive(Debug)]
pub struct Explained {
    /// What it says; of a job whose result is at another address, what it says once that is fetched.
    pub reading: Reading,
    /// The request for the result, if it is at another address.
    pub fetch: Option<Fetch>,
    /// What is in the response itself.
    pub payload: Payload,
    /// What decided, each step as a sentence. Foreign text in it is not sanitised.
    pub why: Vec<String>,
}

/// Reads a response to a status read of some job of this service, which came with this HTTP code.
pub fn response(service: &Service, status: u16, body: Bytes) -> Explained {
    let id = service.provider.about().made_up_id;
    let response = Response { status, headers: Headers::default(), body, broken: None, at: Timestamp::now() };
    let next = providers::read(service, id, &response);
    let (_, why) = service.provider.explain(service, id, &response);
    let (reading, fetch) = match next {
        Next::Done(reading) => (reading, None),
        Next::Fetch(fetch) => (fetch.status.clone(), Some(*fetch)),
    };
    let payload = providers::extract(&service.provider, &Part::Status, &response.body);
    Explained { reading, fetch, payload, why }
}
