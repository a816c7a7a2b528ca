//! How a command says that it could not do its work: what failed, what to do about it, and of which kind it is.

use std::fmt;

use crate::config::ConfigError;
use crate::domain::units::UnitError;
use crate::engine::StartError;
use crate::engine::saved::StoreError;
use crate::exit::FailureKind;
use crate::session::error::SessionError;
use crate::session::results::ExportError;

/// Why a command ended without its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What its exit code follows from.
    pub kind: FailureKind,
    /// What failed: one or more lines without a full stop.
    pub what: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
}

impl Failure {
    /// The user has to give something else.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { kind: FailureKind::Usage, what: what.into(), help: None }
    }

    /// The program or the machine failed.
    pub fn internal(what: impl Into<String>) -> Self {
        Self { kind: FailureKind::Internal, what: what.into(), help: None }
    }

    /// The same with what to do about it.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// No thread can be started.
    pub fn no_thread(error: std::io::Error) -> Self {
        Self::internal(format!("failed to start a thread: {error}")).help("end some programs, then try again")
    }
}

/// One line where that is possible.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.help {
            Some(help) if self.what.contains('\n') => write!(f, "\n{help}"),
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with the value of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    #[error("it {why}: {}", why.help())]
    Duration {
        /// Why it is none.
        #[from]
        why: UnitError,
    },
    #[error("a number above zero is needed, such as 1 or 10")]
    Speed,
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let kind = match &error {
            SessionError::Config(_)
            | SessionError::Commands(_)
            | SessionError::Filter { .. }
            | SessionError::NoMatch { .. } => FailureKind::Usage,
            SessionError::NoHome
            | SessionError::LongPath { .. }
            | SessionError::Unreadable { .. }
            | SessionError::Store(_)
            | SessionError::Start(_) => FailureKind::Internal,
        };
        Self { kind, what: error.to_string(), help: error.help().map(str::to_owned) }
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
        Self::internal(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::internal(format!("failed to write to standard output: {error}"))
            .help("make room there, or send it elsewhere")
    }
}
