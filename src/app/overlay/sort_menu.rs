//! What the list can be sorted by, a letter each.

use super::{KeyOutcome, Overlay, OverlayContext, OverlayRequest, OverlayRows, Press, window};
use crate::app::action::Action;
use crate::app::keys::{Key, plain_char};
use crate::app::list::{List, SortBy};
use crate::app::scroll::{Motion, RowCursor};
use crate::app::text::{self, TextLine, Tone};
use crate::domain::clean::Clean;

const WIDTH: u16 = 46;

#[derive(Debug)]
pub struct SortMenu {
    cursor: RowCursor,
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
        Self { cursor: RowCursor { at, top: 0 }, current, columns }
    }
}

impl Overlay for SortMenu {
    fn opener(&self) -> Action {
        Action::SortBy
    }

    fn go(&mut self, motion: Motion, context: &OverlayContext<'_>) {
        self.cursor.go(motion, self.columns.len(), context.rows());
    }

    fn press(&mut self, key: Key, action: Option<Action>) -> KeyOutcome {
        let by_letter = plain_char(key).and_then(|letter| self.columns.iter().find(|(by, _)| by.letter() == letter));
        let chosen = self.columns.get(self.cursor.at).filter(|_| action == Some(Action::Open));
        by_letter.or(chosen).map_or(KeyOutcome::Stay, |(by, _)| KeyOutcome::CloseAnd(OverlayRequest::Sort(*by)))
    }

    fn hints(&self, _: &OverlayContext<'_>) -> Vec<(Press, &'static str)> {
        vec![(Press::Of(Action::Open), "sort"), (Press::Fixed("a letter"), "sort by it, again: reverse")]
    }

    fn look(&self, context: &OverlayContext<'_>) -> OverlayRows {
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
            TextLine::of(Tone::Strong, &format!("{}  ", by.letter()))
                .with(Tone::Plain, &text::padded(title, 20))
                .with(Tone::Dim, current)
        };
        let height = self.columns.len().min(context.rows());
        let (rows, selected) = window(self.columns.iter().map(row).collect(), self.cursor, height);
        OverlayRows { title: "Sort by".to_owned(), width: WIDTH, rows, selected, height, ..OverlayRows::default() }
    }
}
