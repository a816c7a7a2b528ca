//! What is wrong with the jobs file, with its excerpts.

use unicode_width::UnicodeWidthStr;

use super::{KeyOutcome, Overlay, OverlayContext, OverlayRows, Press};
use crate::app::action::Action;
use crate::app::keys::Key;
use crate::app::scroll::{self, Motion};
use crate::app::text::{self, TextLine, Tone};

const WIDTH: u16 = 150;

#[derive(Debug, Default)]
pub struct FileErrors {
    top: usize,
}

impl FileErrors {
    fn lines(context: &OverlayContext<'_>) -> Vec<TextLine> {
        let width = context.width(WIDTH).saturating_sub(1);
        let rows = context.file_errors.iter().flat_map(|line| hanging(line, width));
        rows.map(|row| TextLine::of(Tone::Plain, &row)).collect()
    }
}

impl Overlay for FileErrors {
    fn opener(&self) -> Action {
        Action::FileErrors
    }

    fn go(&mut self, motion: Motion, context: &OverlayContext<'_>) {
        self.top = scroll::slide(self.top, motion, Self::lines(context).len(), context.rows());
    }

    fn press(&mut self, _: Key, action: Option<Action>) -> KeyOutcome {
        if action == Some(Action::Open) { KeyOutcome::Close } else { KeyOutcome::Stay }
    }

    fn hints(&self, _: &OverlayContext<'_>) -> Vec<(Press, &'static str)> {
        vec![(Press::Of(Action::Go(Motion::Down)), "scroll")]
    }

    fn look(&self, context: &OverlayContext<'_>) -> OverlayRows {
        let (lines, rows) = (Self::lines(context), context.rows());
        let (len, top) = (lines.len(), self.top.min(lines.len().saturating_sub(rows)));
        OverlayRows {
            title: "Errors in the jobs file".to_owned(),
            corner: if top + rows < len { "more below" } else { "" }.to_owned(),
            width: WIDTH,
            height: len.min(rows),
            rows: lines.into_iter().skip(top).take(rows).collect(),
            ..OverlayRows::default()
        }
    }
}

/// A line in rows, those after the first indented further than it.
fn hanging(line: &str, width: usize) -> Vec<String> {
    let indent = line.len() - line.trim_start_matches(' ').len() + 2;
    if line.width() <= width || indent * 2 > width {
        return text::split(line, width);
    }
    let mut rows = text::split(line, width - indent);
    for row in rows.iter_mut().skip(1) {
        row.insert_str(0, &" ".repeat(indent));
    }
    rows
}
