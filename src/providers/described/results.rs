//! Reading `[result]`: where a result is, and by which further request it is had.

use bytes::Bytes;

use super::fault::{DescriptionTable, Faults};
use super::model::{Also, FetchPlace, ResultPlace};
use super::parse::{states_of, tables};
use super::parse_values::TemplateContext;
use crate::domain::state::State;
use crate::json::pointer::{Lookup, Pointer};
use crate::json::scan;
use crate::providers::reply;

/// `[result]`.
pub const RESULT: &[&str] = &[
    "when", "at", "raw", "decode", "url", "headers", "token", "states", "one_shot", "again_on", "fails_on", "reason",
    "lost_on", "also",
];

/// Reads them in their order.
pub fn read(top: &DescriptionTable<'_>, reader: &mut TemplateContext<'_>, faults: &mut Faults) -> Vec<ResultPlace> {
    let places = tables(top, "result", "in [result]", faults);
    places.iter().filter_map(|place| one(place, reader, faults)).collect()
}

fn one(place: &DescriptionTable<'_>, reader: &mut TemplateContext<'_>, faults: &mut Faults) -> Option<ResultPlace> {
    place.expect_only(RESULT, faults);
    let when = TemplateContext::conditions(place, "when", &mut reader.lookup, faults);
    let mut lookup = Lookup::default();
    let at = TemplateContext::pointer(place, "at", &mut lookup, faults);
    let at = at.unwrap_or_else(|| lookup.add(Pointer::default()));
    let raw = TemplateContext::pointer(place, "raw", &mut lookup, faults);
    let decode = place.text("decode", faults);
    if decode.is_some_and(|decode| decode != "json") {
        let span = place.get("decode").and_then(|member| member.node.span.clone());
        faults.add(span, "a result is decoded from JSON alone", "write decode = \"json\", or leave it out");
    }
    let states = match place.get("states") {
        Some(_) => states_of(place, "states", faults),
        None => vec![State::Succeeded, State::Partial],
    };
    for state in states.iter().filter(|state| !state.is_terminal()) {
        let span = place.get("states").and_then(|member| member.node.span.clone());
        faults.add(span, format!("{state} is not the end of a job"), "a result is there when a job is over");
    }
    let fetch = match place.get("url") {
        Some(_) => fetch(place, reader, faults),
        None => {
            for key in ["headers", "token", "one_shot", "again_on", "fails_on", "reason", "lost_on", "also"] {
                if let Some(member) = place.get(key) {
                    let message = format!("`{key}` without `url` in [result]");
                    faults.add(member.key_span.clone(), message, "it is about a request of its own: write its url");
                }
            }
            if place.get("at").is_none() {
                faults.add(place.span(), "neither `at` nor `url` in [result]", "write at = \"/output\", or its url");
            }
            None
        }
    };
    let also = tables(place, "also", "in [[result.also]]", faults);
    let mut files: Vec<Also> = Vec::new();
    for table in &also {
        let Some(file) = further(table, reader, faults) else { continue };
        if files.iter().any(|known| known.name.eq_ignore_ascii_case(&file.name)) {
            let message = format!("a second file is called `{}`", file.name);
            faults.add(table.span(), message, "each file beside a result has a name of its own");
        }
        files.push(file);
    }
    let pointers = [Some(at), raw].into_iter().flatten().filter_map(|id| lookup.pointer(id)).cloned();
    let here = if fetch.is_none() { pointers.map(|pointer| reader.lookup.add(pointer)).collect() } else { Vec::new() };
    Some(ResultPlace { when, fetch, at, raw, decode: decode.is_some(), lookup, here, states, also: files })
}

fn fetch(place: &DescriptionTable<'_>, reader: &mut TemplateContext<'_>, faults: &mut Faults) -> Option<FetchPlace> {
    let url = reader.url(place, "url", faults);
    let headers = reader.headers(place, "in headers", faults);
    let mut lookup = Lookup::default();
    let reason = TemplateContext::pointers(place, "reason", &mut lookup, faults);
    let mut lost_on = Vec::new();
    for lost in tables(place, "lost_on", "in lost_on", faults) {
        lost.expect_only(&["code", "when"], faults);
        let codes = lost.codes("code", faults);
        if codes.is_empty() {
            faults.add(lost.span(), "no `code` in lost_on", "write { code = 400, when = [\"/message = …\"] }");
        }
        let when = TemplateContext::conditions(&lost, "when", &mut lookup, faults);
        lost_on.extend(codes.into_iter().map(|code| (code, when.clone())));
    }
    Some(FetchPlace {
        url: url?,
        headers,
        token: place.flag("token", faults).unwrap_or(true),
        one_shot: place.flag("one_shot", faults).unwrap_or(false),
        again_on: place.codes("again_on", faults),
        fails_on: place.codes("fails_on", faults),
        lost_on,
        reason,
        lookup,
    })
}

fn further(also: &DescriptionTable<'_>, reader: &mut TemplateContext<'_>, faults: &mut Faults) -> Option<Also> {
    also.expect_only(&["name", "url", "token"], faults);
    for key in ["name", "url"] {
        if also.get(key).is_none() {
            let message = format!("no `{key}` in [[result.also]]");
            faults.add(also.span(), message, "write name = \"errors\" and the url of the file");
        }
    }
    let name = also.word("name", faults);
    let fits = |name: &&str| {
        name.len() <= 64
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !name.starts_with('.')
    };
    if let Some(bad) = name.filter(|name| !fits(name)) {
        let span = also.get("name").and_then(|member| member.node.span.clone());
        faults.add(span, format!("`{bad}` is no name of a file"), "a name has letters, digits, `-`, `_` and `.`");
    }
    let url = reader.url(also, "url", faults);
    let token = also.flag("token", faults).unwrap_or(true);
    Some(Also { name: name?.to_owned(), url: url?, token })
}

/// What a body holds of a result.
#[derive(Debug, Default, PartialEq)]
pub struct FoundResult {
    /// The text as the service had it.
    pub raw: Option<Bytes>,
    /// The same as JSON.
    pub output: Option<Bytes>,
    /// Where that is, as a path that jq takes.
    pub output_path: String,
}

/// The result in a body that holds it.
pub fn taken(place: &ResultPlace, body: &Bytes) -> FoundResult {
    let Ok(found) = place.lookup.find(body) else { return FoundResult::default() };
    let first = |id| found.values(id).next().filter(|value| scan::kind(value).is_some());
    let text = |value: &[u8]| {
        let text = scan::string_bytes(value).map(|text| reply::shared(body, text));
        text.unwrap_or_else(|| body.slice_ref(value))
    };
    // A null is no result, unless another place says that it is what the user's own program answered.
    let value = first(place.at).filter(|value| place.raw.is_some() || *value != b"null");
    let raw = first(place.raw.unwrap_or(place.at)).filter(|value| *value != b"null").map(text);
    let inside = value.filter(|_| place.decode).and_then(scan::string_bytes).and_then(reply::decoded);
    let path = place.lookup.pointer(place.at).map(Pointer::jq).unwrap_or_default();
    let output_path = match (&inside, value) {
        (Some(_), _) => format!("{path} | fromjson | "),
        (None, Some(_)) => path,
        (None, None) => String::new(),
    };
    let value = value.filter(|value| !(place.decode && *value == b"\"\""));
    let output = inside.map(|inside| reply::shared(body, inside)).or_else(|| value.map(|value| body.slice_ref(value)));
    FoundResult { raw, output, output_path }
}
