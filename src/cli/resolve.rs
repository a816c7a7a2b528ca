//! One job by what the user calls it: `service/id`, an id alone, or a name, where that is unambiguous.

use std::collections::HashSet;
use std::sync::Arc;

use super::args::CommonArgs;
use super::event_lines::named;
use super::failure::Failure;
use super::odd_rows;
use crate::config::{self, ConfigError, JobsFile};
use crate::domain::clean::Clean;
use crate::domain::id;
use crate::domain::job::Job;
use crate::engine::saved::Results;
use crate::session::select::{self, KnownJob};

/// The job and the store that knows of it: looked for in the jobs file, if there is one that loads, then on disk.
pub async fn one(common: &CommonArgs, wanted: &str) -> Result<(Results, KnownJob), Failure> {
    let declared = declared(common);
    let store = common.results().await?;
    let jobs = declared.as_ref().map(|file| file.jobs.as_slice()).unwrap_or_default();
    let called: Vec<Arc<Job>> = jobs.iter().filter(|job| is_called(job, wanted)).cloned().collect();
    let called = select::of_file(&store, &called).await?;
    odd_rows::say(&called);
    if let Some(entry) = among(called, wanted)? {
        return Ok((store, entry));
    }
    let of_disk = select::of_disk(&store, jobs).await?;
    odd_rows::say(&of_disk);
    let everything: Vec<Arc<Job>> = jobs.iter().cloned().chain(of_disk.iter().map(|entry| entry.job.clone())).collect();
    if let Some(entry) = among(of_disk, wanted)? {
        return Ok((store, entry));
    }
    let near = near(&everything, wanted);
    let help = match (declared, near.as_slice()) {
        (Err(why), []) => why.to_string(),
        (Err(why), near) => format!("{}\n{why}", meant(near)),
        (Ok(_), []) => "`jobdeck status --all` lists what is known".to_owned(),
        (Ok(_), near) => meant(near),
    };
    let wanted = Clean::new(wanted);
    let what = format!("there is no job {:?}, neither in the jobs file nor on disk", wanted.as_str());
    Err(Failure::usage(what).help(help))
}

/// Why the names in the jobs file are not known.
#[derive(Debug, thiserror::Error)]
enum Undeclared {
    #[error("no jobs file was found here, and `jobdeck status --all` lists what is known")]
    NoFile,
    #[error("the names in {path} are not known, since it is not valid (see `jobdeck check`):\n{error}")]
    Invalid { path: Clean, error: ConfigError },
}

fn declared(common: &CommonArgs) -> Result<JobsFile, Undeclared> {
    let path = config::locate(common.named()).map_err(|_| Undeclared::NoFile)?;
    let path = Clean::new(&path.to_string_lossy());
    common.jobs_file().map_err(|error| Undeclared::Invalid { path, error })
}

/// How many similar names are suggested.
const NEAR: usize = 5;

