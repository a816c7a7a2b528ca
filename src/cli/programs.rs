//! Every program that a jobs file and config.toml would run, when, and whether it is there.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::child::can_be_started;
use crate::config::JobsFile;
use crate::config::user::{Clipboard, User};
use crate::domain::clean::Clean;
use crate::domain::command::UserCommand;
use crate::domain::hook::Hook;
use crate::domain::secret::TokenSource;

/// A program, and when it is run.
type ProgramRow = (String, String);

/// Prints them, those of each file under its own heading; nothing where there are none. A program that is not
/// there, or may not be run, says so.
pub fn list(file: &JobsFile, user: &User, out: &mut dyn Write) -> io::Result<()> {
    section("programs that this file runs, without a shell:", of_file(file), out)?;
    section("programs that config.toml runs, without a shell:", of_user(user), out)
}

fn section(heading: &str, rows: Vec<ProgramRow>, out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "{heading}")?;
    for (program, when) in rows {
        let missing = if can_be_started(Path::new(&program)) { "" } else { "  (NOT THERE, or it may not be run)" };
        writeln!(out, "  {}  {}{missing}", Clean::from(program), Clean::from(when))?;
    }
    Ok(())
}

fn of_file(file: &JobsFile) -> Vec<ProgramRow> {
    // What gives many a token is named once.
    let mut of_tokens: Vec<(String, String, Vec<&str>)> = Vec::new();
    for service in &file.services {
        let secrets = service.secrets.iter().map(|(name, source)| (format!("the secret {name}"), source));
        for (what, source) in std::iter::once(("the token".to_owned(), &service.token)).chain(secrets) {
            let TokenSource::Command(argv) = source else { continue };
            let program = argv.first().cloned().unwrap_or_default();
            match of_tokens.iter_mut().find(|row| (&row.0, &row.1) == (&program, &what)) {
                Some(row) => row.2.push(&service.name),
                None => of_tokens.push((program, what, vec![&service.name])),
            }
        }
    }
    let when =
        |what: &str, of: &[&str]| format!("for {what} of {}: at the start, and when it is refused", of.join(", "));
    let rows = of_tokens.into_iter().map(|(program, what, of)| (program, when(&what, &of)));
    let mut rows: Vec<ProgramRow> = rows.collect();
    rows.extend(commands(&file.commands).chain(hooks(&file.hooks)));
    rows
}

fn of_user(user: &User) -> Vec<ProgramRow> {
    let mut rows: Vec<ProgramRow> = commands(&user.commands).chain(hooks(&user.hooks)).collect();
    if let Some(program) = user.notify.command.as_ref().and_then(|argv| argv.first()) {
        rows.push((program.clone(), "by itself, for a notification of the dashboard".to_owned()));
    }
    if let Clipboard::Command(argv) = &user.clipboard
        && let Some(program) = argv.first()
    {
        rows.push((program.clone(), "when you copy".to_owned()));
    }
    rows
}

fn commands(all: &[Arc<UserCommand>]) -> impl Iterator<Item = ProgramRow> {
    all.iter().map(|command| {
        let key = command.key.as_deref().map(|key| format!("{key}, or ")).unwrap_or_default();
        let when = format!("as `{}`, when you ask for it ({key}`jobdeck run {}`)", command.name, command.name);
        (command.program.path().to_string_lossy().into_owned(), when)
    })
}

fn hooks(all: &[Arc<Hook>]) -> impl Iterator<Item = ProgramRow> {
    all.iter().map(|hook| {
        let on: Vec<&str> = hook.on.iter().map(|event| event.as_str()).collect();
        let of = if hook.filter.is_empty() { String::new() } else { format!(" of {}", hook.filter.source()) };
        (hook.program.path().to_string_lossy().into_owned(), format!("by itself, at {}{of}", on.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_named_with_when_it_runs_and_whether_it_is_there() {
        let file = "[services.a]\nprovider = \"optexity\"\ntoken = { command = [\"no-such-tool\"] }\n\
            [[commands]]\nname = \"again\"\nkey = \"R\"\nrun = [\"sh\", \"x\"]\n\
            [[hooks]]\non = [\"failed\"]\nrun = [\"./gone.sh\"]\nfilter = \"tag:x\"\n";
        let file = crate::config::parse(file, Path::new("/nowhere/jobs.toml")).unwrap();
        let command = Some(vec!["notify-nobody".to_owned()]);
        let notify = crate::config::user::Notify { command, ..Default::default() };
        let user = User { notify, clipboard: Clipboard::Command(vec!["cat".to_owned()]), ..User::default() };
        let mut out = Vec::new();
        list(&file, &user, &mut out).unwrap();
        let expected = "programs that this file runs, without a shell:\n  \
            no-such-tool  for the token of a: at the start, and when it is refused  (NOT THERE, or it may not be run)\n  \
            sh  as `again`, when you ask for it (R, or `jobdeck run again`)\n  \
            /nowhere/./gone.sh  by itself, at failed of tag:x  (NOT THERE, or it may not be run)\n\
            programs that config.toml runs, without a shell:\n  \
            notify-nobody  by itself, for a notification of the dashboard  (NOT THERE, or it may not be run)\n  \
            cat  when you copy\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
