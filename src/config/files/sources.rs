//! The files that a jobs file is made of: itself, the files of ids that it names, and the user's own files of its
//! providers.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use crate::named_file;

/// A file, or all files that a pattern names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSource {
    path: PathBuf,
    pattern: Option<String>,
}

/// A path whose pattern cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this pattern cannot be read: {0}")]
pub struct BadPattern(&'static str);

impl FileSource {
    pub fn file(path: &Path) -> Self {
        Self { path: path.to_owned(), pattern: None }
    }

    /// A path, counted from a folder, in which `*`, `?` and `[…]` stand for parts of names. A file of exactly that name
    /// is meant by itself.
    pub fn pattern(folder: &Path, path: &Path) -> Result<Self, BadPattern> {
        let text = path.to_string_lossy();
        let whole = folder.join(path);
        if !text.contains(['*', '?', '[']) || whole.symlink_metadata().is_ok() {
            return Ok(Self { path: whole, pattern: None });
        }
        let pattern = match path.is_absolute() || folder.as_os_str().is_empty() {
            true => text.into_owned(),
            false => format!("{}/{text}", glob::Pattern::escape(&folder.to_string_lossy())),
        };
        glob::Pattern::new(&pattern).map_err(|error| BadPattern(error.msg))?;
        Ok(Self { path: whole, pattern: Some(pattern) })
    }

    /// The path, or the pattern.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it may be many files.
    pub fn is_pattern(&self) -> bool {
        self.pattern.is_some()
    }

    /// The files, sorted by name.
    pub fn files(&self) -> Vec<PathBuf> {
        let Some(pattern) = &self.pattern else { return vec![self.path.clone()] };
        let found = glob::glob(pattern).into_iter().flatten().filter_map(Result::ok);
        found.filter(|path| !path.is_dir()).collect()
    }
}

/// A digest of the texts of some sources and of which files they are. Never more than a piece of a file is in memory.
#[derive(Debug, Clone, Default)]
pub struct Digest(DefaultHasher);

impl Digest {
    /// One more file, and its text; None where it cannot be read.
    pub fn add(&mut self, path: &Path, text: Option<impl Read>) -> bool {
        path.hash(&mut self.0);
        let whole = text.and_then(|text| digest_into(text, &mut self.0)).is_some();
        // So that the end of one text and the beginning of the next are told apart.
        self.0.write_u8(if whole { 0xfe } else { 0xff });
        whole
    }

    /// Of all that was added.
    pub fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// The digest of some sources as they are now; None if the first cannot be read.
pub fn digest(sources: &[FileSource]) -> Option<u64> {
    let mut digest = Digest::default();
    for (nth, path) in sources.iter().flat_map(FileSource::files).enumerate() {
        if !digest.add(&path, named_file::open(&path).ok()) && nth == 0 {
            return None;
        }
    }
    Some(digest.finish())
}

fn digest_into(mut text: impl Read, hasher: &mut DefaultHasher) -> Option<()> {
    let mut piece = vec![0; 1 << 16];
    loop {
        match text.read(&mut piece) {
            Ok(0) => return Some(()),
            Ok(read) => hasher.write(piece.get(..read)?),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// The longest chain of links that is followed.
const LONGEST_CHAIN: usize = 64;

/// The way to a file through links and folders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkPath {
    /// The folders in which a link on the way, or the file at its end, can change; those that are there.
    pub folders: Vec<PathBuf>,
    /// The folders above them, in which they can be replaced.
    pub above: Vec<PathBuf>,
    /// The names of all that is on the way.
    pub names: Vec<OsString>,
}

/// The way to a file, as it is now.
pub fn way(path: &Path) -> LinkPath {
    let mut way = LinkPath::default();
    let mut rest: Vec<OsString> = Vec::new();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    push_parts(&mut rest, &absolute);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        way.names.push(part);
        match next.read_link() {
            Ok(target) if links < LONGEST_CHAIN => {
                links += 1;
                way.folders.push(at.clone());
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                push_parts(&mut rest, &target);
            }
            Ok(_) | Err(_) => at = next,
        }
    }
    way.folders.extend(at.parent().map(Path::to_owned));
    way.above = existing(way.folders.iter().filter_map(|folder| folder.parent().map(Path::to_owned)));
    // What is not there yet appears in the nearest folder that is.
    way.folders = existing(way.folders.drain(..));
    way
}

/// The folders, or what of the way to them is there; each once.
fn existing(folders: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        folders.filter_map(|folder| folder.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned)).collect();
    folders.sort();
    folders.dedup();
    folders
}

/// The parts of a path, the first on top.
fn push_parts(rest: &mut Vec<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(part) => rest.push(part.to_owned()),
            Component::ParentDir => rest.push("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_folder_on_the_way_to_a_file_is_known_through_links_of_files_and_folders() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for folder in ["a/b", "r1/deep", "links"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("r1/deep/real.toml"), "").unwrap();
        symlink("r1", root.join("current")).unwrap();
        symlink("../../current/deep/real.toml", root.join("a/b/jobs.toml")).unwrap();
        symlink(root.join("loop"), root.join("loop")).unwrap();
        let inside = |path: &str| {
            let way = way(&root.join(path));
            let short = |path: &PathBuf| Some(path.strip_prefix(&root).ok()?.to_string_lossy().into_owned());
            assert!(way.above.iter().any(|folder| way.folders.iter().any(|below| below.starts_with(folder))));
            way.folders.iter().filter_map(short).collect::<Vec<_>>()
        };
        assert_eq!(inside("a/b/jobs.toml"), ["", "a/b", "r1/deep"]);
        assert_eq!(inside("a/b/none/none.toml"), ["a/b"]);
        assert_eq!(inside("loop"), [""]);
    }

    #[test]
    fn a_pattern_names_the_files_that_are_there_and_a_digest_all_of_their_texts() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("c.txt")).unwrap();
        for name in ["b.txt", "a.txt", "x[1].txt"] {
            std::fs::write(at(name), name).unwrap();
        }
        let all = FileSource::pattern(directory.path(), Path::new("*.txt")).unwrap();
        let names = |source: &FileSource| {
            source.files().iter().map(|path| path.file_name().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&all), ["a.txt", "b.txt", "x[1].txt"]);
        assert_eq!(names(&FileSource::pattern(directory.path(), Path::new("x[1].txt")).unwrap()), ["x[1].txt"]);
        assert!(FileSource::pattern(directory.path(), Path::new("x[")).is_err());
        let sources = [FileSource::file(&at("a.txt")), all];
        let before = digest(&sources);
        std::fs::write(at("b.txt"), "B").unwrap();
        assert!(before.is_some() && before != digest(&sources));
        assert_eq!(digest(&[FileSource::file(&at("none"))]), None);
        let mut same = Digest::default();
        same.add(&at("a.txt"), Some(&b"a.txt"[..]));
        assert_eq!(digest(&[FileSource::file(&at("a.txt"))]), Some(same.finish()));
    }
}
