//! The house's table held against the code: who may import whom, how long a file may be, how it begins.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms each room may name, as in `ARCHITECTURE.md`.
const TABLE: &[(&str, &[&str])] = &[
    ("main", &[]),
    ("lib", &["app", "cli", "config", "domain", "json", "memory", "providers", "stderr", "ui"]),
    ("domain", &[]),
    ("json", &["domain"]),
    ("providers", &["json", "domain"]),
    ("net", &["domain", "tls"]),
    ("store", &["domain", "memory", "tls"]),
    ("engine", &["child", "named_file", "providers", "net", "store", "domain"]),
    ("config", &["named_file", "providers", "domain"]),
    ("demo", &["domain"]),
    ("child", &[]),
    ("memory", &[]),
    ("named_file", &[]),
    ("fd_writer", &[]),
    ("stderr", &["fd_writer"]),
    ("logging", &["domain", "stderr"]),
    ("exit", &["domain"]),
    ("shell", &[]),
    ("tls", &[]),
    ("run", &["child", "session", "engine", "config", "json", "domain"]),
    ("session", &["engine", "config", "app", "domain", "exit", "logging", "shell"]),
    ("report", &["domain"]),
    ("app", &["json", "domain", "exit"]),
    ("ui", &["app", "json", "domain"]),
    ("tui", &["report", "child", "run", "session", "ui", "app", "engine", "config", "demo", "json", "domain"]),
    ("cli", &["report", "run", "session", "app", "ui", "engine", "config", "demo", "json", "domain"]),
    // What both name besides.
    ("tui", &["logging", "exit", "shell", "stderr", "fd_writer"]),
    ("cli", &["logging", "exit", "shell", "child", "stderr", "fd_writer", "named_file"]),
];

/// What one file may name that the rest of its room may not: the command that starts the dashboard.
const BESIDES: &[(&str, &str)] = &[("cli/commands/dashboard.rs", "tui")];

/// Crates that one room alone may name, and rooms that may name none of these.
const CRATES: &[(&str, &[&str])] = &[
    ("reqwest", &["net"]),
    ("rusqlite", &["store"]),
    ("tokio_postgres", &["store"]),
    ("axum", &["demo"]),
    ("ratatui", &["app", "ui", "tui"]),
    ("tokio", &["child", "run", "net", "store", "engine", "config", "session", "tui", "cli", "demo", "lib", "logging"]),
];

/// The longest a file may be before its tests.
const LONGEST: usize = 500;

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let inside = path.strip_prefix(&root).unwrap().to_owned();
                found.push((inside, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 30, "only {} files found", found.len());
    found
}

/// The code of a file without comments and the contents of strings, up to its tests.
fn code(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines().take_while(|line| line.trim() != "#[cfg(test)]") {
        let mut in_string = false;
        let mut previous = ' ';
        for c in line.split("//").next().unwrap_or_default().chars() {
            if c == '"' && previous != '\\' && previous != '\'' {
                in_string = !in_string;
            }
            if !in_string {
                code.push(c);
            }
            previous = c;
        }
        code.push('\n');
    }
    code
}

/// The module path of a file: `engine/run.rs` is `engine::run`, `engine/mod.rs` is `engine`.
fn module(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        path.with_extension("").components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// Every path that begins with `crate` or `super` in a piece of code, groups opened up, as absolute module paths.
fn paths(module: &[String], code: &str) -> BTreeSet<Vec<String>> {
    let tokens = tokens(code);
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = at == 0 || tokens[at - 1] != "::";
        if starts && (tokens[at] == "crate" || tokens[at] == "super") && tokens.get(at + 1).is_some_and(|t| t == "::") {
            open_up(module, &tokens, at, &mut Vec::new(), &mut found);
        }
        at += 1;
    }
    found
}

fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = code.chars().peekable();
    while let Some(c) = rest.next() {
        if c.is_alphanumeric() || c == '_' {
            let mut word = c.to_string();
            while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                word.push(c);
            }
            tokens.push(word);
        } else if c == ':' && rest.next_if_eq(&':').is_some() {
            tokens.push("::".to_owned());
        } else if !c.is_whitespace() {
            tokens.push(c.to_string());
        }
    }
    tokens
}

/// Reads one path from a token on, every branch of its groups; gives the place after it.
fn open_up(
    module: &[String],
    tokens: &[String],
    mut at: usize,
    prefix: &mut Vec<String>,
    found: &mut BTreeSet<Vec<String>>,
) -> usize {
    let depth = prefix.len();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = open_up(module, tokens, at, prefix, found);
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                at += 1;
                break;
            }
            Some(word) if word.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '*') => {
                prefix.push(word.to_owned());
                at += 1;
                if tokens.get(at).is_some_and(|token| token == "::") {
                    at += 1;
                    continue;
                }
                found.insert(absolute(module, prefix));
                if tokens.get(at).is_some_and(|token| token == "as") {
                    at += 2;
                }
                break;
            }
            _ => break,
        }
    }
    prefix.truncate(depth);
    at.max(1)
}

fn absolute(module: &[String], path: &[String]) -> Vec<String> {
    let mut absolute = module.to_vec();
    let mut parts = path.iter();
    for part in parts.by_ref() {
        match part.as_str() {
            "crate" => absolute.clear(),
            "super" => {
                absolute.pop();
            }
            "self" => {}
            _ => {
                absolute.push(part.clone());
                break;
            }
        }
    }
    absolute.extend(parts.cloned());
    absolute
}

