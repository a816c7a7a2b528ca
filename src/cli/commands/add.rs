//! `jobdeck add SERVICE ID…`: jobs appended to the file, comments and order kept.

use std::io::{self, Read, Write};
use std::path::Path;

use crate::config::add::append::{self, Addition};
use crate::config::add::given::{self, Given};
use crate::domain::clean::Clean;
use crate::domain::human::counted;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

/// `add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// A service of the file
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// Ids as the service gave them; '-' reads stdin: one a line (a name after a tab), or the service's JSON answer
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// A name for those without one; several are numbered
    #[arg(long)]
    pub name: Option<String>,
    /// A tag; may be given more than once
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// The batch that they belong to [default: the file's]
    #[arg(long, value_name = "B", value_parser = NonEmptyStringValueParser::new())]
    pub batch: Option<String>,
}

/// Of more than so many jobs the number is said, and not each by itself.
const NAMED: usize = 20;

/// Adds jobs and prints the label of each, one a line; those that were in the file before, and what is odd about an
/// id, go to `err`. Of many jobs only how many there are, unless `verbose`. Returns the exit code.
pub fn run(
    file: &Path,
    wanted: &AddArgs,
    verbose: bool,
    stdin: &mut dyn Read,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let mut given = Vec::new();
    for id in &wanted.ids {
        if id != "-" {
            given.push(Given { id: id.clone(), ..Given::default() });
            continue;
        }
        match piped(stdin) {
            Ok(more) => given.extend(more),
            Err(refused) => {
                writeln!(err, "jobdeck: {}", refused.join("\n"))?;
                return Ok(2);
            }
        }
    }
    if given.is_empty() {
        writeln!(err, "jobdeck: there is no id to add; give ids, or `-` and one id a line on standard input")?;
        return Ok(2);
    }
    let addition = Addition {
        service: &wanted.service,
        ids: &given,
        name: wanted.name.as_deref(),
        tags: &wanted.tags,
        batch: wanted.batch.as_deref().map(str::trim),
        resubmits: &[],
    };
    match append::add(file, &addition) {
        Ok(done) => {
            let most = if verbose { usize::MAX } else { NAMED };
            if done.added.len() > most {
                let (jobs, service) = (counted(done.added.len(), "job"), Clean::new(&wanted.service));
                writeln!(err, "{jobs} of {service} added (-v names them)")?;
            } else {
                done.added.iter().try_for_each(|label| writeln!(out, "{}", Clean::new(label)))?;
            }
            let duplicate = |label: &String| format!("{} is in the file already", Clean::new(label));
            let odd = |(label, why): &(String, &str)| format!("warning: {}: {why}", Clean::new(label));
            let said = [done.duplicates.iter().map(duplicate).collect::<Vec<_>>(), done.odd.iter().map(odd).collect()];
            for (lines, rest) in said.iter().zip(["are in the file already", "have an odd id"]) {
                lines.iter().take(most).try_for_each(|line| writeln!(err, "jobdeck: {line}"))?;
                if lines.len() > most {
                    writeln!(err, "jobdeck: and {} more {rest} (-v names them)", lines.len() - most)?;
                }
            }
            Ok(0)
        }
        Err(error) => {
            writeln!(err, "jobdeck: {error}")?;
            Ok(2)
        }
    }
}

/// The ids of standard input: a list, or a service's answers to submissions. The error is one line for each that
/// names no job.
fn piped(stdin: &mut dyn Read) -> Result<Vec<Given>, Vec<String>> {
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes).map_err(|error| vec![format!("failed to read standard input: {error}")])?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        vec![format!("standard input is not UTF-8 (see line {line}); nothing was added")]
    })?;
    given::of_text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(service: &str, ids: &[&str], stdin: &[u8], file: &Path) -> (u8, String, String) {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let wanted = AddArgs { service: service.to_owned(), ids, name: None, tags: Vec::new(), batch: None };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut stdin = stdin;
        let code = run(file, &wanted, false, &mut stdin, &mut out, &mut err).unwrap();
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    const FILE: &str = "[services.b]\nprovider = \"optexity\"\ntoken = { env = \"T\" }\n\
        [services.inv]\nprovider = \"unstract\"\nurl = \"https://h/deployment/api/o/a/\"\ntoken = { env = \"T\" }\n";

    #[test]
    fn ids_come_from_the_command_line_and_from_stdin_and_duplicates_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("jobs.toml");
        std::fs::write(&file, FILE).unwrap();
        let cases = [
            ("b", &["x", "-"][..], "y\n\n z \n", 0, "b/x\nb/y\nb/z\n", ""),
            ("b", &["y", "w"], "", 0, "b/w\n", "jobdeck: b/y is in the file already\n"),
            ("b", &["-"], "\u{feff}p\r\n# c\r\nq\tinvoice 17.pdf\r\n", 0, "b/p\nb/q\n", ""),
            ("b", &["-"], "{\"task_id\":\"t\"}{\"task_id\":\"u\"}\n", 0, "b/t\nb/u\n", ""),
            ("b", &["-"], "\n", 2, "", "there is no id to add"),
            ("c", &["x"], "", 2, "", "the file defines no service \"c\""),
            ("b", &["https://other.example/?task_id=7"], "", 2, "", "of another host"),
            ("b", &["-"], "k\nl m\nb/n\n", 2, "", "line 2: \"l m\": an id has no white space inside"),
            ("b", &["-"], "k\nl m\nb/n\n", 2, "", "line 3: \"b/n\": this id begins with the name of a service"),
            ("b", &["-"], "{\"task_id\":\"v\"}{\"detail\":\"no\"}\n", 2, "", "answer 2: the service began no job: no"),
            ("b", &["-"], "<html>\r\n<title>502 Bad Gateway</title>", 2, "", "service's answer: 502 Bad Gateway"),
            ("b", &["b/n", "{\"id\":1}"], "", 2, "", "this is JSON, not an id"),
            ("inv", &["7"], "", 0, "inv/7\n", "warning: inv/7: an execution_id of Unstract is a UUID"),
            (
                "inv",
                &["-"],
                "{e748d90f-af7d-4a98-813d-4c47344ff595}\n",
                0,
                "inv/{e748d90f-af7d-4a98-813d-4c47344ff595}\n",
                "",
            ),
            ("inv", &["E748D90F-AF7D-4A98-813D-4C47344FF595"], "", 0, "", "is in the file already"),
        ];
        for (service, ids, stdin, code, told, said) in cases {
            let (exit, out, err) = added(service, ids, stdin.as_bytes(), &file);
            assert_eq!((exit, out.as_str()), (code, told), "{ids:?} {stdin:?} {err}");
            assert!(err.contains(said) && (!said.is_empty() || err.is_empty()), "{err}");
        }
        assert_eq!(added("b", &["-"], b"a\nb\xff\n", &file).0, 2);
        let many: String = (0..200).map(|n| format!("many-{n}\n")).collect();
        let (_, out, err) = added("b", &["-"], many.as_bytes(), &file);
        assert_eq!((out.as_str(), err.as_str()), ("", "200 jobs of b added (-v names them)\n"));
        let (_, _, err) = added("b", &["-"], many.as_bytes(), &file);
        assert!(err.lines().count() == 21 && err.contains("and 180 more are in the file already"), "{err}");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("id = \"q\"\nname = \"invoice 17.pdf\"\n") && !text.contains("\"k\""), "{text}");
    }
}
