//! Reading a description strictly: every mistake at once, each with its place and what was probably meant.

#![expect(clippy::wildcard_enum_match_arm, reason = "a value of a wrong type is one mistake, whichever type it has")]

use std::collections::BTreeMap;
use std::ops::Range;

use super::fault::{DescriptionFault, DescriptionTable, Faults, meant};
use super::model::{Description, Endpoint, Progress, StateRule, StatusRequest, TimePlaces};
use super::node::{DescriptionNode, NodeValue, Table};
use super::parse_values::{KnownSecrets, TemplateContext};
use super::words::{StateWords, normal};
use super::{items, results, units};
use crate::domain::job::ProviderName;
use crate::domain::request::Method;
use crate::domain::state::State;
use crate::json::pointer::Lookup;

/// The keys of a description.
pub const TOP: &[&str] = &[
    "title",
    "docs",
    "checked",
    "token_env",
    "nouns",
    "endpoint",
    "examples",
    "like",
    "settings",
    "status",
    "states",
    "rules",
    "codes",
    "result",
    "paths",
    "keeps",
    "interval",
    "rate",
];

/// `[status]`.
pub const STATUS: &[&str] = &[
    "method",
    "reads_only",
    "url",
    "headers",
    "body",
    "word",
    "strip",
    "id",
    "rejected",
    "progress",
    "reason",
    "error_code",
    "warning",
    "service_code",
    "cost",
    "items",
    "item_list",
    "times",
    "one_shot",
];

/// Reads a description. `table` is whole: what it is `like` is under it already.
pub fn parse(
    name: ProviderName,
    table: &Table,
    secrets: KnownSecrets<'_>,
) -> Result<Description, Vec<DescriptionFault>> {
    let mut faults = Faults::default();
    let top = DescriptionTable::new(table, "in this description", None);
    top.expect_only(TOP, &mut faults);
    let settings = settings(&top, &mut faults);
    let mut reader = TemplateContext { settings: &settings, secrets, lookup: Lookup::default() };
    let status = status(&top, &mut reader, &mut faults);
    let words = words(&top, &mut faults);
    let rules = rules(&top, &mut reader, &mut faults);
    let codes = codes(&top, &mut faults);
    let results = results::read(&top, &mut reader, &mut faults);
    let paths = top.table("paths", "in [paths]", &mut faults);
    if let Some(paths) = &paths {
        paths.expect_only(&["web", "ids"], &mut faults);
    }
    let web = paths.as_ref().and_then(|paths| reader.url(paths, "web", &mut faults));
    let ids = paths.map(|paths| reader.urls(&paths, "ids", &mut faults)).unwrap_or_default();
    if let Some(status) = &status
        && status.word.is_empty()
        && rules.is_empty()
        && codes.is_empty()
    {
        let help = "write word = [\"/status\"], or a [[rules]] or [codes] that says what a response means";
        faults.add(top.get("status").and_then(|member| member.key_span.clone()), "nothing says a state", help);
    }
    let text = |key: &str, faults: &mut Faults| top.word(key, faults).map(str::to_owned);
    let title = text("title", &mut faults).unwrap_or_else(|| name.to_string());
    let (docs, checked) = (text("docs", &mut faults), text("checked", &mut faults));
    let token_env = text("token_env", &mut faults);
    let nouns = top.texts("nouns", &mut faults).into_iter().map(|(noun, _)| normal(noun)).collect();
    let endpoint = endpoint(&top, &mut faults);
    let examples = examples(&top, &settings, &mut faults);
    let keeps = units::duration(&top, "keeps", &mut faults);
    let interval = units::duration(&top, "interval", &mut faults);
    let rate = units::rate(&top, "rate", &mut faults);
    let lookup = reader.lookup;
    match status {
        Some(status) if faults.0.is_empty() => Ok(Description {
            name,
            title,
            docs,
            checked,
            token_env,
            nouns,
            endpoint,
            examples,
            settings,
            status,
            words,
            rules,
            codes,
            results,
            web,
            ids,
            keeps,
            interval,
            rate,
            lookup,
            text: table.text(),
        }),
        _ => Err(faults.0),
    }
}

