//! What can be copied, a letter each.

use super::{KeyOutcome, Overlay, OverlayContext, OverlayRequest, OverlayRows, Press, window};
use crate::app::action::Action;
use crate::app::effect::What;
use crate::app::keys::{Key, plain_char};
use crate::app::scroll::{Motion, RowCursor};
use crate::app::text::{self, TextLine, Tone};
use crate::domain::clean::Clean;
use crate::domain::job::JobIx;

const WIDTH: u16 = 64;

#[derive(Debug, Clone, PartialEq)]
pub struct CopyItem {
    pub key: char,
    pub name: &'static str,
    /// Its size or its beginning; empty if not known.
    pub detail: String,
    /// What should be known before it is chosen; mostly empty.
    pub warning: &'static str,
    pub what: What,
}

#[derive(Debug)]
pub struct CopyMenu {
    pub title: Clean,
    /// The jobs that are meant.
    pub jobs: Vec<JobIx>,
    pub items: Vec<CopyItem>,
    cursor: RowCursor,
}

impl CopyMenu {
    /// A menu with the cursor on its first choice.
    pub fn new(title: Clean, jobs: Vec<JobIx>, items: Vec<CopyItem>) -> Self {
        Self { title, jobs, items, cursor: RowCursor::default() }
    }

    fn below(&self, context: &OverlayContext<'_>) -> Vec<String> {
        let width = context.width(WIDTH).saturating_sub(2).max(1);
        let warned = self.items.iter().find(|item| !item.warning.is_empty());
        let mut rows =
            warned.map(|item| text::split(&format!("{}: {}", item.key, item.warning), width)).unwrap_or_default();
        rows.truncate(context.rows() / 2);
        rows
    }

    fn rows(&self, context: &OverlayContext<'_>) -> usize {
        self.items.len().min(context.rows().saturating_sub(1 + self.below(context).len()).max(1))
    }
}

impl Overlay for CopyMenu {
    fn opener(&self) -> Action {
        Action::CopyMenu
    }

    fn go(&mut self, motion: Motion, context: &OverlayContext<'_>) {
        let rows = self.rows(context);
        self.cursor.go(motion, self.items.len(), rows);
    }

    fn press(&mut self, key: Key, action: Option<Action>) -> KeyOutcome {
        let by_letter = plain_char(key).and_then(|letter| self.items.iter().find(|item| item.key == letter));
        let chosen = self.items.get(self.cursor.at).filter(|_| action == Some(Action::Open));
        match by_letter.or(chosen) {
            Some(item) => KeyOutcome::CloseAnd(OverlayRequest::Copy(item.what.clone(), self.jobs.clone())),
            None if action == Some(Action::Save) => KeyOutcome::CloseAnd(OverlayRequest::Save(self.jobs.clone())),
            None => KeyOutcome::Stay,
        }
    }

    fn needs_body(&self) -> Option<JobIx> {
        self.jobs.first().copied().filter(|_| self.jobs.len() == 1)
    }

    fn hints(&self, _: &OverlayContext<'_>) -> Vec<(Press, &'static str)> {
        vec![(Press::Of(Action::Open), "copy"), (Press::Of(Action::Save), "save to a file")]
    }

    fn look(&self, context: &OverlayContext<'_>) -> OverlayRows {
        let name = context.width(WIDTH).saturating_sub(15).min(30);
        let row = |item: &CopyItem| {
            TextLine::of(Tone::Strong, &item.key.to_string())
                .with(Tone::Plain, &format!("  {:<name$} ", item.name))
                .with(Tone::Dim, &item.detail)
        };
        let height = self.rows(context);
        let (rows, selected) = window(self.items.iter().map(row).collect(), self.cursor, height);
        let mut below: Vec<TextLine> = self.below(context).iter().map(|row| TextLine::of(Tone::Warn, row)).collect();
        below.push(TextLine::of(Tone::Dim, context.copies_by));
        let title = format!("Copy from {}", self.title);
        OverlayRows { title, width: WIDTH, rows, selected, height, below, ..OverlayRows::default() }
    }
}
