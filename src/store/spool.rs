//! The spool: responses as they arrive, in memory while they are short, then in files that survive us. Always on this
//! machine, whatever kind of database holds what is known.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::StoreError;
use super::dir::{self, LEAST_FREE_BYTES, StateDir, new_file};
use super::name::{BodyName, job_digest};
use crate::domain::checksum::Checksum;
use crate::domain::job::JobKey;

/// Bodies up to this many bytes stay in memory and in the database; longer ones are files.
pub const LONGEST_INLINE: usize = 64 << 10;

/// What all responses together that are coming in may hold in memory where the disk fails.
const MOST_IN_MEMORY: u64 = 64 << 20;

/// How much is written before it is looked again whether there is room on the disk.
const LOOKED_AFTER: u64 = 4 << 20;

/// The spool of one instance. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<Shared>,
}

/// What all its responses share.
#[derive(Debug)]
struct Shared {
    dir: StateDir,
    /// The name of the instance.
    instance: String,
    /// How many bytes the responses hold in memory that no file could be made for.
    in_memory: AtomicU64,
}

/// Where a response's bytes go as they arrive: memory up to 64 KiB, then a file in the state directory, whose name
/// tells the job, so that a successor finds what a dead instance had received. If the disk fails it goes on in
/// memory: a one-shot response is never lost to a full disk. Dropped unfinished, the file of a one-shot response stays.
#[derive(Debug)]
pub struct SpoolWriter {
    shared: Arc<Shared>,
    name: BodyName,
    one_shot: bool,
    hasher: Sha256,
    len: u64,
    /// At which length it is looked again whether there is room on the disk.
    next_look: u64,
    /// How much of it is counted as held in memory.
    counted: u64,
    bytes: Bytesink,
}

/// Where the bytes so far are.
#[derive(Debug)]
enum Bytesink {
    Memory(Vec<u8>),
    /// The disk failed: no more files are tried.
    MemoryOnly(Vec<u8>),
    File(File, PathBuf),
}

impl Spool {
    /// The spool in this directory, of the instance with this name.
    pub(super) fn new(dir: StateDir, instance: &str) -> Self {
        let shared = Shared { dir, instance: instance.to_owned(), in_memory: AtomicU64::new(0) };
        Self { shared: Arc::new(shared) }
    }

    /// A place for the response to request `seq` of a job. What came of a one-shot one outlives us.
    pub fn begin(&self, key: &JobKey, seq: u64, one_shot: bool) -> SpoolWriter {
        let shared = Arc::clone(&self.shared);
        let (job, instance) = (job_digest(key), shared.instance.clone());
        let name = BodyName { job, seq, http_status: 0, instance, sha256: None, masked: false };
        SpoolWriter {
            shared,
            name,
            one_shot,
            hasher: Sha256::new(),
            len: 0,
            next_look: 0,
            counted: 0,
            bytes: Bytesink::Memory(Vec::new()),
        }
    }

    /// Deletes the file of a finished one-shot response that is not worth saving. What is neither saved nor discarded
    /// is taken for the remains of a dead instance later.
    pub fn discard(&self, spooled: &Path) {
        let _ = std::fs::remove_file(spooled);
    }

    /// The state directory.
    pub(super) fn dir(&self) -> &StateDir {
        &self.shared.dir
    }

    /// Whether there is room for a response's file and one can be made. Nothing is synced.
    pub fn check(&self) -> Result<(), StoreError> {
        let dir = &self.shared.dir;
        dir.try_a_file().map_err(|error| error.say("write to the state directory", dir.root()))
    }

    /// Writes a result that the store does not take to the first place that takes it: the state directory, the home
    /// directory, the temporary directory, the current one. Answers with the path of the file, which is new and 0600.
    pub fn rescue(&self, key: &JobKey, bytes: &[u8]) -> io::Result<PathBuf> {
        dir::rescue(self.shared.dir.root(), key, bytes)
    }
}

impl SpoolWriter {
    /// Tells the HTTP code, so that a successor knows it too. To be called before the first byte.
    pub fn set_status(&mut self, http_status: u16) {
        self.name.http_status = http_status;
    }

