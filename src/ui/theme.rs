//! Every colour and every symbol.
//!
//! Three weights: accent (what needs the user, the cursor, the focused frame), plain (names, reasons, values) and dim
//! (labels, ids, times). Symbol and word say everything; colour is never the only sign. Foreground and background are
//! the terminal's own, so that any background will do.

use std::borrow::Cow;

use ratatui::crossterm::style::ContentStyle;
use ratatui::prelude::IntoCrossterm;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::{bar, border};

use crate::app::event::Level;
use crate::app::text::Tone;
use crate::domain::state::State;
use crate::ui::raw::RawStyles;
use crate::ui::tree::TreeStyles;

/// Which characters the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// Symbols, borders and blocks of Unicode.
    #[default]
    Utf8,
    Ascii,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Palette {
    /// The terminal's sixteen.
    #[default]
    Ansi,
    /// Blue, orange, vermilion.
    Cvd,
    /// None at all.
    Plain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    charset: Charset,
    palette: Palette,
}

impl Theme {
    /// A theme of these characters and colours.
    pub fn new(charset: Charset, palette: Palette) -> Self {
        Self { charset, palette }
    }

    /// Whether only ASCII may be drawn.
    pub fn is_ascii(&self) -> bool {
        self.charset == Charset::Ascii
    }

