//! From a filter's text to its conditions: pieces, then `and`, `or`, `!` and parentheses, then fields.

use std::ops::Range;

use winnow::combinator::{alt, opt, preceded, repeat, terminated};
use winnow::error::ContextError;
use winnow::stream::LocatingSlice;
use winnow::token::{any, none_of, take_while};
use winnow::{Parser, Result as Parsed};

use super::term::{FieldTest, Term, TextField, TextPattern};
use super::value::{self, ValueError};
use super::{FilterError, FilterNode};

/// How deep parentheses may stand in each other; a person needs three.
const DEEPEST: usize = 64;

/// What can stand before a colon.
pub(super) const FIELDS: [&str; 16] = [
    "state", "is", "service", "provider", "tag", "name", "id", "file", "age", "took", "time", "size", "http", "reason",
    "cost", "batch",
];

/// Reads a whole filter. `own` are the user's fields.
pub(super) fn parse(text: &str, own: &[&str]) -> Result<FilterNode, FilterError> {
    let tokens = match tokens.parse(LocatingSlice::new(text)) {
        Ok(tokens) => tokens,
        Err(_) => return Err(error(0..text.len(), "this cannot be read as a filter")),
    };
    let mut parser = Parsing { tokens: &tokens, own, end: text.len(), depth: 0 };
    if tokens.is_empty() {
        return Ok(FilterNode::All(Vec::new()));
    }
    let node = parser.any()?;
    match parser.tokens.first() {
        None => Ok(node),
        Some(token) => Err(error(token.span.clone(), "this closes a parenthesis that was never opened")),
    }
}

type FilterInput<'a> = LocatingSlice<&'a str>;

#[derive(Debug, Clone)]
struct FilterToken {
    kind: TokenKind,
    span: Range<usize>,
}

#[derive(Debug, Clone)]
enum TokenKind {
    Open,
    Close,
    Not,
    And,
    Or,
    Term(Vec<TermPiece>),
}

/// A stretch of a term: bare, or between quotes.
#[derive(Debug, Clone)]
struct TermPiece {
    text: String,
    quoted: bool,
    closed: bool,
    span: Range<usize>,
}

fn tokens(input: &mut FilterInput<'_>) -> Parsed<Vec<FilterToken>> {
    let spaces = || take_while(0.., char::is_whitespace);
    terminated(repeat(0.., preceded(spaces(), token)), spaces()).parse_next(input)
}

fn token(input: &mut FilterInput<'_>) -> Parsed<FilterToken> {
    let sign = alt(('('.value(TokenKind::Open), ')'.value(TokenKind::Close), '!'.value(TokenKind::Not)));
    let term = repeat(1.., alt((quoted, bare))).map(keyword_or_term);
    alt((sign, term)).with_span().map(|(kind, span)| FilterToken { kind, span }).parse_next(input)
}

fn bare(input: &mut FilterInput<'_>) -> Parsed<TermPiece> {
    let part = take_while(1.., |c: char| !c.is_whitespace() && !matches!(c, '(' | ')' | '"'));
    let piece = |(text, span): (&str, _)| TermPiece { text: text.to_owned(), quoted: false, closed: true, span };
    part.with_span().map(piece).parse_next(input)
}

/// A quote that is not closed goes to the end of the text; that is said later, where it can be said well.
fn quoted(input: &mut FilterInput<'_>) -> Parsed<TermPiece> {
    let inner = repeat(0.., alt((preceded('\\', '"'), none_of('"')))).fold(String::new, |mut text, c: char| {
        text.push(c);
        text
    });
    let piece = |((_, text, close), span): ((char, String, Option<char>), _)| TermPiece {
        text,
        quoted: true,
        closed: close.is_some(),
        span,
    };
    (any::<_, ContextError>.verify(|c| *c == '"'), inner, opt('"')).with_span().map(piece).parse_next(input)
}

fn keyword_or_term(pieces: Vec<TermPiece>) -> TokenKind {
    match pieces.as_slice() {
        [piece] if !piece.quoted && piece.text.eq_ignore_ascii_case("and") => TokenKind::And,
        [piece] if !piece.quoted && piece.text.eq_ignore_ascii_case("or") => TokenKind::Or,
        _ => TokenKind::Term(pieces),
    }
}

struct Parsing<'a> {
    tokens: &'a [FilterToken],
    own: &'a [&'a str],
    end: usize,
    depth: usize,
}