    /// Tells that our own token is masked in what follows, so that a successor can say so too.
    pub fn set_masked(&mut self) {
        self.name.masked = true;
        if let Bytesink::File(_, path) = &mut self.bytes {
            let marked = path.with_file_name(self.name.to_string());
            match std::fs::rename(&*path, &marked) {
                Ok(()) => *path = marked,
                Err(error) => tracing::warn!(%error, "a reply's file cannot be renamed"),
            }
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, chunk: &[u8]) {
        self.hasher.update(chunk);
        match &mut self.bytes {
            Bytesink::Memory(memory) => {
                memory.extend_from_slice(chunk);
                if memory.len() > LONGEST_INLINE {
                    let memory = std::mem::take(memory);
                    self.bytes = spill(&self.shared.dir, &self.name, memory);
                }
            }
            Bytesink::MemoryOnly(memory) => memory.extend_from_slice(chunk),
            Bytesink::File(file, path) => {
                if let Err(error) = file.write_all(chunk) {
                    tracing::warn!(%error, "a reply goes on in memory: its file cannot be written");
                    match read_back(file, self.len) {
                        Ok(mut memory) => {
                            memory.extend_from_slice(chunk);
                            let _ = std::fs::remove_file(&*path);
                            self.bytes = Bytesink::MemoryOnly(memory);
                        }
                        // What was written stays where it is; a file that can be neither written nor read is the
                        // end of what a program can do.
                        Err(error) => tracing::error!(%error, "a reply's file cannot be read back"),
                    }
                }
            }
        }
        self.len += chunk.len() as u64;
    }

    /// Why it takes no more, if it does not: a response without an end must leave others their room on the disk and in
    /// memory. One that can be fetched again leaves the whole reserve to them, a one-shot one half of it.
    pub fn objection(&mut self) -> Option<String> {
        match self.bytes {
            Bytesink::Memory(_) => None,
            Bytesink::MemoryOnly(_) => {
                // What this one has come to since it was last counted.
                let more = self.len.saturating_sub(self.counted);
                self.counted = self.len;
                let all = self.shared.in_memory.fetch_add(more, Ordering::Relaxed) + more;
                (all > MOST_IN_MEMORY).then(|| "the disk takes no more of it, and memory is short".to_owned())
            }
            Bytesink::File(..) => {
                if self.len < self.next_look {
                    return None;
                }
                self.next_look = self.len + LOOKED_AFTER;
                let least = if self.one_shot { LEAST_FREE_BYTES / 2 } else { LEAST_FREE_BYTES };
                let is_full = self.shared.dir.free_bytes().is_ok_and(|free| free < least + LOOKED_AFTER);
                is_full.then(|| "the disk is full: no more of it could be kept".to_owned())
            }
        }
    }

    /// All bytes, and the file that holds them if there is one. The file is synced by `Store::save`, on the writer's
    /// thread, so that nobody waits here. If it is not saved it goes with its bytes, but that of a one-shot reply
    /// stays until [`Spool::discard`].
    pub fn finish(mut self) -> (Bytes, Option<PathBuf>) {
        let sink = std::mem::replace(&mut self.bytes, Bytesink::MemoryOnly(Vec::new()));
        match sink {
            Bytesink::Memory(memory) | Bytesink::MemoryOnly(memory) => (Bytes::from(memory), None),
            Bytesink::File(mut file, path) => {
                self.name.sha256 = Some(Checksum(std::mem::take(&mut self.hasher).finalize().into()));
                let whole = path.with_file_name(self.name.to_string());
                let path = std::fs::rename(&path, &whole).is_ok().then_some(whole);
                // Only a one-shot reply has to outlive those who hold its bytes.
                let drop_with_bytes = path.clone().filter(|_| !self.one_shot);
                let bytes = map_whole(&file, drop_with_bytes)
                    .or_else(|_| read_back(&mut file, self.len).map(Bytes::from))
                    .inspect_err(|error| tracing::error!(%error, "a reply's file cannot be read back"));
                (bytes.unwrap_or_default(), path)
            }
        }
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        self.shared.in_memory.fetch_sub(self.counted, Ordering::Relaxed);
        // What came of a one-shot reply may be all that is left of a result; anything else can be fetched again.
        if let Bytesink::File(_, path) = &self.bytes
            && !self.one_shot
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn spill(dir: &StateDir, name: &BodyName, memory: Vec<u8>) -> Bytesink {
    let path = &dir.spool().join(name.to_string());
    let mut file = match dir.with_folders(|| new_file(path)) {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!(%error, "a reply stays in memory: no file can be made for it");
            return Bytesink::MemoryOnly(memory);
        }
    };
    if let Err(error) = file.write_all(&memory) {
        tracing::warn!(%error, "a reply stays in memory: its file cannot be written");
        let _ = std::fs::remove_file(path);
        return Bytesink::MemoryOnly(memory);
    }
    Bytesink::File(file, path.to_owned())
}

/// The first `len` bytes of a file, through its handle: its name may be gone.
fn read_back(file: &mut File, len: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut memory = Vec::new();
    Read::by_ref(file).take(len).read_to_end(&mut memory)?;
    if memory.len() as u64 == len { Ok(memory) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A file's bytes without reading them all.
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    map_whole(file, None)
}

fn map_whole(file: &File, drop_with_bytes: Option<PathBuf>) -> io::Result<Bytes> {
    #[expect(unsafe_code, reason = "a body file is 0600, written once and never changed afterwards, only renamed")]
    let map = unsafe { memmap2::Mmap::map(file) }?;
    Ok(Bytes::from_owner(Mapped { map, drop_with_bytes }))
}

/// A mapped file that may go with its last holder. Once it is saved it is elsewhere and is safe.
struct Mapped {
    map: memmap2::Mmap,
    drop_with_bytes: Option<PathBuf>,
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if let Some(path) = &self.drop_with_bytes {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::ProviderName;

    #[test]
    fn responses_that_no_disk_takes_hold_64_mib_of_memory_together_and_the_next_has_it_again() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::new(StateDir::new(root.path()), "none");
        // No folder can be made where there is a file.
        std::fs::write(root.path().join("spool"), "").unwrap();
        let key = JobKey { provider: ProviderName::VESSL, endpoint: "https://h.example".into(), id: "a".to_owned() };
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..2 {
            let mut spools = [1, 2, 3].map(|seq| spool.begin(&key, seq, true));
            let mut held = 0_usize;
            let mut whole = 0;
            let why = 'full: loop {
                for spool in &mut spools {
                    spool.push(&chunk);
                    if let Some(why) = spool.objection() {
                        break 'full why;
                    }
                    held += chunk.len();
                }
                whole += 1;
            };
            assert!(why.contains("memory is short") && (40 << 20..=64 << 20).contains(&held), "{why}: {held}");
            let first = spools.into_iter().next().unwrap();
            assert_eq!(first.finish().0.len(), chunk.len() * (whole + 1), "what came is not lost by that");
        }
    }
}
