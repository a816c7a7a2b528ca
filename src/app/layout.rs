//! Where everything is: one pure function from the terminal's size to rectangles, used by drawing and by paging.

pub use ratatui::layout::Rect;

/// A pane that can have the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    List,
    Detail,
    Log,
}

impl Pane {
    /// Every pane, in the order of `Tab`.
    pub const ALL: [Self; 3] = [Self::List, Self::Detail, Self::Log];

    /// The pane after this one.
    pub fn next(self) -> Self {
        self.step(1)
    }

    /// The pane before this one.
    pub fn previous(self) -> Self {
        self.step(Self::ALL.len() - 1)
    }

    fn step(self, panes: usize) -> Self {
        Self::ALL.into_iter().cycle().skip_while(|pane| *pane != self).nth(panes).unwrap_or(self)
    }
}

/// The size classes of the screen, the smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Under 40x8: one line of counts and the newest problems.
    Tiny,
    /// 40 to 79 wide or 8 to 19 high: one pane at a time.
    Single,
    /// 80 to 99 wide: list over detail.
    Stacked,
    /// 100 to 159 wide: list over detail, or beside it.
    Side,
    /// 160 and wider: more columns, and two tabs of the detail side by side.
    Wide,
}

impl Class {
    /// The class of a terminal of this size.
    pub fn of(width: u16, height: u16) -> Self {
        match (width, height) {
            (..40, _) | (_, ..8) => Self::Tiny,
            (..80, _) | (_, ..20) => Self::Single,
            (..100, _) => Self::Stacked,
            (..160, _) => Self::Side,
            _ => Self::Wide,
        }
    }

    /// Whether list and detail can be side by side.
    pub fn can_be_beside(self) -> bool {
        self >= Self::Side
    }
}

/// How much of the log is shown while it has not the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogSize {
    /// Nothing.
    Hidden,
    /// Its last line.
    #[default]
    Line,
    /// A few lines in its own frame.
    Open,
}

/// What the layout depends on besides the terminal's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    pub focus: Pane,
    /// Whether it has the whole screen.
    pub zoom: bool,
    /// The list's share in per cent; None: the default.
    pub split: Option<u16>,
    /// Whether list and detail are side by side where there is room.
    pub beside: bool,
    /// How much of the log is shown.
    pub log: LogSize,
}

impl Default for Wish {
    fn default() -> Self {
        Self { focus: Pane::List, zoom: false, split: None, beside: false, log: LogSize::Line }
    }
}

/// What is drawn around a pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A line on every side.
    Full,
    /// A title row alone: a small screen, or a zoomed pane, of which the terminal can select clean text.
    Title,
    /// Nothing.
    Bare,
}

/// A pane on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaneArea {
    /// The pane with its frame.
    pub rect: Rect,
    pub frame: Frame,
}

impl PaneArea {
    /// What is inside of the frame.
    pub fn inner(&self) -> Rect {
        let Rect { x, y, width, height } = self.rect;
        match self.frame {
            Frame::Full => {
                Rect { x: x + 1, y: y + 1, width: width.saturating_sub(2), height: height.saturating_sub(2) }
            }
            Frame::Title => Rect { y: y + 1, height: height.saturating_sub(1), ..self.rect },
            Frame::Bare => self.rect,
        }
    }
}

/// Where everything is. A pane that is not shown has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The size class.
    pub class: Class,
    /// Counts and progress, one to three rows.
    pub header: Rect,
    /// Keys, toasts and input, one row.
    pub footer: Rect,
    pub list: Option<PaneArea>,
    /// The reason of the selected job, below a list that hides its detail.
    pub reason: Option<Rect>,
    pub detail: Option<PaneArea>,
    pub log: Option<PaneArea>,
    /// Whether list and detail are side by side.
    pub beside: bool,
}

impl Layout {
    /// The place of a pane.
    pub fn pane(&self, pane: Pane) -> Option<PaneArea> {
        match pane {
            Pane::List => self.list,
            Pane::Detail => self.detail,
            Pane::Log => self.log,
        }
    }

    /// What is inside of a pane's frame; empty if it is not shown.
    pub fn inner(&self, pane: Pane) -> Rect {
        self.pane(pane).map(|place| place.inner()).unwrap_or_default()
    }

