//! The values of a job for a program, and the private files that some of them name.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::domain::command::Placeholder;
use crate::domain::job::Job;
use crate::domain::observation::Observation;
use crate::domain::service::Service;
use crate::engine::saved::{self, Form, Results};
use crate::json::pretty::pretty;

/// Where the private folders stand in the state directory.
const FOLDERS: &str = "commands";

/// The values of one job. Its files are removed when this is dropped.
#[derive(Debug, Default)]
pub struct JobValues {
    by_name: HashMap<Placeholder, String>,
    folder: Option<Folder>,
}

/// A private folder. As long as it is in use its lock is held, so that one that a killed process left is known.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    _lock: File,
}

impl JobValues {
    /// What is known of a job, without its files.
    pub fn of(job: &Job, known: &Observation, service: Option<&Service>) -> Self {
        let reason = known.fail_reason.as_deref().unwrap_or_default();
        let url = service.map(address).unwrap_or_default();
        let web = service.and_then(|service| service.provider.web(service, &job.key.id));
        let mut by_name = HashMap::from([
            (Placeholder::Service, job.service.to_string()),
            (Placeholder::Id, job.key.id.clone()),
            (Placeholder::Name, job.title().to_owned()),
            (Placeholder::Tags, job.tags.join(",")),
            (Placeholder::State, known.state.as_str().to_owned()),
            (Placeholder::Reason, reason.to_owned()),
            (Placeholder::Url, url),
        ]);
        by_name.extend(web.map(|page| (Placeholder::Web, String::from(page))));
        Self { by_name, folder: None }
    }

    /// Puts what is saved of the job into private files below `state`, as far as they are asked for and there is any.
    pub async fn with_files(
        mut self,
        wanted: &[Placeholder],
        job: &Job,
        known: &Observation,
        store: Option<&Results>,
        state: &Path,
    ) -> io::Result<Self> {
        let (Some(saved), Some(store)) = (known.kept_body(), store) else { return Ok(self) };
        for placeholder in [Placeholder::Body, Placeholder::Output] {
            if !wanted.contains(&placeholder) {
                continue;
            }
            let body = store.body(saved.body).await.map_err(io::Error::other)?;
            let form = saved::form(store, &job.key, saved.body).await;
            let Some(bytes) = part(placeholder, form, body).await? else { continue };
            let folder = match self.folder.take() {
                Some(folder) => folder,
                None => private_folder(state)?,
            };
            let path = self.folder.insert(folder).path.join(placeholder.as_str());
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(&bytes)?;
            self.by_name.insert(placeholder, path.to_string_lossy().into_owned());
        }
        Ok(self)
    }

    pub fn get(&self, placeholder: Placeholder) -> Option<String> {
        self.by_name.get(&placeholder).cloned()
    }

    /// All of them as variables of an environment; what no variable can hold is left out.
    pub fn variables(&self) -> Vec<(String, String)> {
        let all = self.by_name.iter().filter(|(_, value)| !value.contains('\0'));
        all.map(|(placeholder, value)| (placeholder.variable(), value.clone())).collect()
    }
}

impl Drop for JobValues {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder
            && let Err(error) = fs::remove_dir_all(&folder.path)
        {
            tracing::warn!("failed to remove {}: {error}", folder.path.display());
        }
    }
}

/// A service's address without its query, which may be a gateway's key.
fn address(service: &Service) -> String {
    let mut base = service.base.clone();
    base.set_query(None);
    base.to_string()
}

async fn part(placeholder: Placeholder, form: Form, body: Bytes) -> io::Result<Option<Bytes>> {
    if placeholder == Placeholder::Body {
        return Ok(Some(body));
    }
    let work = move || {
        let Some(output) = form.extract(&body).output else { return Ok(None) };
        let mut text = Vec::new();
        pretty(&output, &mut text).map(|()| Some(Bytes::from(text)))
    };
    spawn_blocking(work).await.map_err(io::Error::other)?.map_err(io::Error::other)
}

/// A folder for one run, for our user alone.
fn private_folder(state: &Path) -> io::Result<Folder> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let all = state.join(FOLDERS);
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    match builder.create(&all) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Nobody cleans up between the making of a folder and its lock.
    let making = File::open(&all)?;
    making.lock()?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = all.join(format!("{}-{number}-{:x}", std::process::id(), fastrand::u32(..)));
    builder.create(&folder)?;
    // A relative path would be another for a program with another working directory.
    let path = std::path::absolute(folder)?;
    let lock = File::open(&path)?;
    lock.lock()?;
    Ok(Folder { path, _lock: lock })
}

/// Removes the private folders below `state` that were left by processes that were killed.
pub fn clean_up(state: &Path) {
    let all = state.join(FOLDERS);
    let Ok(making) = File::open(&all) else { return };
    let (Ok(()), Ok(folders)) = (making.lock(), fs::read_dir(&all)) else { return };
    for folder in folders.filter_map(Result::ok).map(|entry| entry.path()) {
        let is_left = File::open(&folder).is_ok_and(|file| file.try_lock().is_ok());
        if is_left && let Err(error) = fs::remove_dir_all(&folder) {
            tracing::warn!("failed to remove {}: {error}", folder.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_a_killed_process_are_removed_and_those_in_use_are_not() {
        let state = tempfile::tempdir().unwrap();
        clean_up(state.path());
        let used = private_folder(state.path()).unwrap();
        let left = state.path().join("commands/1-0-a");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("body"), "secret").unwrap();
        clean_up(state.path());
        assert_eq!([&used.path, &left].map(|folder| folder.exists()), [true, false]);
    }
}