fn settings(top: &DescriptionTable<'_>, faults: &mut Faults) -> Vec<(String, String)> {
    let Some(settings) = top.table("settings", "in [settings]", faults) else { return Vec::new() };
    let mut found = Vec::new();
    for member in settings.members() {
        let reserved = ["id", "token", "secret"].contains(&member.key.as_str());
        let fits = member.key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !member.key.is_empty();
        if reserved || !fits {
            let help = "a setting has letters, digits and `_`, and is not called id, token or secret";
            faults.add(member.key_span.clone(), format!("`{}` is no name of a setting", member.key), help);
        }
        found.extend(settings.text(&member.key, faults).map(|text| (member.key.clone(), text.trim().to_owned())));
    }
    found
}

fn endpoint(top: &DescriptionTable<'_>, faults: &mut Faults) -> Endpoint {
    match top.text("endpoint", faults) {
        None | Some("status") => Endpoint::Status,
        Some("base") => Endpoint::Base,
        Some("origin") => Endpoint::Origin,
        Some(_) => {
            let span = top.get("endpoint").and_then(|member| member.node.span.clone());
            faults.add(span, "jobs are not kept under that", "write \"status\", \"base\" or \"origin\"");
            Endpoint::Status
        }
    }
}

fn examples(top: &DescriptionTable<'_>, settings: &[(String, String)], faults: &mut Faults) -> Vec<(String, String)> {
    let Some(examples) = top.table("examples", "in [examples]", faults) else { return Vec::new() };
    let known: Vec<&str> = settings.iter().map(|(name, _)| name.as_str()).collect();
    examples.expect_only(&known, faults);
    let example = |name: &&str| Some(((*name).to_owned(), examples.text(name, faults)?.to_owned()));
    known.iter().filter_map(example).collect()
}

fn status(top: &DescriptionTable<'_>, reader: &mut TemplateContext<'_>, faults: &mut Faults) -> Option<StatusRequest> {
    if top.get("status").is_none() {
        let help = "write [status] with url = \"{base}/jobs/{id}\", or say what it is `like`";
        faults.add(top.span(), "there is no [status]", help);
        return None;
    }
    let status = top.table("status", "in [status]", faults)?;
    status.expect_only(STATUS, faults);
    let reads_only = status.flag("reads_only", faults).unwrap_or(false);
    let method = match status.text("method", faults) {
        None | Some("GET") => Method::Get,
        Some("POST") => {
            if !reads_only {
                let span = status.get("method").and_then(|member| member.node.span.clone());
                let help = "if this POST only reads, say so: reads_only = true";
                faults.add(span, "a POST may submit a job", help);
            }
            Method::Post
        }
        Some(_) => {
            let span = status.get("method").and_then(|member| member.node.span.clone());
            faults.add(span, "a status is read by GET or POST", "write method = \"GET\", or leave it out");
            Method::Get
        }
    };
    if status.get("url").is_none() {
        faults.add(status.span(), "no `url` in [status]", "write url = \"{base}/jobs/{id}\"");
    }
    let url = reader.url(&status, "url", faults);
    if let Some(url) = &url
        && url.pointers().next().is_some()
    {
        let span = status.get("url").and_then(|member| member.node.span.clone());
        faults.add(span, "the status read has no response before it", "a pointer belongs into the url of [result]");
    }
    let headers = reader.headers(&status, "in headers", faults).unwrap_or_default();
    let body = status.get("body").and_then(|member| reader.body(&member.node, faults));
    if method == Method::Get && body.is_some() {
        let span = status.get("body").and_then(|member| member.key_span.clone());
        faults.add(span, "a GET has no body", "write method = \"POST\" and reads_only = true, or take it out");
    }
    let lookup = &mut reader.lookup;
    let word = TemplateContext::pointers(&status, "word", lookup, faults);
    let reason = TemplateContext::pointers(&status, "reason", lookup, faults);
    let error_code = TemplateContext::pointers(&status, "error_code", lookup, faults);
    let id = TemplateContext::pointers(&status, "id", lookup, faults);
    let rejected = TemplateContext::conditions(&status, "rejected", lookup, faults);
    let warning = TemplateContext::pointers(&status, "warning", lookup, faults);
    let service_code = TemplateContext::pointer(&status, "service_code", lookup, faults);
    let cost = TemplateContext::pointer(&status, "cost", lookup, faults);
    let progress = progress(&status, lookup, faults);
    let items = items::counters(&status, lookup, faults);
    let item_list = items::list(&status, lookup, faults);
    let times = times(&status, lookup, faults);
    let strip = status.text("strip", faults).map(str::to_owned);
    let one_shot = status.flag("one_shot", faults).unwrap_or(false);
    let url = url?;
    Some(StatusRequest {
        method,
        url,
        headers,
        body,
        one_shot,
        word,
        strip,
        id,
        rejected,
        progress,
        reason,
        error_code,
        warning,
        service_code,
        cost,
        items,
        item_list,
        times,
    })
}

