//! The loop: draw if something changed, wait, take in all that is already here, begin what follows from it.
//!
//! Nothing that happens to the terminal ends the program before the engine has ended: hang-up, panic and signals all
//! lead into the same drain.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::KeyCode;
use jiff::Timestamp;
use ratatui::layout::{Position, Rect};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep_until;

use super::effects::{EffectRunner, LoopAction, clipboard};
use super::failpoint::failpoint;
use super::message::Message;
use super::own_commands::Commands;
use super::sources::{Sources, UserSettings};
use super::terminal::input::InputReader;
use super::terminal::{self, Guard, Screen, tty};
use crate::app::App;
use crate::app::effect::CopyName;
use crate::app::event::{Copied, Event, Level, LogLine, Now};
use crate::app::keys::Key;
use crate::domain::clean::Clean;
use crate::domain::fact::{Ending, Fact};
use crate::domain::job::{Job, JobIx};
use crate::domain::observation::Observation;
use crate::engine::EngineCommand;
use crate::exit::Signal;
use crate::logging::LoggedEvent;
use crate::ui::theme::Theme;
use crate::{shell, ui};

/// The shortest time between two drawings that no key asked for.
const FRAME: Duration = Duration::from_millis(16);
/// The shortest time between two ticks, whatever the app asks for.
const TICK: Duration = Duration::from_millis(5);
/// The key that goes one step back.
const ESC: Key = Key { code: KeyCode::Esc, ctrl: false, alt: false };
/// How much of one kind is taken in before the screen gets its turn.
const BATCH: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TerminalOwner {
    Ours,
    Lent,
    /// Nobody's: it is gone, or was given back for good.
    Gone,
}

#[derive(Debug)]
pub struct Dashboard {
    pub app: App,
    pub theme: Theme,
    pub screen: Screen,
    pub guard: Guard,
    pub reader: InputReader,
    pub effects: EffectRunner,
    pub commands: Commands,
    pub started: Instant,
    pub inputs: UnboundedSender<Message>,
    pub end: End,
    pub own: UserSettings,
    pub(super) state: Loop,
}

/// How it is ending, and what is known for the exit code.
#[derive(Debug, Default)]
pub struct End {
    /// The first signal.
    pub signal: Option<Signal>,
    /// Why the terminal could not be used any more, if that is what ended it.
    pub terminal_lost: Option<String>,
    /// Whether a panic was caught.
    pub broken: bool,
    /// What the engine said at its end.
    pub ending: Option<Ending>,
    /// What is said of the batch on the normal screen.
    pub farewell: Option<String>,
    pub jobs: HashMap<JobIx, (Arc<Job>, Arc<Observation>)>,
    /// Results that could not be written out, and why.
    pub not_exported: Vec<String>,
    /// What is saved on this machine alone, as a sentence, where a team should have it.
    pub not_uploaded: Option<String>,
}

#[derive(Debug)]
pub(super) struct Loop {
    pub(super) owner: TerminalOwner,
    /// Whether the app can no longer be trusted.
    pub(super) app_broken: bool,
    pub(super) hung_up: bool,
    pub(super) leaving: bool,
    pub(super) stopping: bool,
    /// SIGCONT after a stop that we caused, already dealt with.
    pub(super) continued: bool,
    /// When another program last gave the terminal back.
    pub(super) taken_back: Option<Instant>,
    pub(super) drawn: Option<Instant>,
    pub(super) ticked: Instant,
    /// Whether a key is among what was taken in since the last drawing.
    pub(super) hurry: bool,
    pub(super) stale: bool,
}

impl Dashboard {
    /// Puts the parts together; nothing is drawn yet.
    #[expect(clippy::too_many_arguments, reason = "the parts are what the dashboard is made of")]
    pub fn new(
        app: App,
        theme: Theme,
        screen: Screen,
        guard: Guard,
        reader: InputReader,
        effects: EffectRunner,
        commands: Commands,
        own: UserSettings,
        started: Instant,
        inputs: UnboundedSender<Message>,
    ) -> Self {
        let state = Loop {
            owner: TerminalOwner::Ours,
            app_broken: false,
            hung_up: false,
            leaving: false,
            stopping: false,
            continued: false,
            taken_back: None,
            drawn: None,
            ticked: started,
            hurry: true,
            stale: true,
        };
        Self { app, theme, screen, guard, reader, effects, commands, started, inputs, end: End::default(), own, state }
    }

