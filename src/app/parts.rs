//! How the detail is shared between what stands in a tab: lines above, table or text, and a tree below or beside.
//! One function, used by drawing and by paging.

use super::App;
use super::detail::{Body, Tab};
use super::event::Content;
use super::layout::{self, Area, Class};
use super::summary;
use super::text::{self, Line};
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::domain::job::JobIx;

/// From this many columns on, and on a wide screen, a file's JSON stands beside the table.
const BESIDE: u16 = 70;
/// From this many rows on the job stands over its files.
const HEAD: u16 = 16;
/// Replies up to this size are looked into for the preview under the summary.
const PREVIEW: u64 = 1 << 20;

/// What stands where. A part that is not there has no rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// Lines over everything, wrapped.
    pub head: Vec<Line>,
    /// Where they stand.
    pub head_area: Area,
    /// The text, the bytes, the tree or the table of files with its heading.
    pub main: Area,
    /// The column between the table and the file, if they stand side by side.
    pub divider: Area,
    /// The file's name, or the title of the preview.
    pub title: Area,
    /// Why the file failed, wrapped.
    pub error: Vec<Line>,
    /// Where that stands.
    pub error_area: Area,
    /// The file's tree, or the preview.
    pub below: Area,
}

impl App {
    /// How the detail of a job is shared as it is open now.
    pub fn parts(&self, ix: JobIx) -> Parts {
        let area = self.layout().detail.map(layout::body).unwrap_or_default();
        let whole = Parts { main: area, ..Parts::default() };
        let place = self.detail.place(ix);
        let body = self.detail.body(ix);
        match place.tab {
            Tab::Attempts => whole,
            Tab::Summary => self.with_preview(ix, whole),
            Tab::Output | Tab::Raw => match body.and_then(|body| body.content.ready()) {
                Some(content) => {
                    let lines = if place.tab == Tab::Raw { faults(content) } else { instead_of_output(content) };
                    let lines = text::wrapped(lines, area.width.into(), true);
                    let (head_area, main) = cut(area, lines.len());
                    Parts { head: lines, head_area, main, ..whole }
                }
                None => whole,
            },
            Tab::Files => match body.and_then(|body| Some((body, body.content.ready()?))) {
                Some((body, content)) if !content.files.is_empty() => self.with_file(ix, body, content, whole),
                Some(_) | None => whole,
            },
        }
    }

    /// Whether the summary of a job has room for the beginning of its output, and the output is small enough.
    pub(super) fn previews(&self, ix: JobIx) -> bool {
        self.detail.place(ix).tab == Tab::Summary && self.parts(ix).below.height > 0
    }

    /// The file whose tree is seen: the opened one, else the one under the cursor.
    pub fn shown_file(&self, ix: JobIx) -> Option<usize> {
        let place = self.detail.place(ix);
        place.file.or_else(|| self.detail.body(ix)?.order.get(place.files.at).copied())
    }

    fn with_preview(&self, ix: JobIx, whole: Parts) -> Parts {
        let saved = self.jobs.get(ix).and_then(|row| row.known.saved.as_ref());
        if saved.is_none_or(|saved| saved.bytes > PREVIEW) {
            return whole;
        }
        let lines = self.lines_of(ix, whole.main.width.into()).map_or(0, |lines| lines.len());
        if usize::from(whole.main.height) < lines + 4 {
            return whole;
        }
        let (main, rest) = cut(whole.main, lines + 1);
        let (title, below) = cut(rest, 1);
        Parts { main, title, below, ..whole }
    }

    fn with_file(&self, ix: JobIx, body: &Body, content: &Content, whole: Parts) -> Parts {
        let area = whole.main;
        let row = self.jobs.get(ix).filter(|_| area.height >= HEAD);
        let head = row.map(|row| summary::over_files(row, self.around(row)));
        let head = text::wrapped(head.unwrap_or_default(), area.width.into(), true);
        let (head_area, area) = cut(area, head.len());
        let wanted = body.order.len() + 1;
        let opened = self.detail.place(ix).file.is_some();
        let (main, divider, rest) = if self.layout().class == Class::Wide && area.width >= BESIDE {
            let left = area.width * 11 / 20;
            let column = |x: u16, width: u16| Area { x: area.x + x, width, ..area };
            (column(0, left), column(left, 1), column(left + 1, area.width - left - 1))
        } else {
            let height = usize::from(area.height);
            // An opened file needs the few rows for itself.
            let most = if opened && area.height < HEAD { 0 } else { (height / 2).max(2) };
            let (table, rest) = cut(area, wanted.min(most));
            (table, Area::default(), rest)
        };
        let (title, rest) = cut(rest, 1);
        let file = self.shown_file(ix).and_then(|file| content.files.get(file));
        let why = file.and_then(|file| file.error.as_ref()).map(|why| Line::warn("error", Clean::new(why).to_string()));
        let mut error = text::wrapped(why.into_iter().collect(), rest.width.into(), true);
        // The opened file's tree has some rows in any case; a glimpse of it only has what is left.
        let most = if opened { rest.height.saturating_sub(3).max(1) } else { rest.height };
        error.truncate(most.into());
        let (error_area, below) = cut(rest, error.len());
        Parts { head, head_area, main, divider, title, error, error_area, below }
    }
}

/// What a reader of the raw bytes has to know of them: that they are no JSON, none at all, or not all.
fn faults(content: &Content) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(fault) = &content.fault {
        lines.push(Line::warn("no JSON", fault.to_string()));
    }
    if content.broken {
        lines.push(Line::warn("cut", "the reply broke off: this is what came of it"));
    }
    if lines.is_empty() {
        return lines;
    }
    let size = human::bytes(u64::try_from(content.body.len()).unwrap_or(u64::MAX));
    let kind = content.content_type.as_deref().map_or("no content type", |kind| kind);
    lines.push(Line::new("reply", format!("{size}, {kind}")));
    lines.push(Line::heading(""));
    lines
}

/// What a reader of the tree has to know: that it is not the output, if it is not.
fn instead_of_output(content: &Content) -> Vec<Line> {
    if content.output.is_some() || content.tree().is_none() {
        return Vec::new();
    }
    let text = match content.raw {
        Some(_) => "it is no JSON: the tab Raw shows it; this is the whole reply",
        None => "none in this reply; this is all of it",
    };
    vec![Line::new("output", text)]
}

/// The first rows of an area, and the rest.
fn cut(area: Area, rows: usize) -> (Area, Area) {
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(area.height);
    (Area { height: rows, ..area }, Area { y: area.y + rows, height: area.height - rows, ..area })
}
