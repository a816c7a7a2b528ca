//! `jobdeck report FILE`: a page about a batch to hand on, from disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::status;
use crate::cli::args::CommonArgs;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::report::{Report, html, markdown};
use clap::Args;

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A file that ends in .html or .md
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The jobs of this batch, of whatever file
    #[arg(long, value_name = "B")]
    pub batch: Option<String>,
    /// Only the jobs that match
    #[arg(long, value_name = "F")]
    pub filter: Option<String>,
    /// All jobs on disk, not only the file's
    #[arg(long)]
    pub all: bool,
}

pub async fn run(common: &CommonArgs, wanted: ReportArgs) -> Result<u8, Failure> {
    let write = match wanted.file.extension().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => html,
        Some("md" | "markdown") => markdown,
        Some(_) | None => return Err(Failure::usage("a report is a file that ends in .html or .md")),
    };
    let all = wanted.all || wanted.batch.is_some();
    let (_, mut entries) = status::entries(common, all, wanted.filter.as_deref()).await?;
    if let Some(batch) = &wanted.batch {
        entries.retain(|entry| entry.job.batch.as_deref() == Some(batch));
        if entries.is_empty() {
            let batch = Clean::new(batch);
            return Err(Failure::usage(format!("there is no job of a batch {:?} on disk", batch.as_str())));
        }
    }
    let title =
        wanted.batch.or_else(|| entries.first().and_then(|entry| entry.job.batch.as_deref().map(str::to_owned)));
    let report = Report {
        title: title.unwrap_or_else(|| "jobs".to_owned()),
        made_at: Timestamp::now(),
        zone: TimeZone::system(),
        saved_in: common.state_dir()?.display().to_string(),
        jobs: entries.iter().map(|entry| (&*entry.job, &*entry.known)).collect(),
    };
    let file = &wanted.file;
    replace(file, &write(&report))
        .map_err(|error| Failure::internal(format!("failed to write {}: {error}", file.display())))?;
    output::say(&format!("{}: a report of {}", file.display(), human::counted(entries.len() as u64, "job")));
    Ok(0)
}

/// Writes the file whole or not at all.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = file.with_file_name(name);
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, file));
    written.inspect_err(|_| drop(fs::remove_file(&beside)))
}
