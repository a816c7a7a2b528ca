//! Memory where it is limited: what there still is, and no more of it taken than is used.

use rustix::process::{Resource, getrlimit};

/// Whether so many bytes more could be had. The allocator is no one to ask: it has reserves of its own, and a small piece
/// that it cannot have ends the program.
pub fn has(bytes: u64) -> bool {
    usize::try_from(bytes).is_ok_and(|bytes| memmap2::MmapMut::map_anon(bytes).is_ok())
}

/// With less nothing can be begun: the allocator ends the program where it has nothing left.
const LEAST: u64 = 4 << 20;

/// To be called before the first thread is started; whether there is enough to begin with. GNU's allocator gives each thread
/// a heap of its own, and what one thread takes another gives back: with two heaps for all, a batch of results needs half
/// the memory and no more time. Where the address space is limited, one serves all: each takes 64 MiB of it, which a limit
/// of 400 MB does not outlast.
pub fn begin() -> bool {
    heaps(if getrlimit(Resource::As).current.is_some() { 1 } else { 2 });
    has(LEAST)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn heaps(most: i32) {
    #[expect(unsafe_code, reason = "no other thread runs yet, and the call takes two numbers")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, most);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn heaps(_most: i32) {}
