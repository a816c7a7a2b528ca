//! Our own token, should a reply echo it, is masked before anything else sees the reply.

use bytes::Bytes;
use memchr::memmem;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::reply::Headers;
use crate::domain::secret::Token;

/// A shorter token is no secret that could be told from ordinary text: masking it would damage results.
const SHORTEST: usize = 6;

/// The bytes with every spelling of the token overwritten by asterisks, length kept; None if it is not in them.
pub fn bytes(body: &Bytes, token: &Token) -> Option<Bytes> {
    let mut masked: Option<Vec<u8>> = None;
    for spelling in spellings(token) {
        let finder = memmem::Finder::new(&spelling);
        let found: Vec<usize> = finder.find_iter(masked.as_deref().unwrap_or(body)).collect();
        for start in found {
            let bytes = masked.get_or_insert_with(|| body.to_vec());
            if let Some(echo) = bytes.get_mut(start..start + spelling.len()) {
                echo.fill(b'*');
            }
        }
    }
    masked.map(Bytes::from)
}

/// The headers likewise.
pub fn headers(headers: Headers, token: &Token) -> Headers {
    let clean = |text: Option<String>| {
        text.map(|text| match bytes(&Bytes::from(text.clone()), token) {
            Some(masked) => String::from_utf8_lossy(&masked).into_owned(),
            None => text,
        })
    };
    Headers {
        content_type: clean(headers.content_type),
        content_encoding: clean(headers.content_encoding),
        retry_after: clean(headers.retry_after),
        date: clean(headers.date),
        location: clean(headers.location),
    }
}

/// As it is, and as JSON, HTML and URLs would spell it.
fn spellings(token: &Token) -> Vec<Vec<u8>> {
    let plain = token.expose();
    if plain.len() < SHORTEST {
        return Vec::new();
    }
    let json = serde_json::to_string(plain).unwrap_or_default();
    let mut spellings = vec![
        plain.to_owned(),
        json.trim_matches('"').to_owned(),
        json.trim_matches('"').replace('/', "\\/"),
        plain
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#x27;"),
        utf8_percent_encode(plain, NON_ALPHANUMERIC).to_string(),
    ];
    spellings.dedup();
    spellings.into_iter().filter(|spelling| !spelling.is_empty()).map(String::into_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_echo_of_our_token_is_masked_and_nothing_else() {
        let token = Token::new("s3cr/et\"key").unwrap();
        let cases: [(&str, Option<&str>); 5] = [
            ("no echo s3cr/et", None),
            ("a s3cr/et\"key b s3cr/et\"key", Some("a *********** b ***********")),
            (r#"{"k":"s3cr/et\"key"}"#, Some(r#"{"k":"************"}"#)),
            (r#"{"k":"s3cr\/et\"key"}"#, Some(r#"{"k":"*************"}"#)),
            ("s3cr%2Fet%22key", Some("***************")),
        ];
        for (body, masked) in cases {
            let result = bytes(&Bytes::from(body), &token);
            assert_eq!(result.as_deref(), masked.map(str::as_bytes), "{body}");
        }
    }

    #[test]
    fn a_token_too_short_to_be_a_secret_masks_nothing() {
        assert_eq!(bytes(&Bytes::from("demo demo"), &Token::new("demo").unwrap()), None);
    }
}
