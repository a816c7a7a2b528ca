//! How a command says that it could not do its work: one message that says what to do, and an exit code.

use crate::config::ConfigError;
use crate::engine::StartError;
use crate::engine::saved::StoreError;
use crate::exit::Trouble;
use crate::session::results::ExportError;

/// Why a command ended without its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of trouble it is.
    pub trouble: Trouble,
    /// What a person needs to know, one or more lines.
    pub message: String,
}

impl Failure {
    /// The user has to give something else: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { trouble: Trouble::Usage, message: message.into() }
    }

    /// The program or the machine failed: exit code 1.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { trouble: Trouble::Internal, message: message.into() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Self::internal(format!("{error}."))
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::internal(format!("failed to write to standard output: {error}. Make room there, or send it elsewhere."))
    }
}