impl<'a> Parsing<'a> {
    fn any(&mut self) -> Result<FilterNode, FilterError> {
        let mut nodes = vec![self.all()?];
        while let Some(FilterToken { kind: TokenKind::Or, .. }) = self.tokens.first() {
            self.next();
            nodes.push(self.all()?);
        }
        Ok(single(nodes, FilterNode::Any))
    }

    fn all(&mut self) -> Result<FilterNode, FilterError> {
        let mut nodes = vec![self.one()?];
        loop {
            match self.tokens.first().map(|token| &token.kind) {
                None | Some(TokenKind::Or | TokenKind::Close) => return Ok(single(nodes, FilterNode::All)),
                Some(TokenKind::And) => {
                    self.next();
                }
                Some(TokenKind::Open | TokenKind::Not | TokenKind::Term(_)) => {}
            }
            nodes.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<FilterNode, FilterError> {
        let mut negated = false;
        while let Some(FilterToken { kind: TokenKind::Not, .. }) = self.tokens.first() {
            self.next();
            negated = !negated;
        }
        let Some(token) = self.next() else {
            return Err(error(
                self.end..self.end,
                "something is missing here: a word, or a field such as state:failed",
            ));
        };
        let node = match &token.kind {
            TokenKind::Open => self.group(token)?,
            TokenKind::Term(pieces) => FilterNode::Term(term(pieces, &token.span, self.own)?),
            TokenKind::And | TokenKind::Or => {
                let why = "this needs something on both sides; put it in quotes to look for the word itself";
                return Err(error(token.span.clone(), why));
            }
            TokenKind::Close => {
                let why = "there is nothing before this parenthesis; put it in quotes to look for it";
                return Err(error(token.span.clone(), why));
            }
            TokenKind::Not => {
                return Err(error(token.span.clone(), "say what to leave out: !word or !state:succeeded"));
            }
        };
        Ok(if negated { FilterNode::Not(Box::new(node)) } else { node })
    }

    fn group(&mut self, open: &FilterToken) -> Result<FilterNode, FilterError> {
        if self.depth >= DEEPEST {
            return Err(error(open.span.clone(), "parentheses stand too deep in each other here"));
        }
        self.depth += 1;
        let node = self.any()?;
        self.depth -= 1;
        match self.next() {
            Some(FilterToken { kind: TokenKind::Close, .. }) => Ok(node),
            Some(_) | None => Err(error(open.span.clone(), "this parenthesis is never closed: add )")),
        }
    }

    fn next(&mut self) -> Option<&'a FilterToken> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }
}

fn single(mut nodes: Vec<FilterNode>, many: fn(Vec<FilterNode>) -> FilterNode) -> FilterNode {
    match nodes.pop() {
        Some(node) if nodes.is_empty() => node,
        Some(node) => {
            nodes.push(node);
            many(nodes)
        }
        None => many(nodes),
    }
}

fn term(pieces: &[TermPiece], span: &Range<usize>, own: &[&str]) -> Result<Term, FilterError> {
    if let Some(open) = pieces.iter().find(|piece| !piece.closed) {
        return Err(error(open.span.clone(), "this quote is never closed: add \""));
    }
    let Some((name, rest)) = field(pieces) else {
        let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        return Ok(Term::Word(Box::new(value::finder(&text.to_lowercase()))));
    };
    let start = span.start;
    let named = start..start + name.len();
    let values = ValueList { field: name, pieces: rest, span: start..span.end };
    match name.to_ascii_lowercase().as_str() {
        "state" => Ok(Term::State(values.each(value::state)?)),
        "is" => Ok(Term::Is(values.each(value::is)?)),
        "age" => Ok(Term::Age(values.each(|text| value::duration("age", text))?)),
        "took" => Ok(Term::Took(values.each(|text| value::duration("took", text))?)),
        // A user's field may have been called so before.
        "time" if !own.contains(&"time") => Ok(Term::Time(values.each(|text| value::duration("time", text))?)),
        "size" => Ok(Term::Size(values.each(value::size)?)),
        "http" => Ok(Term::Http(values.each(value::http)?)),
        "name" => values.text(TextField::Name),
        "id" => values.text(TextField::Id),
        "service" => values.text(TextField::Service),
        "provider" => values.text(TextField::Provider),
        "tag" => values.text(TextField::Tag),
        "file" => values.text(TextField::File),
        "reason" => values.text(TextField::Reason),
        "batch" => values.text(TextField::Batch),
        "cost" => Ok(Term::Cost(values.each(value::cost)?)),
        own_field if own.contains(&own_field) => {
            let tests = match values.regex()? {
                Some(regex) => vec![FieldTest::Text(regex)],
                None => values.each(value::own)?,
            };
            Ok(Term::Own(own_field.into(), tests))
        }
        _ => {
            let known: Vec<&str> = FIELDS.iter().chain(own).copied().collect();
            let why = value::unknown("field", name, &known);
            Err(error(named, &format!("{why}; put it in quotes to look for the text itself")))
        }
    }
}

/// A term's field and what follows its colon. Addresses, times and quoted text have none.
fn field(pieces: &[TermPiece]) -> Option<(&str, Vec<TermPiece>)> {
    let (first, others) = pieces.split_first()?;
    if first.quoted {
        return None;
    }
    let (name, rest) = first.text.split_once(':')?;
    let is_name = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !is_name || rest.starts_with("//") {
        return None;
    }
    let from = first.span.end - rest.len();
    let rest = TermPiece { text: rest.to_owned(), span: from..first.span.end, ..first.clone() };
    let pieces = std::iter::once(rest).filter(|piece| !piece.text.is_empty()).chain(others.iter().cloned());
    Some((name, pieces.collect()))
}

/// What follows a field's colon.
struct ValueList<'a> {
    field: &'a str,
    pieces: Vec<TermPiece>,
    span: Range<usize>,
}

impl ValueList<'_> {
    fn each<T>(&self, read: impl Fn(&str) -> Result<T, ValueError>) -> Result<Vec<T>, FilterError> {
        let values = self.split()?;
        values.into_iter().map(|(text, span)| read(&text).map_err(|why| error(span, &why.to_string()))).collect()
    }

