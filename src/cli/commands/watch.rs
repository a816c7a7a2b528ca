//! `jobdeck watch`: follows the jobs to their end without a screen.

use jiff::Timestamp;

use super::export;
use crate::cli::args::{CommonArgs, WatchArgs, WatchFormat};
use crate::cli::event_lines::LineFormat;
use crate::cli::failure::Failure;
use crate::cli::follow::{self, Followed, LineStream, Plan};
use crate::cli::output::{self, LinePrinter, OutputStyle};
use crate::cli::setup::{self, Prepared, Ready};
use crate::cli::signals::Signals;
use crate::cli::stop::TimeLimit;
use crate::engine::Purpose;
use crate::exit::exit_code;
use crate::session::exporter::Exporter;
use crate::session::select;
use crate::session::watch_file::WatchedFile;

/// Runs it; the exit code is by the table.
pub async fn run(common: &CommonArgs, watch: WatchArgs) -> Result<u8, Failure> {
    let mut signals = Signals::listen()?;
    let deadline = watch.timeout.and_then(TimeLimit::after);
    let tongue = match watch.format {
        WatchFormat::Jsonl => LineFormat::Jsonl,
        WatchFormat::Plain => LineFormat::Plain(OutputStyle::of(common)),
    };
    let prepared = setup::prepare(common, watch.filter.as_deref(), deadline, &mut signals).await?;
    let (lines, closed) = LinePrinter::start().map_err(Failure::no_thread)?;
    let followed = match prepared {
        Prepared::Ready(ready) => {
            let Ready { batch, file, filter } = *ready;
            let store = batch.store.clone();
            let exporter = match watch.export.as_deref().or(file.export.as_deref()) {
                Some(dir) => Some(Exporter::start(&store, dir, export::words())?),
                None => None,
            };
            let stream = Some(LineStream { tongue, lines, closed });
            let edits = Some(WatchedFile::of(&file, &batch, filter, output::say_error));
            let plan = Plan { until: watch.until, deadline, stream, edits, exporter, verbose: common.verbose > 0 };
            let followed = follow::follow(batch.into_setup(Purpose::Watch), plan, &mut signals).await;
            if let Some(left) = store.close().await {
                output::say_error(&left);
            }
            followed?
        }
        Prepared::Interrupted(signal, entries) => Followed { entries, signal, trouble: None, lines: Some(lines) },
    };
    let counts = select::counts(&followed.entries);
    let exit = exit_code(followed.signal, followed.trouble, &counts);
    if let Some(lines) = followed.lines {
        lines.line(tongue.summary(Timestamp::now(), &counts, exit));
        let is_told_to_end = followed.signal.is_some();
        let printed = async { if is_told_to_end { lines.finish_soon().await } else { lines.finish().await } };
        tokio::select! {
            () = printed => {}
            _ = signals.next() => {}
        }
    }
    Ok(exit)
}
