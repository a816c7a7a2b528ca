//! What a job of many files is called.

use crate::domain::files::FileResult;

/// The first file's name, and how many more there are. None where no file has a name.
pub fn title(files: &[FileResult]) -> Option<String> {
    let first = files.iter().find(|file| !file.name.is_empty())?;
    Some(titled(&first.name, u32::try_from(files.len()).unwrap_or(u32::MAX)))
}

/// The same of one file's name and the number of all files.
pub fn titled(first: &str, total: u32) -> String {
    match total.saturating_sub(1) {
        0 => first.to_owned(),
        more => format!("{first} and {more} more"),
    }
}
