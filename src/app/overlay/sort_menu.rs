//! What the list can be sorted by, a letter each.

use super::{Answer, Context, Look, Overlay, Press, Request, window};
use crate::app::action::Action;
use crate::app::keys::{Key, plain_char};
use crate::app::list::{List, SortBy};
use crate::app::scroll::{Cursor, Motion};
use crate::app::text::{self, Line, Tone};
use crate::domain::clean::Clean;

const WIDTH: u16 = 46;

/// The menu.
#[derive(Debug)]
pub struct SortMenu {
    cursor: Cursor,
    current: (SortBy, bool),
    columns: Vec<(SortBy, Clean)>,
}

impl SortMenu {
    /// The cursor is on the column that the list is sorted by.
    pub fn new(list: &List) -> Self {
        let current = list.sort();
        let columns: Vec<_> =
            SortBy::all(list.columns()).into_iter().map(|by| (by, by.title(list.columns()))).collect();
        let at = columns.iter().position(|(by, _)| *by == current.0).unwrap_or_default();
        Self { cursor: Cursor { at, top: 0 }, current, columns }
    }
}

impl Overlay for SortMenu {
    fn opener(&self) -> Action {
        Action::SortBy
    }

    fn go(&mut self, motion: Motion, context: &Context<'_>) {
        self.cursor.go(motion, self.columns.len(), context.rows());
    }

    fn press(&mut self, key: Key, action: Option<Action>) -> Answer {
        let by_letter = plain_char(key).and_then(|letter| self.columns.iter().find(|(by, _)| by.letter() == letter));
        let chosen = self.columns.get(self.cursor.at).filter(|_| action == Some(Action::Open));
        by_letter.or(chosen).map_or(Answer::Stay, |(by, _)| Answer::CloseAnd(Request::Sort(*by)))
    }

    fn hints(&self) -> Vec<(Press, &'static str)> {
        vec![(Press::Of(Action::Open), "sort"), (Press::Fixed("a letter"), "sort by it, again: reverse")]
    }

    fn look(&self, context: &Context<'_>) -> Look {
        let row = |(by, title): &(SortBy, Clean)| {
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
                .with(Tone::Plain, &text::padded(title, 20))
                .with(Tone::Dim, current)
        };
        let height = self.columns.len().min(context.rows());
        let (rows, selected) = window(self.columns.iter().map(row).collect(), self.cursor, height);
        Look { title: "Sort by".to_owned(), width: WIDTH, rows, selected, height, ..Look::default() }
    }
}