/// The jobs that were perhaps meant: those that a part of the text names, else those that are spelt much like it.
fn near<'a>(jobs: &'a [Arc<Job>], wanted: &str) -> Vec<&'a Job> {
    let wanted = wanted.trim().to_lowercase();
    let longest = wanted.chars().count();
    if wanted.is_empty() {
        return Vec::new();
    }
    let is_part = |name: &str| longest > 2 && name.contains(&wanted);
    let is_like = |name: &str| {
        let difference = name.chars().count().abs_diff(longest);
        difference <= longest / 3 && strsim::osa_distance(name, &wanted) <= longest / 3
    };
    let mut found: Vec<&Job> = Vec::new();
    for way in [&is_part as &dyn Fn(&str) -> bool, &is_like] {
        for job in jobs.iter().map(AsRef::as_ref) {
            let names = [Some(job.label()), Some(job.key.id.clone()), job.name.clone()];
            let is_near = names.into_iter().flatten().any(|name| way(&name.to_lowercase()));
            if is_near && found.len() < NEAR && found.iter().all(|other| other.key != job.key) {
                found.push(job);
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    found
}

fn meant(near: &[&Job]) -> String {
    let lines: Vec<String> = near.iter().map(|job| format!("  {}", named(job))).collect();
    format!("did you mean\n{}", lines.join("\n"))
}

/// What a job can be called: in full, by its id, by its name, by its service and its name; one that comes earlier goes before one that comes later.
const WAYS: [fn(&Job, &str) -> bool; 4] = [
    |job, wanted| wanted.split_once('/').is_some_and(|(service, id)| *job.service == *service && is_id(job, id)),
    is_id,
    |job, wanted| job.name.as_deref() == Some(wanted),
    |job, wanted| {
        let in_service = wanted.strip_prefix(&*job.service).and_then(|rest| rest.strip_prefix('/'));
        in_service.is_some() && job.name.as_deref() == in_service
    },
];

/// Whether a text is the job's id, in any spelling of it.
fn is_id(job: &Job, wanted: &str) -> bool {
    job.key.canonical_id() == id::canonical(job.key.provider, wanted)
}

fn is_called(job: &Job, wanted: &str) -> bool {
    WAYS.iter().any(|way| way(job, wanted))
}

/// The one entry that is meant.
fn among(entries: Vec<KnownJob>, wanted: &str) -> Result<Option<KnownJob>, Failure> {
    for way in WAYS {
        let mut found = entries.iter().filter(|entry| way(&entry.job, wanted));
        let Some(first) = found.next() else { continue };
        let others: Vec<&KnownJob> = found.collect();
        if others.is_empty() {
            return Ok(Some(first.clone()));
        }
        let found: Vec<&KnownJob> = std::iter::once(first).chain(others).collect();
        return Err(Failure::usage(ambiguous(wanted, &found)));
    }
    Ok(None)
}

/// What to say of several jobs that are called the same, and how to get at one of them.
fn ambiguous(wanted: &str, found: &[&KnownJob]) -> String {
    let labels: HashSet<String> = found.iter().map(|entry| entry.job.label()).collect();
    // Two files may call two services the same.
    let twins = labels.len() < found.len();
    let candidate = |entry: &&KnownJob| {
        let at = if twins { format!(" at {}", Clean::new(&entry.job.key.endpoint)) } else { String::new() };
        format!("  {}{at}", named(&entry.job))
    };
    let how = if twins { "name its jobs file with --config" } else { "name one of them in full" };
    let candidates: Vec<String> = found.iter().map(candidate).collect();
    format!("{:?} may be any of {} jobs; {how}:\n{}", Clean::new(wanted).as_str(), found.len(), candidates.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobKey, ProviderName};
    use crate::domain::observation::Observation;

    fn entry(service: &str, id: &str, name: Option<&str>) -> KnownJob {
        let key = JobKey { provider: ProviderName::VESSL, endpoint: service.into(), id: id.to_owned() };
        let job = Job { name: name.map(str::to_owned), ..crate::tests::job(key, service) };
        KnownJob::new(Arc::new(job), Observation::default())
    }

    fn at(endpoint: &str, mut entry: KnownJob) -> KnownJob {
        Arc::make_mut(&mut entry.job).key.endpoint = endpoint.into();
        entry
    }

    #[test]
    fn a_job_is_named_in_full_or_by_an_id_or_a_name_that_only_it_has() {
        let entries = vec![
            entry("a", "1", Some("one")),
            entry("b", "1", Some("x/y")),
            entry("b", "2", Some("same")),
            entry("b", "3", Some("same")),
            entry("x", "y", None),
            entry("b", "one", None),
            entry("t", "z", None),
            at("https://h", entry("t", "z", None)),
        ];
        let cases = [
            ("a/1", Ok(Some("a/1"))),
            ("2", Ok(Some("b/2"))),
            ("one", Ok(Some("b/one"))),
            ("x/y", Ok(Some("x/y"))),
            ("nobody", Ok(None)),
            ("1", Err("\"1\" may be any of 2 jobs; name one of them in full:\n  a/1 \"one\"\n  b/1 \"x/y\"")),
            ("z", Err("\"z\" may be any of 2 jobs; name its jobs file with --config:\n  t/z at t\n  t/z at https://h")),
            ("same", Err("\"same\" may be any of 2 jobs; name one of them in full:\n  b/2 \"same\"\n  b/3 \"same\"")),
        ];
        for (wanted, expected) in cases {
            let found = among(entries.clone(), wanted);
            let found = found.map(|entry| entry.map(|entry| entry.job.label())).map_err(|failure| failure.to_string());
            assert_eq!(found, expected.map(|label| label.map(str::to_owned)).map_err(str::to_owned), "{wanted}");
        }
    }

    #[test]
    fn a_name_that_nobody_has_finds_those_that_are_like_it() {
        let jobs: Vec<_> = [
            entry("invoices", "e748d90f", Some("scan 7")),
            entry("invoices", "0f6a", Some("Scan 8")),
            entry("llama", "98nl", None),
        ]
        .map(|entry| entry.job)
        .into();
        let cases = [
            ("e748", &["invoices/e748d90f"][..]),
            ("scan", &["invoices/e748d90f", "invoices/0f6a"]),
            ("scan 9", &["invoices/e748d90f", "invoices/0f6a"]),
            ("invoice/e748d90f", &["invoices/e748d90f"]),
            ("lama/98nl", &["llama/98nl"]),
            ("zebra", &[]),
            ("", &[]),
        ];
        for (wanted, expected) in cases {
            let found: Vec<String> = near(&jobs, wanted).iter().map(|job| job.label()).collect();
            assert_eq!(found, expected, "{wanted}");
        }
    }
}