    /// Runs until the user leaves or the engine ends.
    pub async fn run(&mut self, sources: &mut Sources) {
        let mut engine_runs = true;
        loop {
            self.draw_if_due();
            if self.state.leaving || self.end.ending.is_some() && !self.commands.is_busy() {
                return;
            }
            tokio::select! {
                Some(input) = sources.inputs.recv() => self.take(input),
                fact = sources.facts.recv(), if engine_runs => match fact {
                    Some(fact) => {
                        sources.hear(&fact);
                        self.learn(fact);
                    }
                    None => engine_runs = self.lose_engine(),
                },
                Some(line) = sources.log.recv() => self.apply(Event::Log(log_line(line))),
                news = sources.reloads.next() => self.on_reload(news, sources),
                stopped = sources.owners.next_stopped() => tracing::warn!("{stopped}"),
                () = tty::CAUGHT_UP.notified() => self.look_after_terminal(),
                () = terminal::PANICKED.notified() => self.break_off(),
                () = until(self.deadline()) => self.tick(),
            }
            for _ in 0..BATCH {
                let Ok(input) = sources.inputs.try_recv() else { break };
                self.take(input);
            }
            for _ in 0..BATCH {
                let Ok(fact) = sources.facts.try_recv() else { break };
                sources.hear(&fact);
                self.learn(fact);
            }
            for _ in 0..BATCH {
                let Ok(line) = sources.log.try_recv() else { break };
                self.apply(Event::Log(log_line(line)));
            }
        }
    }

    /// Gives the terminal back and says how it ended.
    pub fn leave(self) -> End {
        let Self { app, screen, guard, mut end, state, .. } = self;
        end.farewell = app.farewell().filter(|_| !state.app_broken);
        if state.owner == TerminalOwner::Gone {
            // Its drop would complain on a terminal that is gone.
            std::mem::forget(screen);
        } else {
            // Before the guard: what it still has to write belongs on our screen, not on the shell's.
            drop(screen);
        }
        drop(guard);
        end
    }

