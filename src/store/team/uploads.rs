//! Which jobs were saved on this machine and are not in the team's store yet, for the mark that says so.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::deadline;
use crate::domain::job::JobKey;

/// How long a job may wait before that is worth a mark: an upload takes less, and marks that flicker tell nothing.
const A_MOMENT: Duration = Duration::from_secs(2);

/// The jobs, by when each was last saved.
#[derive(Debug, Default)]
pub struct Uploads {
    /// Counts the saves.
    saves: u64,
    /// Which save was a job's last, and since when it waits.
    waiting: HashMap<JobKey, (u64, Duration)>,
    /// How many were uploaded.
    done: u64,
    /// How many had waited for longer than a moment, and how many were uploaded, when it was last asked for.
    told: (usize, u64),
}

impl Uploads {
    /// A job is saved by what `save` gives away: nobody counts uploads between the two.
    pub fn saved(&mut self, key: JobKey, save: impl FnOnce()) {
        self.saves += 1;
        let number = self.saves;
        self.waiting.entry(key).or_insert_with(|| (number, deadline::now())).0 = number;
        save();
    }

    /// These waited already when this process began.
    pub fn waited(&mut self, keys: impl Iterator<Item = JobKey>) {
        for key in keys {
            self.waiting.entry(key).or_default();
        }
    }

    /// How many saves there were: what is asked for now stands behind them.
    pub fn saves(&self) -> u64 {
        self.saves
    }

    /// These are in the team's store as they stood after so many saves.
    pub fn uploaded<'a>(&mut self, keys: impl Iterator<Item = &'a JobKey>, saves: u64) {
        for key in keys {
            if self.waiting.get(key).is_some_and(|(last, _)| *last <= saves) {
                self.waiting.remove(key);
                self.done += 1;
            }
        }
    }

    /// Those that have waited for longer than a moment, if they are others than when this was last asked.
    pub fn news(&mut self, now: Duration) -> Option<HashSet<JobKey>> {
        let is_due = |since: &Duration| now.saturating_sub(*since) >= A_MOMENT;
        let due = || self.waiting.iter().filter(|(_, (_, since))| is_due(since));
        let told = (due().count(), self.done);
        if told == self.told || (told.0, self.told.0) == (0, 0) {
            return None;
        }
        let keys = due().map(|(key, _)| key.clone()).collect();
        self.told = told;
        Some(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::ProviderName;

    fn key(id: &str) -> JobKey {
        JobKey { provider: ProviderName::VESSL, endpoint: "https://serve.example".into(), id: id.to_owned() }
    }

    #[test]
    fn a_job_is_marked_once_it_waits_for_more_than_a_moment_and_until_what_was_saved_last_is_uploaded() {
        let mut uploads = Uploads::default();
        uploads.saved(key("a"), || ());
        let asked = uploads.saves();
        let soon = deadline::now();
        assert_eq!(uploads.news(soon), None);
        let later = soon + A_MOMENT * 2;
        assert_eq!(uploads.news(later), Some([key("a")].into()));
        assert_eq!(uploads.news(later), None);
        // Saved once more while the first was on its way.
        uploads.saved(key("a"), || ());
        uploads.uploaded([key("a")].iter(), asked);
        assert_eq!(uploads.news(later), None);
        uploads.uploaded([key("a")].iter(), uploads.saves());
        assert_eq!(uploads.news(later), Some([].into()));
        // One that an earlier run has left is marked at once.
        uploads.waited([key("b")].into_iter());
        assert_eq!(uploads.news(later), Some([key("b")].into()));
    }
}
