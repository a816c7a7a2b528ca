//! Where a service's jobs are asked about: endpoints, URLs made from a base, and ids read back out of URLs.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::domain::provider::IdError;

/// What does not stand for itself in a path segment or a query value: all but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Scheme, host and, unless it is the scheme's own, port.
pub fn origin(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// A text as one segment of a path.
pub fn segment(text: &str) -> Cow<'_, str> {
    match text {
        // A URL cannot hold these two as segments, however they are written: whoever reads it resolves them. Encoded
        // twice they stay one segment, of a job that does not exist, and never climb.
        "." => Cow::Borrowed("%252E"),
        ".." => Cow::Borrowed("%252E%252E"),
        _ => Cow::from(utf8_percent_encode(text, RESERVED)),
    }
}

/// The base with a path of ours behind its own, its query kept.
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_fragment(None);
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// Adds query pairs of ours behind the query of the base, in which their keys are left out.
pub fn add_query(url: &mut Url, pairs: &[(&str, &str)]) {
    let is_ours = |key: &str| pairs.iter().any(|(ours, _)| *ours == key);
    let given = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let foreign = given.filter(|pair| {
        let mut parsed = url::form_urlencoded::parse(pair.as_bytes());
        !parsed.next().is_some_and(|(key, _)| is_ours(&key))
    });
    let ours = pairs.iter().map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, RESERVED)));
    let query: Vec<String> = foreign.map(str::to_owned).chain(ours).collect();
    url.set_query(Some(&query.join("&")));
}

/// A text of the jobs file that names a job by its address: of this service's host, and nothing but an address.
/// None if the text is an id: of a hundred thousand of those no base is made.
pub fn named_by_address(base: impl FnOnce() -> Url, text: &str) -> Result<Option<Url>, IdError> {
    if !text.contains("://") && !text.starts_with('/') {
        return Ok(None);
    }
    let base = &base();
    let url = if text.contains("://") {
        Url::parse(text)
    } else if text.starts_with("//") {
        return Err(IdError::new("this id is an address without `https:`", "give it whole, or the id alone"));
    } else {
        base.join(text)
    };
    let Ok(url) = url else {
        return Err(IdError::new("this id is an address that cannot be read", "give the id alone"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(IdError::new("this id is an address with a user name or password", "give the id alone"));
    }
    if !same_host(base, &url) {
        return Err(IdError::new(
            "this id is an address of another host than its service's",
            "name the service that it belongs to, or give the id alone",
        ));
    }
    Ok(Some(url))
}

/// Whether two addresses are of one host. That one says http and the other https does not matter where both use the
/// port of their scheme: services behind a proxy often get their own scheme wrong.
pub fn same_host(one: &Url, other: &Url) -> bool {
    let web = |url: &Url| matches!(url.scheme(), "http" | "https");
    let ports = one.port_or_known_default() == other.port_or_known_default()
        || (one.port().is_none() && other.port().is_none());
    web(one) && web(other) && one.host_str() == other.host_str() && ports
}

/// A path segment or query value as it was meant.
pub fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The value of a query key, the last where there are several.
pub fn query_value(url: &Url, wanted: &str) -> Option<String> {
    let values = url.query_pairs().filter(|(key, value)| key == wanted && !value.trim().is_empty());
    values.last().map(|(_, value)| value.trim().to_owned())
}
