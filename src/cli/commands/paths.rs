//! `jobdeck paths`: where our files are, whether or not they are there yet.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config;
use crate::domain::clean::Clean;

/// Prints a line for each: what it is, a tab, its absolute path. Where several jobs files could be used, it is the
/// one that would be.
pub fn run(config: Option<&Path>, state_dir: Option<&Path>, out: &mut dyn Write) -> io::Result<u8> {
    let jobs = config::locate(config).ok().or_else(|| config::files::paths::jobs_files().into_iter().next());
    let places = [
        ("jobs", jobs),
        ("config", config::files::paths::user_file()),
        ("state", config::files::paths::state_dir(state_dir)),
    ];
    for (what, path) in places {
        let path = path.map(|path: PathBuf| std::path::absolute(&path).unwrap_or(path));
        let path = path.map_or_else(|| "(no home directory)".into(), |path| path.to_string_lossy().into_owned());
        writeln!(out, "{what}\t{}", Clean::new(&path))?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_line() {
        let mut out = Vec::new();
        run(Some(Path::new("/x/jobs.toml")), Some(Path::new("/y")), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("jobs\t/x/jobs.toml\nconfig\t/") && out.ends_with("state\t/y\n"), "{out}");
    }
}
