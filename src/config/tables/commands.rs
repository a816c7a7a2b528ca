//! `[[commands]]`: commands of the user's own, in the jobs file or in config.toml.

use std::path::Path;
use std::sync::Arc;

use super::field::{TomlField, TomlTable};
use super::jobs::no_such_service;
use crate::config::problems::excerpt::Excerpts;
use crate::config::problems::{Problem, Problems, known_keys};
use crate::domain::command::{self, Marked, OutputMode, Placeholder, Program, UserCommand};
use crate::domain::filter::Filter;

const HELP: &str = "write it as [[commands]], and below it name = \"resubmit\" and run = [\"./resubmit.sh\", \"{id}\"]";

/// Reads them; `path` is the file that they stand in, `services` those that it defines if it is a jobs file.
pub fn commands(
    file: &TomlTable<'_>,
    services: Option<&[&str]>,
    text: &str,
    path: &Path,
    problems: &mut Problems,
) -> Vec<Arc<UserCommand>> {
    let Some(field) = file.get("commands") else { return Vec::new() };
    let excerpts = Excerpts::new(text);
    let mut commands: Vec<Arc<UserCommand>> = Vec::new();
    for table in field.tables(HELP, problems) {
        table.expect_only(known_keys::COMMAND, "in [[commands]]", problems);
        let line = excerpts.position(table.span().start).line;
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let place = format!("{file_name}:{line}");
        let Some(command) = command_of(&table, services, path, place, problems) else { continue };
        if let Some(twin) = commands.iter().find(|other| other.name == command.name) {
            let message = format!("this command is called like the one at {}", twin.place);
            table.wrong(message, "give one of the two another name", problems);
            continue;
        }
        commands.push(Arc::new(command));
    }
    commands
}

fn command_of(
    table: &TomlTable<'_>,
    services: Option<&[&str]>,
    path: &Path,
    place: String,
    problems: &mut Problems,
) -> Option<UserCommand> {
    let name = table.required("name", "a command", HELP, problems).and_then(|field| name(&field, problems));
    let run = table.required("run", "a command", HELP, problems).and_then(|field| program(&field, path, problems));
    let key = table.get("key").and_then(|field| field.word("\"R\"", problems)).map(str::to_owned);
    let when = filter(table, "when", problems);
    let marked = [("each", Marked::Each), ("all", Marked::All), ("refuse", Marked::Refuse)];
    let marked = table.one_of("marked", &marked, problems);
    let modes =
        [("background", OutputMode::Background), ("terminal", OutputMode::Terminal), ("pager", OutputMode::Pager)];
    let mode = table.one_of("mode", &modes, problems);
    let adds = table.get("adds").and_then(|field| {
        let adds = field.word("\"invoices\" or \"{service}\"", problems)?;
        if let Some(services) = services
            && adds != "{service}"
            && !services.contains(&adds)
        {
            problems.add(no_such_service(adds, field.span.clone(), services.iter().copied()));
        }
        if marked == Marked::All && adds == "{service}" {
            let message = "`{service}` is no one service where a command runs once for all jobs";
            field.wrong(message, "name the service, or write marked = \"each\"", problems);
        }
        if mode == OutputMode::Terminal {
            let message = "what a command prints on the terminal is not read";
            field.wrong(message, "leave `adds` out, or write mode = \"background\"", problems);
        }
        Some(adds.to_owned())
    });
    let program = run?;
    if marked == Marked::All
        && let Some(field) = table.get("run")
        && let Some(placeholder) = program.placeholders().next()
    {
        let message = format!("{{{placeholder}}} is no one value where a command runs once for all jobs");
        field.wrong(message, "take it from the JSON lines on standard input, or write marked = \"each\"", problems);
    }
    Some(UserCommand {
        name: name?,
        key,
        program,
        when,
        marked,
        confirm: flag(table, "confirm", problems),
        mode,
        adds,
        token: flag(table, "token", problems),
        place,
    })
}

fn name(field: &TomlField<'_>, problems: &mut Problems) -> Option<Arc<str>> {
    let name = field.word("\"resubmit\"", problems)?;
    if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        let help = "write letters, digits, `-`, `_` and `.`, as in \"resubmit\"";
        field.wrong("this is no name for a command", help, problems);
        return None;
    }
    Some(name.into())
}

