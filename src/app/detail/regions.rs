//! How the detail is shared between the parts of a tab: lines above, table or text, and a tree below or beside.
//! One function, used by drawing and by paging.

use ratatui::layout::Rect;

use super::view::Size;
use super::{LoadedBody, Tab, TabContent};
use crate::app::App;
use crate::app::event::Content;
use crate::app::layout::Pane;
use crate::app::text::{self, TextLine, Tone};
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::domain::job::JobIx;

/// From this many columns on, Summary and Output are side by side, and so are the files and the file.
const BESIDE: u16 = 150;
/// Responses up to this size are looked into for the output beside or below the summary.
const PREVIEW: u64 = 1 << 20;

/// The regions of the detail. One that is not there is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Regions {
    /// Lines over everything, wrapped.
    pub head: Vec<TextLine>,
    pub head_area: Rect,
    /// The text, the bytes, the tree or the table of files with its header row.
    pub main: Rect,
    /// The summary beside the output.
    pub aside: Rect,
    /// The column between two regions that are side by side.
    pub divider: Rect,
    /// The name of the file, or the title of the preview.
    pub title: Rect,
    /// Why the file failed, wrapped.
    pub error: Vec<TextLine>,
    pub error_area: Rect,
    /// The tree of the file, or the preview.
    pub below: Rect,
}

impl Regions {
    /// The cells of what is moved in.
    pub fn size(&self, in_file: bool) -> Size {
        let Rect { width, height, .. } = if in_file { self.below } else { self.main };
        Size { width, height }
    }
}

impl App {
    /// The regions of a job's detail as it is open now.
    pub fn regions(&self, ix: JobIx) -> Regions {
        let area = self.layout().inner(Pane::Detail);
        let whole = Regions { main: area, ..Regions::default() };
        let body = self.detail.body(ix);
        let content = body.and_then(|body| Some((body, body.content.ready()?)));
        match self.detail.tab.content() {
            TabContent::Text if self.detail.tab == Tab::Summary => self.with_preview(ix, whole),
            TabContent::Text => whole,
            TabContent::Tree if area.width >= BESIDE => {
                let (aside, divider, main) = beside(area);
                let main = headed(content.map(|(_, content)| instead_of_output(content)), main, whole);
                Regions { aside, divider, ..main }
            }
            TabContent::Tree => headed(content.map(|(_, content)| instead_of_output(content)), area, whole),
            TabContent::Bytes => headed(content.map(|(_, content)| faults(content)), area, whole),
            TabContent::Files => match content {
                Some((body, content)) if !content.files.is_empty() => self.with_file(ix, body, content, whole),
                Some(_) | None => whole,
            },
        }
    }

    /// Whether the summary of a job has room for its output, and the output is small enough.
    pub(in crate::app) fn previews(&self, ix: JobIx) -> bool {
        self.detail.tab == Tab::Summary && self.regions(ix).below.height > 0
    }

    /// The file whose tree is seen: the opened one, else the one under the cursor.
    pub fn shown_file(&self, ix: JobIx) -> Option<usize> {
        let view = self.detail.view(ix);
        view.file.or_else(|| self.detail.body(ix)?.order.get(view.files.at).copied())
    }

    fn with_preview(&self, ix: JobIx, whole: Regions) -> Regions {
        let known = self.jobs.get(ix).map(|row| &row.known);
        let kept = known.and_then(|known| known.kept_body());
        if kept.is_none_or(|kept| kept.bytes > PREVIEW) {
            return whole;
        }
        if whole.main.width >= BESIDE {
            let (main, divider, rest) = beside(whole.main);
            let (title, below) = cut(rest, 1);
            return Regions { main, divider, title, below: indented(below), ..whole };
        }
        let lines = self.summary_lines(ix, whole.main.width).len();
        if usize::from(whole.main.height) < lines + 4 {
            return whole;
        }
        let (main, rest) = cut(whole.main, lines + 1);
        let (title, below) = cut(rest, 1);
        Regions { main, title, below: indented(below), ..whole }
    }

