//! Files that the dashboard writes: what the user saves, what a pager shows, what is too large to copy, the view.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::EffectError;
use crate::domain::checksum::short_digest;

/// How many names are tried before giving up.
const TRIES: u32 = 10_000;
/// The longest name made of foreign text.
const LONGEST: usize = 100;

/// Writes a new file in this directory, named after a job; never over an existing one. Its whole path. Without an
/// ending already it gets the one that its bytes call for.
pub fn save(dir: &Path, name: &str, ending: Option<&str>, bytes: &[u8]) -> Result<PathBuf, EffectError> {
    let failed = |error: io::Error| EffectError::Save { dir: dir.to_owned(), error };
    let whole = dir.canonicalize().map_err(failed)?;
    let (stem, ending) = (stem(name), ending.unwrap_or_else(|| self::ending(bytes)));
    for nth in 1..=TRIES {
        let mark = if nth == 1 { String::new() } else { format!("-{nth}") };
        let path = whole.join(format!("{stem}{mark}.{ending}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                write(file, bytes).inspect_err(|_| drop(fs::remove_file(&path))).map_err(failed)?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(EffectError::NamesTaken(whole))
}

/// Keeps bytes in a folder of the state directory, readable by the user alone, under their own name: the same
/// bytes have the same path. Its whole path.
pub fn keep(state: &Path, folder: &str, name: &str, bytes: &[u8]) -> Result<PathBuf, EffectError> {
    let dir = state.join(folder);
    let failed = |error: io::Error| EffectError::Keep { dir: dir.clone(), error };
    make(&dir).map_err(failed)?;
    let path = dir.join(format!("{}-{}.{}", stem(name), short_digest(bytes), ending(bytes)));
    replace(&path, bytes).map_err(failed)?;
    path.canonicalize().map_err(failed)
}

/// Where the view over a jobs file is kept.
pub fn view_path(state: &Path, jobs_file: &Path) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let whole = jobs_file.canonicalize().unwrap_or_else(|_| jobs_file.to_owned());
    state.join("views").join(short_digest(whole.as_os_str().as_bytes()))
}

/// Writes a small file as a whole or not at all, readable by the user alone.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        make(dir)?;
    }
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    write(file, bytes)?;
    fs::rename(&draft, path)
}

fn write(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// A name that stays in its directory and is no option of any program, whatever the text.
fn stem(text: &str) -> String {
    let safe = text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' });
    let name: String = safe.take(LONGEST).collect();
    let name = name.trim_start_matches(['.', '-']).trim_end_matches('.');
    if name.is_empty() { "job".to_owned() } else { name.to_owned() }
}

fn ending(bytes: &[u8]) -> &'static str {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) { "json" } else { "txt" }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn saving_never_overwrites_and_never_leaves_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["a b", "a b", "../../etc/passwd", "-rf", "..", "\u{1b}[2J"];
        let expected = ["a_b.json", "a_b-2.json", "_.._etc_passwd.json", "rf.json", "job.json", "__2J.json"];
        for (name, expected) in names.iter().zip(expected) {
            let path = save(dir.path(), name, None, b" [1]").unwrap();
            assert_eq!(path, dir.path().canonicalize().unwrap().join(expected), "{name}");
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
        assert!(save(dir.path(), "x", None, b"plain").unwrap().ends_with("x.txt"));
        assert!(save(dir.path(), "x", Some("csv"), b"a,b").unwrap().ends_with("x.csv"));
        assert!(
            save(&dir.path().join("nowhere"), "x", None, b"")
                .unwrap_err()
                .to_string()
                .starts_with("failed to save to ")
        );
    }

    #[test]
    fn what_is_kept_is_for_the_user_alone_and_has_one_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = keep(dir.path(), "copies", "x", b"text").unwrap();
        assert_eq!(keep(dir.path(), "copies", "x", b"text").unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), b"text");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
}
