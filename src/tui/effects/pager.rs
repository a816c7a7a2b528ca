//! The pager: `$PAGER`, else `less -R`, over a file; the terminal is its own meanwhile.

use std::env;
use std::path::PathBuf;

use tokio::process::Command;

/// Shows a file and returns when the user is done with it. The file is removed then. The error is a sentence.
pub async fn show(path: PathBuf) -> Result<(), String> {
    let line = env::var("PAGER").unwrap_or_default();
    let shown = run(&command(&line), &path).await;
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::warn!("failed to remove {}: {error}", path.display());
    }
    shown
}

async fn run(argv: &[String], path: &std::path::Path) -> Result<(), String> {
    let (program, arguments) = argv.split_first().ok_or("there is no pager")?;
    let mut command = Command::new(program);
    command.args(arguments).arg(path).kill_on_drop(true);
    if let Some(options) = staying(env::var("LESS").ok()) {
        command.env("LESS", options);
    }
    let mut child = command
        .spawn()
        .map_err(|error| format!("failed to start the pager {program:?}: {error}. Set PAGER to one that is there."))?;
    match child.wait().await {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("failed to wait for the pager {program:?}: {error}")),
    }
}

/// The words of `$PAGER`, without a shell; blank means none was chosen.
fn command(line: &str) -> Vec<String> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if words.is_empty() { vec!["less".to_owned(), "-R".to_owned()] } else { words }
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
        assert_eq!(command(""), ["less", "-R"]);
        assert_eq!(command(" most  -w "), ["most", "-w"]);
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
        let why = run(&command("/nowhere/pager"), std::path::Path::new("/dev/null")).await.unwrap_err();
        assert!(why.starts_with("failed to start the pager \"/nowhere/pager\""), "{why}");
    }
}