/// All that is wrong with one file.
fn violations(path: &Path, text: &str) -> Vec<String> {
    let (module, path_of_file) = (module(path), path);
    let room = module.first().cloned().unwrap_or_default();
    let shown = path.display();
    let mut wrong = Vec::new();
    if !text.starts_with("//! ") {
        wrong.push(format!("{shown}: its first line is no //! sentence"));
    }
    // A room's tests may be in separate files, and may need what the room may not.
    let is_test = module.iter().any(|part| part == "tests");
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
    if lines > LONGEST && !is_test {
        wrong.push(format!("{shown}: {lines} lines before its tests"));
    }
    if is_test {
        return wrong;
    }
    let code = code(text);
    let allowed: Vec<&str> =
        TABLE.iter().filter(|(name, _)| *name == room).flat_map(|(_, allowed)| allowed.iter().copied()).collect();
    if !TABLE.iter().any(|(name, _)| *name == room) {
        wrong.push(format!("{shown}: {room} is no room of the table"));
        return wrong;
    }
    let rooms: Vec<&str> = TABLE.iter().map(|(name, _)| *name).collect();
    for path in paths(&module, &code) {
        let Some(target) = path.first().filter(|target| rooms.contains(&target.as_str())) else { continue };
        let is_besides = BESIDES.iter().any(|(file, room)| Path::new(file) == path_of_file && room == target);
        if *target != room && !allowed.contains(&target.as_str()) && !is_besides {
            wrong.push(format!("{shown}: {room} may not name {}", path.join("::")));
        }
    }
    let tokens = tokens(&code);
    for (name, owners) in CRATES {
        let named = tokens.windows(2).any(|pair| pair[0] == *name && pair[1] == "::");
        if named && !owners.contains(&room.as_str()) {
            wrong.push(format!("{shown}: {room} may not name the crate {name}"));
        }
    }
    let a_tree_of_values = tokens.windows(3).any(|t| t[0] == "serde_json" && t[1] == "::" && t[2] == "Value")
        || code.lines().any(|line| line.contains("serde_json::{") && line.contains("Value"));
    if a_tree_of_values && room != "demo" {
        wrong.push(format!("{shown}: a body is never made a tree of values"));
    }
    wrong
}

#[test]
fn every_file_keeps_to_the_house_rules() {
    let wrong: Vec<String> = sources().iter().flat_map(|(path, text)| violations(path, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words that open a file, or make a copy of it.
const OPENERS: [&str; 7] = ["File", "OpenOptions", "new_file", "map", "read", "copy", "read_to_string"];

/// Whether a piece of code opens what a call of `database()` names, or the database by its name: closing any descriptor
/// of it drops the lock that SQLite holds for the whole process.
fn opens_the_database(code: &str, text: &str) -> bool {
    let lines = code.lines().zip(text.lines());
    lines.filter(|(code, text)| code.contains("database()") || text.contains("jobdeck.db")).any(|(code, _)| {
        let tokens = tokens(code);
        tokens.windows(2).any(|pair| OPENERS.contains(&pair[0].as_str()) && (pair[1] == "(" || pair[1] == "::"))
    })
}

#[test]
fn nobody_opens_the_database_beside_sqlite() {
    // It is made here, when there is none yet, and by a way that opens none that is there.
    let made_in = Path::new("store/dir.rs");
    let opened: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(path, _)| !module(path).iter().any(|part| part == "tests") && path != made_in)
        .filter(|(_, text)| opens_the_database(&code(text), text))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(opened, Vec::<PathBuf>::new());
    for planted in ["let file = File::open(dir.database())?;", "let bytes = std::fs::read(self.dir.database())?;"] {
        assert!(opens_the_database(planted, planted), "{planted}");
    }
    let fine = "let connection = Connection::open_with_flags(dir.database(), flags)?;";
    assert!(!opens_the_database(fine, fine));
}

#[test]
fn a_planted_wrong_import_is_found_however_it_is_written() {
    let planted = [
        ("app/list.rs", "use crate::engine::Engine;"),
        ("app/list.rs", "use crate::{domain::job::Job, engine::{self, Engine}};"),
        ("app/mod.rs", "use super::ui::draw;"),
        ("app/detail/tree.rs", "use super::super::super::store;"),
        ("domain/job.rs", "fn f() { crate::providers::read(); }"),
        ("json/index.rs", "use crate::{\n    domain::clean::Clean,\n    app,\n};"),
        ("ui/list.rs", "pub(in crate::ui) fn f() -> crate::tui::Run { todo() }"),
        ("app/list.rs", "use tokio::sync::mpsc;"),
        ("cli/watch.rs", "use serde_json::{Map, Value};"),
        ("cli/follow.rs", "use crate::tui::Start;"),
        ("attic/new.rs", "fn f() {}"),
    ];
    for (path, code) in planted {
        let text = format!("//! A file.\n\n{code}\n");
        assert!(!violations(Path::new(path), &text).is_empty(), "{path}: {code}");
    }
}

#[test]
fn a_right_import_passes_and_words_in_comments_strings_and_tests_do_not_count() {
    let fine = [
        ("app/list.rs", "use crate::domain::{job::Job, state::State as Engine};"),
        ("engine/run.rs", "use super::gate::Gate;\nuse super::super::store::Store;"),
        (
            "domain/job.rs",
            "// crate::engine\nconst A: &str = \"crate::engine::x\";\n#[cfg(test)]\nuse crate::engine::x;",
        ),
    ];
    for (path, code) in fine {
        let text = format!("//! A file.\n\n{code}\n");
        assert_eq!(violations(Path::new(path), &text), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn a_file_without_an_opening_sentence_or_longer_than_the_law_is_found() {
    assert_eq!(violations(Path::new("app/list.rs"), "use std::fmt;\n").len(), 1);
    let long = format!("//! Long.\n{}", "const A: u8 = 0;\n".repeat(LONGEST));
    assert_eq!(violations(Path::new("app/list.rs"), &long).len(), 1);
}