fn progress(status: &DescriptionTable<'_>, lookup: &mut Lookup, faults: &mut Faults) -> Option<Progress> {
    let table = match status.get("progress")?.node.value {
        // A pointer alone is all that most services need.
        NodeValue::Text(_) => {
            let at = TemplateContext::pointer(status, "progress", lookup, faults)?;
            return Some(Progress { at, scale: None, pattern: None, states: Vec::new() });
        }
        _ => status.table("progress", "in progress", faults)?,
    };
    table.expect_only(&["at", "scale", "pattern", "states"], faults);
    if table.get("at").is_none() {
        faults.add(table.span(), "no `at` in progress", "write at = \"/progress\"");
    }
    let at = TemplateContext::pointer(&table, "at", lookup, faults);
    let scale = table.number("scale", faults);
    let span = |key: &str| table.get(key).and_then(|member| member.node.span.clone());
    if scale.is_some_and(|scale| !(scale > 0.0 && scale.is_finite())) {
        faults.add(span("scale"), "a scale is above zero", "write what means done: scale = 1, or scale = 100");
    }
    let pattern = table.word("pattern", faults).and_then(|text| {
        let regex = regex::RegexBuilder::new(text).size_limit(1 << 20).build();
        let regex =
            regex.map_err(|_| faults.add(span("pattern"), "this is no regular expression", "see docs.rs/regex"));
        let regex = regex.ok()?;
        if regex.captures_len() < 2 {
            faults.add(span("pattern"), "the pattern has no group", "put the number in parentheses: (\\d+)%");
        }
        Some(super::model::RegexPattern(regex))
    });
    let states = states_of(&table, "states", faults);
    Some(Progress { at: at?, scale, pattern, states })
}

fn times(status: &DescriptionTable<'_>, lookup: &mut Lookup, faults: &mut Faults) -> TimePlaces {
    let Some(times) = status.table("times", "in times", faults) else { return TimePlaces::default() };
    times.expect_only(&["created", "started", "finished", "expires", "expected"], faults);
    let mut at = |key: &str| TemplateContext::pointers(&times, key, lookup, faults);
    let (created, started, finished) = (at("created"), at("started"), at("finished"));
    TimePlaces { created, started, finished, expires: at("expires"), expected: at("expected") }
}

fn words(top: &DescriptionTable<'_>, faults: &mut Faults) -> StateWords {
    let mut words = StateWords::default();
    let Some(states) = top.table("states", "in [states]", faults) else { return words };
    for member in states.members() {
        let Some(state) = state(&member.key, member.key_span.clone(), faults) else { continue };
        for (word, span) in states.texts(&member.key, faults) {
            if word.trim().trim_end_matches('*').is_empty() {
                faults.add(span, "an empty word", "write the service's own word");
                continue;
            }
            if let Some(known) = words.add(word, state) {
                let message = format!("`{word}` is {known} already");
                faults.add(span, message, "a word means one state: take one of the two out");
            }
        }
    }
    words
}

