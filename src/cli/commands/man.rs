//! `jobdeck man`: the manual page, made of the command line's own help, the key table, the filter language and the
//! exit codes.

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::keys;
use crate::app::keys::Keymap;
use crate::cli::args::CommonArgs;
use crate::cli::failure::Failure;
use crate::cli::output::StdoutWriter;
use crate::config;
use crate::domain::filter::SYNTAX;
use crate::session::settings;

/// What the page says after the program's first sentence.
const DESCRIPTION: [&str; 2] = [
    "Without a command: the dashboard where standard output is a terminal, otherwise jobdeck watch --format plain. \
     Standard output carries data only, everything else goes to standard error. A job is called service/id; an id \
     alone, or its name, will do where only one job has it.",
    "What a service hands out once only (Unstract) is saved before it is shown, and is never polled again. Results stay \
     in the state directory: status, show and export need neither network nor token.",
];

/// Exit codes and what they mean, in the order in which they apply.
pub const EXIT_CODES: [(&str, &str); 8] = [
    ("130, 143, 129", "SIGINT, SIGTERM, SIGHUP, after the one-shot polls in flight were finished and saved"),
    ("2", "usage, jobs file, unknown job, a filter that no job matches"),
    ("1", "internal error, or the state directory cannot be written"),
    ("5", "at least one result lost"),
    ("3", "at least one job failed, partial or cancelled"),
    ("6", "at least one job never polled successfully, whatever the reason"),
    ("4", "some still unfinished; for show: the part asked for is not there"),
    ("0", "every selected job succeeded"),
];

/// What is read and written where.
pub const FILES: [(&str, &str); 3] = [
    (
        "./jobs.toml, $XDG_CONFIG_HOME/jobdeck/jobs.toml",
        "the jobs file, the first that is there; jobdeck init writes one",
    ),
    (
        "$XDG_CONFIG_HOME/jobdeck/config.toml",
        "what is the user's and not the batch's: keys, theme, charset, clipboard, notify",
    ),
    ("$XDG_STATE_HOME/jobdeck", "the state directory: all results, and our own log; jobdeck paths says where that is"),
];

/// Variables that matter, besides those that hold tokens.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    ("JOBDECK_STATE_DIR", "the state directory, unless --state-dir is given"),
    ("NO_COLOR, CLICOLOR=0, TERM=dumb", "no colours, unless --color is given"),
    ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "proxies"),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "where the CA certificates are, if not where the system has them"),
];

pub fn run(command: clap::Command, common: &CommonArgs) -> Result<u8, Failure> {
    let page = page(command, &settings::keymap(common.jobs_file().ok().as_ref())?)
        .map_err(|error| Failure::internal(format!("failed to write the page: {error}")))?;
    let mut out = StdoutWriter::new();
    out.bytes(&page)?;
    out.flush()?;
    Ok(0)
}

fn page(mut command: clap::Command, keymap: &Keymap) -> std::io::Result<Vec<u8>> {
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    let mut description = Roff::new();
    for paragraph in DESCRIPTION {
        description.control("PP", []).text([roman(paragraph)]);
    }
    description.to_writer(&mut page)?;
    man.render_options_section(&mut page)?;

    let mut rest = Roff::new();
    rest.control("SH", ["COMMANDS"]);
    for command in command.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set()) {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim().to_owned();
        rest.control("TP", []).text([bold(usage)]);
        rest.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
        let own = command.get_arguments().filter(|arg| !arg.is_global_set() && arg.get_id() != "help");
        for arg in own {
            rest.control("br", []).text([bold(arg.to_string()), roman(format!(": {}", about(arg)))]);
        }
    }
    let keys = keys::table(keymap);
    section(&mut rest, "KEYS", keys.iter().map(|line| (line.keys.as_str(), line.help.as_str())));
    section(&mut rest, "FILTER", SYNTAX.iter().copied());
    rest.control("SH", ["JOBS FILE"]).text([roman(
        "Every key stands once in this example. Each key of [poll] may be left out; its value here is the default.",
    )]);
    rest.control("PP", []).control("nf", []);
    for line in config::init::EXAMPLE.lines() {
        rest.text([roman(line)]);
    }
    rest.control("fi", []);
    section(&mut rest, "FILES", FILES);
    section(&mut rest, "ENVIRONMENT", ENVIRONMENT);
    section(&mut rest, "EXIT STATUS", EXIT_CODES);
    rest.control("PP", [])
        .text([roman("Of watch, once and status: the first that applies. compare uses 3 where something is worse.")])
        .text([roman("The other commands use 0, 1 and 2.")]);
    rest.to_writer(&mut page)?;
    Ok(page)
}

fn section<'a>(roff: &mut Roff, title: &str, lines: impl IntoIterator<Item = (&'a str, &'a str)>) {
    roff.control("SH", [title]);
    for (term, meaning) in lines {
        roff.control("TP", []).text([bold(term)]).text([roman(meaning)]);
    }
}

/// An argument's help, with the values that it takes.
pub(super) fn about(arg: &clap::Arg) -> String {
    let mut about = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        about.push_str(&format!(" ({})", values.join(", ")));
    }
    about
}