    /// One of two texts, by the characters that the terminal can show.
    pub fn either(&self, utf8: &'static str, ascii: &'static str) -> &'static str {
        match self.charset {
            Charset::Utf8 => utf8,
            Charset::Ascii => ascii,
        }
    }

    /// Text of ours as the terminal can show it: dots, dashes and blocks have a sign in ASCII.
    pub fn shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let odd = |c: char| ASCII.iter().any(|(from, _)| *from == c);
        if self.charset == Charset::Utf8 || !text.contains(odd) {
            return Cow::Borrowed(text);
        }
        let one = |c: char| ASCII.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to);
        Cow::Owned(text.chars().map(one).collect())
    }

    /// A state's symbol, one cell wide.
    pub fn symbol(&self, state: State) -> &'static str {
        match state {
            State::Queued => self.either("◌", "."),
            State::Running => self.either("▸", "*"),
            State::Succeeded => self.either("✓", "+"),
            State::Partial => self.either("◧", "%"),
            State::Failed => self.either("✗", "x"),
            State::Cancelled => self.either("–", "-"),
            State::Lost => "!",
            State::Unknown => "?",
        }
    }

    /// A state's cell in the bar of the batch. Without colours the states are told apart by their density.
    pub fn bar_cell(&self, state: State) -> &'static str {
        let coloured = self.palette != Palette::Plain;
        match state {
            State::Queued | State::Unknown => self.either("░", "."),
            State::Running => self.either("▒", "-"),
            State::Succeeded => self.either("█", "#"),
            State::Partial if coloured => self.either("█", "%"),
            State::Failed if coloured => self.either("█", "x"),
            State::Lost if coloured => self.either("▓", "!"),
            State::Cancelled if coloured => self.either("█", "="),
            State::Partial => self.either("▓", "%"),
            State::Failed => self.either("✗", "x"),
            State::Lost => "!",
            State::Cancelled => self.either("–", "="),
        }
    }

    /// A state's cell in the bar of a row, lower than it: bars of neighbouring rows stay apart.
    pub fn row_cell(&self, state: State) -> &'static str {
        match (self.palette, self.charset, state) {
            (Palette::Plain, ..) | (_, Charset::Ascii, _) => self.bar_cell(state),
            (_, Charset::Utf8, State::Queued | State::Unknown) => "▂",
            (_, Charset::Utf8, State::Lost) => "▄",
            (_, Charset::Utf8, _) => "▆",
        }
    }

    /// Whether a cell is one of a bar in colours, which keeps them under the cursor.
    pub fn is_bar(&self, cell: &str) -> bool {
        self.palette != Palette::Plain && self.charset == Charset::Utf8 && matches!(cell, "▆" | "▄" | "▂")
    }

    pub fn state(&self, state: State) -> Style {
        match state {
            State::Queued => self.dim(),
            State::Running => self.colour(Color::Cyan, Color::Indexed(39)),
            State::Succeeded => self.colour(Color::Green, Color::Indexed(33)),
            State::Partial => self.colour(Color::Yellow, Color::Indexed(214)).add_modifier(Modifier::BOLD),
            State::Failed | State::Lost => self.bad(),
            State::Cancelled => self.colour(Color::Magenta, Color::Indexed(175)),
            State::Unknown => Style::new().add_modifier(Modifier::BOLD),
        }
    }

    /// Text in a state's colour, for a line that is printed.
    pub fn painted(&self, text: &str, state: State) -> String {
        let style: ContentStyle = self.state(state).into_crossterm();
        style.apply(text).to_string()
    }

    /// The colour alone of a state, for bars.
    pub fn fill(&self, state: State) -> Style {
        self.state(state).remove_modifier(Modifier::BOLD)
    }

    /// How a piece of text looks.
    pub fn tone(&self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Dim => self.dim(),
            Tone::Strong => self.strong(),
            Tone::Accent => self.accent(),
            Tone::Caution => self.warn(),
            Tone::Warn => self.warn().patch(self.strong()),
            Tone::State(state) => self.state(state),
            Tone::Badge(state) => {
                self.state(state).remove_modifier(Modifier::DIM).add_modifier(Modifier::REVERSED | Modifier::BOLD)
            }
            Tone::Fill(state) => self.fill(state),
        }
    }

    /// What needs the user, the cursor's mark, the focused frame.
    pub fn accent(&self) -> Style {
        self.colour(Color::Cyan, Color::Indexed(39)).add_modifier(Modifier::BOLD)
    }

    /// Labels, ids, times, frames without the focus.
    pub fn dim(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The frame of a pane.
    pub fn frame(&self, focused: bool) -> Style {
        if focused { self.accent() } else { self.dim() }
    }

    /// The title of a pane.
    pub fn title(&self, focused: bool) -> Style {
        if focused { self.accent() } else { Style::new().add_modifier(Modifier::BOLD) }
    }

    /// Text on something that has a style, as if it had none.
    pub fn plain(&self) -> Style {
        Style::new().fg(Color::Reset).remove_modifier(Modifier::BOLD | Modifier::DIM)
    }

    /// Something that went wrong.
    pub fn bad(&self) -> Style {
        self.colour(Color::Red, Color::Indexed(202)).add_modifier(Modifier::BOLD)
    }

    /// Something that needs a look.
    pub fn warn(&self) -> Style {
        self.colour(Color::Yellow, Color::Indexed(214))
    }

    /// Keys, headings.
    pub fn strong(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The row under the cursor of the focused pane. Colours turned round would be patches of colour.
    pub fn selected(&self) -> Style {
        Style::new().fg(Color::Reset).remove_modifier(Modifier::DIM).add_modifier(Modifier::REVERSED)
    }

    /// The row under the cursor of a pane without the focus.
    pub fn selected_away(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Text that matches a search.
    pub fn found(&self) -> Style {
        Style::new().add_modifier(Modifier::UNDERLINED | Modifier::BOLD)
    }

    /// What is wrong in a line that is being typed.
    pub fn broken(&self) -> Style {
        self.bad().add_modifier(Modifier::UNDERLINED)
    }

    /// How severe a line of the log is.
    pub fn level(&self, level: Level) -> Style {
        match level {
            Level::Debug | Level::Info => self.dim(),
            Level::Warn => self.warn(),
            Level::Error => self.bad(),
        }
    }

    /// The sign in front of the row under the cursor, one cell wide.
    pub fn cursor(&self) -> &'static str {
        self.either("▌", ">")
    }

    /// The sign of a marked job.
    pub fn mark(&self) -> &'static str {
        "*"
    }

    /// A horizontal line.
    pub fn line(&self) -> &'static str {
        self.either("─", "-")
    }

    /// A vertical line.
    pub fn column(&self) -> &'static str {
        self.either("│", "|")
    }

    /// Where text was cut.
    pub fn cut(&self) -> &'static str {
        self.either("…", "~")
    }

    /// The thumb of a scroll bar.
    pub fn thumb(&self) -> &'static str {
        self.either("┃", "#")
    }

    /// Between two facts in one line.
    pub fn dot(&self) -> &'static str {
        self.either("·", "-")
    }

    /// The cells of a duration bar: queued, running.
    pub fn spans(&self) -> (&'static str, &'static str) {
        (self.either("▂", "."), self.either("▆", "#"))
    }

    pub fn chart(&self) -> bar::Set<'static> {
        match self.charset {
            Charset::Utf8 => bar::NINE_LEVELS,
            Charset::Ascii => bar::Set {
                full: "#",
                seven_eighths: "#",
                three_quarters: "+",
                five_eighths: "+",
                half: "=",
                three_eighths: "-",
                one_quarter: "_",
                one_eighth: ".",
                empty: " ",
            },
        }
    }

    /// The frame of a pane or an overlay.
    pub fn border(&self) -> border::Set<'static> {
        match self.charset {
            Charset::Utf8 => border::ROUNDED,
            Charset::Ascii => border::Set {
                top_left: "+",
                top_right: "+",
                bottom_left: "+",
                bottom_right: "+",
                vertical_left: "|",
                vertical_right: "|",
                horizontal_top: "-",
                horizontal_bottom: "-",
            },
        }
    }

    pub fn tree(&self) -> TreeStyles {
        TreeStyles {
            plain: self.dim(),
            key: self.colour(Color::Cyan, Color::Indexed(39)),
            string: Style::new(),
            number: self.colour(Color::Magenta, Color::Indexed(214)),
            word: self.colour(Color::Magenta, Color::Indexed(214)),
            cursor: self.selected(),
            cursor_away: self.selected_away(),
            found: self.found(),
            path: self.dim(),
            ascii: self.is_ascii(),
        }
    }

    /// How the raw tab looks.
    pub fn raw(&self) -> RawStyles {
        RawStyles { plain: Style::new(), escape: self.colour(Color::Magenta, Color::Indexed(214)), found: self.found() }
    }

    fn colour(&self, ansi: Color, cvd: Color) -> Style {
        match self.palette {
            Palette::Ansi => Style::new().fg(ansi),
            Palette::Cvd => Style::new().fg(cvd),
            Palette::Plain => Style::new(),
        }
    }
}

/// The signs of our own texts, and what stands for them in ASCII.
const ASCII: [(char, char); 14] = [
    ('…', '~'),
    ('·', '-'),
    ('–', '-'),
    ('█', '#'),
    ('░', '.'),
    ('▒', '-'),
    ('→', '>'),
    ('▁', '.'),
    ('▂', '_'),
    ('▃', '-'),
    ('▄', '='),
    ('▅', '='),
    ('▆', '#'),
    ('▇', '#'),
];
