//! The jobs of a very long file, read without a table for each: a file of 100,000 jobs has to be there in a moment.
//! Understands only the plainest way of writing them and is never wrong: whatever else it meets, it leaves to the
//! TOML reader, and so every error.

use std::collections::HashSet;
use std::sync::Arc;

use memchr::memmem;

use super::jobs::{Known, numbered};
use super::names;
use crate::domain::id;
use crate::domain::job::{Job, JobKey};
use crate::providers;

/// Below this many bytes the TOML reader is quick enough.
pub const WORTH_IT: usize = 256 * 1024;

/// A file in two parts.
#[derive(Debug)]
pub struct Bulk<'a> {
    /// All that stands before the first job: TOML.
    pub head: &'a str,
    jobs: &'a str,
}

/// One `[[jobs]]`, its strings as written.
#[derive(Debug, Default)]
struct Entry<'a> {
    service: Option<&'a str>,
    ids: Option<Vec<&'a str>>,
    are_many: bool,
    name: Option<&'a str>,
    tags: Option<Vec<&'a str>>,
}

impl<'a> Bulk<'a> {
    /// None if there is nothing in it for us.
    pub fn of(text: &'a str) -> Option<Self> {
        // A line within a long string only looks like a line of ours.
        if memmem::find(text.as_bytes(), b"\"\"\"").is_some() || memmem::find(text.as_bytes(), b"'''").is_some() {
            return None;
        }
        let at = memmem::find(text.as_bytes(), b"\n[[jobs]]")? + 1;
        let (head, jobs) = text.split_at_checked(at)?;
        Some(Self { head, jobs })
    }

    /// The jobs in the file's order; None if any is not as it should be, or if anything but plain jobs stands there.
    pub fn jobs(&self, known: &Known<'_>) -> Option<Vec<Arc<Job>>> {
        let mut jobs: Vec<Arc<Job>> = Vec::new();
        // One entry at a time: all of them would be more than the jobs that come of them.
        let mut entry: Option<Entry<'_>> = None;
        for line in self.jobs.split_inclusive('\n') {
            let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
            let line = line.trim_start_matches([' ', '\t']);
            if line.is_empty() {
                continue;
            }
            if let Some(rest) = line.strip_prefix("[[jobs]]") {
                ends(rest)?;
                if let Some(entry) = entry.replace(Entry::default()) {
                    entry.declare(known, &mut jobs)?;
                }
            } else if line.starts_with('#') {
                ends(line)?;
            } else {
                entry.as_mut()?.take(line)?;
            }
        }
        entry?.declare(known, &mut jobs)?;
        let mut seen = HashSet::with_capacity(jobs.len());
        jobs.iter().all(|job| seen.insert(&job.key)).then_some(())?;
        Some(jobs)
    }
}

impl<'a> Entry<'a> {
    /// Takes one line of the form `key = value`.
    fn take(&mut self, line: &'a str) -> Option<()> {
        let (key, value) = line.split_once('=')?;
        let key = key.trim_end_matches([' ', '\t']);
        let value = value.trim_start_matches([' ', '\t']);
        match key {
            "service" => put(&mut self.service, string(value)),
            "name" => put(&mut self.name, string(value)),
            "tags" => put(&mut self.tags, strings(value)),
            "ids" => {
                self.are_many = true;
                put(&mut self.ids, strings(value))
            }
            key if names::ID.contains(&key) => put(&mut self.ids, string(value).map(|(id, rest)| (vec![id], rest))),
            _ => None,
        }
    }

    /// Adds the jobs that it declares.
    fn declare(self, known: &Known<'_>, jobs: &mut Vec<Arc<Job>>) -> Option<()> {
        let service = known.get(self.service?.trim())?.as_ref()?;
        let name = self.name.map(str::trim).filter(|name| !name.is_empty());
        let tags = self.tags.iter().flatten().map(|tag| tag.trim());
        // Neighbours are mostly tagged alike: they share their tags.
        let alike = jobs.last().filter(|job| job.tags.iter().map(String::as_str).eq(tags.clone()));
        let tags = alike.map_or_else(|| tags.map(str::to_owned).collect(), |job| Arc::clone(&job.tags));
        for (ix, id) in self.ids?.into_iter().enumerate() {
            let id = id::read(id, |name| known.contains_key(name)).ok()?;
            let id = providers::id_from(service, id).ok()?;
            let key = JobKey { provider: service.provider.name(), endpoint: Arc::clone(&service.endpoint), id };
            let name = numbered(name, self.are_many, ix);
            jobs.push(Arc::new(Job {
                key,
                service: Arc::clone(&service.name),
                name,
                tags: Arc::clone(&tags),
                traits: service.job_traits(),
            }));
        }
        Some(())
    }
}

/// Sets what was not set before, if nothing but a remark follows.
fn put<T>(field: &mut Option<T>, value: Option<(T, &str)>) -> Option<()> {
    let (value, rest) = value?;
    ends(rest)?;
    field.replace(value).is_none().then_some(())
}

