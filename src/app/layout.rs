//! Where everything stands: one pure function from the terminal's size to rectangles, used by drawing and by paging.

/// Some cells of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Area {
    /// First column.
    pub x: u16,
    /// First row.
    pub y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Area {
    /// Whether a cell is in it.
    pub fn contains(&self, x: u16, y: u16) -> bool {
        let inside = |at: u16, from: u16, length: u16| at >= from && at - from < length;
        inside(x, self.x, self.width) && inside(y, self.y, self.height)
    }
}

/// A pane that can have the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    /// The jobs.
    List,
    /// The selected job.
    Detail,
    /// The log.
    Log,
}

impl Pane {
    /// Every pane, in the order of `Tab`.
    pub const ALL: [Self; 3] = [Self::List, Self::Detail, Self::Log];

    /// The pane after this one.
    pub fn next(self) -> Self {
        match self {
            Self::List => Self::Detail,
            Self::Detail => Self::Log,
            Self::Log => Self::List,
        }
    }

    /// The pane before this one.
    pub fn previous(self) -> Self {
        self.next().next()
    }
}

/// The size classes of the screen, the smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Under 40x8: one line of counts and the newest problems.
    Tiny,
    /// 40 to 79 wide or 8 to 19 high: one pane at a time.
    Single,
    /// 80 to 99 wide: the panes one over the other.
    Stacked,
    /// 100 to 159 wide: list left, detail right, log below.
    Side,
    /// 160 and wider: the same with more columns.
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

    /// The share of the first pane in per cent, unless the user has moved the split.
    pub fn default_split(self) -> u16 {
        match self {
            Self::Tiny | Self::Single | Self::Stacked | Self::Side => 48,
            Self::Wide => 60,
        }
    }
}

/// Where everything stands. A pane that is not seen has no rectangle; the first row of each pane is its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The size class.
    pub class: Class,
    /// Counts and progress, one or two rows.
    pub header: Area,
    /// Keys, toasts and input, one row.
    pub footer: Area,
    /// The list.
    pub list: Option<Area>,
    /// What is to be said of the selected job, below a list that hides its detail.
    pub reason: Option<Area>,
    /// The column between list and detail.
    pub divider: Option<Area>,
    /// The detail.
    pub detail: Option<Area>,
    /// The log.
    pub log: Option<Area>,
}

impl Layout {
    /// The rectangle of a pane.
    pub fn pane(&self, pane: Pane) -> Option<Area> {
        match pane {
            Pane::List => self.list,
            Pane::Detail => self.detail,
            Pane::Log => self.log,
        }
    }

    /// How many rows a pane has under its title.
    pub fn rows(&self, pane: Pane) -> usize {
        self.pane(pane).map_or(0, |rect| usize::from(rect.height.saturating_sub(1)))
    }

    /// The pane at a cell.
    pub fn at(&self, x: u16, y: u16) -> Option<Pane> {
        Pane::ALL.into_iter().find(|pane| self.pane(*pane).is_some_and(|rect| rect.contains(x, y)))
    }

    /// Whether a cell is on the line between list and detail: a column of its own, or the detail's title.
    pub fn is_split_at(&self, x: u16, y: u16) -> bool {
        match (self.divider, self.list, self.detail) {
            (Some(divider), _, _) => divider.contains(x, y),
            (None, Some(_), Some(detail)) => detail.contains(x, y) && y == detail.y,
            (None, _, _) => false,
        }
    }

    /// The share of the first pane, in per cent, with which the line between list and detail is at this cell.
    pub fn split_at(&self, x: u16, y: u16) -> u16 {
        let (at, whole) = match (self.divider, self.list, self.detail) {
            (None, Some(list), Some(detail)) => (y.saturating_sub(list.y), list.height + detail.height),
            (_, _, _) => (x, self.header.width),
        };
        // Rounded up, as `share` rounds down.
        let share = (u32::from(at) * 100).div_ceil(u32::from(whole.max(1)));
        u16::try_from(share).unwrap_or(SPLITS.1).clamp(SPLITS.0, SPLITS.1)
    }
}

/// The least and the greatest share of the first pane in per cent.
pub const SPLITS: (u16, u16) = (20, 80);

/// What a pane's content has under its title.
pub fn body(rect: Area) -> Area {
    Area { y: rect.y.saturating_add(1), height: rect.height.saturating_sub(1), ..rect }
}

