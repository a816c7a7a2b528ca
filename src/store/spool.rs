//! The spool: responses as they arrive, in memory while they are short, then in files that survive us. Always on this
//! machine, whatever kind of database holds what is known.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
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
use crate::domain::observation::Role;
use crate::memory;

/// Bodies up to this many bytes stay in memory and in the database; longer ones are files.
pub const LONGEST_INLINE: usize = 64 << 10;

/// What all responses that are not durable yet may hold in memory together: those that wait for the database, and
/// those that are coming in and for which no file can be made.
const MOST_IN_MEMORY: u64 = 64 << 20;

/// How much of it is left to short responses that are coming in: they are counted when they are whole.
const LEFT_TO_SHORT_ONES: u64 = MOST_IN_MEMORY / 8;

/// Below this, one-shot polls are withheld: what sixteen responses hold on their way to their files, and what saving them
/// takes.
const LEAST_MEMORY: u64 = 32 << 20;

/// What reading a response takes besides twice its length.
const BESIDE_A_RESPONSE: u64 = 16 << 20;

/// What those may hold of it for which no file can be made.
const MOST_FROM_FILES: u64 = MOST_IN_MEMORY - LEFT_TO_SHORT_ONES;

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
    role: Option<Role>,
    one_shot: bool,
    /// Whether a short one goes into a file as well, once it is whole.
    spills_at_end: bool,
    len: u64,
    /// At which length it is looked again whether there is room on the disk.
    next_look: u64,
    held: Held,
    /// Why no more is taken, if its file takes no more and is too long for memory.
    refused: Option<String>,
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
            role: None,
            one_shot,
            spills_at_end: false,
            len: 0,
            next_look: 0,
            held,
            refused: None,
            bytes: Bytesink::Memory(Vec::new()),
        }
    }

    /// Deletes the file of a finished one-shot response that is not worth saving. What is neither saved nor discarded
    /// is taken for the remains of a dead instance later.
    pub fn discard(&self, spooled: &Path) {
        let _ = std::fs::remove_file(spooled);
    }

    /// Makes these files of responses, and their names, outlast a loss of power.
    pub fn sync(&self, spooled: &[PathBuf]) -> io::Result<()> {
        if spooled.is_empty() {
            return Ok(());
        }
        spooled.iter().try_for_each(|path| File::open(path)?.sync_all())?;
        dir::sync_dir(&self.shared.dir.spool())
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
        self.check_memory()?;
        let dir = &self.shared.dir;
        dir.try_a_file().map_err(|error| error.say("write to the state directory", dir.root()))
    }

    /// Whether there is the memory that taking a result in and saving it needs.
    pub fn check_memory(&self) -> Result<(), StoreError> {
        if memory::has(LEAST_MEMORY) { Ok(()) } else { Err(StoreError::no_memory("prepare for a result")) }
    }

    /// Whether there is memory for what one more poll may bring, beside so many in flight and what is not durable yet.
    pub fn has_room(&self, in_flight: usize) -> bool {
        let by_polls = (in_flight as u64 + 1) * LONGEST_INLINE as u64;
        self.shared.in_memory.load(Ordering::Relaxed) + by_polls <= MOST_IN_MEMORY
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

    /// Takes the next bytes; none any more once some could not be kept, so that what is kept has no gap.
    pub fn push(&mut self, chunk: &[u8]) {
        if self.refused.is_some() {
            return;
        }
        match &mut self.bytes {
            Bytesink::Memory(memory) => {
                memory.extend_from_slice(chunk);
                if memory.len() > LONGEST_INLINE {
                    let memory = std::mem::take(memory);
                    self.bytes = self.spill(memory);
                }
            }
            Bytesink::MemoryOnly(memory) => memory.extend_from_slice(chunk),
            Bytesink::File(SpoolFile { file, path, hasher }) => {
                if let Err(error) = file.write_all(chunk) {
                    let may_be_held = self.shared.in_memory.load(Ordering::Relaxed) + self.len < MOST_FROM_FILES;
                    match may_be_held.then(|| read_back(file, self.len)) {
                        Some(Ok(mut memory)) => {
                            tracing::warn!(%error, "a reply goes on in memory: its file cannot be written");
                            memory.extend_from_slice(chunk);
                            let _ = std::fs::remove_file(&*path);
                            self.bytes = Bytesink::MemoryOnly(memory);
                        }
                        // What was written stays where it is.
                        Some(Err(_)) | None => {
                            let _ = file.set_len(self.len);
                            self.refused = Some(format!("no more of it could be kept: {error}"));
                            return;
                        }
                    }
                } else {
                    hasher.update(chunk);
                }
            }
        }
        self.len += chunk.len() as u64;
    }

    /// Tells, once all of it is here, which response of its poll it is, so that a successor knows it too; `in_a_file`:
    /// however short it is, it stands in a file from then on.
    pub fn ends_as(&mut self, role: Option<Role>, in_a_file: bool) {
        self.role = role;
        self.spills_at_end = in_a_file;
    }

    /// Why it takes no more, if it does not: a response without an end must leave others their room on the disk and in
    /// memory. One that can be fetched again leaves the whole reserve to them, a one-shot one half of it.
    pub fn objection(&mut self) -> Option<String> {
        if self.refused.is_some() {
            return self.refused.clone();
        }
        match self.bytes {
            Bytesink::Memory(_) => None,
            Bytesink::MemoryOnly(_) => {
                let is_too_much = self.held.count_all(self.len) > MOST_FROM_FILES;
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

    /// Why bytes that were pushed could not be kept, if that is so.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// In a file from now on, if one can be made.
    fn spill(&self, memory: Vec<u8>) -> Bytesink {
        match spill(&self.shared.dir, &self.name(None), &memory) {
            Some(file) => Bytesink::File(file),
            None => Bytesink::MemoryOnly(memory),
        }
    }

    /// What its file is called, with the checksum of a whole response.
    fn name(&self, sha256: Option<Checksum>) -> BodyName {
        let (job, instance) = (job_digest(&self.key), self.shared.instance.clone());
        let (seq, http_status, role) = (self.seq, self.http_status, self.role.clone());
        BodyName { job, seq, http_status, instance, sha256, role, masked: self.masked }
    }

    /// What came is worth nothing.
    pub fn discard(mut self) {
        self.one_shot = false;
    }

    /// No more bytes come. Of a file the name says from now on that it is whole.
    pub fn finish(mut self) -> Spooled {
        if let (Bytesink::Memory(bytes), true) = (&mut self.bytes, self.spills_at_end) {
            let bytes = std::mem::take(bytes);
            self.bytes = self.spill(bytes);
        }
        let place = match std::mem::replace(&mut self.bytes, Bytesink::MemoryOnly(Vec::new())) {
            Bytesink::Memory(bytes) | Bytesink::MemoryOnly(bytes) => {
                let mut held = Held { shared: Arc::clone(&self.shared), count: std::mem::take(&mut self.held.count) };
                held.count_all(bytes.len() as u64);
                Place::Memory(Bytes::from_owner(Counted { bytes, _held: held }))
            }
            Bytesink::File(file) => self.place_of(file, self.len),
        };
        Spooled { place, writer: self }
    }

    fn place_of(&self, SpoolFile { file, path, hasher }: SpoolFile, len: u64) -> Place {
        let name = self.name(Some(Checksum(hasher.finalize().into())));
        let whole = path.with_file_name(name.to_string());
        let path = std::fs::rename(&path, &whole).is_ok().then_some(whole);
        // Only a one-shot response has to outlive those who hold its bytes.
        Place::File { file, len, path: Arc::new(SpooledPath { path, goes_with_bytes: !self.one_shot }) }
    }
}

/// A response that came to its end. What is in a file takes no memory until somebody wants its bytes.
#[derive(Debug)]
pub struct Spooled {
    place: Place,
    /// What knows how its file is called.
    writer: SpoolWriter,
}

#[derive(Debug)]
enum Place {
    Memory(Bytes),
    File { file: File, len: u64, path: Arc<SpooledPath> },
}

/// The file of a response, that goes with the last who holds its bytes, or stays. Once it is saved it is elsewhere.
#[derive(Debug)]
struct SpooledPath {
    path: Option<PathBuf>,
    goes_with_bytes: bool,
}

impl Spooled {
    /// All bytes, and the file that holds them if there is one. The file is synced by `Store::save`, on the writer's
    /// thread, so that nobody waits here. That of a one-shot response stays until it is saved or [`Spool::discard`] is
    /// told, any other goes with its bytes. An error where memory is too short for reading it: nothing is lost by that,
    /// and it can be asked for again.
    pub fn bytes(&self) -> io::Result<(Bytes, Option<PathBuf>)> {
        match &self.place {
            Place::Memory(bytes) => Ok((bytes.clone(), None)),
            Place::File { file, len, path } => {
                if !memory::has(len.saturating_mul(2).saturating_add(BESIDE_A_RESPONSE)) {
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
                let mapped = map_whole(file, Some(Arc::clone(path)));
                let bytes = mapped.or_else(|_| read_back(&mut file.try_clone()?, *len).map(Bytes::from))?;
                Ok((bytes, path.path.clone()))
            }
        }
    }

    /// Its first two bytes, as far as there are so many.
    pub fn first_bytes(&self) -> io::Result<[u8; 2]> {
        let mut first = [0; 2];
        match &self.place {
            Place::Memory(bytes) => bytes.as_ref().read_exact(&mut first)?,
            Place::File { file, .. } => file.read_exact_at(&mut first, 0)?,
        }
        Ok(first)
    }

    /// It is worth nothing.
    pub fn discard(self) {
        if let Place::File { path, .. } = self.place
            && let Some(path) = &path.path
        {
            let _ = std::fs::remove_file(path);
        }
    }

    /// A one-shot response that has to wait stands in a file from now on, so that it outlives us; whether it does.
    pub fn stay(&mut self) -> bool {
        if let (Place::Memory(bytes), true) = (&self.place, self.writer.one_shot)
            && let Some(file) = spill(&self.writer.shared.dir, &self.writer.name(None), bytes)
        {
            self.place = self.writer.place_of(file, bytes.len() as u64);
        }
        matches!(&self.place, Place::File { path, .. } if path.path.is_some() && !path.goes_with_bytes)
    }
}

impl Drop for SpooledPath {
    fn drop(&mut self) {
        if let (Some(path), true) = (&self.path, self.goes_with_bytes) {
            let _ = std::fs::remove_file(path);
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

/// A file with these bytes; None where none can be made or written.
fn spill(dir: &StateDir, name: &BodyName, memory: &[u8]) -> Option<SpoolFile> {
    let path = &dir.spool().join(name.to_string());
    let mut file = match dir.with_folders(|| new_file(path)) {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!(%error, "a reply stays in memory: no file can be made for it");
            return None;
        }
    };
    if let Err(error) = file.write_all(memory) {
        tracing::warn!(%error, "a reply stays in memory: its file cannot be written");
        let _ = std::fs::remove_file(path);
        return None;
    }
    Some(SpoolFile { file, path: path.to_owned(), hasher: Sha256::new_with_prefix(memory) })
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
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(len).unwrap_or_default())?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

fn map_whole(file: &File, path: Option<Arc<SpooledPath>>) -> io::Result<Bytes> {
    #[expect(unsafe_code, reason = "a body file is 0600, written once and never changed afterwards, only renamed")]
    let map = unsafe { memmap2::Mmap::map(file) }?;
    Ok(Bytes::from_owner(Mapped { map, _path: path }))
}

/// A mapped file.
struct Mapped {
    map: memmap2::Mmap,
    _path: Option<Arc<SpooledPath>>,
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

#[cfg(test)]
impl SpoolWriter {
    /// From now on its file takes nothing and memory is full; or both have room again, `cursor` bytes into the file.
    pub fn set_full(&mut self, full: bool, cursor: u64) {
        let Bytesink::File(SpoolFile { file, path, .. }) = &mut self.bytes else { panic!("it stands in no file") };
        *file = File::options().read(true).write(!full).open(path).unwrap();
        file.seek(SeekFrom::Start(cursor)).unwrap();
        self.shared.in_memory.store(if full { MOST_IN_MEMORY } else { 0 }, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::ProviderName;

    #[test]
    fn what_a_full_disk_took_of_a_response_has_no_gap_though_more_is_pushed_once_there_is_room_again() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::new(StateDir::new(root.path()), "none");
        std::fs::create_dir(root.path().join("spool")).unwrap();
        let key = JobKey { provider: ProviderName::VESSL, endpoint: "https://h.example".into(), id: "a".to_owned() };
        let start = vec![b'x'; 2 * LONGEST_INLINE];
        // How far the write that failed had come.
        for written in [0, 1, 5000] {
            let mut writer = spool.begin(&key, 1, true);
            writer.push(&start);
            writer.set_full(true, 0);
            writer.push(&[b'y'; 8000]);
            assert!(writer.refused().is_some() && writer.objection().is_some());
            writer.set_full(false, start.len() as u64 + written);
            writer.push(b"the end");
            let (bytes, path) = writer.finish().bytes().unwrap();
            assert!(bytes == start && std::fs::read(path.unwrap()).unwrap() == start, "after {written} bytes");
        }
    }

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
                    short.finish().bytes().unwrap().0
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
            let first = writers.into_iter().next().unwrap().finish().bytes().unwrap().0;
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
