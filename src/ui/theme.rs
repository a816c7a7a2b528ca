//! Every colour and every symbol.

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
}
