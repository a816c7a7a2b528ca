//! The starter file: the example with every line of substance commented out, never over an existing file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::ConfigError;

/// A jobs file in which every key stands once.
pub const EXAMPLE: &str = include_str!("../../jobs.example.toml");

/// Writes a starter file. The error says why there is none; an existing file is left as it is.
pub fn init(path: &Path) -> Result<(), ConfigError> {
    let failed = |error: std::io::Error| {
        let (what, help) = if error.kind() == ErrorKind::AlreadyExists {
            let what = "there is such a file already, and it was left as it is";
            (what.to_owned(), "look at it with `jobdeck check`, or name another with --config")
        } else if error.kind() == ErrorKind::NotFound {
            ("there is no such directory".to_owned(), "make the directory first")
        } else {
            (format!("failed to write the file: {error}"), "name another with --config")
        };
        ConfigError::of_file(path, &what, help)
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(starter().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// What a starter file says: valid as it stands, without services and jobs.
pub fn starter() -> String {
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        // A remark has a space after its #, a line that is to be used has none.
        line if line.starts_with('#') => format!("{line}\n"),
        line => format!("#{line}\n"),
    };
    let how = "# Take the # from the lines that you need; a line that begins with \"# \" is a remark.\n";
    let mut lines = EXAMPLE.lines().map(line);
    let first: String = lines.by_ref().take_while(|line| line != "\n").collect();
    format!("{first}{how}\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{names, parse};

    #[test]
    fn the_example_is_valid_and_shows_every_key() {
        let file = parse(EXAMPLE, Path::new("jobs.example.toml")).unwrap();
        assert_eq!((file.services.len(), file.jobs.len()), (4, 6));
        let keys = [names::POLL, names::SERVICE, names::TOKEN, names::JOB].concat();
        for key in keys {
            let shown = |line: &str| line.starts_with(&format!("{key} = ")) || line.contains(&format!("{{ {key} = "));
            assert!(EXAMPLE.lines().any(shown), "{key}");
        }
    }

    #[test]
    fn the_starter_file_is_valid_as_it_stands_and_becomes_the_example_when_uncommented() {
        let starter = starter();
        let file = parse(&starter, Path::new("jobs.toml")).unwrap();
        assert_eq!((file.services.len(), file.jobs.len()), (0, 0));
        let bare = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
            _ => line.to_owned(),
        };
        let uncommented: Vec<String> = starter.lines().map(bare).filter(|line| !line.contains("Take the #")).collect();
        assert_eq!(uncommented.join("\n"), EXAMPLE.trim_end());
    }

    #[test]
    fn a_starter_file_is_never_written_over_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.toml");
        init(&path).unwrap();
        std::fs::write(&path, "# mine\n").unwrap();
        assert!(init(&path).unwrap_err().text.contains("already"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine\n");
        assert!(init(&path.with_file_name("none").join("x")).unwrap_err().text.contains("no such directory"));
    }
}
