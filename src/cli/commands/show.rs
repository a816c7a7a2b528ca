//! `jobdeck show JOB`: one job from disk, in words or one part of it.

use bytes::Bytes;
use jiff::Timestamp;

use crate::cli::args::CommonArgs;
use crate::cli::failure::Failure;
use crate::cli::output::{self, OutputStyle, StdoutWriter};
use crate::cli::{job_text, resolve};
use crate::domain::clean::Clean;
use crate::domain::observation::SavedBody;
use crate::domain::state::PollOutcome;
use crate::domain::{human, note};
use crate::engine::saved::{self, Results};
use crate::json;
use crate::session::jsonl::{self, StateLine, harmless_json};
use crate::session::select::KnownJob;
use clap::{ArgGroup, Args};

/// `show`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("part"))]
pub struct ShowArgs {
    /// service/id, or an id or a name where that is unambiguous
    #[arg(value_name = "JOB")]
    pub job: String,
    /// The raw output, byte for byte
    #[arg(long, group = "part")]
    pub raw: bool,
    /// The whole HTTP body as received
    #[arg(long, group = "part")]
    pub body: bool,
    /// The decoded output as pretty JSON
    #[arg(long, group = "part")]
    pub output: bool,
    /// One line for each file
    #[arg(long, group = "part")]
    pub files: bool,
    /// A file that was fetched beside the result, byte for byte; without --also they are listed
    #[arg(long, group = "part", value_name = "NAME")]
    pub also: Option<String>,
    /// The reason in full
    #[arg(long, group = "part")]
    pub error: bool,
    /// The job's JSON line, as `status --format jsonl` prints it
    #[arg(long, group = "part")]
    pub json: bool,
}

impl ShowArgs {
    pub fn part(&self) -> ShowPart {
        let flags = [
            (self.raw, ShowPart::Raw),
            (self.body, ShowPart::Body),
            (self.output, ShowPart::Output),
            (self.files, ShowPart::Files),
            (self.also.is_some(), ShowPart::Also),
            (self.error, ShowPart::Error),
            (self.json, ShowPart::Json),
        ];
        flags.into_iter().find_map(|(set, part)| set.then_some(part)).unwrap_or(ShowPart::Summary)
    }
}

/// What `show` prints of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShowPart {
    /// All that is known, in words.
    Summary,
    /// The raw output.
    Raw,
    /// The HTTP body.
    Body,
    Output,
    Files,
    /// A file that was fetched beside the result.
    Also,
    Error,
    /// The JSON line.
    Json,
}

/// What `show` exits with where the part asked for is not there.
const NOT_THERE: u8 = 4;

const NO_BODY: &str = "no body is saved";

pub async fn run(common: &CommonArgs, show: ShowArgs) -> Result<u8, Failure> {
    let (store, entry) = resolve::one(common, &show.job).await?;
    let mut out = StdoutWriter::new();
    let missing = match show.part() {
        ShowPart::Summary => {
            let also = saved::also_files(&store, &entry.job.key).await?;
            for line in job_text::lines(&entry, &also, OutputStyle::of(common)) {
                out.line(&line)?;
            }
            None
        }
        ShowPart::Json => {
            out.line(&jsonl::json(&StateLine::with_read(Timestamp::now(), &entry.job, &entry.known)))?;
            None
        }
        ShowPart::Error => print_error(&entry, &mut out)?,
        ShowPart::Body => print_body(&store, &entry, &mut out).await?,
        ShowPart::Raw => print_raw(&store, &entry, &mut out).await?,
        ShowPart::Output => print_output(&store, &entry, &mut out).await?,
        ShowPart::Files => print_files(&store, &entry, &mut out).await?,
        ShowPart::Also => print_also(also_of(&store, &entry, &show).await?.as_ref(), &store, &mut out).await?,
    };
    out.flush()?;
    let damaged = is_damaged(&store, &entry, &show).await;
    let Some(missing) = missing else { return Ok(u8::from(damaged)) };
    output::say_error(&format!("{}: {missing} ({})", crate::cli::event_lines::named(&entry.job), standing(&entry)));
    Ok(NOT_THERE)
}

/// Whether the part came out of a body that is damaged, which is said.
async fn is_damaged(store: &Results, entry: &KnownJob, show: &ShowArgs) -> bool {
    let saved = match show.part() {
        ShowPart::Summary | ShowPart::Json | ShowPart::Error => None,
        ShowPart::Body | ShowPart::Raw | ShowPart::Output | ShowPart::Files => entry.known.kept_body().cloned(),
        ShowPart::Also => also_of(store, entry, show).await.ok().flatten(),
    };
    let Some(saved) = saved else { return false };
    let Ok(bytes) = store.body(saved.body).await else { return false };
    let damage = saved.check(&bytes).err();
    if let Some(damage) = damage {
        output::say_error(&format!("{}: {damage}", crate::cli::event_lines::named(&entry.job)));
    }
    damage.is_some()
}

/// Why a part may be missing: the job's state in a few words.
fn standing(entry: &KnownJob) -> String {
    let known = &entry.known;
    match known.lost {
        Some(cause) => format!("lost, {cause}: {}", cause.sentence()),
        None if !known.is_observed() => note::in_words(known).to_string(),
        None if known.is_over() => known.state.to_string(),
        None => format!("{}, not over yet", known.state),
    }
}

