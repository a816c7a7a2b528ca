//! Moving a cursor or a window over rows: the one scroll code of list, tables, texts, log and dialogs.

pub use super::detail::tree::Motion;

impl Motion {
    /// Where it leads from a row of `len` rows in a window of `height` rows.
    pub fn from(self, at: usize, len: usize, height: usize) -> usize {
        let last = len.saturating_sub(1);
        let (half, page) = ((height / 2).max(1), height.saturating_sub(1).max(1));
        let to = match self {
            Self::Up => at.saturating_sub(1),
            Self::Down => at.saturating_add(1),
            Self::HalfUp => at.saturating_sub(half),
            Self::HalfDown => at.saturating_add(half),
            Self::PageUp => at.saturating_sub(page),
            Self::PageDown => at.saturating_add(page),
            Self::Top => 0,
            Self::Bottom => last,
        };
        to.min(last)
    }
}

/// A cursor on one of some rows, and the window around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowCursor {
    pub at: usize,
    /// The first row that is seen.
    pub top: usize,
}

impl RowCursor {
    /// Moves the cursor, and the window as little as possible.
    pub fn go(&mut self, motion: Motion, len: usize, height: usize) {
        self.at = motion.from(self.at, len, height);
        self.show(len, height);
    }

    /// Brings the window over the cursor.
    pub fn show(&mut self, len: usize, height: usize) {
        self.at = self.at.min(len.saturating_sub(1));
        self.top = window(self.top, self.at, len, height);
    }
}

/// The first row of a window that was at `top` and has to show the row `at`, moved as little as possible and not
/// beyond the last row.
pub fn window(top: usize, at: usize, len: usize, height: usize) -> usize {
    let height = height.max(1);
    let top = top.min(at).max((at + 1).saturating_sub(height));
    top.min(len.saturating_sub(height))
}

/// Moves a window that has no cursor.
pub fn slide(top: usize, motion: Motion, len: usize, height: usize) -> usize {
    let lowest = len.saturating_sub(height.max(1));
    match motion {
        Motion::Bottom => lowest,
        Motion::Up
        | Motion::Down
        | Motion::HalfUp
        | Motion::HalfDown
        | Motion::PageUp
        | Motion::PageDown
        | Motion::Top => motion.from(top, len, height).min(lowest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_moves_as_little_as_possible_and_never_past_the_ends() {
        // top, cursor, rows, height, expected
        let cases =
            [(0, 0, 0, 0, 0), (0, 5, 10, 5, 1), (3, 1, 10, 5, 1), (9, 9, 10, 5, 5), (2, 4, 10, 5, 2), (7, 7, 3, 5, 0)];
        for (top, at, len, height, expected) in cases {
            assert_eq!(window(top, at, len, height), expected, "{top} {at} {len} {height}");
        }
    }

    #[test]
    fn motions_stay_within_the_rows() {
        let cases = [
            (Motion::Down, 9, 9),
            (Motion::Up, 0, 0),
            (Motion::HalfDown, 0, 2),
            (Motion::PageDown, 0, 3),
            (Motion::PageUp, 2, 0),
            (Motion::Bottom, 0, 9),
            (Motion::Top, 9, 0),
        ];
        for (motion, at, expected) in cases {
            assert_eq!(motion.from(at, 10, 4), expected, "{motion:?}");
        }
        assert_eq!(Motion::Down.from(0, 0, 0), 0);
    }
}