    /// The regular expression that a `~` begins.
    fn regex(&self) -> Result<Option<TextPattern>, FilterError> {
        let Some(TermPiece { quoted: false, text, span, .. }) = self.pieces.first() else { return Ok(None) };
        if !text.starts_with('~') {
            return Ok(None);
        }
        let whole: String = self.pieces.iter().map(|piece| piece.text.as_str()).collect();
        let expression = whole.strip_prefix('~').unwrap_or_default();
        if expression.is_empty() {
            return Err(self.missing());
        }
        let regex = value::regex(expression).map_err(|why| error(span.start..self.span.end, &why.to_string()))?;
        Ok(Some(TextPattern::Regex(regex)))
    }

    fn text(&self, field: TextField) -> Result<Term, FilterError> {
        if let Some(regex) = self.regex()? {
            return Ok(Term::Text(field, vec![regex]));
        }
        let contains = field == TextField::Reason;
        let patterns = self.each(|text| Ok(value::pattern(text, contains)))?;
        Ok(Term::Text(field, patterns))
    }

    /// The values between the commas; a comma in quotes is none.
    fn split(&self) -> Result<Vec<(String, Range<usize>)>, FilterError> {
        let mut values: Vec<(String, Range<usize>)> = Vec::new();
        let mut joined = false;
        for piece in &self.pieces {
            let mut from = piece.span.start;
            let parts: Vec<&str> = if piece.quoted { vec![&piece.text] } else { piece.text.split(',').collect() };
            for (nth, part) in parts.iter().enumerate() {
                let to = if piece.quoted { piece.span.end } else { from + part.len() };
                match values.last_mut() {
                    Some((text, span)) if joined && nth == 0 => {
                        text.push_str(part);
                        span.end = to;
                    }
                    Some(_) | None => values.push(((*part).to_owned(), from..to)),
                }
                from = to + 1;
            }
            joined = true;
        }
        if values.is_empty() || values.iter().any(|(text, _)| text.is_empty()) {
            return Err(self.missing());
        }
        Ok(values)
    }

    fn missing(&self) -> FilterError {
        let example = match self.field.to_ascii_lowercase().as_str() {
            "state" => "failed,partial",
            "is" => "problem",
            "age" | "took" | "time" => ">10m",
            "size" => ">1mb",
            "cost" => ">0.1",
            "http" => "5xx",
            "file" => "*.pdf",
            "reason" => "~\"timed? out\"",
            _ => "acme*",
        };
        error(self.span.clone(), &format!("a value is missing: write {}:{example}", self.field))
    }
}

fn error(span: Range<usize>, message: &str) -> FilterError {
    FilterError { span, message: message.to_owned() }
}
