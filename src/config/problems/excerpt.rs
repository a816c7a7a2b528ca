//! A line of a file as an error may show it: keys and punctuation, every value and comment masked.

use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

use super::known_keys;

/// What stands for a value.
const MASK: &str = "***";

/// Columns of a line that are shown; of a longer one only the surroundings of the caret are.
const WIDEST: usize = 100;

/// A text in its lines and tokens.
pub struct Excerpts<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    tokens: Vec<Token>,
}

/// A place in a text, both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl<'a> Excerpts<'a> {
    /// Of a whole file. A byte order mark may stand in front.
    pub fn new(text: &'a str) -> Self {
        let line_starts =
            std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1)).collect();
        Self { text, line_starts, tokens: Source::new(text).lex().collect() }
    }

    /// Where a byte is.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|ix| self.line_starts.get(ix)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        Position { line, column: before.trim_start_matches('\u{feff}').chars().count() + 1 }
    }

    /// The line in which a span begins, masked, and the line of carets below it.
    pub fn lines(&self, span: &Range<usize>) -> (String, String) {
        let line = self.position(span.start).line;
        let start = line.checked_sub(1).and_then(|ix| self.line_starts.get(ix)).copied().unwrap_or(0);
        let end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        let masked = self.masked(start..end);
        let (first, last) = masked.columns(span);
        let shown: Vec<char> = masked.shown.chars().collect();
        // A window around the carets; their own run is cut to it.
        let left = if last <= WIDEST { 0 } else { first.saturating_sub(WIDEST / 2) };
        let right = shown.len().min(left + WIDEST);
        let mut excerpt: String = shown.get(left..right).unwrap_or_default().iter().collect();
        let mut carets = " ".repeat(first - left);
        if left > 0 {
            excerpt.insert_str(0, "...");
            carets.insert_str(0, "   ");
        }
        if right < shown.len() {
            excerpt.push_str("...");
        }
        carets.push_str(&"^".repeat(last.min(left + WIDEST).saturating_sub(first).max(1)));
        (excerpt.trim_end().to_owned(), carets)
    }

    fn masked(&self, line: Range<usize>) -> Masked {
        let first = self.tokens.partition_point(|token| token.span().end() <= line.start);
        let tokens: Vec<Token> = self
            .tokens
            .get(first..)
            .unwrap_or_default()
            .iter()
            .take_while(|token| token.span().start() < line.end)
            .copied()
            .collect();
        let keys = self.keys(&tokens, line.start);
        let mut masked = Masked::default();
        let mut last_key = "";
        for (token, is_key) in tokens.iter().zip(keys) {
            let from = token.span().start().max(line.start);
            let to = token.span().end().min(line.end);
            let source = self.text.get(from..to).unwrap_or_default();
            let begins = token.span().start() >= line.start;
            match token.kind() {
                TokenKind::Whitespace => masked.show(from..to, &" ".repeat(source.len())),
                TokenKind::Newline | TokenKind::Eof => {}
                TokenKind::Comment => masked.mask(from..to, "#", ""),
                TokenKind::LiteralString | TokenKind::BasicString | TokenKind::Atom if is_key => {
                    last_key = source.trim_matches(['"', '\'']);
                    masked.show(from..to, source);
                }
                TokenKind::LiteralString | TokenKind::BasicString
                    if inner(source).is_some_and(|value| known_keys::value_may_be_shown(last_key, value)) =>
                {
                    masked.show(from..to, source);
                }
                TokenKind::LiteralString => masked.mask_string(from..to, source, "'", begins),
                TokenKind::BasicString => masked.mask_string(from..to, source, "\"", begins),
                TokenKind::MlLiteralString => masked.mask_string(from..to, source, "'''", begins),
                TokenKind::MlBasicString => masked.mask_string(from..to, source, "\"\"\"", begins),
                TokenKind::Atom => masked.mask(from..to, "", ""),
                // Part of a value that is not in quotes, as it seems.
                TokenKind::Dot | TokenKind::Equals if masked.ends_in_value(from) => masked.mask(from..to, "", ""),
                TokenKind::Dot
                | TokenKind::Equals
                | TokenKind::Comma
                | TokenKind::LeftSquareBracket
                | TokenKind::RightSquareBracket
                | TokenKind::LeftCurlyBracket
                | TokenKind::RightCurlyBracket => masked.show(from..to, source),
            }
        }
        masked
    }

    /// Which of a line's tokens are keys that may be shown. It is decided from the line alone, so that an array or a
    /// table that was never closed does not hide all that follows; whatever is in doubt is no key.
    fn keys(&self, tokens: &[Token], line_start: usize) -> Vec<bool> {
        let mut shown = vec![false; tokens.len()];
        let mut key_may_stand = tokens.first().is_some_and(|token| token.span().start() >= line_start);
        let mut header = false;
        let mut ix = 0;
        while let Some(token) = tokens.get(ix) {
            match token.kind() {
                TokenKind::Whitespace => ix += 1,
                TokenKind::LeftSquareBracket if key_may_stand && (ix == 0 || header || blank(tokens.get(..ix))) => {
                    header = true;
                    ix += 1;
                }
                TokenKind::LeftCurlyBracket | TokenKind::Comma => {
                    key_may_stand = true;
                    header = false;
                    ix += 1;
                }
                TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString if key_may_stand => {
                    let (path, after) = self.path(tokens, ix);
                    let is_key = match tokens.get(after).map(Token::kind) {
                        Some(TokenKind::Equals) => !header,
                        Some(TokenKind::RightSquareBracket) | None => header,
                        Some(_) => false,
                    };
                    let mut parent = "";
                    for (place, name) in path.iter().filter(|_| is_key) {
                        let may = known_keys::may_be_shown(name)
                            || (parent == "services" && known_keys::is_service_name(name));
                        if let Some(flag) = shown.get_mut(*place) {
                            *flag = may;
                        }
                        parent = name;
                    }
                    key_may_stand = false;
                    ix = after.max(ix + 1);
                }
                TokenKind::Atom
                | TokenKind::BasicString
                | TokenKind::LiteralString
                | TokenKind::MlBasicString
                | TokenKind::MlLiteralString
                | TokenKind::LeftSquareBracket
                | TokenKind::RightSquareBracket
                | TokenKind::RightCurlyBracket
                | TokenKind::Dot
                | TokenKind::Equals
                | TokenKind::Comment
                | TokenKind::Newline
                | TokenKind::Eof => {
                    key_may_stand = false;
                    ix += 1;
                }
            }
        }
        shown
    }

    /// A dotted key that begins at a token: the places and names of its parts, and the token after it and after
    /// any space.
    fn path(&self, tokens: &[Token], from: usize) -> (Vec<(usize, &'a str)>, usize) {
        let past_space = |ix: usize| match tokens.get(ix).map(Token::kind) {
            Some(TokenKind::Whitespace) => ix + 1,
            Some(_) | None => ix,
        };
        let mut path = Vec::new();
        let mut ix = from;
        while let Some(token) = tokens.get(ix)
            && matches!(token.kind(), TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString)
        {
            let source = self.text.get(token.span().start()..token.span().end()).unwrap_or_default();
            path.push((ix, source.trim_matches(['"', '\''])));
            ix = past_space(ix + 1);
            match tokens.get(ix).map(Token::kind) {
                Some(TokenKind::Dot) => ix = past_space(ix + 1),
                Some(_) | None => break,
            }
        }
        (path, ix)
    }
}

