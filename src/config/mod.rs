//! The jobs file: parse, errors with line and caret, watch, append; and the user's own config.toml.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use crate::domain::clean::Clean;
use crate::domain::command::UserCommand;
use crate::domain::hook::Hook;
use crate::domain::job::Job;
use crate::domain::service::{PollSettings, Service};
use files::reading::Unreadable;
use files::sources::{Digest, FileSource};
use problems::excerpt::Excerpts;
use problems::{Problem, Problems};
use tables::field::TomlTable;
use tables::jobs::PlacedJob;
use tables::service::PathBase;

pub mod add;
pub mod files;
pub mod init;
pub mod problems;
pub mod tables;
pub mod user;

/// The JSON schema of the jobs file.
pub const SCHEMA: &str = include_str!("../../assets/jobs.schema.json");

#[cfg(test)]
mod tests;

/// A jobs file that was read and is valid.
#[derive(Debug, Clone, Eq)]
pub struct JobsFile {
    /// Where it is.
    pub path: PathBuf,
    /// What its jobs are called together: `batch`, else the file's name without its ending.
    pub batch: Option<Arc<str>>,
    /// Where results are written out as they arrive: `export`.
    pub export: Option<PathBuf>,
    /// `[poll]`.
    pub poll: PollSettings,
    /// `[services.*]`, in the file's order.
    pub services: Vec<Arc<Service>>,
    /// `[[jobs]]`, `ids` spread out, in the file's order.
    pub jobs: Vec<Arc<Job>>,
    /// `[[commands]]`, in the file's order.
    pub commands: Vec<Arc<UserCommand>>,
    /// `[[hooks]]`, in the file's order.
    pub hooks: Vec<Arc<Hook>>,
    /// Further files that were read as one with it.
    pub further: Vec<PathBuf>,
    /// What it was read from: itself, then its files of ids, then the user's own files of its providers.
    sources: Vec<FileSource>,
    /// A digest of the texts that it was read from: the same texts are not parsed again.
    digest: Option<u64>,
}

/// Two are the same if they mean the same, however they are written.
impl PartialEq for JobsFile {
    fn eq(&self, other: &Self) -> bool {
        let Self { path, batch, export: _, poll, services, jobs, commands, hooks, further: _, sources: _, digest: _ } =
            self;
        (path, batch, poll, services, jobs) == (&other.path, &other.batch, &other.poll, &other.services, &other.jobs)
            && (commands, hooks) == (&other.commands, &other.hooks)
    }
}

/// Why there is no jobs file to work with: everything that is wrong with it, ready to be printed or shown.
/// Contains no secret and no value of the file, and no control character but line breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.join("\n\n"))]
pub struct ConfigError {
    /// Each with line, column, caret and what to do; without a line break at its end.
    pub problems: Vec<String>,
}

impl ConfigError {
    /// One error of a file as a whole: what is wrong with it, and what to do.
    fn of_file(path: &Path, what: &str, help: &str) -> Self {
        let path = Clean::new(&path.to_string_lossy());
        Self::one(format!("{path}: {what}\n  = {help}"))
    }

    fn one(problem: String) -> Self {
        Self { problems: vec![problem] }
    }

    /// How many errors they are.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// Where each error is and what is wrong, without excerpt and help.
    pub fn heads(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().filter_map(|problem| problem.lines().next())
    }
}

/// What a jobs file looks like at the least; shown where there is none.
pub const SAMPLE: &str = "\
[services.browser]
provider = \"optexity\"
token = { env = \"OPTEXITY_API_KEY\" }
[[jobs]]
service = \"browser\"
id = \"TASK_ID\"
";

/// The jobs file to use: the one named, else `./jobs.toml`, else `$XDG_CONFIG_HOME/jobdeck/jobs.toml`. The error says
/// where it was looked for and how to begin.
pub fn locate(named: Option<&Path>) -> Result<PathBuf, ConfigError> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    // Whatever is there is meant: a file that cannot be read is an error too, reported by `load`.
    let places = files::paths::jobs_files();
    if let Some(found) = places.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Ok(found.clone());
    }
    let looked: Vec<String> = places.iter().map(|path| format!("  {}", Clean::new(&path.to_string_lossy()))).collect();
    let sample: Vec<String> = SAMPLE.lines().map(|line| format!("  {line}")).collect();
    let text = format!(
        "there is no jobs file; it was looked for at\n{}\nwrite one with `jobdeck init`, or name one with --config; it looks like\n{}",
        looked.join("\n"),
        sample.join("\n")
    );
    Err(ConfigError::one(text))
}

/// The jobs files to use, read as one: those that are named, else the one that is found.
pub fn load_named(named: &[PathBuf]) -> Result<JobsFile, ConfigError> {
    match named {
        [] => load(&locate(None)?),
        [path] => load(path),
        paths => files::several::load_all(paths),
    }
}