fn rules(top: &DescriptionTable<'_>, reader: &mut TemplateContext<'_>, faults: &mut Faults) -> Vec<StateRule> {
    let mut rules = Vec::new();
    for rule in tables(top, "rules", "in [[rules]]", faults) {
        rule.expect_only(&["when", "state"], faults);
        let when = TemplateContext::conditions(&rule, "when", &mut reader.lookup, faults);
        if rule.get("when").is_none() {
            faults.add(rule.span(), "a rule without `when`", "write when = [\"/status = completed\"]");
        }
        let Some(word) = rule.text("state", faults) else {
            if rule.get("state").is_none() {
                faults.add(rule.span(), "a rule without `state`", "write state = \"succeeded\"");
            }
            continue;
        };
        let span = rule.get("state").and_then(|member| member.node.span.clone());
        rules.extend(state(word, span, faults).map(|state| StateRule { when, state }));
    }
    rules
}

fn codes(top: &DescriptionTable<'_>, faults: &mut Faults) -> BTreeMap<u16, State> {
    let Some(codes) = top.table("codes", "in [codes]", faults) else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for member in codes.members() {
        let key = DescriptionNode { value: NodeValue::Text(member.key.clone()), span: member.key_span.clone() };
        let code = super::fault::code(&key, "codes", faults);
        let Some(word) = codes.text(&member.key, faults) else { continue };
        let state = state(word, member.node.span.clone(), faults);
        found.extend(code.zip(state));
    }
    found
}

/// The tables of an array of tables, or one alone.
pub fn tables<'a>(
    top: &DescriptionTable<'a>,
    key: &str,
    place: &'a str,
    faults: &mut Faults,
) -> Vec<DescriptionTable<'a>> {
    let Some(member) = top.get(key) else { return Vec::new() };
    let nodes: &'a [DescriptionNode] = match &member.node.value {
        NodeValue::List(list) => list,
        NodeValue::Table(_) => std::slice::from_ref(&member.node),
        other => {
            let message = format!("`{key}` must be a table or an array of tables, not {}", other.kind());
            faults.add(member.node.span.clone(), message, table_instead(key, other));
            return Vec::new();
        }
    };
    let table = |node: &'a DescriptionNode| match &node.value {
        NodeValue::Table(table) => Some(DescriptionTable::new(table, place, node.span.as_ref())),
        other => {
            let message = format!("`{key}` holds {} among its tables", other.kind());
            faults.add(node.span.clone(), message, table_instead(key, other));
            None
        }
    };
    nodes.iter().filter_map(table).collect()
}

/// How a table is written that stands for this.
fn table_instead(key: &str, found: &NodeValue) -> String {
    let table = match (key, found) {
        ("lost_on", NodeValue::Whole(code)) => format!("{{ code = {code} }}"),
        ("lost_on", _) => "{ code = 404 }".to_owned(),
        ("rules", _) => "{ when = [\"/status = completed\"], state = \"succeeded\" }".to_owned(),
        ("also", _) => "{ name = \"errors\", url = \"{/errors_url}\" }".to_owned(),
        ("result", _) => return "write [result] with at = \"/output\", or its url".to_owned(),
        _ => "{ … }".to_owned(),
    };
    format!("write {key} = [{table}]")
}

pub fn states_of(fields: &DescriptionTable<'_>, key: &str, faults: &mut Faults) -> Vec<State> {
    let texts = fields.texts(key, faults);
    texts.into_iter().filter_map(|(word, span)| state(word, span, faults)).collect()
}

fn state(word: &str, span: Option<Range<usize>>, faults: &mut Faults) -> Option<State> {
    let state = State::from_word(word);
    if state.is_none() {
        let known = State::ALL.map(State::as_str);
        let help = match meant(word, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("ours are {}", known.join(", ")),
        };
        faults.add(span, format!("`{word}` is none of our states"), help);
    }
    state
}
