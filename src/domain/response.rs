//! A reply as it came off the wire: status, the headers that matter, and its bytes, whole or broken off.

use bytes::Bytes;
use jiff::Timestamp;

/// What came back for a request that was answered at all.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP code.
    pub status: u16,
    /// The headers that matter.
    pub headers: Headers,
    /// The body with its content decoding undone where that could be done, otherwise as received.
    pub body: Bytes,
    /// Why the body broke off; None if it came whole.
    pub broken: Option<String>,
    /// When the reply's head arrived, by our clock.
    pub at: Timestamp,
}

/// The reply headers that mean something to jobdeck, as sent. Foreign text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub retry_after: Option<String>,
    pub date: Option<String>,
    /// `Location`. May be signed: never logged or stored whole.
    pub location: Option<String>,
}

/// Why no reply came, or none that could be begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NoReply {
    /// Whether the request may have reached the service. False is certain.
    pub sent: bool,
    /// One sentence for a person; never the URL, never the token.
    pub reason: String,
}
