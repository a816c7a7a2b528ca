//! `jobdeck forget`: deletes what is over, whole and exported, and gives the space back to the disk.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::batches;
use crate::cli::args::{CommonArgs, duration};
use crate::cli::event_lines::named;
use crate::cli::failure::Failure;
use crate::cli::output::{self, StdoutWriter};
use crate::cli::resolve;
use crate::config;
use crate::domain::clean::Clean;
use crate::domain::human::{self, counted};
use crate::domain::job::JobKey;
use crate::domain::observation::Keep;
use crate::engine::saved::{self, Results};
use crate::session::open;
use crate::session::select::{self, KnownJob};

/// `forget`.
#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// These jobs: service/id, or an id or a name where that is unambiguous
    #[arg(value_name = "JOB", required_unless_present_any = ["before", "batch"], conflicts_with_all = ["before", "batch"])]
    pub jobs: Vec<String>,
    /// What was over that long ago ("30d")
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub before: Option<Duration>,
    /// The jobs of this batch
    #[arg(long, value_name = "B")]
    pub batch: Option<String>,
    /// Without a question (`--before` alone needs it where nobody can be asked), and also what was never exported or is not whole
    #[arg(long)]
    pub yes: bool,
}

/// What becomes of a job that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ForgetVerdict {
    /// It can be removed; its size in bytes.
    Goes(u64),
    /// It stays, and why.
    Stays(String),
    /// It goes with `--yes`: why it does not without.
    Asks(&'static str),
}

/// Runs it: 0, or 1 where a job that was named stays.
pub async fn run(common: &CommonArgs, wanted: ForgetArgs) -> Result<u8, Failure> {
    let (results, entries) = meant(common, &wanted).await?;
    let mut goes = Vec::new();
    let (mut bytes, mut stays, mut asks) = (0, Vec::new(), Vec::new());
    let on_disk: HashSet<JobKey> =
        select::of_disk(&results, &[]).await?.into_iter().map(|entry| entry.job.key.clone()).collect();
    for entry in &entries {
        if !on_disk.contains(&entry.job.key) {
            stays.push(format!("{}: nothing of it is on disk", named(&entry.job)));
            continue;
        }
        match verdict(&results, entry, wanted.yes).await? {
            ForgetVerdict::Goes(size) => {
                goes.push(entry);
                bytes += size;
            }
            ForgetVerdict::Stays(why) => stays.push(format!("{} stays: {why}", named(&entry.job))),
            ForgetVerdict::Asks(why) => {
                asks.push(format!("{} stays: {why}; --yes deletes it all the same", named(&entry.job)))
            }
        }
    }
    let are_named = !wanted.jobs.is_empty();
    say_some(&stays, are_named);
    say_some(&asks, are_named);
    let mut out = StdoutWriter::new();
    if goes.is_empty() {
        output::say("there is nothing to forget");
        return Ok(u8::from(are_named));
    }
    for entry in &goes {
        out.line(&named(&entry.job))?;
    }
    out.flush()?;
    let what = format!("{}, {}", counted(goes.len(), "job"), human::bytes(bytes));
    let of = batches_of(&goes);
    if !wanted.yes && io::stdin().is_terminal() {
        if !output::ask(&format!("forget {what}{of}? Their results are gone then."))? {
            output::say("nothing was forgotten");
            return Ok(1);
        }
    } else if !wanted.yes && !are_named && wanted.batch.is_none() {
        output::say_error(&format!(
            "nothing was forgotten: this would forget {what}{of}, which no jobs file here has. Name a batch with --batch, \
             or the jobs; --yes forgets without a question, and also what was never exported"
        ));
        return Ok(1);
    }
    let keys: Vec<JobKey> = goes.iter().map(|entry| entry.job.key.clone()).collect();
    let (store, notes) = open::store(&common.state_dir()?, common.log())?;
    notes.iter().for_each(|note| output::say(note));
    let done = store.notes().forget(keys).await;
    store.close().await;
    done?;
    output::say(&format!("forgot {what}"));
    Ok(u8::from(are_named && goes.len() < entries.len()))
}

/// Whose these are: ` of the batches "dec", "nov"`; empty where they have none.
fn batches_of(entries: &[&KnownJob]) -> String {
    let names: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.job.batch.as_deref()).collect();
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("\"{}\"", Clean::new(name))).collect();
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    match names.len() {
        0 => String::new(),
        1 => format!(" of the batch {}", shown.join(", ")),
        _ => format!(" of the batches {}{more}", shown.join(", ")),
    }
}