    /// How many rows are inside of a pane's frame. The list's may have a header row among them.
    pub fn rows(&self, pane: Pane) -> usize {
        let header = pane == Pane::List && self.has_header_row();
        usize::from(self.inner(pane).height).saturating_sub(usize::from(header))
    }

    /// Whether the list has a row of column titles.
    pub fn has_header_row(&self) -> bool {
        let inner = self.inner(Pane::List);
        inner.width >= HEADED && inner.height >= 10
    }

    /// The pane at a cell.
    pub fn at(&self, x: u16, y: u16) -> Option<Pane> {
        Pane::ALL.into_iter().find(|pane| self.pane(*pane).is_some_and(|place| place.rect.contains((x, y).into())))
    }

    /// Whether a cell is on the line between list and detail.
    pub fn is_split_at(&self, x: u16, y: u16) -> bool {
        let (Some(list), Some(detail)) = (self.list, self.detail) else { return false };
        let (list, detail) = (list.rect, detail.rect);
        if self.beside {
            (y >= list.y && y < list.bottom()) && (x + 1 == list.right() || x == detail.x)
        } else {
            y + 1 == list.bottom() || y == detail.y
        }
    }

    /// The list's share in per cent if the line between list and detail were at this cell.
    pub fn split_at(&self, x: u16, y: u16) -> u16 {
        let (at, whole) = match (self.list, self.detail) {
            (Some(list), Some(detail)) if !self.beside => {
                (y.saturating_sub(list.rect.y), list.rect.height + detail.rect.height)
            }
            (_, _) => (x, self.header.width),
        };
        // Rounded up, as `share` rounds down.
        let share = (u32::from(at) * 100).div_ceil(u32::from(whole.max(1)));
        u16::try_from(share).unwrap_or(SPLITS.1).clamp(SPLITS.0, SPLITS.1)
    }
}

/// From this many columns on the list has a row of column titles.
const HEADED: u16 = 98;

/// The least and the greatest share of the list in per cent.
pub const SPLITS: (u16, u16) = (20, 80);

/// The list's share in per cent unless the user has moved the line.
pub const SPLIT: u16 = 50;

/// Rows of a detail below the list, unless the user has moved the line: more would mostly be empty.
const DETAIL: u16 = 20;

/// Rows of the log inside of its frame: a few, and while it has the focus.
const LOG: (u16, u16) = (3, 10);

/// Lays a screen out.
pub fn layout(width: u16, height: u16, wish: Wish) -> Layout {
    let class = Class::of(width, height);
    let header_rows = match (width, height) {
        (_, ..10) => 1,
        (100.., 30..) => 3,
        _ => 2,
    };
    let rect = |y: u16, rows: u16| Rect { x: 0, y, width, height: rows };
    let mut layout = Layout {
        class,
        header: rect(0, header_rows.min(height)),
        footer: rect(height.saturating_sub(1), height.min(1)),
        list: None,
        reason: None,
        detail: None,
        log: None,
        beside: false,
    };
    if class == Class::Tiny {
        // One line for what is said, where there is more than the counts and the newest failure take.
        let below = u16::from(height > 2);
        layout.header = rect(0, height - below);
        layout.footer = rect(height - below, below);
        return layout;
    }
    let main = rect(header_rows, height.saturating_sub(header_rows + 1));
    if wish.zoom || class == Class::Single {
        let frame = if wish.zoom || height < 12 { Frame::Title } else { Frame::Full };
        let place = |rect| Some(PaneArea { rect, frame });
        match wish.focus {
            Pane::List => {
                let rows = if class == Class::Single { main.height / 6 } else { 0 };
                let list = main.height - rows;
                layout.list = place(rect(main.y, list));
                layout.reason = (rows > 0).then(|| rect(main.y + list, rows));
            }
            Pane::Detail => layout.detail = place(main),
            Pane::Log => layout.log = place(main),
        }
        return layout;
    }
    let framed = |rect| Some(PaneArea { rect, frame: Frame::Full });
    let log = match wish.log {
        _ if wish.focus == Pane::Log => (LOG.1 + 2).min(main.height / 2),
        LogSize::Hidden => 0,
        LogSize::Open if height >= 30 => LOG.0 + 2,
        LogSize::Line | LogSize::Open => 1,
    };
    let upper = main.height - log;
    let log_rect = rect(main.y + upper, log);
    layout.log = match log {
        0 => None,
        1 => Some(PaneArea { rect: log_rect, frame: Frame::Bare }),
        _ => framed(log_rect),
    };
    let split = wish.split.map(|split| split.clamp(SPLITS.0, SPLITS.1));
    layout.beside = wish.beside && class.can_be_beside();
    if layout.beside {
        let list = share(width, split.unwrap_or(SPLIT));
        let column = |x: u16, width: u16| Rect { x, y: main.y, width, height: upper };
        layout.list = framed(column(0, list));
        layout.detail = framed(column(list, width - list));
    } else {
        let list = split.map_or(upper - (upper / 2).min(DETAIL), |split| share(upper, split));
        let list = list.clamp(3, upper.saturating_sub(3).max(3));
        layout.list = framed(rect(main.y, list));
        layout.detail = framed(rect(main.y + list, upper.saturating_sub(list)));
    }
    layout
}