/// Reads a jobs file.
pub fn load(path: &Path) -> Result<JobsFile, ConfigError> {
    let text = files::reading::read_patiently(path).map_err(|why| unreadable(path, why))?;
    parse(&text, path)
}

/// Reads the text of a jobs file; `path` is where it is, for messages and for the paths in it. Its files of ids are
/// read from disk.
pub fn parse(text: &str, path: &Path) -> Result<JobsFile, ConfigError> {
    let (table, errors) = DeTable::parse_recoverable(text);
    // The reader gives up at a line without `=`. What follows is looked at all the same.
    let broken = !errors.is_empty();
    let (of_syntax, mended) = problems::syntax(text, errors);
    let mut problems = Problems::of_syntax(of_syntax);
    let place = PathBase { directory: directory(path), home: files::paths::home() };
    let again = broken.then(|| DeTable::parse_recoverable(&mended).0);
    let file = TomlTable::of_file(again.as_ref().unwrap_or(&table).get_ref());
    file.expect_only(problems::known_keys::TOP, "at the top of the file", &mut problems);
    let poll = tables::service::poll(&file, &mut problems);
    let providers = tables::provider::Providers::read(&file, &mut problems);
    let services = tables::service::services(&file, &providers, &poll, &place, &mut problems);
    let known = services.iter().cloned().collect();
    let mut digest = Digest::default();
    digest.add(path, Some(text.as_bytes()));
    let batch = batch(&file, path, &mut problems);
    let export = export(&file, &place, &mut problems);
    let declared = tables::jobs::jobs(&file, &known, &place, (digest, batch.clone()), &mut problems);
    let defined: Vec<&str> = services.iter().map(|(name, _)| *name).collect();
    let commands = tables::commands::commands(&file, Some(&defined), text, path, &mut problems);
    let hooks = tables::hooks::hooks(&file, text, path, &mut problems);
    add_duplicates(&declared.jobs, text, &mut problems);
    if !problems.is_empty() {
        return Err(problems.into_error(path, text));
    }
    let mut sources = vec![FileSource::file(path)];
    sources.extend(declared.sources);
    let mut digest = declared.digest;
    for (path, file) in providers.files_of_user() {
        digest.add(&path, file.as_ref().map(|file| file.text.as_bytes()));
        sources.push(FileSource::file(&path));
    }
    Ok(JobsFile {
        path: path.to_owned(),
        batch,
        export,
        poll,
        services: services.into_iter().filter_map(|(_, service)| service).collect(),
        jobs: declared.jobs.into_iter().map(|placed| placed.job).collect(),
        commands,
        hooks,
        digest: Some(digest.finish()),
        further: Vec::new(),
        sources,
    })
}

/// The batch that a file names, else its own name without its ending.
fn batch(file: &TomlTable<'_>, path: &Path, problems: &mut Problems) -> Option<Arc<str>> {
    match file.get("batch") {
        Some(field) => field.word("\"nov-22\"", problems).map(Arc::from),
        None => path.file_stem().map(|stem| stem.to_string_lossy().into()),
    }
}

/// Where results are written out as they arrive.
fn export(file: &TomlTable<'_>, place: &PathBase, problems: &mut Problems) -> Option<PathBuf> {
    let field = file.get("export")?;
    let text = field.word("\"results\"", problems)?;
    tables::service::expanded(text, place)
        .map_err(|why| problems.add(Problem::at(field.span.clone(), why.to_string()).help("write the path in full")))
        .ok()
}

fn add_duplicates(jobs: &[PlacedJob], text: &str, problems: &mut Problems) {
    let duplicates = tables::jobs::duplicates(jobs);
    if duplicates.is_empty() {
        return;
    }
    let excerpts = Excerpts::new(text);
    let help = "a job is its provider, address and id, whatever its service is called: keep one of them";
    for (placed, first) in duplicates.into_iter().take(MOST_DUPLICATES) {
        let first = match &first.listed {
            Some((file, line)) => format!("line {line} of {file}"),
            None => format!("line {}", excerpts.position(first.span.start).line),
        };
        let place = placed.listed.as_ref().map(|(file, line)| format!("{file}, line {line}: "));
        let message = format!("{}the same job as in {first}", place.unwrap_or_default());
        problems.add(Problem::at(placed.span.clone(), message).help(help));
    }
}

/// How many jobs that stand in a file twice are named.
const MOST_DUPLICATES: usize = 100;

/// The text of a file of ours.
fn read(path: &Path) -> Result<String, ConfigError> {
    files::reading::read(path).map_err(|why| unreadable(path, why))
}

fn unreadable(path: &Path, Unreadable { what, help }: Unreadable) -> ConfigError {
    ConfigError::of_file(path, &what, help)
}

fn directory(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}
