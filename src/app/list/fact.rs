//! What a row says of its job.

use crate::app::list::jobs::Row;
use crate::app::text::Tone;
use crate::app::{App, TimeFormat};
use crate::domain::clean::Clean;
use crate::domain::state::State;
use crate::domain::{human, note};

impl App {
    /// The one most useful fact about a job, and how it looks: why it is not polled, that it is stuck or slow, what came of
    /// it, what it does.
    pub fn fact(&self, row: &Row) -> (Clean, Tone) {
        let (known, now) = (&row.known, self.now.wall);
        if row.is_problem() && row.is_sent_again() {
            let name = row.again.and_then(|ix| self.jobs.get(ix)).map(|again| format!(" as {}", again.title));
            let why = row.reasons().next().map(|why| format!(" · {}", Clean::new(why))).unwrap_or_default();
            return (format!("sent again{}{why}", name.unwrap_or_default()).into(), Tone::Dim);
        }
        if known.state.is_terminal() {
            let quiet = matches!(known.state, State::Cancelled | State::Succeeded) && known.warning.is_none();
            return (note::note(known, &row.health, now, self.zone()), if quiet { Tone::Dim } else { Tone::Plain });
        }
        if let Some(trouble) = note::trouble(known, &row.health, now, self.zone()) {
            return (Clean::new(&trouble), Tone::Caution);
        }
        // Once is enough: durations have a column of their own.
        let time = note::time(known, now).filter(|_| self.times != TimeFormat::Relative);
        let activity = note::activity(known, time);
        if row.is_stuck(now) {
            let since = known.changed_at.or(known.first_seen).map(|since| human::duration(human::age(since, now)));
            return (format!("{activity}: stuck, no change for {}", since.unwrap_or_default()).into(), Tone::Caution);
        }
        match self.jobs.tally().slow(row, now) {
            Some(times) => (format!("{activity}: slow, {times} times the median").into(), Tone::Caution),
            None => (activity, Tone::Dim),
        }
    }
}