/// The bytes to show a part of: the saved result, else what was kept of a reply that was none.
async fn body(store: &Results, entry: &KnownJob) -> Result<Option<Bytes>, Failure> {
    match entry.known.kept_body() {
        Some(saved) => Ok(Some(store.body(saved.body).await?)),
        None => Ok(None),
    }
}

/// What has to be known of bytes that are shown. Said only where something is shown.
fn say_what_it_is(entry: &KnownJob) {
    if entry.known.saved.is_none() {
        output::say_error("no result is saved; this is the last reply that was kept, which held none or not the whole");
    }
    if entry.known.kept_body().is_some_and(|saved| saved.masked) {
        output::say_error("our own token stood in this body and was masked before saving");
    }
}

async fn print_body(
    store: &Results,
    entry: &KnownJob,
    out: &mut StdoutWriter,
) -> Result<Option<&'static str>, Failure> {
    let Some(body) = body(store, entry).await? else { return Ok(Some(NO_BODY)) };
    say_what_it_is(entry);
    out.bytes(&body)?;
    Ok(None)
}

async fn print_raw(store: &Results, entry: &KnownJob, out: &mut StdoutWriter) -> Result<Option<&'static str>, Failure> {
    let Some(body) = body(store, entry).await? else { return Ok(Some(NO_BODY)) };
    let Some(raw) = saved::payload(store, &entry.job, &entry.known, &body).await.raw else {
        return Ok(Some("the saved body holds no raw output; --body prints it whole"));
    };
    say_what_it_is(entry);
    out.bytes(&raw)?;
    Ok(None)
}

async fn print_output(
    store: &Results,
    entry: &KnownJob,
    out: &mut StdoutWriter,
) -> Result<Option<&'static str>, Failure> {
    let Some(body) = body(store, entry).await? else { return Ok(Some(NO_BODY)) };
    let Some(decoded) = saved::payload(store, &entry.job, &entry.known, &body).await.output else {
        return Ok(Some("the saved body holds no decoded output; --raw or --body may have it"));
    };
    say_what_it_is(entry);
    let mut pretty = Vec::new();
    if let Err(error) = json::pretty::pretty(&decoded, &mut pretty) {
        output::say_error(&format!("the output is no JSON from here on: {error}"));
    }
    out.line(harmless_json(&String::from_utf8_lossy(&pretty)).trim_end())?;
    Ok(None)
}

async fn print_files(
    store: &Results,
    entry: &KnownJob,
    out: &mut StdoutWriter,
) -> Result<Option<&'static str>, Failure> {
    let Some(body) = body(store, entry).await? else { return Ok(Some(NO_BODY)) };
    let files = saved::payload(store, &entry.job, &entry.known, &body).await.files;
    if files.is_empty() {
        let counts = entry.known.files.is_some_and(|files| files.total > 0);
        return Ok(Some(match counts {
            true => "the service counts its items and names none",
            false => "the saved body names no files",
        }));
    }
    say_what_it_is(entry);
    for file in files {
        let keys = file.keys.map_or_else(|| "-".to_owned(), |keys| keys.to_string());
        let cost = file.cost.as_deref().map_or_else(|| "-".to_owned(), |cost| format!("${}", Clean::new(cost)));
        let size = human::bytes(file.size);
        let error = Clean::new(file.error.as_deref().unwrap_or_default());
        let [status, name] = [&file.status, &file.name].map(|text| Clean::new(text));
        out.line(format!("{status}\t{name}\t{keys}\t{size}\t{cost}\t{error}").trim_end())?;
    }
    Ok(None)
}

/// What was saved of the file beside the result that is asked for.
async fn also_of(store: &Results, entry: &KnownJob, show: &ShowArgs) -> Result<Option<SavedBody>, Failure> {
    let mut also = saved::also_files(store, &entry.job.key).await?;
    Ok(show.also.as_ref().and_then(|name| also.remove(name)))
}

async fn print_also(
    saved: Option<&SavedBody>,
    store: &Results,
    out: &mut StdoutWriter,
) -> Result<Option<&'static str>, Failure> {
    let Some(saved) = saved else {
        return Ok(Some("no file of that name was fetched beside the result; `show` without --also lists them"));
    };
    out.bytes(&store.body(saved.body).await?)?;
    Ok(None)
}

/// The service's own reason, else why the result is lost, else why the last read was no answer.
fn print_error(entry: &KnownJob, out: &mut StdoutWriter) -> Result<Option<&'static str>, Failure> {
    let known = &entry.known;
    let last = known.last_poll.as_ref().filter(|last| last.read != PollOutcome::Answered);
    let lost = known
        .lost
        .map(|cause| format!("{cause}: {}", known.fail_reason.as_deref().unwrap_or_else(|| cause.sentence())));
    let reason = lost.or_else(|| known.fail_reason.clone()).or_else(|| {
        last.and_then(|last| Some(format!("{}: {}", note::read_in_words(last.read), last.reason.as_deref()?)))
    });
    let Some(reason) = reason else { return Ok(Some("no reason was given")) };
    for line in reason.lines() {
        out.line(&Clean::new(line))?;
    }
    Ok(None)
}
