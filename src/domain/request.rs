//! A request as a provider makes it, and the curl line that shows it to a person. The token is not in it.

use url::Url;

use super::secret::TokenSource;

/// The HTTP methods that providers use. Never HEAD: Unstract deletes a result on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
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

/// The header that carries the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer <token>`.
    Bearer,
    /// `x-api-key: <token>`.
    ApiKey,
}

/// One request, everything but the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// Where to. Its query may hold a gateway's key.
    pub url: Url,
    /// How the token goes with it.
    pub auth: Auth,
    /// A JSON body.
    pub body: Option<String>,
    /// Whether the reply may be the only one: HTTP/1.1, identity encoding, never cancelled.
    pub one_shot: bool,
    /// The query keys that jobdeck itself put there: what they are set to may be shown.
    pub own_query: &'static [&'static str],
}

impl Request {
    /// The request as a curl command for a POSIX shell: the token is a variable, the base_url's own query is masked.
    pub fn curl(&self, token: &TokenSource) -> String {
        let mut url = self.url.clone();
        let pairs: Vec<(String, String)> = self
            .url
            .query_pairs()
            .map(|(key, value)| {
                let shown = if self.own_query.contains(&key.as_ref()) { value.into_owned() } else { "***".to_owned() };
                (key.into_owned(), shown)
            })
            .collect();
        url.set_query(None);
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(&pairs);
        }
        let variable = token.shell_variable();
        let header = match self.auth {
            Auth::Bearer => format!("\"Authorization: Bearer {variable}\""),
            Auth::ApiKey => format!("\"x-api-key: {variable}\""),
        };
        let mut line = format!("curl -sS -X {} -H {header}", self.method.as_str());
        if let Some(body) = &self.body {
            line.push_str(" -H 'Content-Type: application/json' --data ");
            line.push_str(&quoted(body));
        }
        line.push(' ');
        line.push_str(&quoted(url.as_str()));
        line
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
            auth: Auth::ApiKey,
            body: Some(r#"{"task_id":"it's"}"#.to_owned()),
            one_shot: false,
            own_query: &["execution_id"],
        };
        let line = request.curl(&TokenSource::Env("OPTEXITY_API_KEY".to_owned()));
        assert_eq!(
            line,
            "curl -sS -X POST -H \"x-api-key: $OPTEXITY_API_KEY\" -H 'Content-Type: application/json' \
             --data '{\"task_id\":\"it'\\''s\"}' 'https://host/api?key=***&execution_id=7'"
        );
    }
}
