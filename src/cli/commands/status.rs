//! `jobdeck status`: what is known of the jobs, from disk, without network or token.

use jiff::Timestamp;

use crate::cli::args::{CommonArgs, StatusArgs};
use crate::cli::failure::Failure;
use crate::cli::job_list;
use crate::cli::odd_rows;
use crate::cli::output::OutputStyle;
use crate::engine::saved::Results;
use crate::exit::exit_code;
use crate::session::renew_fields;
use crate::session::select::{self, KnownJob};

/// Runs it; the exit code is by the table.
pub async fn run(common: &CommonArgs, status: StatusArgs) -> Result<u8, Failure> {
    let entries = entries(common, status.all, status.filter.as_deref()).await?.1;
    let counts = select::counts(&entries);
    let exit = exit_code(None, None, &counts);
    job_list::print(&entries, status.format, OutputStyle::of(common), exit)?;
    Ok(exit)
}

/// The selected jobs from disk, and the store they are in. With `all` the file is not needed; where it loads, its
/// names are used.
pub async fn entries(
    common: &CommonArgs,
    all: bool,
    filter: Option<&str>,
) -> Result<(Results, Vec<KnownJob>), Failure> {
    let declared = match common.jobs_file() {
        Ok(file) => Some(file),
        Err(_) if all => None,
        Err(failure) => return Err(failure.into()),
    };
    let (services, jobs) = declared.map(|file| (file.services, file.jobs)).unwrap_or_default();
    let filter = select::filter(filter, &services)?;
    let store = common.results().await?;
    let mut entries = if all { select::of_disk(&store, &jobs).await? } else { select::of_file(&store, &jobs).await? };
    odd_rows::say(&entries);
    renew_fields::renew(&store, &services, &mut entries).await;
    let entries = select::matching(&store, entries, filter.as_ref(), Timestamp::now()).await?;
    Ok((store, entries))
}
