//! The terminal while it is another's: the shell's after Ctrl-z, the pager's, and ours again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process;

use super::effects::error::EffectError;
use super::effects::pager;
use super::message::Message;
use super::run::{Dashboard, TerminalOwner};
use super::terminal;
use crate::app::event::Event;
use crate::engine::EngineCommand;
use crate::shell;

/// An interrupt that ended a program in our terminal was sent to us at the same moment, before that program's end: it is
/// only heard in another turn of the loop. One that somebody sends to us alone a little later is meant for us.
const LATE_INTERRUPT: Duration = Duration::from_millis(50);

impl Dashboard {
    /// Whether an interrupt is meant for the program that has the terminal, or had it just now. While it is ours, the
    /// key is no signal.
    pub(super) fn is_for_another(&self) -> bool {
        let was_just_now = self.state.taken_back.is_some_and(|at| at.elapsed() < LATE_INTERRUPT);
        self.state.owner == TerminalOwner::Lent || was_just_now
    }

    pub(super) fn suspend(&mut self) {
        if !shell::can_wake_us() || self.state.owner == TerminalOwner::Gone {
            self.apply(Event::Resumed);
            return;
        }
        self.state.stopping = true;
        if !self.effects.ask(EngineCommand::Suspend) {
            self.stop();
        }
    }

    /// Stops the process, and goes on when the shell lets it.
    pub(super) fn stop(&mut self) {
        self.state.stopping = false;
        let ours = self.state.owner == TerminalOwner::Ours;
        if ours {
            self.reader.pause();
            terminal::give_back();
        }
        loop {
            // The whole group, as the terminal's own Ctrl-z would: a wrapper such as `cargo run` stops with us.
            if let Err(error) = process::kill_current_process_group(process::Signal::STOP) {
                tracing::warn!("failed to stop: {error}");
                break;
            }
            // Let go on in the background (`bg`, `kill -CONT`), the screen is still another's.
            if !ours || terminal::is_in_foreground() {
                break;
            }
        }
        self.state.continued = true;
        self.effects.ask(EngineCommand::Resume);
        if ours {
            self.take_over();
            self.reader.resume();
        }
    }

    pub(super) fn continue_after_a_stop(&mut self) {
        if std::mem::take(&mut self.state.continued) || self.state.owner != TerminalOwner::Ours {
            return;
        }
        self.take_over();
    }

    /// Sets the terminal up again and tells the app. In the background it is another's, and the process stops.
    pub(super) fn take_over(&mut self) {
        if !terminal::is_in_foreground() {
            self.suspend();
            return;
        }
        let taken = self.guard.take_again();
        if self.check(taken) {
            self.clear();
            self.apply(Event::Resumed);
            self.resize();
        }
    }

    pub(super) fn lend(&mut self, path: PathBuf) {
        if self.state.owner != TerminalOwner::Ours {
            let _ = std::fs::remove_file(&path);
            self.apply(Event::PagerFailed(EffectError::TerminalLent.into()));
            return;
        }
        self.reader.pause();
        terminal::give_back();
        self.state.owner = TerminalOwner::Lent;
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            let _ = inputs.send(Message::PagerEnded(pager::show(path).await));
        });
    }

    pub(super) fn take_back(&mut self, ended: Result<(), EffectError>) {
        if self.state.owner != TerminalOwner::Lent {
            return;
        }
        self.state.owner = TerminalOwner::Ours;
        self.state.taken_back = Some(Instant::now());
        self.take_over();
        self.reader.resume();
        if let Err(why) = ended {
            self.apply(Event::PagerFailed(why.into()));
        }
    }
}
