//! `[[jobs]]`: ids in all their forms, `ids` spread out, duplicates found.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::field::{Field, Fields};
use super::names;
use super::problem::{Problem, Problems};
use crate::domain::id;
use crate::domain::job::{Job, JobKey};
use crate::domain::provider::IdError;
use crate::domain::service::Service;
use crate::providers;

/// The services of a file by name; None where something is wrong with one.
pub type Known<'a> = HashMap<&'a str, Option<Arc<Service>>>;

/// A job, and where its id stands.
pub type Placed = (Arc<Job>, Range<usize>);

/// `[[jobs]]` in the file's order.
pub fn jobs(file: &Fields<'_>, known: &Known<'_>, problems: &mut Problems) -> Vec<Placed> {
    let Some(field) = file.get("jobs") else { return Vec::new() };
    let tables = field.tables("write [[jobs]], with two brackets, before each job", problems);
    let mut jobs = Vec::with_capacity(tables.len());
    for table in tables {
        job(&table, known, &mut jobs, problems);
    }
    jobs
}

/// The name of one of the jobs of an entry, the first of which is 0.
pub fn numbered(name: Option<&str>, are_many: bool, ix: usize) -> Option<String> {
    name.map(|name| if are_many { format!("{name} {}", ix + 1) } else { name.to_owned() })
}

/// The jobs that stand in a file before, under the same triple: for each, its place and the place of the first.
pub fn duplicates(jobs: &[Placed]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut first: HashMap<&JobKey, &Range<usize>> = HashMap::with_capacity(jobs.len());
    let mut found = Vec::new();
    for (job, span) in jobs {
        match first.get(&job.key) {
            Some(earlier) => found.push((span.clone(), (*earlier).clone())),
            None => {
                first.insert(&job.key, span);
            }
        }
    }
    found
}

fn job(table: &Fields<'_>, known: &Known<'_>, jobs: &mut Vec<Placed>, problems: &mut Problems) {
    table.expect_only(names::JOB, "in [[jobs]]", problems);
    let service = service(table, known, problems);
    let name = table.get("name").and_then(|field| field.text("\"scan 7\"", problems)).map(str::trim);
    let name = name.filter(|name| !name.is_empty());
    let tags: Arc<[String]> = table
        .get("tags")
        .and_then(|field| field.texts("tags = [\"nightly\"]", problems))
        .unwrap_or_default()
        .into_iter()
        .map(|(tag, _)| tag.trim().to_owned())
        .collect();
    let Some(ids) = ids(table, problems) else { return };
    for (ix, (text, span)) in ids.texts.into_iter().enumerate() {
        let text = match id::read(text, |name| known.contains_key(name)) {
            Ok(text) => text,
            Err(error) => {
                problems.add(Problem::at(span, error.to_string()).help(error.help()));
                continue;
            }
        };
        let Some(service) = &service else { continue };
        let id = match providers::id_from(service, text) {
            Ok(id) => id,
            Err(IdError { what, help }) => {
                problems.add(Problem::at(span, what).help(help));
                continue;
            }
        };
        let name = numbered(name, ids.are_many, ix);
        let key = JobKey { provider: service.provider.name(), endpoint: Arc::clone(&service.endpoint), id };
        jobs.push((
            Arc::new(Job {
                key,
                service: Arc::clone(&service.name),
                name,
                tags: Arc::clone(&tags),
                traits: service.job_traits(),
            }),
            span,
        ));
    }
}

fn service(table: &Fields<'_>, known: &Known<'_>, problems: &mut Problems) -> Option<Arc<Service>> {
    let Some(field) = table.get("service") else {
        let help = "write service = \"<name>\", the name of one of [services.<name>]";
        problems.add(Problem::at(table.span(), "no `service` in this job").help(help).absence());
        return None;
    };
    let name = field.word("\"llama\"", problems)?;
    if let Some(service) = known.get(name) {
        return service.clone();
    }
    let mut names: Vec<&str> = known.keys().copied().filter(|name| names::is_service_name(name)).collect();
    names.sort_unstable();
    let help = match (names::meant(name, &names), names.as_slice()) {
        (Some(meant), _) => format!("did you mean \"{meant}\"?"),
        (None, []) => "the file defines no service: write [services.<name>] first".to_owned(),
        (None, names) => {
            let more = if names.len() > 9 { ", …" } else { "" };
            format!("the file defines: {}{more}", names.get(..9).unwrap_or(names).join(", "))
        }
    };
    // The services may stand in a part of the file that could not be read.
    problems.add(Problem::at(field.span, "the file defines no service of this name").help(help).absence());
    None
}

/// The ids that a job's table gives, each with its place.
struct Ids<'a> {
    texts: Vec<(&'a str, Range<usize>)>,
    are_many: bool,
}

fn ids<'a>(table: &Fields<'a>, problems: &mut Problems) -> Option<Ids<'a>> {
    let mut given: Vec<Field<'a>> = names::ID.iter().filter_map(|key| table.get(key)).collect();
    given.sort_by_key(|field| field.key_span.start);
    let [field, others @ ..] = given.as_slice() else {
        let help = "write id = \"…\", as the service gave it, or ids = [\"…\", \"…\"] for many at once";
        problems.add(Problem::at(table.span(), "no `id` in this job").help(help).absence());
        return None;
    };
    for other in others {
        let message = format!("`{}` beside `{}`: a job has one id", other.key, field.key);
        problems.add(Problem::at(other.key_span.clone(), message).help("keep one of them; `ids` takes many"));
    }
    if field.key == "ids" {
        let texts = field.texts("ids = [\"…\", \"…\"]", problems)?;
        return Some(Ids { texts, are_many: true });
    }
    if field.value.is_array() {
        let message = format!("`{}` takes one id", field.key);
        problems.add(Problem::at(field.key_span.clone(), message).help("write `ids` for many at once"));
        return None;
    }
    let text = field.text("\"98nlux8b0eu6\"", problems)?;
    Some(Ids { texts: vec![(text, field.span.clone())], are_many: false })
}