/// A program with its arguments, whose values are known.
pub fn program(field: &TomlField<'_>, path: &Path, problems: &mut Problems) -> Option<Program> {
    let example = "a program and its arguments, as in [\"./resubmit.sh\", \"{id}\"]";
    let argv = field.texts(example, problems)?;
    let known: Vec<&str> = Placeholder::ALL.iter().map(|placeholder| placeholder.as_str()).collect();
    for (at, (argument, span)) in argv.iter().enumerate() {
        let unknown = command::unknown_placeholder(argument);
        if at == 0 && argument.contains('{') {
            let help = "write the program as it is called; only its arguments take values";
            problems.add(Problem::at(span.clone(), "a program is never chosen by a value").help(help));
        } else if let Some(unknown) = unknown {
            let meant = known_keys::meant(unknown.trim_matches(['{', '}']), &known);
            let help = meant.map_or_else(
                || format!("known here: {{{}}}", known.join("}, {")),
                |meant| format!("did you mean {{{meant}}}?"),
            );
            problems.add(Problem::at(span.clone(), format!("there is no value {unknown}")).help(help));
        }
    }
    let folder = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
    let program = Program::new(argv.into_iter().map(|(word, _)| word.to_owned()).collect(), &folder);
    if program.is_none() {
        field.wrong("this names no program", format!("write {example}"), problems);
    }
    program
}

/// A filter; without one it lets everything through.
pub fn filter(table: &TomlTable<'_>, key: &str, problems: &mut Problems) -> Filter {
    let Some(field) = table.get(key) else { return Filter::default() };
    let Some(text) = field.text("\"state:failed,lost\"", problems) else { return Filter::default() };
    Filter::parse(text).unwrap_or_else(|error| {
        field.wrong(
            format!("this filter was not understood: {error}"),
            "write it as after `/` in the dashboard, for example \"state:failed tag:nightly\"",
            problems,
        );
        Filter::default()
    })
}

fn flag(table: &TomlTable<'_>, key: &str, problems: &mut Problems) -> bool {
    table.get(key).and_then(|field| field.flag(problems)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    fn read(text: &str) -> Result<crate::config::JobsFile, String> {
        parse(text, std::path::Path::new("/jobs/jobs.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_is_read_with_its_defaults() {
        let file =
            read("[[commands]]\nname = 'a'\nrun = ['./a.sh', '{id}']\nwhen = 'state:failed'\nconfirm = true").unwrap();
        let command = &file.commands[0];
        assert_eq!((&*command.name, command.place.as_str(), command.confirm), ("a", "jobs.toml:1", true));
        assert_eq!((command.marked, command.mode, command.token), Default::default());
        assert_eq!(command.program.path(), std::path::Path::new("/jobs/./a.sh"));
        assert_eq!(command.when.source(), "state:failed");
    }

    #[test]
    fn mistakes_are_said_with_line_and_what_to_write() {
        let cases = [
            ("name = 'a'", "jobs.toml:1:1: a command needs `run`"),
            ("run = ['x']", "a command needs `name`"),
            ("name = 'a b'\nrun = ['x']", "2:8: this is no name for a command"),
            ("name = 'a'\nrun = []", "3:7: this names no program"),
            ("name = 'a'\nrun = ['x', '{idd}']", "there is no value {idd}"),
            ("name = 'a'\nrun = ['{name}']", "a program is never chosen by a value"),
            ("name = 'a'\nrun = 'x'", "must be an array of strings"),
            ("name = 'a'\nrun = ['x']\nwhen = 'state:nope'", "this filter was not understood"),
            ("name = 'a'\nrun = ['x']\nmode = 'window'", "`mode` has no such value"),
            ("name = 'a'\nrun = ['x', '{id}']\nmarked = 'all'", "{id} is no one value"),
            ("name = 'a'\nrun = ['x']\nmarked = 'all'\nadds = '{service}'", "`{service}` is no one service"),
            ("name = 'a'\nrun = ['x']\nmode = 'terminal'\nadds = '{service}'", "on the terminal is not read"),
            ("name = 'a'\nrun = ['x']\nadds = 'lama'", "4:8: the file defines no service of this name"),
            ("name = 'a'\nrun = ['x']\nshell = true", "unknown key `shell` in [[commands]]"),
            ("name = 'a'\nrun = ['x']\n[[commands]]\nname = 'a'\nrun = ['y']", "called like the one at jobs.toml:1"),
        ];
        for (text, expected) in cases {
            let error = read(&format!("[[commands]]\n{text}")).unwrap_err();
            assert!(error.contains(expected), "{text}\n{error}");
        }
    }
}
