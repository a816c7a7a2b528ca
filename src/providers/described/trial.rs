//! A description that somebody made up, tried on a response that somebody made up: for the fuzz target.

use std::time::Duration;

use bytes::Bytes;

use super::{KnownSecrets, Shipped, from_text};
use crate::domain::job::ProviderName;
use crate::domain::observation::Role;
use crate::domain::provider::{BodySource, Next, Provider as _, ProviderRef};
use crate::domain::response::{Headers, Response};
use crate::domain::secret::TokenSource;
use crate::domain::service::{Include, Pace, Service};
use crate::providers::address;

/// Reads the text as a description and, if it is one, the response by it. Answers whether no secret would go to another
/// origin than that of the status URL.
pub fn described_by(text: &str, status: u16, body: &Bytes) -> bool {
    let Ok(described) = from_text(ProviderName::new("trial"), text, &Shipped, KnownSecrets::Named(&[])) else {
        return true;
    };
    let settings = described.settings().iter().cloned().collect();
    let Some((base, _)) = described.addresses(&settings) else { return true };
    let service = Service {
        name: "trial".into(),
        endpoint: described.endpoint(&base, &settings).into(),
        provider: ProviderRef::new(described.clone()),
        base,
        settings,
        token: TokenSource::Env("TOKEN".to_owned()),
        secrets: Vec::new(),
        pace: Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(60) },
        in_flight: None,
        rate: None,
        include: Include::default(),
        alert_after: None,
        fields: Default::default(),
    };
    let response = Response {
        status,
        headers: Headers::default(),
        body: body.clone(),
        broken: None,
        at: jiff::Timestamp::UNIX_EPOCH,
    };
    let home = address::origin(&described.request(&service, "x").url);
    let _ = [Role::Status, Role::Result].map(|role| described.extract(&BodySource { role, http_status: status }, body));
    match described.read(&service, "x", &response) {
        Next::Done(_) => true,
        Next::Fetch(fetch) => {
            let _ = described.fetched(&service, "x", &fetch, &response);
            let mut requests = std::iter::once(&fetch.request).chain(fetch.then.iter().map(|(_, request)| request));
            requests.all(|request| {
                let holds_secret = request.headers.iter().any(|header| header.is_secret());
                !holds_secret || address::origin(&request.url) == home
            })
        }
    }
}
