//! Commands of the user's own: which program is run over which jobs, and how. Nothing is run here.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::filter::Filter;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCommand {
    /// What it is called in the palette, the help and on the command line.
    pub name: Arc<str>,
    /// Its key as it is written; None: it has none.
    pub key: Option<String>,
    pub program: Program,
    /// Which jobs it is for; the empty filter lets all through.
    pub when: Filter,
    /// What it does where several jobs are marked.
    pub marked: Marked,
    pub confirm: bool,
    /// Where its output goes.
    pub mode: OutputMode,
    /// The service whose ids it prints; `{service}` is the job's own.
    pub adds: Option<String>,
    /// Whether it gets the service's token.
    pub token: bool,
    /// Where it is declared, as `jobs.toml:12`, for messages.
    pub place: String,
}

/// What a command does where several jobs are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Marked {
    /// It is run once for each, four at a time.
    #[default]
    Each,
    /// It is run once, with a JSON line for each on its standard input.
    All,
    /// It is for one job only.
    Refuse,
}

/// Where the output of a command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputMode {
    /// To the log; the screen stays.
    #[default]
    Background,
    /// To the terminal, which is the command's own meanwhile.
    Terminal,
    Pager,
}

/// A program and its arguments, without a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    argv: Vec<String>,
    /// The folder of the file that names it: a relative path with a `/` in it is meant from there.
    folder: PathBuf,
}

/// Why a program is not run for a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    #[error("there is no {{{0}}} of it: {why}", why = .0.missing())]
    Missing(Placeholder),
    /// A text that others wrote would be read as an option.
    #[error(
        "its {{{0}}} begins with `-` and would be taken for an option; write a text of your own before it, as in \
         `--value={{{0}}}`, or take it from {variable} in the environment",
        variable = .0.variable()
    )]
    Option(Placeholder),
    /// A character that no argument can hold.
    #[error("its {{{0}}} holds a NUL character, which no argument can")]
    Nul(Placeholder),
}

impl Program {
    /// A program with its arguments; `folder` is that of the file that names it. None without a program.
    pub fn new(argv: Vec<String>, folder: &Path) -> Option<Self> {
        let named = argv.first().is_some_and(|program| !program.trim().is_empty());
        named.then(|| Self { argv, folder: folder.to_owned() })
    }

    pub fn path(&self) -> PathBuf {
        let program = Path::new(self.argv.first().map_or("", String::as_str));
        let is_from_path = program.components().count() == 1 && !program.starts_with(".");
        if is_from_path { program.to_owned() } else { self.folder.join(program) }
    }

    /// Program and arguments as they are written.
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// The values that it asks for.
    pub fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        let arguments = self.argv.iter().skip(1);
        arguments.flat_map(|argument| pieces(argument)).filter_map(|piece| match piece {
            TemplatePiece::Value(placeholder) => Some(placeholder),
            TemplatePiece::Text(_) | TemplatePiece::Unknown(_) => None,
        })
    }

    /// The arguments for one job. What others wrote becomes (part of) one argument and never an option.
    pub fn arguments(&self, value: impl Fn(Placeholder) -> Option<String>) -> Result<Vec<String>, ExpandError> {
        let mut arguments = Vec::new();
        for argument in self.argv.iter().skip(1) {
            let mut text = String::new();
            // The value with which the argument begins, if it begins with one.
            let mut begins_with = None;
            for piece in pieces(argument) {
                match piece {
                    TemplatePiece::Text(own) | TemplatePiece::Unknown(own) => text.push_str(own),
                    TemplatePiece::Value(placeholder) => {
                        let value = value(placeholder).ok_or(ExpandError::Missing(placeholder))?;
                        if value.contains('\0') {
                            return Err(ExpandError::Nul(placeholder));
                        }
                        if text.is_empty() && !value.is_empty() {
                            begins_with = Some(placeholder);
                        }
                        text.push_str(&value);
                    }
                }
            }
            if let Some(placeholder) = begins_with.filter(|_| text.starts_with('-')) {
                return Err(ExpandError::Option(placeholder));
            }
            arguments.push(text);
        }
        Ok(arguments)
    }
}

/// A value of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placeholder {
    Service,
    Id,
    /// Its name, or its id where it has none.
    Name,
    /// Its tags, commas between.
    Tags,
    State,
    /// Why it failed; empty where it did not.
    Reason,
    /// Its service's address.
    Url,
    /// The page about it, where the service is known to have one.
    Web,
    /// The path of a file with the saved reply.
    Body,
    /// The path of a file with the decoded output.
    Output,
}

impl Placeholder {
    pub const ALL: [Self; 10] = [
        Self::Service,
        Self::Id,
        Self::Name,
        Self::Tags,
        Self::State,
        Self::Reason,
        Self::Url,
        Self::Web,
        Self::Body,
        Self::Output,
    ];

