//! Jobs of which the database holds what jobdeck did not write: named on standard error.

use super::event_lines::named;
use super::output;
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::domain::job::Job;
use crate::session::select::KnownJob;

/// How many of them are named.
pub const MOST_NAMED: usize = 3;

/// Names the first few, and says how many there are.
pub fn say(entries: &[KnownJob]) {
    let mut odd = entries.iter().filter_map(|entry| Some((entry, entry.known.odd_on_disk.as_deref()?)));
    for (entry, what) in odd.by_ref().take(MOST_NAMED) {
        output::say_error(&sentence(&entry.job, what));
    }
    let more = odd.count();
    if more > 0 {
        output::say_error(&format!("and of {} likewise", human::counted(more, "more job")));
    }
}

/// What was left out of one job, and what to do.
pub fn sentence(job: &Job, what: &str) -> String {
    let what = Clean::new(what);
    format!(
        "{}: what the database holds of it is odd, and was left out: {what}. Another program wrote there, or the disk is \
         failing: copy the state directory",
        named(job)
    )
}
