//! A request as a provider makes it, and the curl line that shows it to a person. The token is not in it.

use std::fmt;

use url::Url;

use super::secret::TokenSource;

/// The HTTP methods that providers use. Never HEAD: Unstract deletes a result on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

impl Method {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A header of a request, its secrets left as places for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    /// What it consists of, one piece after the other.
    pub value: Vec<HeaderPart>,
}

/// A piece of a header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderPart {
    /// Literal text.
    Text(String),
    Token,
    /// A further secret of the service, by its name.
    Secret(String),
}

impl Header {
    /// `Authorization: Bearer <token>`.
    pub fn bearer() -> Self {
        let value = vec![HeaderPart::Text("Bearer ".to_owned()), HeaderPart::Token];
        Self { name: "Authorization".to_owned(), value }
    }

    /// The token alone under a name.
    pub fn key(name: &str) -> Self {
        Self { name: name.to_owned(), value: vec![HeaderPart::Token] }
    }

    /// Whether a secret has a place in it.
    pub fn is_secret(&self) -> bool {
        self.value.iter().any(|part| !matches!(part, HeaderPart::Text(_)))
    }
}

/// One request, everything but the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// Where to. Its query may hold a gateway's key.
    pub url: Url,
    /// Its headers; one that takes the token along is among them.
    pub headers: Vec<Header>,
    pub body: Option<String>,
    /// Whether the reply may be the only one: HTTP/1.1, identity encoding, never cancelled.
    pub one_shot: bool,
    /// The query keys that jobdeck itself put there: what they are set to may be shown.
    pub own_query: Vec<String>,
    /// The host whose response named this URL, if it is of another origin: none of its names is asked where it stands
    /// for a private, link-local or loopback address, unless that host's own name does.
    pub named_by: Option<String>,
}

/// A URL whose query, which may be a gateway's key or a signature, is masked.
pub fn masked(url: &Url) -> Url {
    let mut masked = url.clone();
    masked.set_query(url.query().map(|_| "***"));
    masked
}

/// Without its query and its body.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &masked(&self.url).as_str())
            .field("headers", &self.headers)
            .field("one_shot", &self.one_shot)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// The request as a curl command for a POSIX shell: the token is a variable, the base_url's own query is masked.
    pub fn curl(&self, token: &TokenSource) -> String {
        let mut url = self.url.clone();
        let pairs: Vec<(String, String)> = self
            .url
            .query_pairs()
            .map(|(key, value)| {
                let shown =
                    if self.own_query.iter().any(|own| *own == key) { value.into_owned() } else { "***".to_owned() };
                (key.into_owned(), shown)
            })
            .collect();
        url.set_query(None);
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(&pairs);
        }
        let mut line = format!("curl -sS -X {}", self.method.as_str());
        for header in &self.headers {
            line.push_str(" -H ");
            line.push_str(&header_word(header, token));
        }
        if let Some(body) = &self.body {
            line.push_str(" -H 'Content-Type: application/json' --data ");
            line.push_str(&quoted(body));
        }
        line.push(' ');
        line.push_str(&quoted(url.as_str()));
        line
    }
}

/// A header as one word of a POSIX shell. A secret is a variable, which needs double quotes.
fn header_word(header: &Header, token: &TokenSource) -> String {
    let literal = |text: &str| {
        let special = |c: char| if matches!(c, '"' | '\\' | '$' | '`') { format!("\\{c}") } else { c.to_string() };
        text.chars().map(special).collect::<String>()
    };
    let part = |part: &HeaderPart| match part {
        HeaderPart::Text(text) => literal(text),
        HeaderPart::Token => token.shell_variable(),
        HeaderPart::Secret(name) => {
            let name = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
            format!("$JOBDECK_{}", name.collect::<String>())
        }
    };
    let value: String = header.value.iter().map(part).collect();
    if header.is_secret() {
        format!("\"{}: {value}\"", literal(&header.name))
    } else {
        quoted(&format!("{}: {value}", header.name))
    }
}

/// Text in single quotes for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curl_line_names_the_key_as_a_variable_and_masks_the_query_of_the_base_url() {
        let request = Request {
            method: Method::Post,
            url: Url::parse("https://host/api?key=s3cret&execution_id=7").unwrap(),
            headers: vec![Header::key("x-api-key")],
            body: Some(r#"{"task_id":"it's"}"#.to_owned()),
            one_shot: false,
            own_query: vec!["execution_id".to_owned()],
            named_by: None,
        };
        let debugged = format!("{request:?}");
        assert!(debugged.contains("https://host/api?***") && !debugged.contains("s3cret"), "{debugged}");
        let line = request.curl(&TokenSource::Env("OPTEXITY_API_KEY".to_owned()));
        assert_eq!(
            line,
            "curl -sS -X POST -H \"x-api-key: $OPTEXITY_API_KEY\" -H 'Content-Type: application/json' \
             --data '{\"task_id\":\"it'\\''s\"}' 'https://host/api?key=***&execution_id=7'"
        );
    }
}
