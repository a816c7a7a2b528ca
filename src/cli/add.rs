//! `jobdeck add SERVICE ID…`: jobs appended to the file, comments and order kept.

use std::io::{self, BufRead, Write};
use std::path::Path;

use crate::config::append::{self, Addition};
use crate::domain::clean::Clean;

/// Adds jobs and prints the label of each, one a line; those that were in the file before are told to `err`. An id
/// `-` stands for the lines of `stdin`. Returns the exit code.
pub fn run(
    file: &Path,
    addition: &Addition<'_>,
    stdin: &mut dyn BufRead,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let mut ids = Vec::new();
    for id in addition.ids {
        if id == "-" {
            for line in (&mut *stdin).lines() {
                match line {
                    Ok(line) => ids.push(line),
                    Err(error) => {
                        writeln!(
                            err,
                            "jobdeck: failed to read ids from standard input: {error}; give one id a line, in UTF-8"
                        )?;
                        return Ok(2);
                    }
                }
            }
        } else {
            ids.push(id.clone());
        }
    }
    if ids.iter().all(|id| id.trim().is_empty()) {
        writeln!(err, "jobdeck: there is no id to add; give ids, or `-` and one id a line on standard input")?;
        return Ok(2);
    }
    match append::add(file, &Addition { ids: &ids, ..*addition }) {
        Ok(done) => {
            for label in &done.added {
                writeln!(out, "{}", Clean::new(label))?;
            }
            for label in &done.duplicates {
                writeln!(err, "jobdeck: {} is in the file already", Clean::new(label))?;
            }
            Ok(0)
        }
        Err(error) => {
            writeln!(err, "jobdeck: {error}")?;
            Ok(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_from_the_command_line_and_from_stdin_and_duplicates_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("jobs.toml");
        let service = "[services.b]\nprovider = \"optexity\"\ntoken = { env = \"T\" }\n";
        std::fs::write(&file, service).unwrap();
        let cases = [
            ("b", &["x", "-"][..], "y\n\n z \n", 0, "b/x\nb/y\nb/z\n", ""),
            ("b", &["y", "w"], "", 0, "b/w\n", "jobdeck: b/y is in the file already\n"),
            ("b", &["-"], "\n", 2, "", "there is no id to add"),
            ("c", &["x"], "", 2, "", "the file defines no service \"c\""),
            ("b", &["https://other.example/?task_id=7"], "", 2, "", "of another host"),
        ];
        for (service, ids, stdin, code, told, said) in cases {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            let addition = Addition { service, ids: &ids, name: None, tags: &[] };
            let (mut out, mut err) = (Vec::new(), Vec::new());
            assert_eq!(run(&file, &addition, &mut stdin.as_bytes(), &mut out, &mut err).unwrap(), code, "{ids:?}");
            assert_eq!(String::from_utf8(out).unwrap(), told);
            let err = String::from_utf8(err).unwrap();
            assert!(err.contains(said) && (!said.is_empty() || err.is_empty()), "{err}");
        }
    }
}
