//! `docs/reference.md`, made of what the program knows: commands and flags, keys, files, exit codes, what it prints.

use std::fmt::Write as _;

use super::{keys, man};
use crate::app::keys::Keymap;
use crate::cli::csv;
use crate::cli::failure::Failure;
use crate::cli::field_docs::{self, FieldDoc};
use crate::cli::output::StdoutWriter;
use crate::config;
use crate::domain::filter::SYNTAX;
use crate::domain::markdown::escaped;
use crate::engine::saved::VIEWS;

/// A `state` line of JSON, field by field.
pub const STATE_FIELDS: [FieldDoc; 31] = [
    ("v", "1: the version of these lines"),
    ("type", "`state`"),
    ("time", "when the line was made, UTC, RFC 3339, as all times here"),
    ("job", "`service/id`, the job's name on the command line"),
    ("service", "the service's name in the jobs file"),
    ("provider", "what kind of service it is"),
    ("id", "the service's id of the job, as it was given"),
    ("name", "your name for the job; null if it has none"),
    ("tags", "your tags"),
    ("state", "queued, running, succeeded, partial, failed, cancelled, lost or unknown"),
    ("previous", "the state before, where the line is about a change"),
    ("provider_status", "the service's own word for the state"),
    ("http_status", "HTTP code of the last answer"),
    ("service_status_code", "VESSL: the code of your own service"),
    ("progress", "per cent, 0 to 100"),
    ("fail_reason", "the service's own reason; of Unstract the first failed file's"),
    ("error_code", "the service's own code for it"),
    ("warning", "what is odd about the answer"),
    ("files", "how many files there are (`total`) and how many failed (`failed`); null of a job without files"),
    ("lost_because", "why the result is lost; null otherwise"),
    ("first_seen", "when the first answer came: not when the job was made"),
    ("running_since", "since when it runs"),
    ("finished_at", "when it was over"),
    ("expires_at", "when the service lets go of it, where it says so"),
    ("sent_again", "true where a command of your own with `adds` has sent it again"),
    ("saved", "`bytes` and `sha256` of the saved result; null if there is none"),
    ("cost", "US dollars with all digits, left out where it is not known"),
    ("batch", "the jobs file's `batch`, else its name without the ending"),
    ("fields", "your own fields as an object, left out where the service has none"),
    ("read", "not of `watch`: what the last poll was, null if there was none"),
    ("reason", "`once`, `status` and `show` only: why it was not `ok`"),
];

/// A `read` line of JSON.
const READ_FIELDS: [FieldDoc; 9] = [
    ("v", "1"),
    ("type", "`read`: a poll that was not `ok`, not repeated while it stays the same"),
    ("time", "when"),
    ("job", "`service/id`"),
    ("service", "the service's name"),
    ("read", "throttled, unreachable, server_error, malformed, unauthorized, not_found or rejected"),
    ("http_status", "HTTP code; null if no response came"),
    ("reason", "why, in words"),
    ("retry_in_ms", "when it is polled again"),
];

/// The `summary` line of JSON.
const SUMMARY_FIELDS: [FieldDoc; 6] = [
    ("v, type, time", "as above; `type` is `summary`, and it is the last line"),
    ("total", "how many jobs there are"),
    ("queued … unknown", "how many are in each of the eight states, which add up to `total`"),
    ("never_observed", "how many of `unknown` were never answered for"),
    ("cost", "the sum of the costs that are known, US dollars; left out where none is"),
    ("exit", "the exit code"),
];

/// Columns of CSV that are called otherwise than the fields of JSON.
const OWN_COLUMNS: [FieldDoc; 4] = [
    ("files_total", "how many files there are"),
    ("files_failed", "how many of them failed"),
    ("saved_bytes", "length of the saved result"),
    ("saved_sha256", "its SHA-256"),
];

pub fn run(command: clap::Command) -> Result<u8, Failure> {
    let mut out = StdoutWriter::new();
    out.bytes(page(command).as_bytes())?;
    out.flush()?;
    Ok(0)
}