fn share(whole: u16, per_cent: u16) -> u16 {
    u16::try_from(u32::from(whole) * u32::from(per_cent) / 100).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_are_framed_list_over_detail_and_the_log_is_a_line_until_something_is_wrong() {
        let rows = |width, height, wish: Wish| {
            let layout = layout(width, height, wish);
            let of = |place: Option<PaneArea>| place.map(|place| (place.rect.y, place.rect.height));
            (layout.header.height, of(layout.list), of(layout.detail), of(layout.log))
        };
        let calm = Wish::default();
        let troubled = Wish { log: LogSize::Open, ..calm };
        let reading = Wish { focus: Pane::Log, ..calm };
        let over = Wish { log: LogSize::Hidden, ..calm };
        assert_eq!(rows(80, 24, calm), (2, Some((2, 10)), Some((12, 10)), Some((22, 1))));
        assert_eq!(rows(80, 24, troubled), rows(80, 24, calm));
        assert_eq!(rows(120, 40, calm), (3, Some((3, 18)), Some((21, 17)), Some((38, 1))));
        assert_eq!(rows(120, 40, troubled), (3, Some((3, 16)), Some((19, 15)), Some((34, 5))));
        assert_eq!(rows(120, 40, reading), (3, Some((3, 12)), Some((15, 12)), Some((27, 12))));
        assert_eq!(rows(120, 40, over), (3, Some((3, 18)), Some((21, 18)), None));
    }

    #[test]
    fn list_and_detail_can_be_side_by_side() {
        let layout = layout(120, 40, Wish { beside: true, ..Wish::default() });
        let rect = |place: Option<PaneArea>| place.map(|place| place.rect);
        assert_eq!(rect(layout.list), Some(Rect { x: 0, y: 3, width: 60, height: 35 }));
        assert_eq!(rect(layout.detail), Some(Rect { x: 60, y: 3, width: 60, height: 35 }));
        assert!(layout.is_split_at(59, 9) && layout.is_split_at(60, 9) && !layout.is_split_at(61, 9));
    }

    #[test]
    fn nothing_is_ever_outside_the_screen_or_on_something_else() {
        for width in 0..=300 {
            for height in 0..=100 {
                for focus in Pane::ALL {
                    let wish = Wish { focus, split: Some(80), beside: height % 2 == 0, ..Wish::default() };
                    let layout = layout(width, height, wish);
                    let rect = |place: Option<PaneArea>| place.map(|place| place.rect);
                    let parts = [
                        Some(layout.header),
                        Some(layout.footer),
                        rect(layout.list),
                        layout.reason,
                        rect(layout.detail),
                        rect(layout.log),
                    ];
                    let parts: Vec<Rect> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
                    for (n, part) in parts.iter().enumerate() {
                        assert!(part.right() <= width && part.bottom() <= height, "{width}x{height}");
                        assert!(parts[n + 1..].iter().all(|other| !other.intersects(*part)), "{width}x{height}");
                    }
                }
            }
        }
    }
}