/// Lays a screen out. `split` is the share of the first pane in per cent; None: the class's own.
pub fn layout(width: u16, height: u16, focus: Pane, zoom: bool, split: Option<u16>) -> Layout {
    let class = Class::of(width, height);
    let header_rows = if height < 10 { 1 } else { 2 };
    let rect = |y: u16, rows: u16| Area { x: 0, y, width, height: rows };
    let mut layout = Layout {
        class,
        header: rect(0, header_rows.min(height)),
        footer: rect(height.saturating_sub(1), 1),
        list: None,
        reason: None,
        divider: None,
        detail: None,
        log: None,
    };
    if class == Class::Tiny {
        // One line for what is said, where there is more than the counts and the newest failure take.
        let below = u16::from(height > 2);
        layout.header = rect(0, height - below);
        layout.footer = rect(height - below, below);
        return layout;
    }
    let main = rect(header_rows, height.saturating_sub(header_rows + 1));
    if zoom || class == Class::Single {
        match focus {
            Pane::List => {
                let rows = if class == Class::Single { main.height / 6 } else { 0 };
                let list = main.height - rows;
                layout.list = Some(rect(main.y, list));
                layout.reason = (rows > 0).then(|| rect(main.y + list, rows));
            }
            Pane::Detail => layout.detail = Some(main),
            Pane::Log => layout.log = Some(main),
        }
        return layout;
    }
    let split = split.unwrap_or_else(|| class.default_split()).clamp(SPLITS.0, SPLITS.1);
    let log_rows = if class == Class::Stacked { (height / 10).max(2) } else { height / 4 };
    let upper = main.height.saturating_sub(log_rows);
    layout.log = Some(rect(main.y + upper, log_rows));
    if class == Class::Stacked {
        let list = share(upper, split).max(3);
        layout.list = Some(rect(main.y, list));
        layout.detail = Some(rect(main.y + list, upper.saturating_sub(list)));
    } else {
        let list = share(width, split);
        let column = |x: u16, width: u16| Area { x, y: main.y, width, height: upper };
        layout.list = Some(column(0, list));
        layout.divider = Some(column(list, 1));
        layout.detail = Some(column(list + 1, width.saturating_sub(list + 1)));
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
    fn at_80x24_the_list_has_nine_rows_the_detail_ten_and_the_log_two() {
        let layout = layout(80, 24, Pane::List, false, None);
        let rows = |rect: Option<Area>| rect.map(|rect| (rect.y, rect.height));
        assert_eq!(
            (rows(layout.list), rows(layout.detail), rows(layout.log)),
            (Some((2, 9)), Some((11, 10)), Some((21, 2)))
        );
        assert_eq!((layout.header.height, layout.footer.y), (2, 23));
    }

    #[test]
    fn at_120x40_the_detail_stands_at_the_right_and_the_log_below() {
        let layout = layout(120, 40, Pane::List, false, None);
        assert_eq!(layout.list, Some(Area { x: 0, y: 2, width: 57, height: 27 }));
        assert_eq!(layout.detail, Some(Area { x: 58, y: 2, width: 62, height: 27 }));
        assert_eq!(layout.log, Some(Area { x: 0, y: 29, width: 120, height: 10 }));
    }

    fn apart(a: Area, b: Area) -> bool {
        a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
    }

    #[test]
    fn nothing_ever_stands_outside_the_screen_or_on_something_else() {
        for width in 0..=300 {
            for height in 0..=100 {
                for focus in Pane::ALL {
                    let layout = layout(width, height, focus, false, Some(80));
                    let parts = [
                        Some(layout.header),
                        Some(layout.footer),
                        layout.list,
                        layout.reason,
                        layout.divider,
                        layout.detail,
                        layout.log,
                    ];
                    let parts = parts.into_iter().flatten().filter(|part| part.width > 0 && part.height > 0);
                    let parts: Vec<Area> = parts.collect();
                    for (n, part) in parts.iter().enumerate() {
                        assert!(part.x + part.width <= width && part.y + part.height <= height, "{width}x{height}");
                        assert!(parts[n + 1..].iter().all(|other| apart(*other, *part)), "{width}x{height}");
                    }
                }
            }
        }
    }
}
