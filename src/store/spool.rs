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

/// What all responses that are not durable yet may hold in memory together: those that wait for the database, and
/// those that are coming in and for which no file can be made.
const MOST_IN_MEMORY: u64 = 64 << 20;

/// How much of it is left to short responses that are coming in: they are counted when they are whole.
const LEFT_TO_SHORT_ONES: u64 = MOST_IN_MEMORY / 8;

/// Files that are kept are read into memory up to this length.
const LONGEST_READ: u64 = 64 << 20;

/// How much is written before it is looked again whether there is room on the disk.
const LOOKED_AFTER: u64 = 4 << 20;

/// The spool of one instance. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<SpoolState>,
}

/// What all its responses share.
#[derive(Debug)]
struct SpoolState {
    dir: StateDir,
    /// The name of the instance.
    instance: String,
    /// How many bytes of responses are held in memory.
    in_memory: AtomicU64,
}

/// Where a response's bytes go as they arrive: memory up to 64 KiB, then a file in the state directory, whose name
/// tells the job, so that a successor finds what a dead instance had received. If the disk fails it goes on in
/// memory: a one-shot response is never lost to a full disk. Dropped unfinished, the file of a one-shot response stays.
#[derive(Debug)]
pub struct SpoolWriter {
    shared: Arc<SpoolState>,
    key: JobKey,
    seq: u64,
    http_status: u16,
    masked: bool,
    one_shot: bool,
    /// Whether a short one goes into a file as well, once it is whole.
    spills_at_end: bool,
    len: u64,
    /// At which length it is looked again whether there is room on the disk.
    next_look: u64,
    held: Held,
    bytes: Bytesink,
}

/// How many bytes of a response are counted as held in memory, until this is dropped.
#[derive(Debug)]
struct Held {
    shared: Arc<SpoolState>,
    count: u64,
}

/// The bytes of a response that stands in no file; counted for as long as anybody holds them.
struct Counted {
    bytes: Vec<u8>,
    _held: Held,
}

/// Where the bytes so far are.
#[derive(Debug)]
enum Bytesink {
    Memory(Vec<u8>),
    /// The disk failed: no more files are tried.
    MemoryOnly(Vec<u8>),
    File(SpoolFile),
}

/// A response's file. Short ones, which are nearly all, have neither a name nor a checksum.
#[derive(Debug)]
struct SpoolFile {
    file: File,
    path: PathBuf,
    /// Of what is in it.
    hasher: Sha256,
}

impl Spool {
    /// The spool in this directory, of the instance with this name.
    pub(super) fn new(dir: StateDir, instance: &str) -> Self {
        let shared = SpoolState { dir, instance: instance.to_owned(), in_memory: AtomicU64::new(0) };
        Self { shared: Arc::new(shared) }
    }

    /// A place for the response to request `seq` of a job. What came of a one-shot one outlives us.
    pub fn begin(&self, key: &JobKey, seq: u64, one_shot: bool) -> SpoolWriter {
        let shared = Arc::clone(&self.shared);
        let held = Held { shared: Arc::clone(&shared), count: 0 };
        SpoolWriter {
            shared,
            key: key.clone(),
            seq,
            http_status: 0,
            masked: false,
            one_shot,
            spills_at_end: false,
            len: 0,
            next_look: 0,
            held,
            bytes: Bytesink::Memory(Vec::new()),
        }
    }

    /// Deletes the file of a finished one-shot response that is not worth saving. What is neither saved nor discarded
    /// is taken for the remains of a dead instance later.
    pub fn discard(&self, spooled: &Path) {
        let _ = std::fs::remove_file(spooled);
    }

    /// The name of the instance.
    pub(super) fn instance(&self) -> &str {
        &self.shared.instance
    }

    pub(super) fn dir(&self) -> &StateDir {
        &self.shared.dir
    }

    /// Whether there is room for a response's file and one can be made. Nothing is synced.
    pub fn check(&self) -> Result<(), StoreError> {
        let dir = &self.shared.dir;
        dir.try_a_file().map_err(|error| error.say("write to the state directory", dir.root()))
    }