    fn with_file(&self, ix: JobIx, body: &LoadedBody, content: &Content, whole: Regions) -> Regions {
        let area = whole.main;
        let wanted = body.order.len() + 1;
        let opened = self.detail.view(ix).file.is_some();
        let (main, divider, rest) = if area.width >= BESIDE / 2 + 20 {
            beside(area)
        } else {
            let height = usize::from(area.height);
            // An opened file needs the few rows for itself.
            let most = if opened && area.height < 16 { 0 } else { (height / 2).max(2) };
            let (table, rest) = cut(area, wanted.min(most));
            (table, Rect::default(), rest)
        };
        let (title, rest) = cut(rest, 1);
        let file = self.shown_file(ix).and_then(|file| content.files.get(file));
        let why = file.and_then(|file| file.error.as_ref()).map(|why| TextLine::of(Tone::Strong, &Clean::new(why)));
        let mut error = text::wrapped(why.into_iter().collect(), rest.width.into(), true);
        // The opened file's tree has some rows in any case; a glimpse of it only has what is left.
        let most = if opened { rest.height.saturating_sub(3).max(1) } else { rest.height };
        error.truncate(most.into());
        let (error_area, below) = cut(rest, error.len());
        Regions { main, divider, title, error, error_area, below: indented(below), ..whole }
    }
}

/// Two halves and the column between them.
fn beside(area: Rect) -> (Rect, Rect, Rect) {
    let left = area.width / 2;
    let column = |x: u16, width: u16| Rect { x: area.x + x, width, ..area };
    (column(0, left), column(left, 1), column(left + 1, area.width - left - 1))
}

/// Lines over the bytes or the tree.
fn headed(lines: Option<Vec<TextLine>>, area: Rect, whole: Regions) -> Regions {
    let head = text::wrapped(lines.unwrap_or_default(), area.width.into(), true);
    let (head_area, main) = cut(area, head.len());
    Regions { head, head_area, main: indented(main), ..whole }
}

/// What is wrong with the raw bytes: they are no JSON, empty, or not complete.
fn faults(content: &Content) -> Vec<TextLine> {
    let mut lines = damage(content);
    if let Some(fault) = &content.fault {
        lines.push(TextLine::labelled("not JSON", Tone::Warn, fault));
    }
    if content.broken {
        lines.push(TextLine::labelled("cut", Tone::Warn, "the connection dropped: partial response kept"));
    }
    if lines.is_empty() {
        return lines;
    }
    let size = human::bytes(u64::try_from(content.body.len()).unwrap_or(u64::MAX));
    let kind = content.content_type.as_deref().map_or("no content type", |kind| kind);
    lines.push(TextLine::labelled("response", Tone::Plain, &format!("{size}, {kind}")));
    lines.push(TextLine::heading(""));
    lines
}

/// That the tree is not the output, if it is not.
fn instead_of_output(content: &Content) -> Vec<TextLine> {
    let mut lines = damage(content);
    if content.output.is_some() || content.tree().is_none() {
        return lines;
    }
    let text = match content.raw {
        Some(_) => "the output is not JSON (see Raw); full response:",
        None => "no output; full response:",
    };
    lines.push(TextLine::of(Tone::Dim, text));
    lines
}

/// That the bytes are not those that were saved.
fn damage(content: &Content) -> Vec<TextLine> {
    content.damage.iter().map(|why| TextLine::labelled("damaged", Tone::Warn, why)).collect()
}

/// A blank column at the left.
fn indented(area: Rect) -> Rect {
    Rect { x: area.x.saturating_add(1), width: area.width.saturating_sub(1), ..area }
}

/// The first rows of an area, and the rest.
fn cut(area: Rect, rows: usize) -> (Rect, Rect) {
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(area.height);
    (Rect { height: rows, ..area }, Rect { y: area.y + rows, height: area.height - rows, ..area })
}
