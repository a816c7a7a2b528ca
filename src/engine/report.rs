//! What the engine tells, and what it told last: facts on a channel, each once.

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use crate::domain::fact::Fact;

/// The way to those who listen.
#[derive(Debug)]
pub struct Report {
    facts: UnboundedSender<Fact>,
    next_poll: Option<i64>,
    is_settled: bool,
}

impl Report {
    /// Nothing told yet.
    pub fn new(facts: UnboundedSender<Fact>) -> Self {
        Self { facts, next_poll: None, is_settled: false }
    }

    /// Tells a fact.
    pub fn tell(&self, fact: Fact) {
        // Nobody listening any more is no reason to stop saving.
        let _ = self.facts.send(fact);
    }

    /// The way itself, for work that answers by it.
    pub fn sender(&self) -> UnboundedSender<Fact> {
        self.facts.clone()
    }

    /// When the next poll is due; told to the second.
    pub fn next_poll(&mut self, next: Option<Timestamp>) {
        let second = next.map(Timestamp::as_second);
        if second != self.next_poll {
            self.next_poll = second;
            self.tell(Fact::NextRead(next));
        }
    }

    /// Whether every job is over or given up; told when it becomes so.
    pub fn settled(&mut self, is_settled: bool) {
        if is_settled && !self.is_settled {
            self.tell(Fact::Settled);
        }
        self.is_settled = is_settled;
    }

    /// The jobs file was reloaded: that all is settled is told again, if it still is.
    pub fn reloaded(&mut self, added: usize, removed: usize) {
        self.tell(Fact::Reloaded { added, removed });
        self.is_settled = false;
    }
}
