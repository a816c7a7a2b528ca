//! What `watch` and `once` need before an engine can start: file, store, selected jobs, tokens.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::args::Common;
use super::failure::Failure;
use super::select::Entry;
use super::signals::Signals;
use super::stop::{Cut, Deadline, wait_until};
use super::{fields, open, output, select, settings};
use crate::config::JobsFile;
use crate::domain::clock::Clock;
use crate::domain::filter::Filter;
use crate::domain::hook::Hook;
use crate::domain::job::JobKey;
use crate::domain::stats::Counts;
use crate::engine::token::{self, Prompts};
use crate::engine::{self, Purpose, Setup};
use crate::exit::Signal;

/// What came of the preparation.
#[derive(Debug)]
pub enum Prepared {
    /// An engine can start, over what the filter matches in this file.
    Ready(Box<Ready>),
    /// A signal came before that, or the time was up; these are the jobs as they are known from disk.
    Interrupted(Option<Signal>, Vec<Entry>),
}

/// What an engine starts with, and where it came from.
#[derive(Debug)]
pub struct Ready {
    /// For the engine.
    pub setup: Setup,
    /// The whole file.
    pub file: JobsFile,
    /// Which of its jobs are meant.
    pub filter: Option<Filter>,
    /// The hooks of the user's own file; they are in `setup` too.
    pub own_hooks: Vec<Arc<Hook>>,
}

/// Prepares an engine over the file's jobs that the filter matches. What takes its time is only that a token is asked
/// for; services without such a job are not asked.
pub async fn prepare(
    common: &Common,
    purpose: Purpose,
    filter: Option<&str>,
    deadline: Option<Deadline>,
    signals: &mut Signals,
) -> Result<Prepared, Failure> {
    let own_hooks = settings::read()?.0.hooks;
    let asked = common.clone();
    let file = tokio::select! {
        // A pipe may give nothing for long.
        file = spawn_blocking(move || open::jobs_file(&asked)) => file.map_err(|_| unreadable("it is a bug"))??,
        signal = signals.next() => {
            let why = Cut::Signal(signal).sentence(&Counts::default());
            output::say_error(&format!("before the jobs file was read, {why}"));
            return Ok(Prepared::Interrupted(Some(signal), Vec::new()));
        }
        cut = wait_until(deadline) => return Err(unreadable(&cut.sentence(&Counts::default()))),
    };
    engine::environment_troubles().iter().for_each(|trouble| output::say_error(trouble));
    engine::check_certificates(file.services.iter().map(AsRef::as_ref))?;
    let filter = select::filter(filter, &file.services)?;
    let store = open::store(common)?;
    let results = store.results();
    fields::keep(&store, &file).await;
    let chosen = match &filter {
        None => with_jobs(file.clone(), |_| true),
        Some(filter) => {
            let entries = select::of_file(&results, &file.jobs).await?;
            let entries = select::matching(&results, entries, Some(filter), Timestamp::now()).await;
            if entries.is_err() {
                store.close().await;
            }
            let keys: HashSet<JobKey> = entries?.into_iter().map(|entry| entry.job.key.clone()).collect();
            with_jobs(file.clone(), |key| keys.contains(key))
        }
    };
    let JobsFile { poll, services, jobs, .. } = chosen;
    let asked = tokio::select! {
        services = token::resolve_all(&services, Prompts::Allowed, output::say_error) => Ok(services),
        signal = signals.next() => Err(Cut::Signal(signal)),
        cut = wait_until(deadline) => Err(cut),
    };
    let services = match asked {
        Ok(services) => services,
        Err(cut) => {
            let entries = select::of_file(&results, &jobs).await;
            store.close().await;
            let entries = entries?;
            output::say_error(&format!("before every token was had, {}", cut.sentence(&select::counts(&entries))));
            return Ok(Prepared::Interrupted(cut.signal(), entries));
        }
    };
    let (seed, clock) = (fastrand::u64(..), Clock::new(Timestamp::now));
    let hooks = file.hooks.iter().chain(&own_hooks).cloned().collect();
    let setup = Setup { purpose, poll, services, jobs, hooks, store, seed, clock };
    Ok(Prepared::Ready(Box::new(Ready { setup, file, filter, own_hooks })))
}

fn unreadable(why: &str) -> Failure {
    Failure::usage(format!(
        "failed to read the jobs file: {why}. See what it waits for, or name another with --config."
    ))
}

/// The file with these of its jobs, and the services that they need.
pub fn with_jobs(mut file: JobsFile, are_meant: impl Fn(&JobKey) -> bool) -> JobsFile {
    file.jobs.retain(|job| are_meant(&job.key));
    let needed: HashSet<&str> = file.jobs.iter().map(|job| &*job.service).collect();
    file.services.retain(|service| needed.contains(&*service.name));
    file
}
