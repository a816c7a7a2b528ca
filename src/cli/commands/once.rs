//! `jobdeck once`: reads every unfinished job once and says what is known then.

use crate::cli::args::{CommonArgs, OnceArgs, Until};
use crate::cli::failure::Failure;
use crate::cli::follow::{self, Plan};
use crate::cli::job_list;
use crate::cli::output::{self, OutputStyle};
use crate::cli::setup::{self, Prepared};
use crate::cli::signals::Signals;
use crate::engine::Purpose;
use crate::exit::exit_code;
use crate::session::select;

/// Runs it; the exit code is by the table.
pub async fn run(common: &CommonArgs, once: OnceArgs) -> Result<u8, Failure> {
    let mut signals = Signals::listen()?;
    let setup = match setup::prepare(common, once.filter.as_deref(), None, &mut signals).await? {
        Prepared::Ready(ready) => ready.batch.into_setup(Purpose::Once),
        Prepared::Interrupted(signal, entries) => {
            let exit = exit_code(signal, None, &select::counts(&entries));
            job_list::print(&entries, once.format, OutputStyle::of(common), exit)?;
            return Ok(exit);
        }
    };
    let store = setup.store.clone();
    let plan = Plan {
        until: Until::Finished,
        deadline: None,
        stream: None,
        edits: None,
        exporter: None,
        verbose: common.verbose > 0,
    };
    let followed = follow::follow(setup, plan, &mut signals).await;
    if let Some(left) = store.close().await {
        output::say_error(&left);
    }
    let followed = followed?;
    let counts = select::counts(&followed.entries);
    let exit = exit_code(followed.signal, followed.trouble, &counts);
    job_list::print(&followed.entries, once.format, OutputStyle::of(common), exit)?;
    Ok(exit)
}
