//! The dashboard over the jobs file, or over the demo's services: what it needs is had before the screen is taken.

use std::env;
use std::fs::{self, DirBuilder};
use std::io::{self, IsTerminal};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::unbounded_channel;

use super::args::Common;
use super::failure::Failure;
use super::output::{self, Look};
use super::{export, fields, locale, place, settings};
use crate::config::user::{Charset as WishedCharset, Theme as WishedTheme, User};
use crate::config::{self, ConfigError, JobsFile};
use crate::demo::Demo;
use crate::engine;
use crate::engine::saved::{Access, Store};
use crate::engine::token::{self, Prompts};
use crate::exit;
use crate::logging::{self, Targets};
use crate::session::exporter::Exporter;
use crate::tui::theme::{Charset, Palette, Theme};
use crate::tui::{self, Batch, Start};

/// Runs it over the jobs file. A file that is missing or broken is shown on the screen.
pub async fn run(common: &Common, exit_status: bool) -> Result<u8, Failure> {
    let state = place::state_dir(common)?;
    let file = config::load_named(&common.config);
    show(common, state, file, true, exit_status).await
}

/// Runs it over simulated services, in a state directory of its own that is gone afterwards.
pub async fn run_demo(common: &Common, demo: &Demo) -> Result<u8, Failure> {
    let file = config::parse(&demo.jobs_file(), Path::new("demo"))?;
    if common.state_dir.is_some() {
        return show(common, place::state_dir(common)?, Ok(file), false, false).await;
    }
    let state = env::temp_dir().join(format!("jobdeck-demo-{}-{:x}", std::process::id(), fastrand::u64(..)));
    DirBuilder::new()
        .mode(0o700)
        .create(&state)
        .map_err(|error| Failure::internal(format!("failed to make {}: {error}", state.display())))?;
    let shown = show(common, state.clone(), Ok(file), false, false).await;
    if let Err(error) = fs::remove_dir_all(&state) {
        output::say_error(&format!("failed to remove {}: {error}", state.display()));
    }
    shown
}

async fn show(
    common: &Common,
    state: PathBuf,
    file: Result<JobsFile, ConfigError>,
    watched: bool,
    exit_status: bool,
) -> Result<u8, Failure> {
    if !io::stdout().is_terminal() {
        return Err(Failure::usage("the dashboard needs a terminal. Use `jobdeck watch` where there is none."));
    }
    let (user, own_keys) = settings::read()?;
    let (keymap, _) = settings::commands(&user, file.as_ref().ok(), &own_keys)?;
    let (pane, log) = unbounded_channel();
    let mut exporter = None;
    let batch = match file {
        Ok(file) => {
            let (store, notes) = Store::open(&state, Access::ReadWrite)?;
            let state_dir = Some(state.clone());
            logging::start(Targets { state_dir, pane: Some(pane), stderr: false, verbosity: common.verbose });
            for note in notes {
                tracing::warn!("{note}");
            }
            engine::environment_troubles().iter().for_each(|trouble| tracing::warn!("{trouble}"));
            engine::check_certificates(file.services.iter().map(AsRef::as_ref))?;
            let services = token::resolve_all(&file.services, Prompts::Allowed, output::say_error).await;
            fields::keep(&store, &file).await;
            if let Some(dir) = &file.export {
                exporter = Some(Exporter::start(store.clone(), dir, export::words())?);
            }
            Ok(Batch { file, services, store, watched })
        }
        Err(error) => Err(error),
    };
    let broken = batch.is_err();
    let theme = theme(common, &user);
    let start = Start { batch, state, user, keymap, own_keys, theme, log, exporter };
    let outcome = tui::run(start).await.map_err(|error| Failure::internal(error.0))?;
    if let Some(farewell) = &outcome.farewell {
        // A demo's results are gone with it.
        output::say(&if watched { format!("{farewell} · results: jobdeck export DIR") } else { farewell.clone() });
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
