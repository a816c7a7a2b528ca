//! What the common flags mean: the jobs file, the state directory, the store in it, the tokens of the services.

use std::path::PathBuf;
use std::sync::Arc;

use etcetera::BaseStrategy;
use futures_util::future::join_all;

use super::args::Common;
use super::failure::Failure;
use super::output;
use crate::config::{self, JobsFile};
use crate::domain::secret::Token;
use crate::domain::service::Service;
use crate::engine::saved::{Access, Store};
use crate::engine::token;

/// The state directory: as given, else `$XDG_STATE_HOME/jobdeck`.
pub fn state_dir(common: &Common) -> Result<PathBuf, Failure> {
    if let Some(dir) = common.state_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty()) {
        return Ok(dir.clone());
    }
    let base = etcetera::base_strategy::Xdg::new().map_err(|_| {
        Failure::internal("failed to find the home directory. Set HOME, or name a directory with --state-dir.")
    })?;
    let dir = base.state_dir().unwrap_or_else(|| base.data_dir());
    Ok(dir.join("jobdeck"))
}

/// The jobs file, read and valid.
pub fn jobs_file(common: &Common) -> Result<JobsFile, Failure> {
    Ok(config::load(&config::locate(common.config.as_deref())?)?)
}

/// The store, opened; its notes for the user are said.
pub fn store(common: &Common, access: Access) -> Result<Store, Failure> {
    let (store, notes) = Store::open(&state_dir(common)?, access)?;
    for note in notes {
        output::say_error(&note);
    }
    Ok(store)
}

/// The token of each service, or why it cannot be had; asked for all at once.
pub async fn tokens(services: &[Arc<Service>]) -> Vec<(Arc<Service>, Result<Token, String>)> {
    join_all(services.iter().map(|service| async move { (Arc::clone(service), token::resolve(&service.token).await) }))
        .await
}
