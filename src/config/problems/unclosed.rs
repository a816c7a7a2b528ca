//! Brackets and quotes of a TOML text that are not closed: where each was opened, and the text without them.
//!
//! A reader of TOML goes on in what it holds for the same array or string, and tells a dozen errors of lines that are right.

use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

/// So many are looked for; each costs a pass over the text.
const MOST: usize = 20;

/// What was opened and not closed.
#[derive(Debug, PartialEq, Eq)]
pub struct Unclosed {
    /// The bracket or the quotes that opened it.
    pub opening: Range<usize>,
    /// What would have closed it.
    pub closing: &'static str,
    /// The bytes that cannot be read because of it.
    broken: Range<usize>,
    /// A value stood there, and what is around it can be read.
    is_value: bool,
}

/// All that is not closed, in the order of the text, and the text without what cannot be read: as long as before.
pub fn without(text: &str) -> (Vec<Unclosed>, String) {
    let mut found: Vec<Unclosed> = Vec::new();
    let mut mended = text.to_owned();
    while found.len() < MOST
        && let Some(unclosed) = first(&mended)
    {
        let bytes = mended.bytes().enumerate().map(|(at, byte)| match byte {
            b'\n' => b'\n',
            _ if unclosed.is_value && at == unclosed.broken.start => b'0',
            _ if unclosed.broken.contains(&at) => b' ',
            byte => byte,
        });
        let Ok(next) = String::from_utf8(bytes.collect()) else { break };
        mended = next;
        found.push(unclosed);
    }
    (found, mended)
}

/// A bracket that is open.
struct Open {
    at: usize,
    closing: &'static str,
}

/// The statement that is being read.
#[derive(Default)]
struct Statement {
    start: usize,
    /// The first line in it that looks like another statement.
    other: Option<usize>,
}

impl Statement {
    /// What it leaves open where something cannot be part of it. The innermost, unless another statement's brackets may
    /// be among them.
    fn leaves(&self, open: &[Open], until: usize) -> Option<Unclosed> {
        let last = if self.other.is_some() { open.first() } else { open.last() }?;
        let broken = self.start..self.other.unwrap_or(until);
        Some(Unclosed { opening: last.at..last.at + 1, closing: last.closing, broken, is_value: false })
    }
}

/// The first that is not closed.
fn first(text: &str) -> Option<Unclosed> {
    let tokens: Vec<Token> = Source::new(text).lex().collect();
    let line_end = |at: usize| text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end);
    let mut open: Vec<Open> = Vec::new();
    let mut statement = Statement::default();
    let mut before = TokenKind::Newline;
    let mut begins_line = true;
    let mut skip = 0;
    for (ix, token) in tokens.iter().enumerate() {
        let at = token.span().start();
        let rest = tokens.get(ix..).unwrap_or_default();
        if begins_line && !matches!(token.kind(), TokenKind::Whitespace | TokenKind::Newline) {
            let line = line(rest);
            if open.is_empty() {
                statement = Statement { start: at, other: None };
                if line == Line::OpenHeader {
                    let broken = at..next_header(text, line_end(at));
                    return Some(Unclosed { opening: at..at + 1, closing: "]", broken, is_value: false });
                }
                if token.kind() == TokenKind::LeftSquareBracket {
                    skip = line_end(at);
                }
            } else if line == Line::Header {
                return statement.leaves(&open, at);
            } else if line == Line::Key && !matches!(before, TokenKind::Comma | TokenKind::LeftCurlyBracket) {
                statement.other = statement.other.or(Some(at));
            }
        }
        let kind = token.kind();
        begins_line = kind == TokenKind::Newline || begins_line && kind == TokenKind::Whitespace;
        match kind {
            TokenKind::LeftSquareBracket if at >= skip => open.push(Open { at, closing: "]" }),
            TokenKind::LeftCurlyBracket => open.push(Open { at, closing: "}" }),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket if at >= skip => {
                let closing = if kind == TokenKind::RightSquareBracket { "]" } else { "}" };
                if open.last().is_some_and(|last| last.closing != closing) {
                    return statement.leaves(&open, line_end(at));
                }
                open.pop();
            }
            TokenKind::BasicString | TokenKind::LiteralString => {
                let quote = if kind == TokenKind::BasicString { "\"" } else { "'" };
                let source = source_of(text, token);
                // The next string's quote closed it, and what stood in that one follows.
                let follows =
                    rest.get(1).filter(|next| next.kind() == TokenKind::Atom).map(|next| source_of(text, next));
                if let Some(follows) = follows.filter(|follows| follows.ends_with(quote)) {
                    let broken = at..at + source.len() + follows.len();
                    return Some(Unclosed { opening: at..at + 1, closing: quote, broken, is_value: true });
                }
                if !ends_with(source, quote) {
                    // The bracket's end may be in the string.
                    let takes_end =
                        open.first().is_some_and(|first| line_end(first.at) >= at && source.contains(first.closing));
                    // A comma at its end parts it from the next element.
                    let length = source.trim_end().trim_end_matches(',').len();
                    let broken = if takes_end { statement.start..line_end(at) } else { at..at + length };
                    return Some(Unclosed { opening: at..at + 1, closing: quote, broken, is_value: !takes_end });
                }
            }
            TokenKind::MlBasicString | TokenKind::MlLiteralString => {
                let quotes = if kind == TokenKind::MlBasicString { "\"\"\"" } else { "'''" };
                let source = source_of(text, token);
                let inner = source.strip_prefix(quotes).and_then(|rest| rest.strip_suffix(quotes));
                // Another key's quotes closed it.
                let closed_by_other = inner.is_some_and(|inner| {
                    inner.rsplit_once('\n').is_some_and(|(_, line)| line.trim_end().ends_with('='))
                });
                if inner.is_none() || closed_by_other {
                    let last = inner.and_then(|inner| inner.rfind('\n')).unwrap_or(source.len());
                    let until = if closed_by_other { at + quotes.len() + last } else { text.len() };
                    let until = next_header(text, line_end(at)).min(until);
                    let opening = at..at + quotes.len();
                    return Some(Unclosed {
                        opening,
                        closing: quotes,
                        broken: statement.start..until,
                        is_value: false,
                    });
                }
            }
            TokenKind::Eof => return statement.leaves(&open, text.len()),
            TokenKind::LeftSquareBracket
            | TokenKind::RightSquareBracket
            | TokenKind::RightCurlyBracket
            | TokenKind::Atom
            | TokenKind::Dot
            | TokenKind::Equals
            | TokenKind::Comma
            | TokenKind::Comment
            | TokenKind::Whitespace
            | TokenKind::Newline => {}
        }
        if !matches!(kind, TokenKind::Whitespace | TokenKind::Newline | TokenKind::Comment) {
            before = kind;
        }
    }
    None
}

