//! `[[hooks]]`: programs of the user's own at events, in the jobs file or in config.toml.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::commands::{filter, program};
use super::field::{TomlField, TomlTable};
use crate::config::problems::excerpt::Excerpts;
use crate::config::problems::{Problem, Problems, known_keys};
use crate::domain::hook::{Hook, HookEvent};

const HELP: &str = "write it as [[hooks]], and below it on = [\"failed\", \"lost\"] and run = [\"./on-fail.sh\"]";

/// Reads them; `path` is the file that they stand in.
pub fn hooks(file: &TomlTable<'_>, text: &str, path: &Path, problems: &mut Problems) -> Vec<Arc<Hook>> {
    let Some(field) = file.get("hooks") else { return Vec::new() };
    let excerpts = Excerpts::new(text);
    let mut hooks: Vec<Arc<Hook>> = Vec::new();
    for table in field.tables(HELP, problems) {
        table.expect_only(known_keys::HOOK, "in [[hooks]]", problems);
        let line = excerpts.position(table.span().start).line;
        let place = format!("{}:{line}", path.file_name().unwrap_or_default().to_string_lossy());
        let on = table.required("on", "a hook", HELP, problems).and_then(|field| events(&field, problems));
        let run = table.required("run", "a hook", HELP, problems).and_then(|field| {
            let program = program(&field, path, problems)?;
            if let Some(placeholder) = program.placeholders().next() {
                let message =
                    format!("{{{placeholder}}} is no value of a hook, which may be run for many jobs at once");
                field.wrong(message, "take it from the JSON lines on standard input", problems);
            }
            Some(program)
        });
        let filter = filter(&table, "filter", problems);
        let batch = table.get("batch").and_then(|field| field.duration(problems)).unwrap_or(Duration::ZERO);
        let (Some(on), Some(program)) = (on, run) else { continue };
        let id = id(&on, filter.source(), program.argv());
        if let Some(twin) = hooks.iter().find(|other| other.id == id) {
            let message = format!("this hook is the same as the one at {}", twin.place);
            table.wrong(message, "keep one of them", problems);
            continue;
        }
        hooks.push(Arc::new(Hook { id, on, filter, program, batch, place }));
    }
    hooks
}

fn events(field: &TomlField<'_>, problems: &mut Problems) -> Option<Vec<HookEvent>> {
    let example = "[\"failed\", \"lost\"]";
    let words = field.texts(example, problems)?;
    if words.is_empty() {
        field.wrong("this hook is run at nothing", format!("write {example}"), problems);
    }
    let known: Vec<&str> = HookEvent::all().map(HookEvent::as_str).collect();
    let mut events = Vec::new();
    for (word, span) in words {
        match HookEvent::parse(word) {
            Some(event) => events.push(event),
            None => {
                let help = match known_keys::meant(word, &known) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                problems.add(Problem::at(span, "there is no such event in `on`").help(help));
            }
        }
    }
    Some(events)
}

/// The same as long as the hook is defined the same, wherever it is.
fn id(on: &[HookEvent], filter: &str, argv: &[String]) -> String {
    let mut digest = Sha256::new();
    let words = on.iter().map(|event| event.as_str()).chain([filter]).chain(argv.iter().map(String::as_str));
    for word in words {
        digest.update((word.len() as u64).to_le_bytes());
        digest.update(word);
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    fn read(text: &str) -> Result<crate::config::JobsFile, String> {
        parse(text, std::path::Path::new("/jobs/jobs.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_hook_is_kept_under_what_it_is_and_not_under_where_it_stands() {
        let hook = |before: &str, run: &str| {
            let text =
                format!("{before}[[hooks]]\non = ['failed', 'over', 'finished']\nrun = ['{run}']\nbatch = '30s'");
            read(&text).unwrap().hooks[0].clone()
        };
        let (one, same, other) = (hook("", "x"), hook("# later\n\n", "x"), hook("", "y"));
        assert_eq!((one.on.len(), one.batch.as_secs(), one.place.as_str()), (3, 30, "jobs.toml:1"));
        assert!(one.id == same.id && one.id != other.id);
    }

    #[test]
    fn mistakes_are_said_with_line_and_what_to_write() {
        let cases = [
            ("run = ['x']", "jobs.toml:1:1: a hook needs `on`"),
            ("on = ['lost']", "a hook needs `run`"),
            ("on = []\nrun = ['x']", "2:6: this hook is run at nothing"),
            ("on = ['faild']\nrun = ['x']", "did you mean \"failed\"?"),
            ("on = ['lost']\nrun = ['x', '{id}']", "{id} is no value of a hook"),
            ("on = ['lost']\nrun = ['x']\nbatch = '0s'", "4:9:"),
            ("on = ['lost']\nrun = ['x']\nfilter = 'state:'", "this filter was not understood"),
            ("on = ['lost']\nrun = ['x']\nevery = '3s'", "unknown key `every` in [[hooks]]"),
            ("on = ['lost']\nrun = ['x']\n[[hooks]]\non = ['lost']\nrun = ['x']", "the same as the one at jobs.toml:1"),
        ];
        for (text, expected) in cases {
            let error = read(&format!("[[hooks]]\n{text}")).unwrap_err();
            assert!(error.contains(expected), "{text}\n{error}");
        }
    }
}
