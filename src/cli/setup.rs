//! What `watch` and `once` need before an engine can start: file, store, selected jobs, tokens.

use std::collections::HashSet;

use jiff::Timestamp;
use tokio::time::Instant;

use super::args::Common;
use super::failure::Failure;
use super::select::Entry;
use super::signals::Signals;
use super::{follow, output, place, select};
use crate::domain::clock::Clock;
use crate::engine::saved::Access;
use crate::engine::{self, Purpose, Setup, token};
use crate::exit::Signal;

/// What came of the preparation.
#[derive(Debug)]
pub enum Prepared {
    /// An engine can start.
    Ready(Box<Setup>),
    /// A signal came before that, or the time was up; these are the jobs as they are known from disk.
    Interrupted(Option<Signal>, Vec<Entry>),
}

/// Prepares an engine over the file's jobs that the filter matches. What takes its time is only that a token is asked
/// for; services without such a job are not asked.
pub async fn prepare(
    common: &Common,
    purpose: Purpose,
    filter: Option<&str>,
    deadline: Option<Instant>,
    signals: &mut Signals,
) -> Result<Prepared, Failure> {
    let filter = select::filter(filter)?;
    let file = place::jobs_file(common)?;
    engine::check_certificates(file.services.iter().map(AsRef::as_ref))?;
    let store = place::store(common, Access::Reader)?;
    let jobs = match &filter {
        None => file.jobs,
        Some(filter) => {
            let entries = select::of_file(&store, &file.jobs).await?;
            let entries = select::matching(&store, entries, Some(filter), Timestamp::now()).await;
            if entries.is_err() {
                store.close().await;
            }
            entries?.into_iter().map(|entry| entry.job).collect()
        }
    };
    let of_jobs: HashSet<&str> = jobs.iter().map(|job| &*job.service).collect();
    let services: Vec<_> = file.services.into_iter().filter(|service| of_jobs.contains(&*service.name)).collect();
    let interrupted = tokio::select! {
        services = token::resolve_all(&services, output::say_error) => Ok(services),
        signal = signals.next() => Err(Some(signal)),
        () = follow::wait_until(deadline) => {
            output::say_error("the time was up before every token was had");
            Err(None)
        }
    };
    let services = match interrupted {
        Ok(services) => services,
        Err(signal) => {
            let entries = select::of_file(&store, &jobs).await;
            store.close().await;
            return Ok(Prepared::Interrupted(signal, entries?));
        }
    };
    let (seed, clock) = (fastrand::u64(..), Clock::new(Timestamp::now));
    let setup = Setup { purpose, poll: file.poll, services, jobs, store, seed, clock };
    Ok(Prepared::Ready(Box::new(setup)))
}
