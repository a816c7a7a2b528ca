//! The dashboard over the jobs file, or over the demo's services: what it needs is had before the screen is taken.

use std::env;
use std::fs::{self, DirBuilder};
use std::io::{self, IsTerminal};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::unbounded_channel;

use super::{batches, export};
use crate::cli::args::Common;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::Look;
use crate::cli::{fields, locale, open, settings};
use crate::config;
use crate::config::user::{Charset as WishedCharset, Theme as WishedTheme, User};
use crate::config::{ConfigError, JobsFile};
use crate::demo::Demo;
use crate::engine;
use crate::engine::saved::{OpenStore, Results};
use crate::engine::token;
use crate::engine::token::Prompts;
use crate::exit;
use crate::logging;
use crate::logging::Targets;
use crate::run::clean_up;
use crate::session::exporter::Exporter;
use crate::tui;
use crate::tui::theme::{Charset, Palette, Theme};
use crate::tui::{Batch, Origin, Start};

/// Runs it over the jobs file. A file that is missing or broken is shown on the screen.
pub async fn run(common: &Common, exit_status: bool) -> Result<u8, Failure> {
    let state = open::state_dir(common)?;
    let file = config::load_named(&common.config);
    show(common, state, file, Origin::File, exit_status).await
}

/// Runs it over one batch as it is on disk: neither jobs file nor token nor network is needed.
pub async fn open(common: &Common, name: &str, exit_status: bool) -> Result<u8, Failure> {
    let state = open::state_dir(common)?;
    let (_, entries) = batches::on_disk(common).await?;
    let of_batch = entries.iter().filter(|entry| entry.job.batch.as_deref() == Some(name));
    let jobs: Vec<_> = of_batch.map(|entry| (Arc::clone(&entry.job), Arc::clone(&entry.known))).collect();
    if jobs.is_empty() {
        return Err(batches::unknown(name, &entries));
    }
    // Its services are what fields, and copies for a ticket, are made of; it has no say in what the jobs are.
    let mut file = open::jobs_file(common).or_else(|_| config::parse("", Path::new(name)))?;
    file.jobs = jobs.iter().map(|(job, _)| Arc::clone(job)).collect();
    file.export = None;
    show(common, state, Ok(file), Origin::Disk { batch: name.to_owned(), jobs }, exit_status).await
}

/// Runs it over simulated services, in a state directory of its own that is gone afterwards.
pub async fn run_demo(common: &Common, demo: &Demo) -> Result<u8, Failure> {
    let folder = env::temp_dir().join(format!("jobdeck-demo-{}-{:x}", std::process::id(), fastrand::u64(..)));
    let path = folder.join("demo.toml");
    let failed = |path: &Path, error| Failure::internal(format!("failed to make {}: {error}", path.display()));
    DirBuilder::new().mode(0o700).create(&folder).map_err(|error| failed(&folder, error))?;
    let shown = async {
        // A file, for what is resubmitted comes into it.
        fs::write(&path, demo.jobs_file()).map_err(|error| failed(&path, error))?;
        let file = config::load_named(std::slice::from_ref(&path))?;
        let state = match &common.state_dir {
            Some(_) => open::state_dir(common)?,
            None => folder.join("state"),
        };
        show(common, state, Ok(file), Origin::Demo, false).await
    };
    let shown = shown.await;
    if let Err(error) = fs::remove_dir_all(&folder) {
        output::say_error(&format!("failed to remove {}: {error}", folder.display()));
    }
    shown
}

async fn show(
    common: &Common,
    state: PathBuf,
    file: Result<JobsFile, ConfigError>,
    origin: Origin,
    exit_status: bool,
) -> Result<u8, Failure> {
    if !io::stdout().is_terminal() {
        return Err(Failure::usage("the dashboard needs a terminal. Use `jobdeck watch` where there is none."));
    }
    let (user, own_keys) = settings::read()?;
    let (keymap, _) = settings::commands(&user, file.as_ref().ok(), &own_keys)?;
    let (pane, log) = unbounded_channel();
    let mut exporter = None;
    // A demo's results are gone with it.
    let results_stay = matches!(origin, Origin::File | Origin::Disk { .. });
    let batch = match file {
        Ok(file) => {
            let is_polled = !matches!(origin, Origin::Disk { .. });
            let (store, notes) = if is_polled {
                OpenStore::open(&state).map(|(store, notes)| (Some(store), notes))?
            } else {
                Default::default()
            };
            let state_dir = is_polled.then(|| state.clone());
            logging::start(Targets { state_dir, pane: Some(pane), stderr: false, verbosity: common.verbose });
            for note in notes {
                tracing::warn!("{note}");
            }
            clean_up(&state);
            let mut services = Vec::new();
            let results = match &store {
                Some(store) => store.results(),
                None => Results::open(&state)?,
            };
            if let Some(store) = &store {
                engine::environment_troubles().iter().for_each(|trouble| tracing::warn!("{trouble}"));
                engine::check_certificates(file.services.iter().map(AsRef::as_ref))?;
                services = token::resolve_all(&file.services, Prompts::Allowed, output::say_error).await;
                fields::keep(store, &file).await;
            }
            if let (Some(dir), Some(store)) = (&file.export, &store) {
                exporter = Some(Exporter::start(store, dir, export::words())?);
            }
            Ok(Batch { file, services, results, store, origin })
        }
        Err(error) => Err(error),
    };
    let broken = batch.is_err();
    let theme = theme(common, &user);
    let start = Start { batch, state, user, keymap, own_keys, theme, log, exporter };
    let outcome = tui::run(start).await.map_err(|error| Failure::internal(error.0))?;
    if let Some(farewell) = &outcome.farewell {
        output::say(&if results_stay {
            format!("{farewell} · results: jobdeck export DIR")
        } else {
            farewell.clone()
        });
    }
    if outcome.signal.is_none() && outcome.trouble.is_none() && !exit_status {
        return Ok(0);
    }
    let trouble = outcome.trouble.or(broken.then_some(exit::Trouble::Usage));
    Ok(exit::exit_code(outcome.signal, trouble, &outcome.jobs))
}

fn theme(common: &Common, user: &User) -> Theme {
    let look = Look::of(common);
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