fn source_of<'a>(text: &'a str, token: &Token) -> &'a str {
    text.get(token.span().start()..token.span().end()).unwrap_or_default()
}

/// Whether a string's last quote is its own: not its first, and not one that a backslash takes.
fn ends_with(source: &str, quote: &str) -> bool {
    let Some(inner) = source.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) else { return false };
    let backslashes = inner.bytes().rev().take_while(|byte| *byte == b'\\').count();
    quote == "'" || backslashes.is_multiple_of(2)
}

/// What a line looks like.
#[derive(PartialEq, Eq)]
enum Line {
    Header,
    /// A header whose name is not ended.
    OpenHeader,
    Key,
    Other,
}

/// What the line of these tokens looks like; what could be an element of an array is no header.
fn line(tokens: &[Token]) -> Line {
    let of_line = tokens.iter().take_while(|token| !matches!(token.kind(), TokenKind::Newline | TokenKind::Eof));
    let kinds: Vec<TokenKind> =
        of_line.map(Token::kind).filter(|kind| !matches!(kind, TokenKind::Whitespace | TokenKind::Comment)).collect();
    let opened = kinds.iter().take_while(|kind| **kind == TokenKind::LeftSquareBracket).count();
    let path = kinds.get(opened..).unwrap_or_default();
    let is_name = |kind: &TokenKind| {
        matches!(kind, TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString | TokenKind::Dot)
    };
    let named = path.iter().take_while(|kind| is_name(kind)).count();
    let after = path.get(named..).unwrap_or_default();
    let closed = after.iter().all(|kind| *kind == TokenKind::RightSquareBracket);
    match (opened, path.first()) {
        (0, Some(first)) if is_name(first) && after.first() == Some(&TokenKind::Equals) => Line::Key,
        (1 | 2, Some(TokenKind::Atom)) if closed && after.len() == opened => Line::Header,
        (1 | 2, Some(first)) if is_name(first) && closed && after.len() < opened => Line::OpenHeader,
        _ => Line::Other,
    }
}

/// Where the next line begins that looks like a header, from a line's end on.
fn next_header(text: &str, from: usize) -> usize {
    let mut at = from;
    for line in text.get(from..).unwrap_or_default().split_inclusive('\n') {
        let tokens: Vec<Token> = Source::new(line).lex().collect();
        if line.starts_with('[') && self::line(&tokens) == Line::Header {
            return at;
        }
        at += line.len();
    }
    text.len()
}
