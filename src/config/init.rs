//! The starter file: the example with every line of substance commented out, never over an existing file.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::problems::known_keys;
use super::{ConfigError, JobsFile, parse};
use crate::domain::job::ProviderName;
use crate::domain::provider::AddressForm;
use crate::providers::described;

/// A jobs file with every key once.
pub const EXAMPLE: &str = include_str!("../../jobs.example.toml");

/// Writes a starter file. The error says why there is none; an existing file is left as it is.
pub fn init(path: &Path, text: &str) -> Result<(), ConfigError> {
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
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// What a starter file of one provider says: a service of it, with a place for each setting that must be given. None if
/// there is no description of this name.
pub fn starter_of(name: &str) -> Option<String> {
    let described = described::shipped(ProviderName::new(name))?;
    let mut text = format!("# {}: {}\n[services.{name}]\n", described.title(), described.docs().unwrap_or_default());
    text.push_str(&format!("provider = \"{name}\"\n"));
    for (setting, default) in described.settings() {
        let example = match (described.example(setting), setting.as_str()) {
            (Some(example), _) => example.to_owned(),
            (None, "base") => "https://host.example".to_owned(),
            (None, setting) => format!("<{setting}>"),
        };
        text.push_str(&match default.as_str() {
            "" => format!("{setting} = \"{example}\"   # put your own here\n"),
            default => format!("#{setting} = \"{default}\"\n"),
        });
    }
    let variable = described.token_env().unwrap_or("API_KEY");
    text.push_str(&format!("token = {{ env = \"{variable}\" }}\n\n#[[jobs]]\n#service = \"{name}\"\n#id = \"…\"\n"));
    Some(text)
}

/// What of a file is still as the example has it and not the user's own, in the file's order; a few words each.
pub fn left_over(file: &JobsFile) -> Vec<String> {
    let Ok(example) = parse(EXAMPLE, &file.path) else { return Vec::new() };
    let mut left = Vec::new();
    for service in &file.services {
        let holes = holes(service.base.path());
        left.extend(holes.iter().map(|hole| format!("{hole} in [services.{}]", service.name)));
        let is_examples = matches!(
            service.provider.about().address,
            AddressForm::Settings { base_is_given: true } | AddressForm::Deployment
        ) && holes.is_empty()
            && example.services.iter().any(|other| other.base == service.base);
        left.extend(is_examples.then(|| format!("the address of [services.{}]", service.name)));
    }
    let ids: HashSet<&str> = example.jobs.iter().map(|job| job.key.id.as_str()).collect();
    left.extend(
        file.jobs.iter().filter(|job| ids.contains(&*job.key.id)).map(|job| format!("the id of {}", job.label())),
    );
    left
}

/// The `<slug>`s of a path.
fn holes(path: &str) -> Vec<String> {
    let plain = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let hole = |part: &str| {
        part.split_once('>').map(|(name, _)| name.to_owned()).filter(|name| known_keys::is_service_name(name))
    };
    plain.split('<').skip(1).filter_map(hole).map(|name| format!("<{name}>")).collect()
}

/// What a starter file says: valid without changes, without services and jobs.
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

    #[test]
    fn the_example_is_valid_and_shows_every_key() {
        let file = parse(EXAMPLE, Path::new("jobs.example.toml")).unwrap();
        assert_eq!((file.services.len(), file.jobs.len()), (6, 6));
        let keys = [
            known_keys::TOP,
            known_keys::POLL,
            known_keys::SERVICE,
            known_keys::TOKEN,
            known_keys::FIELD,
            known_keys::JOB,
        ]
        .concat();
        for key in keys {
            let shown = |line: &str| {
                let written = [format!("{{ {key} = "), format!(", {key} = "), format!("[{key}"), format!(".{key}]")];
                line.starts_with(&format!("{key} = ")) || written.iter().any(|written| line.contains(written))
            };
            assert!(EXAMPLE.lines().any(shown), "{key}");
        }
    }

    #[test]
    fn a_starter_file_of_any_shipped_provider_is_valid_as_it_stands() {
        for name in described::shipped_names() {
            let file = parse(&starter_of(name).unwrap(), Path::new("jobs.toml")).unwrap();
            assert_eq!(file.services[0].provider.name().as_str(), name);
        }
        assert_eq!(starter_of("nobody"), None);
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
    fn what_was_left_as_the_example_has_it_is_told() {
        let example = parse(EXAMPLE, Path::new("jobs.toml")).unwrap();
        let left = left_over(&example);
        let expected = [
            "<slug> in [services.llama]",
            "<organization_id> in [services.invoices]",
            "<api_name> in [services.invoices]",
        ];
        assert_eq!(left.get(..3).unwrap(), expected);
        assert_eq!(
            (left.get(3).unwrap().as_str(), left.len()),
            ("the address of [services.receipts]", 5 + example.jobs.len())
        );
        let mine = EXAMPLE
            .replace("<slug>", "s")
            .replace("<organization_id>/<api_name>", "o/a")
            .replace("unstract.internal", "mine")
            .replace("me--app", "mine--app");
        let mine = mine.split("[[jobs]]").next().unwrap();
        assert_eq!(left_over(&parse(mine, Path::new("jobs.toml")).unwrap()), Vec::<String>::new());
    }

    #[test]
    fn a_starter_file_is_never_written_over_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.toml");
        init(&path, &starter()).unwrap();
        std::fs::write(&path, "# mine\n").unwrap();
        assert!(init(&path, &starter()).unwrap_err().to_string().contains("already"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine\n");
        assert!(
            init(&path.with_file_name("none").join("x"), &starter())
                .unwrap_err()
                .to_string()
                .contains("no such directory")
        );
    }
}