/// What is between the quotes of a string that is closed.
fn inner(source: &str) -> Option<&str> {
    let quote = source.chars().next()?;
    source.strip_prefix(quote)?.strip_suffix(quote)
}

fn blank(tokens: Option<&[Token]>) -> bool {
    tokens.unwrap_or_default().iter().all(|token| token.kind() == TokenKind::Whitespace)
}

/// A masked line, and which columns of it stand for which bytes of the text.
#[derive(Default)]
struct Masked {
    shown: String,
    width: usize,
    pieces: Vec<MaskedPiece>,
}

struct MaskedPiece {
    bytes: Range<usize>,
    columns: Range<usize>,
    is_mask: bool,
}

impl Masked {
    /// Only for ASCII, where a byte is a column.
    fn show(&mut self, bytes: Range<usize>, text: &str) {
        self.push(bytes, text, false);
    }

    fn mask(&mut self, bytes: Range<usize>, open: &str, close: &str) {
        // Values that touch are one, so that a mask does not tell how a text is made up.
        if self.ends_in_value(bytes.start)
            && let Some(piece) = self.pieces.last_mut()
        {
            piece.bytes.end = bytes.end;
            return;
        }
        self.push(bytes, &format!("{open}{MASK}{close}"), true);
    }

    /// A string, or the part of it in this line, with those of its delimiters that are there.
    fn mask_string(&mut self, bytes: Range<usize>, source: &str, delimiter: &str, begins: bool) {
        let inner = if begins { source.strip_prefix(delimiter).unwrap_or(source) } else { source };
        let close = if inner.ends_with(delimiter) { delimiter } else { "" };
        self.mask(bytes, if begins { delimiter } else { "" }, close);
    }