    /// Whether there is memory for what one more poll may bring, beside so many in flight and what is not durable yet.
    pub fn has_room(&self, in_flight: usize) -> bool {
        let by_polls = (in_flight as u64 + 1) * LONGEST_INLINE as u64;
        self.shared.in_memory.load(Ordering::Relaxed) + by_polls <= MOST_IN_MEMORY
    }

    /// Whether a response of so many bytes could be mapped. The allocator is no one to ask: it has reserves of its own.
    pub fn may_be_mapped(&self, bytes: u64) -> bool {
        usize::try_from(bytes).is_ok_and(|bytes| memmap2::MmapMut::map_anon(bytes).is_ok())
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
        self.http_status = http_status;
    }

    /// Tells that our own token is masked in what follows, so that a successor can say so too.
    pub fn set_masked(&mut self) {
        self.masked = true;
        let name = self.name(None);
        if let Bytesink::File(file) = &mut self.bytes {
            let marked = file.path.with_file_name(name.to_string());
            match std::fs::rename(&file.path, &marked) {
                Ok(()) => file.path = marked,
                Err(error) => tracing::warn!(%error, "a reply's file cannot be renamed"),
            }
        }
    }

    pub fn push(&mut self, chunk: &[u8]) {
        match &mut self.bytes {
            Bytesink::Memory(memory) => {
                memory.extend_from_slice(chunk);
                if memory.len() > LONGEST_INLINE {
                    let memory = std::mem::take(memory);
                    self.bytes = spill(&self.shared.dir, &self.name(None), memory);
                }
            }
            Bytesink::MemoryOnly(memory) => memory.extend_from_slice(chunk),
            Bytesink::File(SpoolFile { file, path, hasher }) => {
                hasher.update(chunk);
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

    /// Even a short one stands in a file once it is whole.
    pub fn spill_at_end(&mut self) {
        self.spills_at_end = true;
    }

    /// Whether what was taken is in a file, and not in memory.
    pub fn is_in_a_file(&self) -> bool {
        matches!(self.bytes, Bytesink::File(_))
    }

    /// Why it takes no more, if it does not: a response without an end must leave others their room on the disk and in
    /// memory. One that can be fetched again leaves the whole reserve to them, a one-shot one half of it.
    pub fn objection(&mut self) -> Option<String> {
        match self.bytes {
            Bytesink::Memory(_) => None,
            Bytesink::MemoryOnly(_) => {
                let is_too_much = self.held.count_all(self.len) > MOST_IN_MEMORY - LEFT_TO_SHORT_ONES;
                is_too_much.then(|| "the disk takes no more of it, and memory is short".to_owned())
            }
            Bytesink::File(_) => {
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

    /// What its file is called, with the checksum of a whole response.
    fn name(&self, sha256: Option<Checksum>) -> BodyName {
        let (job, instance) = (job_digest(&self.key), self.shared.instance.clone());
        BodyName { job, seq: self.seq, http_status: self.http_status, instance, sha256, masked: self.masked }
    }

    /// All bytes, and the file that holds them if there is one. The file is synced by `Store::save`, on the writer's
    /// thread, so that nobody waits here. If it is not saved it goes with its bytes, but that of a one-shot reply
    /// stays until [`Spool::discard`].
    pub fn finish(mut self) -> (Bytes, Option<PathBuf>) {
        if let (Bytesink::Memory(bytes), true) = (&mut self.bytes, self.spills_at_end) {
            let bytes = std::mem::take(bytes);
            self.bytes = spill(&self.shared.dir, &self.name(None), bytes);
        }
        match std::mem::replace(&mut self.bytes, Bytesink::MemoryOnly(Vec::new())) {
            Bytesink::Memory(bytes) | Bytesink::MemoryOnly(bytes) => {
                let mut held = Held { shared: Arc::clone(&self.shared), count: std::mem::take(&mut self.held.count) };
                held.count_all(bytes.len() as u64);
                (Bytes::from_owner(Counted { bytes, _held: held }), None)
            }
            Bytesink::File(SpoolFile { mut file, path, hasher }) => {
                let name = self.name(Some(Checksum(hasher.finalize().into())));
                let whole = path.with_file_name(name.to_string());
                let path = std::fs::rename(&path, &whole).is_ok().then_some(whole);
                // Only a one-shot reply has to outlive those who hold its bytes.
                let drop_with_bytes = path.clone().filter(|_| !self.one_shot);
                match map_whole(&file, drop_with_bytes).or_else(|_| read_back(&mut file, self.len).map(Bytes::from)) {
                    Ok(bytes) => (bytes, path),
                    // Whoever does not know of the file does not delete it.
                    Err(error) => {
                        tracing::error!(%error, "a response's file cannot be read back; it stays in the spool");
                        (Bytes::new(), None)
                    }
                }
            }
        }
    }
}

impl Held {
    /// Counts so many bytes of this response; how many are held of all.
    fn count_all(&mut self, len: u64) -> u64 {
        let more = len.saturating_sub(self.count);
        self.count += more;
        self.shared.in_memory.fetch_add(more, Ordering::Relaxed) + more
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.in_memory.fetch_sub(self.count, Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        // What came of a one-shot reply may be all that is left of a result; anything else can be fetched again.
        if let Bytesink::File(SpoolFile { path, .. }) = &self.bytes
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
    let hasher = Sha256::new_with_prefix(&memory);
    Bytesink::File(SpoolFile { file, path: path.to_owned(), hasher })
}

/// The first `len` bytes of a file, through its handle: its name may be gone.
fn read_back(file: &mut File, len: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut memory = Vec::new();
    Read::by_ref(file).take(len).read_to_end(&mut memory)?;
    if memory.len() as u64 == len { Ok(memory) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The bytes of a file that is kept. Read, not mapped, but for very long ones: whoever touches a mapped byte that is no
/// longer there, since another program has cut the file short or the disk fails, is killed by SIGBUS.
pub(super) fn read_kept(mut file: &File) -> io::Result<Bytes> {
    let len = file.metadata()?.len();
    if len > LONGEST_READ {
        return map_whole(file, None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(bytes.into())
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
    fn what_is_not_durable_holds_64_mib_of_memory_together_whether_it_waits_or_comes_in_and_the_next_has_it_again() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::new(StateDir::new(root.path()), "none");
        // No folder can be made where there is a file.
        std::fs::write(root.path().join("spool"), "").unwrap();
        let key = JobKey { provider: ProviderName::VESSL, endpoint: "https://h.example".into(), id: "a".to_owned() };
        let begin = |seq| spool.begin(&key, seq, true);
        let chunk = vec![b'x'; 1 << 20];
        for waits in [0, 30, 0] {
            let waiting: Vec<Bytes> = (0..waits * 20)
                .map(|_| {
                    let mut short = begin(0);
                    short.push(&chunk[..32 << 10]);
                    short.push(&chunk[..16 << 10]);
                    short.finish().0
                })
                .collect();
            let waiting_bytes: usize = waiting.iter().map(Bytes::len).sum();
            let mut writers = [1, 2, 3].map(begin);
            let mut held = 0_usize;
            let mut whole = 0;
            let why = 'full: loop {
                for writer in &mut writers {
                    writer.push(&chunk);
                    if let Some(why) = writer.objection() {
                        break 'full why;
                    }
                    held += chunk.len();
                }
                whole += 1;
            };
            let all = held + waiting_bytes;
            assert!(why.contains("memory is short") && (50 << 20..=56 << 20).contains(&all), "{why}: {all}");
            assert!(spool.has_room(100) && !spool.has_room(200), "the rest is for what is short");
            let first = writers.into_iter().next().unwrap().finish().0;
            assert_eq!(first.len(), chunk.len() * (whole + 1), "what came is not lost by that");
            let as_much = spool.shared.in_memory.load(Ordering::Relaxed);
            assert_eq!(as_much, (first.len() + waiting_bytes) as u64, "only what is still held counts");
            let part = first.slice(1..2);
            drop((first, waiting));
            assert!(spool.shared.in_memory.load(Ordering::Relaxed) > 0, "a part holds the whole");
            drop(part);
            assert_eq!(spool.shared.in_memory.load(Ordering::Relaxed), 0);
        }
    }
}
