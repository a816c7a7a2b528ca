//! What the documents name is there: a promise without its test would be nothing but a sentence.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap::error::ErrorKind;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of every Rust file below a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_promise_of_the_security_policy_names_a_test_that_is_there() {
    let mut code = String::new();
    sources(&root().join("src"), &mut code);
    sources(&root().join("tests"), &mut code);
    let policy = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let rows = policy.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let named: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() >= 20, "{named:?}");
    for name in named {
        assert!(code.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}

const DOCUMENTS: [&str; 5] = ["README.md", "SECURITY.md", "docs/guide.md", "docs/providers.md", "docs/team.md"];

/// The code blocks of a document in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let begins = format!("```{language}\n");
    text.split(&begins).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

/// The words of a line as a shell has them, up to what ends the command.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '#') if word.is_none() => break,
            (None, '|' | '&' | ';' | '>' | '<') => break,
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_line_of_the_documents_is_one_that_the_program_takes() {
    let mut tried = 0;
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let shown = blocks(&text, "sh").join("\n");
        let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        let lines = shown.lines().map(|line| line.split(" # ").next().unwrap_or_default());
        for (line, is_quoted) in lines.map(|line| (line, false)).chain(quoted.map(|line| (line, true))) {
            for (at, _) in line.match_indices("jobdeck ") {
                let (begins, command) = line.split_at_checked(at).unwrap();
                let is_command = begins.trim_end().is_empty() || begins.trim_end().ends_with(['|', '&', ';']);
                let words = words(command);
                if !is_command || words.iter().any(|word| word.contains('…') || word.starts_with('[')) {
                    continue;
                }
                // What only names a subcommand lacks what follows it.
                let is_name = words.len() == 2 && is_quoted;
                let stands_for_one = |word: &String| word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase());
                match crate::cli::args::Args::command().try_get_matches_from(&words) {
                    Ok(_) => tried += 1,
                    Err(error) if is_name && error.kind() == ErrorKind::MissingRequiredArgument => {}
                    Err(error) if error.kind() == ErrorKind::ValueValidation && words.iter().any(stands_for_one) => {}
                    Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {}
                    Err(error) => panic!("{document}: {line}\n{error}"),
                }
            }
        }
    }
    assert!(tried >= 60, "{tried}");
}

#[test]
fn every_table_of_the_guide_is_one_that_the_program_reads() {
    let mut read = 0;
    for document in ["README.md", "docs/guide.md", "docs/providers.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for block in blocks(&text, "toml") {
            let is_users = ["[notify]", "[keys]", "store = "].iter().any(|table| block.contains(table));
            let is_part = block.contains("[providers.") && !block.contains(".status]");
            if is_users || is_part {
                continue;
            }
            // An excerpt leaves out what stands before it.
            let service = "[services.invoices]\nprovider = \"unstract\"\ntoken = { env = \"T\" }\n\
                           url = \"https://us-central.unstract.com/deployment/api/o/a/\"\n";
            let before = if block.contains("[services.invoices]") { "" } else { service };
            let file = format!("{block}\n{before}");
            crate::config::parse(&file, Path::new("/batch/jobs.toml"))
                .unwrap_or_else(|why| panic!("{document}: {why}"));
            read += 1;
        }
    }
    assert!(read >= 7, "{read}");
}