    fn push(&mut self, bytes: Range<usize>, text: &str, is_mask: bool) {
        let width = text.chars().count();
        self.pieces.push(MaskedPiece { bytes, columns: self.width..self.width + width, is_mask });
        self.shown.push_str(text);
        self.width += width;
    }

    fn ends_in_value(&self, offset: usize) -> bool {
        self.pieces.last().is_some_and(|piece| piece.is_mask && piece.bytes.end == offset)
    }

    /// The columns, counted from 0, that show a span of bytes; at least one.
    fn columns(&self, span: &Range<usize>) -> (usize, usize) {
        let first = self.pieces.iter().find(|piece| piece.bytes.end > span.start);
        let first = first.map_or(self.width, |piece| match piece.is_mask {
            true => piece.columns.start,
            false => piece.columns.start + span.start.saturating_sub(piece.bytes.start),
        });
        let last = self.pieces.iter().rev().find(|piece| piece.bytes.start < span.end);
        let last = last.map_or(0, |piece| match piece.is_mask {
            true => piece.columns.end,
            false => piece.columns.end.min(piece.columns.start + (span.end - piece.bytes.start)),
        });
        (first, last.max(first + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_keys_and_punctuation_and_masks_values_and_comments() {
        let cases = [
            (r#"token = "s3cret""#, r#"token = "***""#),
            (r#"token = { env = "S3" } # s3"#, r##"token = { env = "***" } #***"##),
            ("token = s3.cret==", "token = ***"),
            ("token s3cret", "*** ***"),
            ("s3cret", "***"),
            ("QUJDRA==", "***"),
            ("colour = 1", "colour = ***"),
            ("provider = \"vesl\" # s3", "provider = \"vesl\" #***"),
            ("services.a.provider = 'vesl'", "services.a.provider = 'vesl'"),
            ("{ service = \"eu.lama\", id = \"x\" }", "{ service = \"eu.lama\", id = \"***\" }"),
            ("theme = \"drak\"", "theme = \"drak\""),
            ("provider = \"sk-live-4f9aQ\"", "provider = \"***\""),
            ("provider = \"deadbeef0123456789\"", "provider = \"***\""),
            ("provider = \"vesl", "provider = \"***"),
            ("provider = vesl", "provider = ***"),
            ("id = \"vesl\"", "id = \"***\""),
            ("[services.llama-2]", "[services.llama-2]"),
            ("[services.\"eu.llama\"]", "[services.\"eu.llama\"]"),
            ("[[jobs]] # s3", "[[jobs]] #***"),
            ("[services.llama", "[services.llama"),
            ("services.a.token = 's3'", "services.a.token = '***'"),
            ("ids = [\"a\", \"b\"]", "ids = [\"***\", \"***\"]"),
            ("  [\"s3\", s3],", "  [\"***\", ***],"),
            ("\tid='x' id = 3", " id='***' *** = ***"),
            ("a = \"unclosed s3", "a = \"***"),
            ("a = \"\"\"s3", "a = \"\"\"***"),
            ("naïve = 1", "*** = ***"),
            ("{ \u{1b}31m = 1 }", "{ *** = *** }"),
        ];
        for (line, shown) in cases {
            assert_eq!(Excerpts::new(line).lines(&(0..1)).0, shown, "{line}");
        }
    }

    #[test]
    fn every_line_of_a_long_string_is_masked() {
        let text = "a = \"\"\"one\ninterval = 2\nthree\"\"\" # four\n";
        let excerpts = Excerpts::new(text);
        let lines: Vec<_> = [0, 12, 25].map(|offset| excerpts.lines(&(offset..offset + 1)).0).into();
        assert_eq!(lines, ["a = \"\"\"***", "***", "***\"\"\" #***"]);
    }

    #[test]
    fn carets_stand_below_what_they_mean() {
        let cases = [
            ("interval = \"a long value\" # x", 0..8, "^^^^^^^^"),
            ("interval = \"a long value\" # x", 11..25, "           ^^^^^"),
            ("interval = \"a long value\"", 15..16, "           ^^^^^"),
            ("interval = 5", 12..12, "              ^"),
        ];
        for (line, span, carets) in cases {
            assert_eq!(Excerpts::new(line).lines(&span).1, carets, "{line} {span:?}");
        }
        assert_eq!(Excerpts::new("é = 1\nàb = 2").position(10), Position { line: 2, column: 3 });
    }
}
