//! Where our own files are: the jobs file, the user's config.toml, the state directory.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

/// `$HOME`, None if there is none.
pub fn home() -> Option<PathBuf> {
    etcetera::home_dir().ok()
}

/// `$XDG_CONFIG_HOME/jobdeck`, None without a home directory.
pub fn config_dir() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("jobdeck"))
}

/// Where a jobs file is looked for when none is named, the first that is there.
pub fn jobs_files() -> Vec<PathBuf> {
    std::iter::once(PathBuf::from("jobs.toml")).chain(config_dir().map(|dir| dir.join("jobs.toml"))).collect()
}

/// The user's own settings, whether or not the file is there.
pub fn user_file() -> Option<PathBuf> {
    config_dir().map(|dir| dir.join("config.toml"))
}

/// The state directory: the one named (by `--state-dir` or `JOBDECK_STATE_DIR`), else `$XDG_STATE_HOME/jobdeck`, else
/// `~/.local/state/jobdeck`. None without a home directory. It is not made here.
pub fn state_dir(named: Option<&Path>) -> Option<PathBuf> {
    let from_environment = || std::env::var_os("JOBDECK_STATE_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let of_the_system = || {
        let base = etcetera::choose_base_strategy().ok()?;
        Some(base.state_dir().unwrap_or_else(|| base.home_dir().join(".local/state")).join("jobdeck"))
    };
    named.map(Path::to_owned).or_else(from_environment).or_else(of_the_system)
}