fn page(mut command: clap::Command) -> String {
    command.build();
    let mut text = "# Reference\n\nMade by `jobdeck reference`; a test holds it against the program.\n".to_owned();
    commands(&mut text, &command);
    table(
        &mut text,
        "Exit codes",
        "`watch`, `once` and `status`: the first that applies. `compare` uses 3 where something is worse, `show` 4; the other commands use 0, 1 and 2.",
        &man::EXIT_CODES,
    );
    text.push_str("\n## Keys\n\nAs they are by default; `config.toml` binds others by these names.\n\n| keys | name | what it does |\n|---|---|---|\n");
    for line in keys::table(&Keymap::default()) {
        row(
            &mut text,
            &[&format!("`{}`", line.keys.replace('|', "\\|")), &format!("`{}`", line.name), &escaped(&line.help)],
        );
    }
    text.push_str("\n## Filter\n\n| write | it finds |\n|---|---|\n");
    for (write, finds) in SYNTAX {
        row(&mut text, &[&format!("`{}`", write.replace('|', "\\|")), &escaped(finds)]);
    }
    let _ = write!(
        text,
        "\n## Jobs file\n\nEvery key once, as `jobdeck init` writes it with a `#` before each line.\n\n```toml\n{}```\n",
        config::init::EXAMPLE
    );
    table(&mut text, "Files", "", &man::FILES);
    table(&mut text, "Variables", "", &man::ENVIRONMENT);
    table(
        &mut text,
        "JSON lines: state",
        "One object a line, flushed. Fields are added, never changed.",
        &STATE_FIELDS,
    );
    table(&mut text, "JSON lines: read", "", &READ_FIELDS);
    table(&mut text, "JSON lines: summary", "", &SUMMARY_FIELDS);
    table(&mut text, "JSON lines: on a hook's input", "Those of a state line, and:", &field_docs::HOOK);
    table(&mut text, "JSON lines: export", "Those of a state line, and:", &field_docs::EXPORT);
    table(&mut text, "JSON lines: batches", "", &field_docs::BATCH);
    table(&mut text, "JSON lines: compare", "A line for each change:", &field_docs::CHANGE);
    table(&mut text, "JSON lines: compare, the last", "", &field_docs::COMPARISON);
    table(&mut text, "JSON lines: stats", "", &field_docs::GROUP);
    let meaning = |name: &str| {
        let fields = STATE_FIELDS.iter().chain(&OWN_COLUMNS);
        fields.into_iter().find(|(field, _)| *field == name).map_or("", |(_, meaning)| *meaning)
    };
    let columns: Vec<FieldDoc> = csv::COLUMNS.into_iter().map(|name| (name, meaning(name))).collect();
    let about = "Then your own fields by name, and with `export` the column `output`. No cell can become a formula.";
    table(&mut text, "CSV columns", about, &columns);
    text.push_str(
        "\n## Database\n\n`jobdeck.db` in the state directory is SQLite; these views may be read while jobdeck runs \
         (`sqlite3 -readonly`). Times are UTC.\n\n| view | holds | columns |\n|---|---|---|\n",
    );
    for (name, holds, columns) in VIEWS {
        let columns: Vec<String> = columns.split_whitespace().map(|column| format!("`{column}`")).collect();
        row(&mut text, &[&format!("`{name}`"), holds, &columns.join(", ")]);
    }
    text
}

fn commands(text: &mut String, command: &clap::Command) {
    text.push_str("\n## Commands\n");
    let visible = |command: &&clap::Command| command.get_name() != "help" && !command.is_hide_set();
    for command in std::iter::once(command).chain(command.get_subcommands().filter(visible)) {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim().to_owned();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = write!(text, "\n### `{usage}`\n\n{}.\n", about.trim_end_matches('.'));
        let is_top = command.get_name() == "jobdeck";
        let own: Vec<&clap::Arg> = command
            .get_arguments()
            .filter(|arg| (is_top || !arg.is_global_set()) && !arg.is_hide_set())
            .filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
            .collect();
        if own.is_empty() {
            continue;
        }
        text.push_str("\n| argument | meaning |\n|---|---|\n");
        for arg in own {
            row(text, &[&format!("`{}`", arg.to_string().replace('|', "\\|")), &escaped(&man::about(arg))]);
        }
    }
}

fn table(text: &mut String, title: &str, about: &str, rows: &[FieldDoc]) {
    let _ = write!(text, "\n## {title}\n\n");
    if !about.is_empty() {
        let _ = write!(text, "{about}\n\n");
    }
    text.push_str("| | |\n|---|---|\n");
    for (name, meaning) in rows {
        row(text, &[&format!("`{name}`"), meaning]);
    }
}

fn row(text: &mut String, cells: &[&str]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Args;

    #[test]
    fn the_reference_is_what_the_program_says() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
        let page = page(Args::command());
        if std::env::var_os("REFERENCE_UPDATE").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = written.lines().zip(page.lines()).find(|(written, made)| written != made);
        assert!(
            written == page,
            "docs/reference.md is not what the program says: `jobdeck reference > docs/reference.md` makes it anew\n{differs:?}"
        );
    }

    #[test]
    fn every_column_of_a_sheet_is_explained() {
        for name in csv::COLUMNS {
            let known = STATE_FIELDS.iter().chain(&OWN_COLUMNS).any(|(field, _)| *field == name);
            assert!(known, "{name}");
        }
    }
}
