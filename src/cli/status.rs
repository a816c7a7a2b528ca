//! `jobdeck status`: what is known of the jobs, from disk, without network or token.

use jiff::Timestamp;

use super::args::{Common, Status};
use super::failure::Failure;
use super::output::Look;
use super::select::Entry;
use super::{list, place, select};
use crate::engine::saved::{Access, Store};
use crate::exit::exit_code;

/// Runs it; the exit code is by the table.
pub async fn run(common: &Common, status: Status) -> Result<u8, Failure> {
    let entries = entries(common, status.all, status.filter.as_deref()).await?.1;
    let counts = select::counts(&entries);
    let exit = exit_code(None, None, &counts);
    list::print(&entries, status.format, Look::of(common), exit)?;
    Ok(exit)
}

/// The selected jobs from disk, and the store they are in. With `all` the file is not needed; where it loads, its
/// names are used.
pub async fn entries(common: &Common, all: bool, filter: Option<&str>) -> Result<(Store, Vec<Entry>), Failure> {
    let filter = select::filter(filter)?;
    let declared = match place::jobs_file(common) {
        Ok(file) => file.jobs,
        Err(_) if all => Vec::new(),
        Err(failure) => return Err(failure),
    };
    let store = place::store(common, Access::ReadOnly)?;
    let entries =
        if all { select::of_disk(&store, &declared).await? } else { select::of_file(&store, &declared).await? };
    let entries = select::matching(&store, entries, filter.as_ref(), Timestamp::now()).await?;
    Ok((store, entries))
}
