//! What `watch` and `once` need before an engine can start: file, store, selected jobs, tokens.

use std::collections::HashSet;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::args::CommonArgs;
use super::failure::Failure;
use super::odd_rows;
use super::output;
use super::signals::Signals;
use super::stop::{StopCause, TimeLimit, wait_until};
use super::team_store;
use crate::config::JobsFile;
use crate::domain::filter::Filter;
use crate::domain::job::JobKey;
use crate::domain::stats::StateCounts;
use crate::engine::token::{self, Prompts};
use crate::exit::Signal;
use crate::run::clean_up;
use crate::session::batch::{self, Batch};
use crate::session::select::{self, KnownJob};
use crate::session::settings;

/// What came of the preparation.
#[derive(Debug)]
pub enum Prepared {
    /// An engine can start, over what the filter matches in this file.
    Ready(Box<Ready>),
    /// A signal came before that, or the time was up; these are the jobs as they are known from disk.
    Interrupted(Option<Signal>, Vec<KnownJob>),
}

/// What an engine starts with, and where it came from.
#[derive(Debug)]
pub struct Ready {
    /// For the engine: the jobs that the filter matches.
    pub batch: Batch,
    /// The jobs file with all its jobs.
    pub file: JobsFile,
    /// Which of its jobs are meant.
    pub filter: Option<Filter>,
}

/// Prepares an engine over the file's jobs that the filter matches. What takes its time is only that a token is asked
/// for; services without such a job are not asked.
pub async fn prepare(
    common: &CommonArgs,
    filter: Option<&str>,
    deadline: Option<TimeLimit>,
    signals: &mut Signals,
) -> Result<Prepared, Failure> {
    let own_hooks = settings::read()?.0.hooks;
    let asked = common.clone();
    let (done, read) = oneshot::channel();
    // A pipe may give nothing for long.
    let reading = move || drop(done.send(asked.jobs_file()));
    std::thread::Builder::new().name("jobs file".to_owned()).spawn(reading).map_err(Failure::no_thread)?;
    let file = tokio::select! {
        file = read => file.map_err(|_| unreadable("it is a bug"))??,
        signal = signals.next() => {
            let why = StopCause::Signal(signal).sentence(&StateCounts::default());
            output::say_error(&format!("before the jobs file was read, {why}"));
            return Ok(Prepared::Interrupted(Some(signal), Vec::new()));
        }
        cut = wait_until(deadline) => return Err(unreadable(&cut.sentence(&StateCounts::default()))),
    };
    let filter = select::filter(filter, &file.services)?;
    let state = common.state_dir()?;
    let store = batch::open_store(&file, &state, common.log(), output::say_error).await?;
    let team = team_store::named(common).await?;
    if let Some(team) = &team {
        // What others have is not counted as missing.
        let cut = tokio::select! {
            () = team_store::catch_up(&store, team) => None,
            signal = signals.next() => Some(StopCause::Signal(signal)),
            cut = wait_until(deadline) => Some(cut),
        };
        if let Some(cut) = cut {
            let entries = select::of_file(&store.results(), &file.jobs).await;
            store.close().await;
            let entries = entries?;
            output::say_error(&format!("before all was copied, {}", cut.sentence(&select::counts(&entries))));
            return Ok(Prepared::Interrupted(cut.signal(), entries));
        }
    }
    let store = team_store::shared(store, team.map(|team| team.target))?;
    clean_up(&state);
    let results = store.results();
    let chosen = match &filter {
        None => select::with_jobs(file.clone(), |_| true),
        Some(filter) => {
            let entries = select::of_file(&results, &file.jobs).await?;
            odd_rows::say(&entries);
            let entries = select::matching(&results, entries, Some(filter), Timestamp::now()).await;
            if entries.is_err() {
                store.close().await;
            }
            let keys: HashSet<JobKey> = entries?.into_iter().map(|entry| entry.job.key.clone()).collect();
            select::with_jobs(file.clone(), |key| keys.contains(key))
        }
    };
    let asked = tokio::select! {
        services = token::resolve_all(&chosen.services, Prompts::Allowed, output::say_error) => Ok(services),
        signal = signals.next() => Err(StopCause::Signal(signal)),
        cut = wait_until(deadline) => Err(cut),
    };
    let services = match asked {
        Ok(services) => services,
        Err(cut) => {
            let entries = select::of_file(&results, &chosen.jobs).await;
            store.close().await;
            let entries = entries?;
            output::say_error(&format!("before every token was there, {}", cut.sentence(&select::counts(&entries))));
            return Ok(Prepared::Interrupted(cut.signal(), entries));
        }
    };
    let batch = Batch { file: chosen, services, store, own_hooks };
    Ok(Prepared::Ready(Box::new(Ready { batch, file, filter })))
}

fn unreadable(why: &str) -> Failure {
    Failure::usage(format!("failed to read the jobs file: {why}"))
        .help("see what it waits for, or name another with --config")
}
