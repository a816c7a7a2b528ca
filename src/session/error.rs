//! What keeps a session from beginning: what failed, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::app::keys::own_keys::CommandConflict;
use crate::config::ConfigError;
use crate::domain::clean::Clean;
use crate::domain::filter::FilterError;
use crate::engine::StartError;
use crate::engine::saved::StoreError;

/// Why the jobs, the store or the user's settings are not to be worked with.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The default state directory is below the home directory.
    #[error("failed to find the home directory")]
    NoHome,
    #[error("the path of the state directory is too long: {length} bytes, and a database takes {most}")]
    LongPath {
        /// Bytes of the absolute path.
        length: usize,
        /// Bytes that it may have.
        most: usize,
    },
    #[error("failed to open the state directory {}: {error}", .dir.display())]
    Unreadable { dir: PathBuf, error: io::Error },
    /// The store did not open, or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The jobs file or config.toml is missing or not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Commands(Vec<CommandConflict>),
    #[error("the filter was not understood: {error}\n{}", indented(&.error.excerpt(.text)))]
    Filter {
        /// As it was given.
        text: String,
        error: FilterError,
    },
    #[error("the filter `{filter}` matches none of {all} jobs")]
    NoMatch {
        /// As it was given.
        filter: Clean,
        /// How many jobs there are.
        all: usize,
    },
}

impl SessionError {
    /// What to do about it, where the error does not say so itself.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::NoHome => Some("set HOME, or name a directory with --state-dir"),
            Self::LongPath { .. } => Some("use a shorter --state-dir, or a link to it"),
            Self::Unreadable { .. } => Some("see to it, or use another --state-dir"),
            Self::NoMatch { .. } => Some("`jobdeck status` lists them"),
            Self::Store(_) | Self::Config(_) | Self::Start(_) | Self::Commands(_) | Self::Filter { .. } => None,
        }
    }
}

fn indented(excerpt: &str) -> String {
    excerpt.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
