//! The dashboard over the jobs file, or over the demo's services: what it needs is had before the screen is taken.

use std::env;
use std::fs::{self, DirBuilder};
use std::io::{self, IsTerminal};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{batches, export};
use crate::app::keys::Keymap;
use crate::cli::args::CommonArgs;
use crate::cli::failure::Failure;
use crate::cli::output::{self, OutputStyle};
use crate::cli::{locale, team_store};
use crate::config::user::{CharsetChoice as WishedCharset, ThemeChoice as WishedTheme, User};
use crate::config::{self, ConfigError, JobsFile};
use crate::demo::Demo;
use crate::engine::saved::ServerTarget;
use crate::engine::token::{self, Prompts};
use crate::exit;
use crate::logging::{LoggedEvent, Targets};
use crate::run::clean_up;
use crate::session::batch::{self, Batch};
use crate::session::exporter::Exporter;
use crate::session::{open, settings};
use crate::tui::{self, DashboardSource, Start};
use crate::ui::theme::{Charset, Palette, Theme};

/// Runs it over the jobs file. A file that is missing or broken is shown on the screen.
pub async fn run(common: &CommonArgs, exit_status: bool) -> Result<u8, Failure> {
    poll(
        common,
        common.state_dir()?,
        common.jobs_file(),
        (DashboardSource::File, team_store::target(common).await?),
        exit_status,
    )
    .await
}

/// Runs it over one batch as it is on disk: neither jobs file nor token nor network is needed.
pub async fn open(common: &CommonArgs, name: &str, exit_status: bool) -> Result<u8, Failure> {
    let state = common.state_dir()?;
    let (_, entries) = batches::on_disk(common).await?;
    let of_batch = entries.iter().filter(|entry| entry.job.batch.as_deref() == Some(name));
    let jobs: Vec<_> = of_batch.map(|entry| (Arc::clone(&entry.job), Arc::clone(&entry.known))).collect();
    if jobs.is_empty() {
        return Err(batches::unknown(name, &entries));
    }
    // Its services are what fields, and copies for a ticket, are made of; it has no say in what the jobs are.
    let mut file = common.jobs_file().or_else(|_| config::parse("", Path::new(name)))?;
    file.jobs = jobs.iter().map(|(job, _)| Arc::clone(job)).collect();
    let (screen, pane) = ScreenOptions::of(common, state, Some(&file))?;
    let results = open::results(&screen.state, pane)?;
    show(screen, Ok(DashboardSource::Saved { name: name.to_owned(), file, results, jobs }), None, exit_status).await
}

/// Runs it over simulated services, in its own state directory, which is removed afterwards.
pub async fn run_demo(common: &CommonArgs, demo: &Demo) -> Result<u8, Failure> {
    let folder = env::temp_dir().join(format!("jobdeck-demo-{}-{:x}", std::process::id(), fastrand::u64(..)));
    let path = folder.join("demo.toml");
    let failed = |path: &Path, error| Failure::internal(format!("failed to make {}: {error}", path.display()));
    DirBuilder::new().mode(0o700).create(&folder).map_err(|error| failed(&folder, error))?;
    let shown = async {
        // A file, for what is resubmitted comes into it.
        fs::write(&path, demo.jobs_file()).map_err(|error| failed(&path, error))?;
        let file = config::load_named(std::slice::from_ref(&path))?;
        let state = match &common.state_dir {
            Some(_) => common.state_dir()?,
            None => folder.join("state"),
        };
        // The demo's jobs are nobody else's.
        poll(common, state, Ok(file), (DashboardSource::Demo, None), false).await
    };
    let shown = shown.await;
    if let Err(error) = fs::remove_dir_all(&folder) {
        output::say_error(&format!("failed to remove {}: {error}", folder.display()));
    }
    shown
}

/// What the screen needs, whatever it shows.
struct ScreenOptions {
    state: PathBuf,
    user: User,
    keymap: Keymap,
    own_keys: Keymap,
    theme: Theme,
    log: UnboundedReceiver<LoggedEvent>,
}

impl ScreenOptions {
    /// Reads the user's settings; also says where log lines go from then on.
    fn of(common: &CommonArgs, state: PathBuf, file: Option<&JobsFile>) -> Result<(Self, Targets), Failure> {
        if !io::stdout().is_terminal() {
            return Err(
                Failure::usage("the dashboard needs a terminal").help("use `jobdeck watch` where there is none")
            );
        }
        let (user, own_keys) = settings::read()?;
        let (keymap, _) = settings::commands(&user, file, &own_keys)?;
        let (pane, log) = unbounded_channel();
        let targets = Targets { pane: Some(pane), verbosity: common.verbose, ..Targets::default() };
        let theme = theme(common, &user);
        Ok((Self { state, user, keymap, own_keys, theme, log }, targets))
    }
}

async fn poll(
    common: &CommonArgs,
    state: PathBuf,
    file: Result<JobsFile, ConfigError>,
    (shown, target): (fn(Batch) -> DashboardSource, Option<ServerTarget>),
    exit_status: bool,
) -> Result<u8, Failure> {
    let (mut screen, pane) = ScreenOptions::of(common, state, file.as_ref().ok())?;
    let mut exporter = None;
    let shown = match file {
        Ok(file) => {
            let store = batch::open_store(&file, &screen.state, pane, |note| tracing::warn!("{note}")).await?;
            let store = team_store::shared(store, target)?;
            clean_up(&screen.state);
            let services = token::resolve_all(&file.services, Prompts::Allowed, output::say_error).await;
            if let Some(dir) = &file.export {
                exporter = Some(Exporter::start(&store, dir, export::words())?);
            }
            Ok(shown(Batch { file, services, store, own_hooks: std::mem::take(&mut screen.user.hooks) }))
        }
        Err(error) => Err(error),
    };
    show(screen, shown, exporter, exit_status).await
}

async fn show(
    screen: ScreenOptions,
    shown: Result<DashboardSource, ConfigError>,
    exporter: Option<Exporter>,
    exit_status: bool,
) -> Result<u8, Failure> {
    let broken = shown.is_err();
    // A demo's results are gone with it.
    let results_stay = !matches!(shown, Ok(DashboardSource::Demo(_)));
    let ScreenOptions { state, user, keymap, own_keys, theme, log } = screen;
    let start = Start { shown, state, user, keymap, own_keys, theme, log, exporter };
    let outcome = tui::run(start).await.map_err(|error| Failure::internal(error.0))?;
    if let Some(farewell) = &outcome.farewell {
        let results = if results_stay { " · results: jobdeck export DIR" } else { "" };
        output::say(&format!("{farewell}{results}"));
    }
    if outcome.signal.is_none() && outcome.trouble.is_none() && !exit_status {
        return Ok(0);
    }
    let trouble = outcome.trouble.or(broken.then_some(exit::FailureKind::Usage));
    Ok(exit::exit_code(outcome.signal, trouble, &outcome.jobs))
}

fn theme(common: &CommonArgs, user: &User) -> Theme {
    let look = OutputStyle::of(common);
    let ascii = match user.charset {
        _ if common.ascii => true,
        WishedCharset::Ascii => true,
        WishedCharset::Utf8 => false,
        WishedCharset::Auto => look.ascii || !locale::is_narrow_utf8(),
    };
    let palette = match user.theme {
        _ if !look.colour => Palette::Plain,
        WishedTheme::Default => Palette::Ansi,
        WishedTheme::Cvd => Palette::Cvd,
    };
    Theme::new(if ascii { Charset::Ascii } else { Charset::Utf8 }, palette)
}
