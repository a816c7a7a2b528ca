//! The tabs of the detail.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tab {
    /// The batch that the job belongs to.
    Batch,
    /// The state, the reason in full, times, ids.
    #[default]
    Summary,
    /// The decoded output as a tree.
    Output,
    /// The files of a job of many files.
    Files,
    /// The bytes as received.
    Raw,
    /// Changes of state and polls.
    History,
}

/// What a tab is made of. Keys, regions and drawing go by this, so that a further tab of text is at home at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TabContent {
    /// Lines that [`App::text_lines`](crate::app::App::text_lines) has for it.
    Text,
    Tree,
    /// A table of files, and the tree of the one that is opened.
    Files,
    Bytes,
}

impl Tab {
    /// Every tab, from left to right.
    pub const ALL: [Self; 6] = [Self::Batch, Self::Summary, Self::Output, Self::Files, Self::Raw, Self::History];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "Batch",
            Self::Summary => "Summary",
            Self::Output => "Output",
            Self::Files => "Files",
            Self::Raw => "Raw",
            Self::History => "History",
        }
    }

    pub fn content(self) -> TabContent {
        match self {
            Self::Batch | Self::Summary | Self::History => TabContent::Text,
            Self::Output => TabContent::Tree,
            Self::Files => TabContent::Files,
            Self::Raw => TabContent::Bytes,
        }
    }

    /// The tab to the right, or to the left, round the end.
    pub fn step(self, right: bool) -> Self {
        let steps = if right { 1 } else { Self::ALL.len() - 1 };
        Self::ALL.into_iter().cycle().skip_while(|tab| *tab != self).nth(steps).unwrap_or_default()
    }
}
