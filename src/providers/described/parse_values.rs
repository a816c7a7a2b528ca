//! Reading pointers, conditions, templates, headers and bodies, each checked against what it may name.

use std::ops::Range;

use super::condition::Condition;
use super::fault::{DescriptionTable, Faults, meant};
use super::model::BodyTemplate;
use super::node::{DescriptionNode, Member, NodeValue};
use super::template::{self, Hole, Template, TemplatePart};
use crate::json::pointer::{Lookup, NoPointer, Pointer, PointerId};

/// The further secrets that a description may name beside `secret`.
#[derive(Debug, Clone, Copy)]
pub enum KnownSecrets<'a> {
    /// Those that services give.
    Named(&'a [String]),
    /// Any: a description that was kept with a job was checked when it was read.
    Any,
}

/// What templates and pointers are read against.
pub struct TemplateContext<'a> {
    /// The description's settings and their defaults.
    pub settings: &'a [(String, String)],
    /// What else may be named.
    pub secrets: KnownSecrets<'a>,
    /// Pointers into the status response.
    pub lookup: Lookup,
}

impl TemplateContext<'_> {
    /// The pointers of a key, the first of which counts; taken up in `lookup`.
    pub fn pointers(
        fields: &DescriptionTable<'_>,
        key: &str,
        lookup: &mut Lookup,
        faults: &mut Faults,
    ) -> Vec<PointerId> {
        let texts = fields.texts(key, faults);
        texts.into_iter().filter_map(|(text, span)| pointer(text, span, key, lookup, faults)).collect()
    }

    /// The pointer of a key.
    pub fn pointer(
        fields: &DescriptionTable<'_>,
        key: &str,
        lookup: &mut Lookup,
        faults: &mut Faults,
    ) -> Option<PointerId> {
        let text = fields.text(key, faults)?;
        pointer(text, fields.get(key)?.node.span.clone(), key, lookup, faults)
    }

    /// The conditions of a key.
    pub fn conditions(
        fields: &DescriptionTable<'_>,
        key: &str,
        lookup: &mut Lookup,
        faults: &mut Faults,
    ) -> Vec<Condition> {
        let mut read = |(text, span): (&str, Option<Range<usize>>)| {
            let condition = Condition::parse(text, lookup);
            let help = "write a pointer alone, `!` before it, or a pointer, one of = != > < and a literal";
            condition.map_err(|why| faults.add(span, format!("`{text}` is no condition: {why}"), help)).ok()
        };
        let texts = fields.texts(key, &mut Faults::default());
        let conditions = texts.into_iter().filter_map(&mut read).collect();
        let _ = fields.texts(key, faults);
        conditions
    }

    /// An address with holes. A token has no place in one: addresses end up in logs.
    pub fn url(&mut self, fields: &DescriptionTable<'_>, key: &str, faults: &mut Faults) -> Option<Template> {
        let text = fields.word(key, faults)?;
        self.address(text, fields.get(key)?.node.span.clone(), key, faults)
    }

    fn address(&mut self, text: &str, span: Option<Range<usize>>, key: &str, faults: &mut Faults) -> Option<Template> {
        let template = self.template(text, span.clone(), faults)?;
        if template.is_secret() {
            let help = "send it in a header: addresses end up in logs";
            faults.add(span.clone(), format!("`{key}` holds a secret"), help);
            return None;
        }
        let starts = match template.0.first() {
            Some(TemplatePart::Text(text)) => text.starts_with("https://") || text.starts_with("http://"),
            Some(TemplatePart::Setting(_) | TemplatePart::Pointer(_)) => true,
            Some(TemplatePart::Id | TemplatePart::IdWithSlashes | TemplatePart::Token | TemplatePart::Secret(_))
            | None => false,
        };
        if !starts {
            let whole = match text.starts_with('/') {
                true => format!("write {key} = \"{{base}}{text}\""),
                false => "begin it with {base} or https://".to_owned(),
            };
            faults.add(span, format!("`{key}` is no address"), whole);
            return None;
        }
        // What was kept with a job is read as it was.
        if template.opens_host() && matches!(self.secrets, KnownSecrets::Named(_)) {
            let help = match template.pointers().next() {
                Some(_) => "write {base}/{/…} for a part of a path, or {/…} alone where the response holds an address",
                None => "write {base}/{id}",
            };
            faults.add(span, format!("`{key}` has no `/` before what is filled in"), help);
            return None;
        }
        Some(template)
    }

    /// Several addresses with holes.
    pub fn urls(&mut self, fields: &DescriptionTable<'_>, key: &str, faults: &mut Faults) -> Vec<Template> {
        let texts = fields.texts(key, faults);
        texts.into_iter().filter_map(|(text, span)| self.address(text, span, key, faults)).collect()
    }

    /// Headers by their names.
    pub fn headers(
        &mut self,
        fields: &DescriptionTable<'_>,
        place: &str,
        faults: &mut Faults,
    ) -> Option<Vec<(String, Template)>> {
        let member = fields.get("headers")?;
        let NodeValue::Table(table) = &member.node.value else {
            let message = format!("`headers` must be a table, not {}", member.node.value.kind());
            faults.add(member.node.span.clone(), message, "write headers = { Authorization = \"Bearer {token}\" }");
            return None;
        };
        let headers = DescriptionTable::new(table, place, member.key_span.as_ref());
        let mut found = Vec::new();
        for header in headers.members() {
            let fits = http::HeaderName::from_bytes(header.key.as_bytes()).is_ok();
            if !fits {
                faults.add(
                    header.key_span.clone(),
                    "this is no name of a header",
                    "a name has letters, digits and `-`",
                );
            }
            let Some(text) = headers.text(&header.key, faults) else { continue };
            let bad = text.chars().any(|c| c.is_control());
            if bad {
                faults.add(header.node.span.clone(), "a header has no control characters", "take them out");
            }
            found
                .extend(self.template(text, header.node.span.clone(), faults).map(|value| (header.key.clone(), value)));
        }
        Some(found)
    }

    /// A text with holes, each of which names something.
    pub fn template(&mut self, text: &str, span: Option<Range<usize>>, faults: &mut Faults) -> Option<Template> {
        let holes = template::holes(text)
            .map_err(|why| faults.add(span.clone(), format!("`{text}`: {why}"), "write a hole as {name} or {/pointer}"))
            .ok()?;
        let before = faults.0.len();
        let parts = holes.into_iter().filter_map(|hole| self.part(hole, span.clone(), faults)).collect();
        (faults.0.len() == before).then_some(Template(parts))
    }

    fn part(&mut self, hole: Hole, span: Option<Range<usize>>, faults: &mut Faults) -> Option<TemplatePart> {
        let name = match hole {
            Hole::Text(text) => return Some(TemplatePart::Text(text)),
            Hole::Pointer(pointer) => return Some(TemplatePart::Pointer(self.lookup.add(pointer))),
            Hole::Name(name) => name,
        };
        match name.as_str() {
            "id" => return Some(TemplatePart::Id),
            "+id" => return Some(TemplatePart::IdWithSlashes),
            "token" => return Some(TemplatePart::Token),
            _ => {}
        }
        if self.settings.iter().any(|(known, _)| *known == name) {
            return Some(TemplatePart::Setting(name));
        }
        let is_secret = match self.secrets {
            KnownSecrets::Named(known) => name == "secret" || known.contains(&name),
            KnownSecrets::Any => true,
        };
        if is_secret {
            return Some(TemplatePart::Secret(name));
        }
        let own = self.settings.iter().map(|(name, _)| name.as_str());
        let known: Vec<&str> = ["id", "+id", "token", "secret"].into_iter().chain(own).collect();
        let help = match meant(&name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{{{meant}}}`?"),
            None => format!("known here: {}, or a pointer", known.join(", ")),
        };
        faults.add(span, format!("`{{{name}}}` names nothing"), help);
        None
    }

    /// A JSON body with holes in its texts.
    pub fn body(&mut self, node: &DescriptionNode, faults: &mut Faults) -> Option<BodyTemplate> {
        match &node.value {
            NodeValue::Text(text) => {
                let template = self.template(text, node.span.clone(), faults)?;
                if template.is_secret() {
                    faults.add(node.span.clone(), "a body holds a secret", "send it in a header");
                    return None;
                }
                Some(BodyTemplate::Text(template))
            }
            NodeValue::Whole(whole) => Some(BodyTemplate::Literal(whole.to_string())),
            NodeValue::Number(number) => serde_json::to_string(number).ok().map(BodyTemplate::Literal),
            NodeValue::Flag(flag) => Some(BodyTemplate::Literal(flag.to_string())),
            NodeValue::Moment(_) => {
                faults.add(node.span.clone(), "JSON has no dates", "write it in quotes");
                None
            }
            NodeValue::List(list) => {
                list.iter().map(|node| self.body(node, faults)).collect::<Option<_>>().map(BodyTemplate::List)
            }
            NodeValue::Table(table) => {
                let member = |member: &Member| Some((member.key.clone(), self.body(&member.node, faults)?));
                table.0.iter().map(member).collect::<Option<_>>().map(BodyTemplate::Object)
            }
        }
    }
}

fn pointer(
    text: &str,
    span: Option<Range<usize>>,
    key: &str,
    lookup: &mut Lookup,
    faults: &mut Faults,
) -> Option<PointerId> {
    match Pointer::parse(text) {
        Ok(pointer) => Some(lookup.add(pointer)),
        Err(why) => {
            let help = match why {
                NoPointer::NoSlash => {
                    format!("did you mean `/{}`?", text.trim_start_matches(['$', '.', '/']).replace('.', "/"))
                }
                NoPointer::Escape => "write it as `~0`, or `~1` for a slash".to_owned(),
                NoPointer::TooDeep => "name a value that is less deep".to_owned(),
            };
            faults.add(span, format!("`{text}` in `{key}` is no pointer: {why}"), help);
            None
        }
    }
}