    /// Its name between the braces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Id => "id",
            Self::Name => "name",
            Self::Tags => "tags",
            Self::State => "state",
            Self::Reason => "reason",
            Self::Url => "url",
            Self::Web => "web",
            Self::Body => "body",
            Self::Output => "output",
        }
    }

    /// Its name in the program's environment.
    pub fn variable(self) -> String {
        format!("JOBDECK_{}", self.as_str().to_ascii_uppercase())
    }

    /// Why a job may have none.
    fn missing(self) -> &'static str {
        match self {
            Self::Web => "its service is not known to have a page about it",
            Self::Output => "no output was found in what is saved of it; `{body}` is its whole response",
            Self::Body => "nothing is saved of it",
            Self::Service | Self::Id | Self::Name | Self::Tags | Self::State | Self::Reason | Self::Url => {
                "it is unknown"
            }
        }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

enum TemplatePiece<'a> {
    Text(&'a str),
    Value(Placeholder),
    /// Something in braces that is no value, with its braces.
    Unknown(&'a str),
}

/// The first text in braces that looks like a value and is none.
pub fn unknown_placeholder(argument: &str) -> Option<&str> {
    pieces(argument).into_iter().find_map(|piece| match piece {
        TemplatePiece::Unknown(text) => Some(text),
        TemplatePiece::Text(_) | TemplatePiece::Value(_) => None,
    })
}

/// Only lower-case letters between braces look like a value: JSON in an argument stays as it is.
fn pieces(argument: &str) -> Vec<TemplatePiece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = argument;
    while let Some(open) = rest.find('{') {
        let (before, inside) = rest.split_at(open);
        let word_length = inside.bytes().skip(1).take_while(u8::is_ascii_lowercase).count();
        let end = word_length + 2;
        let whole = inside.get(..end).filter(|whole| word_length > 0 && whole.ends_with('}'));
        let Some(whole) = whole else {
            let (text, after) = rest.split_at(open + 1);
            pieces.push(TemplatePiece::Text(text));
            rest = after;
            continue;
        };
        if !before.is_empty() {
            pieces.push(TemplatePiece::Text(before));
        }
        let word = whole.trim_matches(['{', '}']);
        let known = Placeholder::ALL.into_iter().find(|placeholder| placeholder.as_str() == word);
        pieces.push(known.map_or(TemplatePiece::Unknown(whole), TemplatePiece::Value));
        rest = inside.get(end..).unwrap_or_default();
    }
    if !rest.is_empty() {
        pieces.push(TemplatePiece::Text(rest));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(argument: &str, name: &str) -> Result<Vec<String>, ExpandError> {
        let argv = vec!["tool".to_owned(), argument.to_owned()];
        let value = |placeholder| (placeholder == Placeholder::Name).then(|| name.to_owned());
        Program::new(argv, Path::new("/jobs")).unwrap().arguments(value)
    }

    #[test]
    fn values_stand_where_their_names_stood_and_json_stays_json() {
        let cases = [
            ("{name}", "a b; $(id)", "a b; $(id)"),
            ("x-{name}-{name}", "n", "x-n-n"),
            ("{\"name\":\"{name}\"}", "n", "{\"name\":\"n\"}"),
            ("{ name }", "n", "{ name }"),
            ("{}", "n", "{}"),
            ("--name={name}", "-rf", "--name=-rf"),
            ("{name}", "{id}", "{id}"),
        ];
        for (argument, name, expected) in cases {
            assert_eq!(expanded(argument, name), Ok(vec![expected.to_owned()]), "{argument}");
        }
        assert_eq!(unknown_placeholder("{nam}"), Some("{nam}"));
        assert_eq!(unknown_placeholder("{name} {\"a\":1}"), None);
    }

    #[test]
    fn what_others_wrote_never_becomes_an_option() {
        for name in ["-rf", "--output=/etc/passwd", "-"] {
            assert_eq!(expanded("{name}", name), Err(ExpandError::Option(Placeholder::Name)), "{name}");
        }
        assert_eq!(expanded("{name}", "a\0b"), Err(ExpandError::Nul(Placeholder::Name)));
        assert_eq!(expanded("{body}", "n"), Err(ExpandError::Missing(Placeholder::Body)));
    }

    #[test]
    fn a_relative_program_is_that_of_the_files_folder_and_a_bare_name_that_of_the_path() {
        for (written, path) in [("./x.sh", "/jobs/./x.sh"), ("bin/x", "/jobs/bin/x"), ("x", "x"), ("/bin/x", "/bin/x")]
        {
            let program = Program::new(vec![written.to_owned()], Path::new("/jobs")).unwrap();
            assert_eq!(program.path(), Path::new(path));
        }
    }
}