/// The jobs that are asked for. What a jobs file has is meant only by its name.
async fn meant(common: &CommonArgs, wanted: &ForgetArgs) -> Result<(Results, Vec<KnownJob>), Failure> {
    if !wanted.jobs.is_empty() {
        let mut entries: Vec<KnownJob> = Vec::new();
        for job in &wanted.jobs {
            let entry = resolve::one(common, job).await?.1;
            if entries.iter().all(|other| other.job.key != entry.job.key) {
                entries.push(entry);
            }
        }
        return Ok((common.results().await?, entries));
    }
    // A file that is there and cannot be read may have any of them.
    let declared = match config::locate(common.named()) {
        Ok(_) => common.jobs_file()?.jobs,
        Err(_) => Vec::new(),
    };
    let results = common.results().await?;
    let all = select::of_disk(&results, &declared).await?;
    if let Some(batch) = &wanted.batch
        && !all.iter().any(|entry| entry.job.batch.as_deref() == Some(batch))
    {
        return Err(batches::unknown(batch, &all));
    }
    let now = Timestamp::now();
    let is_old = |entry: &KnownJob| {
        let known = &entry.known;
        let over = known.finished_at.or(known.changed_at).or(known.last_poll.as_ref().map(|poll| poll.at));
        wanted.before.is_none_or(|before| over.is_some_and(|at| human::age(at, now) >= before))
    };
    let in_file: HashSet<&JobKey> = declared.iter().map(|job| &job.key).collect();
    let is_of = |entry: &KnownJob| wanted.batch.is_none() || entry.job.batch == wanted.batch.as_deref().map(Into::into);
    let (kept, entries): (Vec<KnownJob>, Vec<KnownJob>) = (all.into_iter())
        .filter(|entry| is_of(entry) && is_old(entry))
        .partition(|entry| in_file.contains(&entry.job.key));
    if !kept.is_empty() {
        output::say(&format!(
            "{} of the jobs file stay: take them out of it, or name them",
            counted(kept.len(), "job")
        ));
    }
    Ok((results, entries))
}

/// What may become of a job.
async fn verdict(results: &Results, entry: &KnownJob, yes: bool) -> Result<ForgetVerdict, Failure> {
    let known = &entry.known;
    let owner = results.owners(vec![entry.job.key.clone()]).await?.pop().flatten();
    if let Some(owner) = owner {
        return Ok(ForgetVerdict::Stays(format!("another jobdeck polls it ({owner})")));
    }
    let kept = results.kept(entry.job.key.clone()).await?;
    let never_seen = !known.is_observed() && kept.is_empty();
    if !known.is_over() && !never_seen {
        return Ok(ForgetVerdict::Stays("it is not over".to_owned()));
    }
    let size = kept.iter().map(|kept| kept.saved.bytes).sum();
    if yes {
        return Ok(ForgetVerdict::Goes(size));
    }
    let Some(saved) = &known.saved else {
        // Of a result that is lost, a part may be all that there is.
        return Ok(if kept.is_empty() {
            ForgetVerdict::Goes(size)
        } else {
            ForgetVerdict::Asks("only a part of its result is here")
        });
    };
    let is_result = |id| kept.iter().find(|kept| kept.saved.body == id && kept.keep == Keep::Result);
    match is_result(saved.body) {
        Some(copy) if copy.exported => {}
        Some(_) | None => return Ok(ForgetVerdict::Asks("it was never exported")),
    }
    let also = saved::also_files(results, &entry.job.key).await?;
    if !also.values().all(|saved| is_result(saved.body).is_some_and(|copy| copy.exported)) {
        return Ok(ForgetVerdict::Asks("what was fetched beside its result was never exported"));
    }
    for saved in also.values().chain([saved]) {
        if !results.body(saved.body).await.is_ok_and(|body| saved.check(&body).is_ok()) {
            return Ok(ForgetVerdict::Asks("what is saved of it is damaged"));
        }
    }
    Ok(ForgetVerdict::Goes(size))
}

/// How many jobs or batches are named, where they were not.
const NAMED: usize = 5;

fn say_some(lines: &[String], all: bool) {
    let most = if all { lines.len() } else { NAMED };
    lines.iter().take(most).for_each(|line| output::say_error(line));
    if lines.len() > most {
        output::say_error(&format!("and {} more stay", lines.len() - most));
    }
}
