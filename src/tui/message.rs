//! What can happen to the loop besides facts and log lines.

use std::path::PathBuf;
use std::sync::Arc;

use super::effects::clipboard;
use super::effects::error::EffectError;
use super::own_commands::CommandRuns;
use crate::app::effect::CopyName;
use crate::app::event::Event;
use crate::domain::command::UserCommand;
use crate::exit::Signal;
use crate::run::batch::Finished;

#[derive(Debug)]
pub enum Message {
    Event(Event),
    /// A signal that ends us.
    Signal(Signal),
    /// The terminal is gone, or cannot be used any more; the reason.
    HangUp(String),
    /// The terminal may have another size.
    Resized,
    /// SIGTSTP, or something to read while another program has the terminal.
    Stop,
    Continued,
    /// A copy ended, perhaps with something to send to the terminal.
    Copied {
        /// What was copied, in words.
        of: CopyName,
        outcome: clipboard::CopyOutcome,
    },
    /// A run of a command of the user's own is over.
    CommandEnded {
        command: Arc<UserCommand>,
        finished: Box<Finished>,
    },
    /// All runs of a command are over.
    CommandsEnded {
        command: Arc<UserCommand>,
        /// What they printed, for the pager; empty in other modes.
        page: Vec<u8>,
        ended: CommandRuns,
    },
    /// The pager can show this file.
    PagerReady(PathBuf),
    /// The pager has ended, or could not be shown.
    PagerEnded(Result<(), EffectError>),
}
