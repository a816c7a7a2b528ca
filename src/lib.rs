//! jobdeck: a terminal dashboard that follows batches of hosted jobs without losing a result.

mod app;
mod child;
mod cli;
mod config;
mod demo;
mod domain;
mod engine;
mod exit;
mod fd_writer;
mod json;
mod logging;
mod memory;
mod named_file;
mod net;
mod providers;
mod report;
mod run;
mod session;
mod shell;
mod stderr;
mod store;
mod tls;
mod tui;
mod ui;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use color_eyre::config::{HookBuilder, Theme};

/// Said where there is not even memory to make a sentence.
const TOO_LITTLE_MEMORY: &[u8] =
    b"jobdeck: memory is too short to begin. End other programs, or raise the limit (ulimit -v)\n";

/// Runs the program with these arguments (the first is the program's name) and says how it ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    if !memory::begin() {
        let _ = rustix::io::write(rustix::stdio::stderr(), TOO_LITTLE_MEMORY);
        return ExitCode::from(1);
    }
    report_faults();
    // It can only fail if it was done before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A bug is an internal error too, and exits like one; the hook has reported it.
    let code = panic::catch_unwind(AssertUnwindSafe(|| cli::run(args))).unwrap_or(1);
    stderr::finish();
    ExitCode::from(code)
}

/// A panic is a fault of ours: color-eyre makes the report of it, which goes out like everything on standard error,
/// without waiting for whoever reads it.
fn report_faults() {
    let theme = if std::io::stderr().is_terminal() { Theme::dark() } else { Theme::new() };
    let (on_panic, on_error) = HookBuilder::default()
        .theme(theme)
        .display_env_section(false)
        .panic_section("This is an internal error of jobdeck. What was saved stays saved; the log (see `jobdeck paths`) says what came before it.")
        .into_hooks();
    // It can only fail if it was done before, which is as good.
    let _ = on_error.install();
    panic::set_hook(Box::new(move |info| stderr::line(&on_panic.panic_report(info).to_string())));
}

/// What the benchmarks (`benches/`) and the fuzz targets (`fuzz/`) need of the insides: reading replies, indexing and
/// showing JSON, saving, reading jobs files. No promise to anybody else.
#[doc(hidden)]
pub mod bench_api {
    pub use crate::app::detail::raw::RawView;
    pub use crate::app::detail::tree::{FoldAction, Motion, SearchOutcome, TreeView};
    pub use crate::app::event::{Event, Now};
    pub use crate::app::keys::{Key, Keymap};
    pub use crate::app::{App, DashboardOptions};
    pub use crate::cli::csv::Sheet;
    pub use crate::config::add::given::of_text as given_of_text;
    pub use crate::config::parse;
    pub use crate::config::problems::known_keys as config_names;
    pub use crate::config::user::{Actions as UserActions, parse_user};
    pub use crate::domain::clean::{Clean, is_harmless};
    pub use crate::domain::clock::Clock;
    pub use crate::domain::fact::Fact;
    pub use crate::domain::filter::Filter;
    pub use crate::domain::id::read as read_id;
    pub use crate::domain::job::{Job, JobIx, JobKey, JobTraits, ProviderName};
    pub use crate::domain::observation::{Keep, Observation, Role};
    pub use crate::domain::provider::{BodySource, Next, Payload};
    pub use crate::domain::reading::{Reading, Verdict};
    pub use crate::domain::request::{Header, Method, Request};
    pub use crate::domain::response::{Headers, Response};
    pub use crate::domain::schedule;
    pub use crate::domain::secret::{Token, TokenSource};
    pub use crate::domain::service::{Include, Pace, PollSettings, Service};
    pub use crate::domain::state::{PollOutcome, State};
    pub use crate::engine::mask::Masking;
    pub use crate::json::index::{Document, IndexError, NodeId};
    pub use crate::json::pretty::pretty;
    pub use crate::json::rows::{RowId, VisibleRows};
    pub use crate::json::{scan, search, text};
    pub use crate::net::decode::decoded;
    pub use crate::net::{Net, Sink};
    pub use crate::providers::described::trial::described_by;
    pub use crate::providers::{by_name, names, read};
    pub use crate::store::{Results, Save, SaveBody, Store};
    pub use crate::ui::draw_into;
    pub use crate::ui::theme::{Charset, Palette, Theme};
}
