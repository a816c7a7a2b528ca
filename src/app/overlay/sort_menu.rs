//! What the list can be sorted by, a letter each.

use super::{Answer, Context, Look, Overlay, Press, Request, window};
use crate::app::action::Action;
use crate::app::keys::{Key, plain_char};
use crate::app::list::SortBy;
use crate::app::scroll::{Cursor, Motion};
use crate::app::text::{Line, Tone};

const WIDTH: u16 = 46;

/// The menu.
#[derive(Debug)]
pub struct SortMenu {
    cursor: Cursor,
    current: (SortBy, bool),
}

impl SortMenu {
    /// The cursor is on the column that the list is sorted by.
    pub fn new(current: (SortBy, bool)) -> Self {
        let at = SortBy::ALL.iter().position(|by| *by == current.0).unwrap_or_default();
        Self { cursor: Cursor { at, top: 0 }, current }
    }
}

impl Overlay for SortMenu {
    fn opener(&self) -> Action {
        Action::SortBy
    }

    fn go(&mut self, motion: Motion, context: &Context<'_>) {
        self.cursor.go(motion, SortBy::ALL.len(), context.rows());
    }

    fn press(&mut self, key: Key, action: Option<Action>) -> Answer {
        let by_letter = plain_char(key).and_then(|letter| SortBy::ALL.into_iter().find(|by| by.letter() == letter));
        let chosen = SortBy::ALL.get(self.cursor.at).copied().filter(|_| action == Some(Action::Open));
        by_letter.or(chosen).map_or(Answer::Stay, |by| Answer::CloseAnd(Request::Sort(by)))
    }

    fn hints(&self) -> Vec<(Press, &'static str)> {
        vec![(Press::Of(Action::Open), "sort"), (Press::Fixed("a letter"), "sort by it, again: reverse")]
    }

    fn look(&self, context: &Context<'_>) -> Look {
        let row = |by: &SortBy| {
            let current = match self.current {
                (current, reversed) if current == *by => {
                    if reversed {
                        "  now, reversed"
                    } else {
                        "  now"
                    }
                }
                _ => "",
            };
            Line::of(Tone::Strong, &format!("{}  ", by.letter()))
                .with(Tone::Plain, &format!("{:<14}", by.title()))
                .with(Tone::Dim, current)
        };
        let height = SortBy::ALL.len().min(context.rows());
        let (rows, selected) = window(SortBy::ALL.iter().map(row).collect(), self.cursor, height);
        Look { title: "Sort by".to_owned(), width: WIDTH, rows, selected, height, ..Look::default() }
    }
}