    /// Draws at once after a key, otherwise at most every frame's time.
    pub fn draw_if_due(&mut self) {
        if self.state.owner != TerminalOwner::Ours || !self.state.stale || self.state.app_broken || self.state.stopping
        {
            return;
        }
        let due = self.state.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME);
        if !self.state.hurry && !due || tty::is_behind() {
            return;
        }
        if !terminal::is_in_foreground() && shell::can_wake_us() {
            self.suspend();
            return;
        }
        (self.state.hurry, self.state.stale) = (false, false);
        let now = self.now();
        let drawn = catch_unwind(AssertUnwindSafe(|| {
            if !self.app.needs_redraw(now) {
                return Ok(false);
            }
            failpoint("draw");
            let (app, theme) = (&self.app, &self.theme);
            self.screen.draw(|frame| ui::draw(app, theme, frame)).map(|_| true)
        }));
        match drawn {
            Ok(Ok(true)) => self.state.drawn = Some(Instant::now()),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => self.lose_terminal(&error),
            Err(_) => {
                self.state.app_broken = true;
                self.break_off();
            }
        }
    }

    fn now(&self) -> Now {
        Now { wall: Timestamp::now(), mono: self.started.elapsed() }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.state.owner == TerminalOwner::Gone || self.state.app_broken {
            return None;
        }
        let wake = self.app.wake_at().map(|at| (self.started + at).max(self.state.ticked + TICK));
        let waits = self.state.stale && self.state.owner == TerminalOwner::Ours && !tty::is_behind();
        let drawn = self.state.drawn.filter(|_| waits && !self.state.stopping);
        let frame = drawn.map(|drawn| drawn + FRAME);
        wake.into_iter().chain(frame).min()
    }

    fn tick(&mut self) {
        let wake = self.app.wake_at().map(|at| self.started + at);
        if wake.is_some_and(|wake| wake <= Instant::now()) {
            self.state.ticked = Instant::now();
            self.apply(Event::Tick);
        }
    }

    fn take(&mut self, input: Message) {
        match input {
            Message::Event(Event::Key(key)) if self.is_two_keys(key) => {
                // Esc and a key right behind it look like the key with Alt, as tmux and slow lines deliver them.
                self.take(Message::Event(Event::Key(ESC)));
                self.take(Message::Event(Event::Key(Key { alt: false, ..key })));
            }
            Message::Event(event) => {
                self.state.hurry |= matches!(event, Event::Key(_) | Event::Paste(_) | Event::Mouse(_));
                self.apply(event);
            }
            Message::Signal(Signal::INTERRUPT) if self.is_for_another() => {
                // Ctrl-c in the pager is the pager's, though the whole group hears of it.
            }
            Message::Signal(signal) => self.end_by(signal),
            Message::HangUp(why) => {
                tracing::warn!("the terminal is lost: {why}");
                self.end.terminal_lost.get_or_insert(why);
                self.state.owner = TerminalOwner::Gone;
                self.end_by(Signal::HANGUP);
            }
            Message::Resized => self.resize(),
            Message::Stop => self.suspend(),
            Message::Continued => self.continue_after_a_stop(),
            Message::Copied { of, outcome } => self.finish_copy(of, outcome),
            Message::CommandEnded { command, finished } => self.on_command_ended(&command, &finished),
            Message::CommandsEnded { command, page, ended } => self.on_commands_ended(&command, &page, ended),
            Message::PagerReady(path) => self.lend(path),
            Message::PagerEnded(ended) => self.take_back(ended),
        }
    }

    fn learn(&mut self, fact: Fact) {
        match &fact {
            Fact::Declared { ix, job, known } => {
                self.end.jobs.insert(*ix, (Arc::clone(job), Arc::clone(known)));
            }
            Fact::Withdrawn(ix) => {
                self.end.jobs.remove(ix);
            }
            Fact::Observed { ix, known, .. } => {
                if let Some((_, before)) = self.end.jobs.get_mut(ix) {
                    *before = Arc::clone(known);
                }
            }
            Fact::Suspended => {
                // The stop is the loop's own; what follows for the app is that it goes on.
                if self.state.stopping {
                    self.stop();
                }
                return;
            }
            Fact::Ended(ending) => self.end.ending = Some(ending.clone()),
            Fact::NotOk { .. }
            | Fact::Health { .. }
            | Fact::Gate { .. }
            | Fact::Reloaded { .. }
            | Fact::StoreTrouble(_)
            | Fact::LogGrows(_)
            | Fact::Unanswered { .. }
            | Fact::NextRead(_)
            | Fact::Refused { .. }
            | Fact::History { .. }
            | Fact::Settled
            | Fact::Draining(_) => {}
        }
        self.apply(Event::Fact(fact));
    }

    /// The engine's side of the channel is gone; whether it is still worth listening.
    fn lose_engine(&mut self) -> bool {
        // Without a jobs file there never was one. Otherwise it ended without saying so: one of its tasks panicked.
        if self.end.ending.is_none() && self.effects.has_engine() {
            self.end.broken = true;
            self.end.ending = Some(Ending::default());
        }
        false
    }

    pub(super) fn apply(&mut self, event: Event) {
        if self.state.app_broken {
            return;
        }
        self.state.stale = true;
        let now = self.now();
        let Ok(effects) = catch_unwind(AssertUnwindSafe(|| self.app.apply(event, now))) else {
            self.state.app_broken = true;
            self.break_off();
            return;
        };
        for effect in effects {
            if let Some(action) = self.effects.begin(effect) {
                self.execute(action);
            }
        }
    }

    fn execute(&mut self, action: LoopAction) {
        match action {
            LoopAction::Suspend => self.suspend(),
            LoopAction::ClearScreen => self.clear(),
            LoopAction::SetMouse(on) => {
                if self.state.owner == TerminalOwner::Ours {
                    let set = self.guard.set_mouse(on);
                    self.check(set);
                }
            }
            LoopAction::Send(bytes) => {
                self.send(&bytes);
            }
            LoopAction::RunCommand(command, jobs) => self.run_command(command, jobs),
            LoopAction::Drain => {
                self.commands.leave();
                self.ask_to_end(EngineCommand::Drain);
            }
            LoopAction::Abort => {
                self.commands.kill();
                self.ask_to_end(EngineCommand::Abort);
            }
            // The engine has ended, and the loop does once the user's commands have.
            LoopAction::Exit if self.commands.is_busy() => {
                let said = Clean::new("waiting for a command of yours to end");
                self.apply(Event::CommandEnded { said, good: true, unsent: Vec::new() });
            }
            LoopAction::Exit => self.state.leaving = true,
        }
    }

    fn ask_to_end(&mut self, command: EngineCommand) {
        if !self.effects.ask(command) {
            self.learn(Fact::Ended(Ending::default()));
        }
    }

    fn end_by(&mut self, signal: Signal) {
        if signal == Signal::HANGUP && std::mem::replace(&mut self.state.hung_up, true) {
            // The signal and the terminal tell of the same thing.
            return;
        }
        let first = self.end.signal.is_none() && !self.end.broken;
        self.end.signal.get_or_insert(signal);
        if self.state.app_broken {
            self.ask_to_end(if first { EngineCommand::Drain } else { EngineCommand::Abort });
        } else {
            self.apply(Event::Signal);
        }
    }

    /// A panic was caught somewhere: the terminal is given back already. The reads in flight are finished.
    fn break_off(&mut self) {
        terminal::give_back();
        self.state.owner = TerminalOwner::Gone;
        if !std::mem::replace(&mut self.end.broken, true) {
            self.ask_to_end(EngineCommand::Drain);
        }
    }

    fn lose_terminal(&mut self, error: &io::Error) {
        self.take(Message::HangUp(format!("it cannot be written: {error}")));
    }

    fn look_after_terminal(&mut self) {
        if self.state.owner == TerminalOwner::Ours
            && let Some(error) = tty::failure()
        {
            self.lose_terminal(&error);
        }
    }

    /// Whether a key with Alt is not bound, so that it was Esc and that key.
    fn is_two_keys(&self, key: Key) -> bool {
        key.alt && self.app.keymap.context(key).is_none()
    }

    pub(super) fn check(&mut self, done: io::Result<()>) -> bool {
        match done {
            Ok(()) => true,
            Err(error) => {
                self.lose_terminal(&error);
                false
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> bool {
        if bytes.is_empty() || self.state.owner != TerminalOwner::Ours {
            return false;
        }
        let sent = terminal::send(bytes);
        self.check(sent)
    }

    pub(super) fn clear(&mut self) {
        if self.state.owner == TerminalOwner::Ours {
            // `Terminal::clear` would ask the terminal where its cursor is and wait for an answer, against our own
            // reader; a resize to the same size clears as well and asks nothing.
            let cleared = self.screen.size().and_then(|size| self.screen.resize(Rect::from((Position::ORIGIN, size))));
            self.check(cleared);
            (self.state.hurry, self.state.stale) = (true, true);
        }
    }

    pub(super) fn resize(&mut self) {
        if self.state.owner == TerminalOwner::Ours
            && let Ok((width, height)) = crossterm::terminal::size()
        {
            self.apply(Event::Resize { width, height });
        }
    }

    fn finish_copy(&mut self, of: CopyName, outcome: clipboard::CopyOutcome) {
        let sent = outcome.sequence.is_none_or(|sequence| self.send(&sequence));
        let why = || Copied::Failed(Clean::new("nothing was copied: the terminal is another program's just now"));
        self.apply(Event::Copied { of, copied: if sent { outcome.copied } else { why() } });
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

fn log_line(line: LoggedEvent) -> LogLine {
    let level = match line.level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
    };
    LogLine { at: line.at, level, source: line.source, text: line.text }
}
