//! A service's token: where it comes from, and the redacting type that carries it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use secrecy::{ExposeSecret, SecretString};

use super::spelling;

/// Where a token comes from. Never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// An environment variable.
    Env(String),
    /// A file, `~` already expanded.
    File(PathBuf),
    /// A program and its arguments, run without a shell.
    Command(Vec<String>),
}

impl TokenSource {
    /// Whether asking again can bring another token while we run.
    pub fn can_change(&self) -> bool {
        match self {
            Self::Env(_) => false,
            Self::File(_) | Self::Command(_) => true,
        }
    }

    /// The name of a shell variable that stands for the token where a command is shown to the user.
    pub fn shell_variable(&self) -> String {
        match self {
            Self::Env(name) => format!("${name}"),
            Self::File(_) | Self::Command(_) => "$JOBDECK_TOKEN".to_owned(),
        }
    }
}

/// A token. Its `Debug` is redacted; equality is of the secret itself. Clones share it: every poll holds some.
#[derive(Clone)]
pub struct Token(Arc<TokenAndSecrets>);

struct TokenAndSecrets {
    token: SecretString,
    further: Vec<(String, SecretString)>,
    /// How a response may write them. Made when it is first asked for, not at each poll.
    spellings: OnceLock<Vec<Vec<u8>>>,
}

impl Token {
    /// A token of the trimmed text; None if nothing is left, or if it cannot stand in an HTTP header.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.bytes().all(|byte| byte >= 0x20 && byte != 0x7f);
        fits.then(|| Self::of(SecretString::from(text.to_owned()), Vec::new()))
    }

    fn of(token: SecretString, further: Vec<(String, SecretString)>) -> Self {
        Self(Arc::new(TokenAndSecrets { token, further, spellings: OnceLock::new() }))
    }

    /// The secret, for the wire and for masking replies that echo it. Nothing else may call this.
    pub fn expose(&self) -> &str {
        self.0.token.expose_secret()
    }

    /// Together with a further secret of the same service.
    pub fn with(&self, name: &str, secret: &Self) -> Self {
        let mut further = self.0.further.clone();
        further.push((name.to_owned(), secret.0.token.clone()));
        Self::of(self.0.token.clone(), further)
    }

    /// Whether there is a further secret of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.further.iter().any(|(known, _)| known == name)
    }

    /// A further secret by its name; by the same rule.
    pub fn expose_further(&self, name: &str) -> Option<&str> {
        self.0.further.iter().find(|(known, _)| known == name).map(|(_, secret)| secret.expose_secret())
    }

    /// The token and every further secret; by the same rule.
    pub fn expose_all(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.expose()).chain(self.0.further.iter().map(|(_, secret)| secret.expose_secret()))
    }

    /// The token and every further secret in all the ways in which a response may write them, longest first.
    pub fn spellings(&self) -> &[Vec<u8>] {
        self.0.spellings.get_or_init(|| spelling::of_all(self.expose_all()))
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose_all().eq(other.expose_all())
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}
