//! Texts with holes: `{id}`, `{+id}`, `{setting}`, `{token}`, `{secret}` and `{/pointer}`.

use crate::domain::request::HeaderPart;
use crate::json::pointer::{NoPointer, Pointer, PointerId};
use crate::providers::address;

/// Room for nearly every address, in bytes.
const USUAL: usize = 128;

/// A text with holes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Template(pub Vec<TemplatePart>);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplatePart {
    /// Literal text.
    Text(String),
    /// The job's id, as one segment of a path or one value of a query.
    Id,
    /// The job's id with its slashes kept.
    IdWithSlashes,
    /// A setting of the service, as it is.
    Setting(String),
    /// The service's token.
    Token,
    /// A further secret of the service.
    Secret(String),
    /// A value of the status response.
    Pointer(PointerId),
}

/// A hole as it is written, before it is known what it names.
#[derive(Debug, Clone, PartialEq)]
pub enum Hole {
    /// Literal text.
    Text(String),
    /// A name in braces.
    Name(String),
    /// A pointer in braces.
    Pointer(Pointer),
}

/// Why a text is no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTemplate {
    /// A hole without an end.
    #[error("a `{{` without its `}}`")]
    Unclosed,
    /// What begins as a pointer is none.
    #[error(transparent)]
    Pointer(#[from] NoPointer),
}

/// Takes a template apart.
pub fn holes(text: &str) -> Result<Vec<Hole>, NoTemplate> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inside, after)) = after.split_once('}') else {
            return Err(NoTemplate::Unclosed);
        };
        if !before.is_empty() {
            parts.push(Hole::Text(before.to_owned()));
        }
        parts.push(match inside.starts_with('/') {
            true => Hole::Pointer(Pointer::parse(inside)?),
            false => Hole::Name(inside.to_owned()),
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Hole::Text(rest.to_owned()));
    }
    Ok(parts)
}

/// What fills the holes of an address or a body.
pub struct Filling<'a> {
    pub id: &'a str,
    /// A setting's value.
    pub setting: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The text at a pointer.
    pub pointer: &'a dyn Fn(PointerId) -> Option<String>,
}

impl Template {
    pub fn pointers(&self) -> impl Iterator<Item = PointerId> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Pointer(id) => Some(*id),
            TemplatePart::Text(_)
            | TemplatePart::Id
            | TemplatePart::IdWithSlashes
            | TemplatePart::Setting(_)
            | TemplatePart::Token
            | TemplatePart::Secret(_) => None,
        })
    }

    /// The one pointer that it is, if it is nothing else.
    pub fn only_pointer(&self) -> Option<PointerId> {
        match self.0.as_slice() {
            [TemplatePart::Pointer(id)] => Some(*id),
            _ => None,
        }
    }

    /// Whether an id or a value of a response stands where it would be a piece of the host, with nothing but a base or
    /// a scheme before it.
    pub fn opens_host(&self) -> bool {
        let mut is_path = false;
        for part in self.0.iter().filter(|_| self.only_pointer().is_none()) {
            match part {
                TemplatePart::Text(text) => {
                    let behind = text.split_once("://").map_or(text.as_str(), |(_, behind)| behind);
                    is_path |= behind.contains(['/', '?']);
                }
                // Others may hold the beginning of a path.
                TemplatePart::Setting(name) => is_path |= name != "base",
                TemplatePart::Id | TemplatePart::IdWithSlashes | TemplatePart::Pointer(_) => return !is_path,
                TemplatePart::Token | TemplatePart::Secret(_) => {}
            }
        }
        false
    }

    /// An address: ids and values of a response stay one segment of a path or one value of a query, whatever they
    /// hold. None where a hole cannot be filled.
    pub fn url(&self, filling: &Filling<'_>) -> Option<String> {
        self.filled(filling, |text| address::segment(text).into_owned())
    }

    /// A text in which nothing is encoded.
    pub fn text(&self, filling: &Filling<'_>) -> Option<String> {
        self.filled(filling, str::to_owned)
    }

    fn filled(&self, filling: &Filling<'_>, encoded: impl Fn(&str) -> String) -> Option<String> {
        let mut out = String::with_capacity(USUAL);
        for part in &self.0 {
            match part {
                TemplatePart::Text(text) => out.push_str(text),
                TemplatePart::Id => out.push_str(&encoded(filling.id)),
                TemplatePart::IdWithSlashes => {
                    let segments: Vec<String> = filling.id.split('/').map(&encoded).collect();
                    out.push_str(&segments.join("/"));
                }
                TemplatePart::Setting(name) => out.push_str((filling.setting)(name)?),
                TemplatePart::Pointer(id) => out.push_str(&encoded(&(filling.pointer)(*id)?)),
                TemplatePart::Token | TemplatePart::Secret(_) => return None,
            }
        }
        Some(out)
    }

    /// The value of a header, secrets left as places for them.
    pub fn header(&self, filling: &Filling<'_>) -> Option<Vec<HeaderPart>> {
        let part = |part: &TemplatePart| match part {
            TemplatePart::Token => Some(HeaderPart::Token),
            TemplatePart::Secret(name) => Some(HeaderPart::Secret(name.clone())),
            TemplatePart::Text(text) => Some(HeaderPart::Text(text.clone())),
            TemplatePart::Id | TemplatePart::IdWithSlashes | TemplatePart::Setting(_) | TemplatePart::Pointer(_) => {
                Self(vec![part.clone()]).text(filling).map(HeaderPart::Text)
            }
        };
        self.0.iter().map(part).collect()
    }

    /// Whether a secret has a place in it.
    pub fn is_secret(&self) -> bool {
        self.0.iter().any(|part| matches!(part, TemplatePart::Token | TemplatePart::Secret(_)))
    }
}