/// Nothing, or a remark without control characters.
fn ends(rest: &str) -> Option<()> {
    let rest = rest.trim_start_matches([' ', '\t']);
    let fine = rest.is_empty() || (rest.starts_with('#') && rest.bytes().all(is_plain));
    fine.then_some(())
}

/// A string without escapes on one line, and what follows it.
fn string(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (inner, rest) = text.get(1..)?.split_once(quote)?;
    let fine = inner.bytes().all(|byte| is_plain(byte) && (byte != b'\\' || quote == '\''));
    fine.then_some((inner, rest))
}

/// An array of such strings on one line, and what follows it.
fn strings(text: &str) -> Option<(Vec<&str>, &str)> {
    let space: &[char] = &[' ', '\t'];
    let mut strings = Vec::new();
    let mut rest = text.strip_prefix('[')?.trim_start_matches(space);
    loop {
        if let Some(rest) = rest.strip_prefix(']') {
            return Some((strings, rest));
        }
        let (one, after) = string(rest)?;
        strings.push(one);
        let after = after.trim_start_matches(space);
        rest = match after.strip_prefix(',') {
            Some(more) => more.trim_start_matches(space),
            None if after.starts_with(']') => after,
            None => return None,
        };
    }
}

/// A byte that may stand as it is in a string and in a remark.
fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{parse_bulk, parse_toml};

    const HEAD: &str = "[services.a]\nprovider = 'optexity'\ntoken = { env = 'T' }\n[services.b]\nprovider = 'optexity'\n\
        base_url = 'https://b.example'\ntoken = { env = 'T' }\n";

    fn of_one_mind(text: &str) -> bool {
        let path = Path::new("jobs.toml");
        let (quick, toml) = (parse_bulk(text, path), parse_toml(text, path));
        assert!(quick.is_none() || quick.as_ref() == toml.as_ref().ok(), "{text}\n{quick:?}\n{toml:?}");
        quick.is_some()
    }

    #[test]
    fn plain_jobs_are_read_as_the_toml_reader_reads_them_and_all_else_is_left_to_it() {
        let cases = [
            ("[[jobs]]\nservice = 'a'\nid = \"x\"\n", true),
            (
                "[[jobs]] # one\r\n\tservice='a' # two\r\n\r\nids = ['x', \"y\",]\r\nname = ' n '\r\ntags=[ 't' ,'u' ]",
                true,
            ),
            ("[[jobs]]\nservice = 'b'\ntask_id = 'a\\b#c=d'\n# end\n", true),
            ("[[jobs]]\nservice = 'a'\nids = []\nname = ''\n", true),
            ("[[jobs]]\nservice = 'a'\nid = \"x\\n\"\n", false),
            ("[[jobs]]\nservice = 'a'\nids = [\n'x']\n", false),
            ("[[jobs]]\nservice = 'a'\nid = 'x'\nid = 'y'\n", false),
            ("[[jobs]]\nservice = 'a'\nid = 'x'\ntask_id = 'y'\n", false),
            ("[[jobs]]\nservice = 'a'\nid = 'x'\n[[jobs]]\nservice = 'a'\nid = 'x '\n", false),
            ("[[jobs]]\nservice = 'a'\nid = ''\n", false),
            ("[[jobs]]\nservice = 'c'\nid = 'x'\n", false),
            ("[[jobs]]\nid = 'x'\n", false),
            ("[[jobs]]\nservice = 'a'\nid = 'x' 'y'\n", false),
            ("[[jobs]]\nservice = 'a'\nid = 'x'\n[poll]\n", false),
            ("[[jobs]]\nservice = 'a'\nid = 'x'\ncolour = 'y'\n", false),
            ("[[jobs]]\nservice = 'a'\nid = 'x\u{7}'\n", false),
            ("[[jobs]]\nservice = 'a'\nid = 'x' # \u{7}\n", false),
            ("[[jobs]]\nservice = 'a'\nid = '''x'''\n", false),
        ];
        for (jobs, is_plain) in cases {
            assert_eq!(of_one_mind(&format!("{HEAD}{jobs}")), is_plain, "{jobs}");
        }
    }

    proptest::proptest! {
        #[test]
        fn both_readers_are_always_of_one_mind(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "[[jobs]]\n", "[[jobs]]", "service = 'a'\n", "service='b' # x\n", "id = 'x'\n", "id = \"y\"\n", "task_id = 'z'\n",
                "ids = ['p', 'q']\n", "ids = [ 'p' , ]\n", "name = 'n'\n", "tags = ['t']\n", "\n", "\r\n", "\r", " ", "\t", "#", "'", "\"", "\\",
                "=", "[", "]", ",", "x", "[poll]\n", "\u{b}", "\u{7f}", "é", "\"\"\"",
            ]), 0..24),
        ) {
            of_one_mind(&format!("{HEAD}[[jobs]]\nservice = 'a'\nid = '1'\n{}", pieces.concat()));
        }
    }
}
