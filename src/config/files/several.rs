//! Several jobs files as one: their services and jobs together, each job in the batch of its file.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{ConfigError, JobsFile, load};
use crate::domain::command::UserCommand;
use crate::domain::job::Job;
use crate::domain::service::Service;

/// Reads these files as one. `[poll]` is the first one's. What is wrong with any of them is an error.
pub fn load_all(paths: &[PathBuf]) -> Result<JobsFile, ConfigError> {
    let mut files = Vec::new();
    let mut errors: Vec<ConfigError> = Vec::new();
    for path in paths {
        match load(path) {
            Ok(file) => files.push(file),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(ConfigError { problems: errors.into_iter().flat_map(|error| error.problems).collect() });
    }
    tell_apart(&mut files);
    let mut files = files.into_iter();
    let Some(mut whole) = files.next() else {
        return Err(ConfigError::one("no jobs file is named".to_owned()));
    };
    let mut keys: HashSet<_> = whole.jobs.iter().map(|job| job.key.clone()).collect();
    for file in files {
        take(&mut whole, file, &mut keys);
    }
    Ok(whole)
}

/// Batches that are called after files of one name are called after the files' folders as well.
fn tell_apart(files: &mut [JobsFile]) {
    let after_file = |file: &JobsFile| {
        let stem = file.path.file_stem()?.to_string_lossy().into_owned();
        file.batch.as_deref().filter(|batch| *batch == stem).map(|_| stem)
    };
    let names: Vec<Option<String>> = files.iter().map(after_file).collect();
    for (file, name) in files.iter_mut().zip(&names) {
        let Some(name) = name.as_ref().filter(|name| names.iter().flatten().filter(|other| other == name).count() > 1)
        else {
            continue;
        };
        let path = file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
        let Some(folder) = path.parent().and_then(Path::file_name) else { continue };
        let own: Arc<str> = format!("{}/{name}", folder.to_string_lossy()).into();
        for job in file.jobs.iter_mut().filter(|job| job.batch == file.batch) {
            *job = Arc::new(Job { batch: Some(Arc::clone(&own)), ..Job::clone(job) });
        }
        file.batch = Some(own);
    }
}

fn take(whole: &mut JobsFile, file: JobsFile, keys: &mut HashSet<crate::domain::job::JobKey>) {
    let batch = file.batch.clone().unwrap_or_default();
    let mut renamed: HashMap<Arc<str>, Arc<str>> = HashMap::new();
    for service in file.services {
        match whole.services.iter().find(|known| known.name == service.name) {
            Some(known) if *known == service => {}
            // Another service of the same name: it is called after its batch as well.
            Some(_) => {
                let mut name: Arc<str> = format!("{}@{batch}", service.name).into();
                while whole.services.iter().any(|known| known.name == name) {
                    name = format!("{name}+").into();
                }
                renamed.insert(Arc::clone(&service.name), Arc::clone(&name));
                whole.services.push(Arc::new(Service { name, ..Service::clone(&service) }));
            }
            None => whole.services.push(service),
        }
    }
    for job in file.jobs {
        // A job of two files is one: it stays in the batch of the first.
        if !keys.insert(job.key.clone()) {
            continue;
        }
        let job = match renamed.get(&job.service) {
            Some(name) => Arc::new(Job { service: Arc::clone(name), ..Job::clone(&job) }),
            None => job,
        };
        whole.jobs.push(job);
    }
    // One name is one command, that of the first file; a hook that is in both is one.
    let taken = |name: &str, all: &[Arc<UserCommand>]| all.iter().any(|other| &*other.name == name);
    for command in file.commands {
        if !taken(&command.name, &whole.commands) {
            whole.commands.push(command);
        }
    }
    for hook in file.hooks {
        if !whole.hooks.iter().any(|other| other.id == hook.id) {
            whole.hooks.push(hook);
        }
    }
    for source in file.sources {
        // They may name one provider's file.
        if !whole.sources.contains(&source) {
            whole.sources.push(source);
        }
    }
    whole.further.push(file.path);
    whole.further.extend(file.further);
    // Of the texts together nothing was kept: they are read again at the first look.
    whole.digest = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "[services.a]\nprovider = 'optexity'\ntoken = { env = 'T' }\n";

    #[test]
    fn several_files_are_one_and_services_of_one_name_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let put = |name: &str, text: String| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let job = |id: &str| format!("[[jobs]]\nservice = 'a'\nid = '{id}'\n");
        let one = put("one.toml", format!("{SERVICE}{}{}", job("1"), job("2")));
        let two = put("two.toml", format!("batch = 'second'\n{SERVICE}{}{}", job("2"), job("3")));
        let other = SERVICE.replace("token", "base_url = 'https://h.example'\ntoken");
        let three = put("three.toml", format!("{other}{}", job("1")));
        let whole = load_all(&[one.clone(), two, three]).unwrap();
        let told: Vec<_> =
            whole.jobs.iter().map(|job| (job.label(), job.batch.as_deref().unwrap_or_default().to_owned())).collect();
        let expected = [("a/1", "one"), ("a/2", "one"), ("a/3", "second"), ("a@three/1", "three")];
        assert_eq!(told, expected.map(|(label, batch)| (label.to_owned(), batch.to_owned())));
        let names: Vec<&str> = whole.services.iter().map(|service| &*service.name).collect();
        assert_eq!(names, ["a", "a@three"]);
        let own = whole.sources.iter().filter(|source| source.path().starts_with(directory.path())).count();
        assert_eq!((own, whole.further.len()), (3, 2));
        let paths: HashSet<_> = whole.sources.iter().map(crate::config::files::sources::FileSource::path).collect();
        assert_eq!(paths.len(), whole.sources.len(), "a provider's file that each of them may mean is one");
        for folder in ["nov", "dec"] {
            std::fs::create_dir(directory.path().join(folder)).unwrap();
        }
        let november = put("nov/jobs.toml", format!("{SERVICE}{}", job("1")));
        let december = put("dec/jobs.toml", format!("{SERVICE}{}{}", job("2"), job("3") + "batch = 'own'\n"));
        let whole = load_all(&[november, december]).unwrap();
        let batches: Vec<&str> = whole.jobs.iter().map(|job| job.batch.as_deref().unwrap_or_default()).collect();
        assert_eq!(batches, ["nov/jobs", "dec/jobs", "own"]);
        let bad = put("bad.toml", "colour = 1\n".to_owned());
        let error = load_all(&[one, bad, directory.path().join("none.toml")]).unwrap_err();
        assert_eq!(error.count(), 2);
    }
}
