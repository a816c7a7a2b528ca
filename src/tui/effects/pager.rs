//! The pager: `$PAGER`, else `less -R`, over a file; the terminal is its own meanwhile.

use std::env;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::error::EffectError;

/// Shows a file and returns when the user is done with it. The file is removed then.
pub async fn show(path: PathBuf) -> Result<(), EffectError> {
    let line = env::var("PAGER").unwrap_or_default();
    let shown = run(command(&line), &path).await;
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::warn!("failed to remove {}: {error}", path.display());
    }
    shown
}

async fn run((program, arguments): (String, Vec<String>), path: &Path) -> Result<(), EffectError> {
    let mut command = Command::new(&program);
    command.args(arguments).arg(path).kill_on_drop(true);
    if let Some(options) = staying(env::var("LESS").ok()) {
        command.env("LESS", options);
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Err(EffectError::PagerStart { program, error }),
    };
    child.wait().await.map(drop).map_err(|error| EffectError::PagerWait { program, error })
}

/// The program that `$PAGER` names and its arguments, without a shell; blank means none was chosen.
fn command(line: &str) -> (String, Vec<String>) {
    let mut words = line.split_whitespace().map(str::to_owned);
    match words.next() {
        Some(program) => (program, words.collect()),
        None => ("less".to_owned(), vec!["-R".to_owned()]),
    }
}

/// The user's options for `less`, but that it waits for a key even if the whole text fits the screen: with `F` among
/// them, as git has it, nobody would see the text before our own screen is back.
fn staying(options: Option<String>) -> Option<String> {
    options.filter(|options| !options.trim().is_empty()).map(|options| format!("{options} -+F"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pager_is_the_users_own_or_less() {
        assert_eq!(command(""), ("less".to_owned(), vec!["-R".to_owned()]));
        assert_eq!(command(" most  -w "), ("most".to_owned(), vec!["-w".to_owned()]));
    }

    #[test]
    fn less_is_told_to_stay_where_it_would_leave() {
        let cases = [(None, None), (Some(""), None), (Some("FRX"), Some("FRX -+F"))];
        for (given, expected) in cases {
            assert_eq!(staying(given.map(str::to_owned)).as_deref(), expected);
        }
    }

    #[tokio::test]
    async fn a_pager_that_is_not_there_is_told() {
        let why = run(command("/nowhere/pager"), Path::new("/dev/null")).await.unwrap_err().to_string();
        assert!(why.starts_with("failed to start the pager \"/nowhere/pager\""), "{why}");
    }
}
