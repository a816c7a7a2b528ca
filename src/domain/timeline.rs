//! Finishes over the whole batch, however long it ran: counted in slots that double in width as the batch grows.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Slots that are kept at most.
const SLOTS: i64 = 512;

/// How many things happened when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// Seconds of a slot.
    step: i64,
    slots: BTreeMap<i64, u32>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { step: 1, slots: BTreeMap::new() }
    }
}

impl Timeline {
    /// Something happened.
    pub fn add(&mut self, at: Timestamp) {
        *self.slots.entry(self.slot(at)).or_default() += 1;
        while self.width() > SLOTS {
            self.step *= 2;
            for (slot, count) in std::mem::take(&mut self.slots) {
                *self.slots.entry(slot.div_euclid(2)).or_default() += count;
            }
        }
    }

    /// Something that was added did not happen.
    pub fn remove(&mut self, at: Timestamp) {
        let slot = self.slot(at);
        if let Some(count) = self.slots.get_mut(&slot) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.slots.remove(&slot);
            }
        }
    }

    /// The counts from one instant to another in this many equal spans, oldest first.
    pub fn spans(&self, from: Timestamp, to: Timestamp, spans: usize) -> Vec<u64> {
        let mut counts = vec![0; spans];
        let (from, to) = (from.as_second(), to.as_second());
        let whole = u128::try_from((to - from + 1).max(1)).unwrap_or(1);
        for (slot, count) in &self.slots {
            let middle = slot * self.step + self.step / 2;
            let offset = u128::try_from((middle - from).clamp(0, (to - from).max(0))).unwrap_or(0);
            let at = usize::try_from(offset * spans as u128 / whole).unwrap_or(0);
            if let Some(span) = counts.get_mut(at.min(spans.saturating_sub(1))) {
                *span += u64::from(*count);
            }
        }
        counts
    }

    /// The heights of a chart of this many cells: where a cell is less than a slot, neighbours share its height, so
    /// that a young batch has no gaps that are only a matter of drawing.
    pub fn heights(&self, from: Timestamp, to: Timestamp, cells: usize) -> Vec<u64> {
        let slots = usize::try_from((to.as_second() - from.as_second()) / self.step + 1).unwrap_or(1).max(1);
        let spans = self.spans(from, to, cells.min(slots));
        (0..cells).filter_map(|cell| spans.get(cell * spans.len() / cells).copied()).collect()
    }

    fn slot(&self, at: Timestamp) -> i64 {
        at.as_second().div_euclid(self.step)
    }

    fn width(&self) -> i64 {
        match (self.slots.first_key_value(), self.slots.last_key_value()) {
            (Some((first, _)), Some((last, _))) => last - first + 1,
            (_, _) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_batch_of_any_length_fills_the_chart() {
        for length in [3, 60, 4000, 1_000_000] {
            let mut line = Timeline::default();
            for n in 0..100 {
                line.add(at(n * length / 100));
            }
            let spans = line.spans(at(0), at(length), 10);
            assert_eq!(spans.iter().sum::<u64>(), 100, "{length}");
            assert!(length == 3 || spans.iter().all(|count| (5..=15).contains(count)), "{length}: {spans:?}");
            assert!(line.width() <= SLOTS);
        }
    }

    #[test]
    fn what_is_taken_back_is_gone() {
        let mut line = Timeline::default();
        line.add(at(5));
        line.remove(at(5));
        assert_eq!(line, Timeline::default());
        assert_eq!(line.spans(at(9), at(3), 0), Vec::<u64>::new());
    }
}
