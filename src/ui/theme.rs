//! Every colour and every symbol.
//!
//! Symbol and word say everything; colour is never the only sign. Foreground and background are the terminal's own,
//! so that any background will do; never white, black, bright black or dim for something that has to be read.

use ratatui::style::{Color, Modifier, Style};

use crate::app::event::Level;
use crate::domain::fact::Health;
use crate::domain::state::State;
use crate::ui::raw::RawStyles;
use crate::ui::tree::TreeStyles;

/// Which characters the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// Symbols, borders and blocks of Unicode.
    #[default]
    Utf8,
    /// ASCII only.
    Ascii,
}

/// Which colours are used.
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

/// How everything looks.
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

    /// A state's symbol, one cell wide.
    pub fn symbol(&self, state: State) -> &'static str {
        match state {
            State::Queued => self.either("◌", "."),
            State::Running => self.either("▸", "*"),
            State::Succeeded => self.either("✓", "+"),
            State::Partial => self.either("◧", "%"),
            State::Failed => self.either("✗", "x"),
            State::Cancelled => self.either("⊘", "-"),
            State::Lost => self.either("∅", "!"),
            State::Unknown => "?",
        }
    }

    /// How a state looks.
    pub fn state(&self, state: State) -> Style {
        match state {
            State::Queued => Style::new(),
            State::Running => self.colour(Color::Cyan, Color::Indexed(39)),
            State::Succeeded => self.colour(Color::Green, Color::Indexed(33)),
            State::Partial => self.colour(Color::Yellow, Color::Indexed(214)).add_modifier(Modifier::BOLD),
            State::Failed => self.colour(Color::Red, Color::Indexed(202)).add_modifier(Modifier::BOLD),
            State::Cancelled => self.colour(Color::Magenta, Color::Indexed(175)),
            State::Lost => self.colour(Color::Red, Color::Indexed(202)).add_modifier(Modifier::REVERSED),
            State::Unknown => Style::new().add_modifier(Modifier::BOLD),
        }
    }

    /// Something that went wrong.
    pub fn bad(&self) -> Style {
        self.colour(Color::Red, Color::Indexed(202)).add_modifier(Modifier::BOLD)
    }

    /// Something that needs a look.
    pub fn warn(&self) -> Style {
        self.colour(Color::Yellow, Color::Indexed(214))
    }

    /// Keys in the footer, headings.
    pub fn strong(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The row under the cursor.
    pub fn selected(&self) -> Style {
        // Colours turned round would be patches of colour.
        Style::new().fg(Color::Reset).add_modifier(Modifier::REVERSED)
    }

    /// Text that matches a search.
    pub fn found(&self) -> Style {
        Style::new().add_modifier(Modifier::UNDERLINED | Modifier::BOLD)
    }

    /// What is wrong in a line that is being typed.
    pub fn broken(&self) -> Style {
        self.bad().add_modifier(Modifier::UNDERLINED)
    }

    /// The full part of the progress bar.
    pub fn bar(&self) -> Style {
        self.colour(Color::Green, Color::Indexed(33))
    }

    /// How severe a line of the log is.
    pub fn level(&self, level: Level) -> Style {
        match level {
            Level::Debug | Level::Info => Style::new(),
            Level::Warn => self.warn(),
            Level::Error => self.bad(),
        }
    }

    /// The sign of a job's read health, one cell wide.
    pub fn health(&self, health: &Health) -> &'static str {
        match health {
            Health::Fresh => " ",
            Health::Stale => "~",
            Health::Paused => "=",
            Health::Throttled(_) => "#",
            Health::KeyRefused => "K",
            Health::Held => "H",
            Health::Following(_) => "@",
            Health::GivenUp(_) => "X",
        }
    }

    /// The sign of a saved job.
    pub fn saved(&self) -> &'static str {
        self.either("⤓", "s")
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

    /// The full and the empty cell of the progress bar.
    pub fn blocks(&self) -> (&'static str, &'static str) {
        (self.either("█", "#"), self.either("░", "-"))
    }

    /// The steps of the throughput strip, lowest first.
    pub fn steps(&self) -> &'static [&'static str] {
        match self.charset {
            Charset::Utf8 => &["⠀", "⣀", "⣤", "⣶", "⣿"],
            Charset::Ascii => &[" ", "_", ".", "=", "#"],
        }
    }

    /// Corners of a box: upper left, upper right, lower left, lower right.
    pub fn corners(&self) -> [&'static str; 4] {
        match self.charset {
            Charset::Utf8 => ["┌", "┐", "└", "┘"],
            Charset::Ascii => ["+", "+", "+", "+"],
        }
    }

    /// How the tree looks.
    pub fn tree(&self) -> TreeStyles {
        TreeStyles {
            plain: Style::new(),
            key: self.colour(Color::Cyan, Color::Indexed(39)),
            string: Style::new(),
            number: self.colour(Color::Magenta, Color::Indexed(214)),
            word: self.colour(Color::Magenta, Color::Indexed(214)),
            cursor: self.selected(),
            cursor_away: Style::new().add_modifier(Modifier::BOLD),
            found: self.found(),
            path: self.strong(),
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

/// A state's four letters in the list.
pub fn label(state: State) -> &'static str {
    match state {
        State::Queued => "WAIT",
        State::Running => "RUN",
        State::Succeeded => "DONE",
        State::Partial => "PART",
        State::Failed => "FAIL",
        State::Cancelled => "CANC",
        State::Lost => "LOST",
        State::Unknown => "?",
    }
}
