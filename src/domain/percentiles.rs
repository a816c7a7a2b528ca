//! Median and percentiles of durations, at the same cost for a change whatever their number: counted in slots that grow
//! by a twentieth, so that a percentile is within three per cent of the truth.

use std::collections::BTreeMap;
use std::time::Duration;

/// Durations that come and go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Percentiles {
    slots: BTreeMap<u32, u32>,
    count: u32,
}

impl Percentiles {
    pub fn add(&mut self, duration: Duration) {
        *self.slots.entry(slot(duration)).or_default() += 1;
        self.count += 1;
    }

    /// One that was added less.
    pub fn remove(&mut self, duration: Duration) {
        if let Some(count) = self.slots.get_mut(&slot(duration)).filter(|count| **count > 0) {
            *count -= 1;
            self.count -= 1;
        }
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    /// The duration that this share, in per cent, does not exceed; None without any.
    pub fn percentile(&self, per_cent: u32) -> Option<Duration> {
        let wanted = (u64::from(self.count) * u64::from(per_cent)).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.slots.iter().find(|(_, count)| {
            seen += u64::from(**count);
            seen >= wanted
        });
        found.map(|(slot, _)| middle(*slot))
    }
}

/// Up to a second exact to 50 ms, beyond it by twentieths.
fn slot(duration: Duration) -> u32 {
    let seconds = duration.as_secs_f64();
    let place = if seconds <= 1.0 { seconds * 20.0 } else { 20.0 + seconds.ln() * 20.0 };
    // Never negative, and 900 for a thousand years: it fits.
    place.round() as u32
}

fn middle(slot: u32) -> Duration {
    let slot = f64::from(slot);
    Duration::from_secs_f64(if slot <= 20.0 { slot / 20.0 } else { ((slot - 20.0) / 20.0).exp() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_three_per_cent_of_the_truth() {
        let mut times = Percentiles::default();
        assert_eq!(times.percentile(50), None);
        for seconds in 1..=1000 {
            times.add(Duration::from_secs(seconds));
        }
        for (per_cent, truth) in [(1, 10.0), (50, 500.0), (90, 900.0), (100, 1000.0)] {
            let found = times.percentile(per_cent).unwrap().as_secs_f64();
            assert!((found / truth - 1.0).abs() < 0.03, "{per_cent}: {found}");
        }
        for seconds in 1..=999 {
            times.remove(Duration::from_secs(seconds));
        }
        assert_eq!(times.count(), 1);
        assert!(times.percentile(50).unwrap() > Duration::from_secs(970));
    }
}
