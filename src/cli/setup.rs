//! What `watch` and `once` need before an engine can start: file, store, selected jobs, tokens.

use jiff::Timestamp;

use super::args::Common;
use super::failure::Failure;
use super::select::Entry;
use super::signals::Signals;
use super::{place, select};
use crate::engine::saved::Access;
use crate::engine::{self, Purpose, Setup, token};
use crate::exit::Signal;

/// What came of the preparation.
#[derive(Debug)]
pub enum Prepared {
    /// An engine can start.
    Ready(Box<Setup>),
    /// A signal came before that; these are the jobs as they are known from disk.
    Interrupted(Signal, Vec<Entry>),
}

/// Prepares an engine over the file's jobs that the filter matches.
pub async fn prepare(
    common: &Common,
    purpose: Purpose,
    filter: Option<&str>,
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
    let services = tokio::select! {
        services = token::resolve_all(&file.services) => services,
        signal = signals.next() => {
            let entries = select::of_file(&store, &jobs).await;
            store.close().await;
            return Ok(Prepared::Interrupted(signal, entries?));
        }
    };
    let setup = Setup { purpose, poll: file.poll, services, jobs, store, seed: fastrand::u64(..) };
    Ok(Prepared::Ready(Box::new(setup)))
}
