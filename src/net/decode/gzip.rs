//! Gzip (RFC 1952) member by member, as far as it is whole: the usual decoders throw all of it away over a trailer that
//! is missing or bytes that stand behind it.

use bytes::Bytes;
use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::DecodedBody;

const MISSING_TRAILER: &str = "the gzip trailer is missing, so that the bytes could not be checked";
const REST: &str = "something else stands behind the gzip data";

/// How much is decoded before the length is looked at again.
const STEP: usize = 64 * 1024;

/// The decoded body; None where the first member is no gzip, or where one ends early, fails its checksum, or grows
/// beyond `longest` bytes.
pub fn decoded(longest: u64, body: &Bytes) -> Option<DecodedBody> {
    let mut out = Vec::new();
    let mut rest = body.as_ref();
    let warning = loop {
        let Some(data) = after_header(rest) else {
            if out.is_empty() {
                return None;
            }
            break Some(REST);
        };
        let start = out.len();
        let after = inflate(longest, data, &mut out)?;
        let Some((trailer, next)) = after.split_first_chunk::<8>() else { break Some(MISSING_TRAILER) };
        let member = out.get(start..).unwrap_or_default();
        if trailer.get(..4) != Some(crc(member).to_le_bytes().as_slice()) {
            return None;
        }
        if next.is_empty() {
            break None;
        }
        rest = next;
    };
    Some(DecodedBody { bytes: out.into(), warning })
}

/// Appends a member's data; what follows it, None if it ends early, is damaged or grows too long.
fn inflate<'a>(longest: u64, data: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let mut inflater = Decompress::new(false);
    loop {
        out.reserve(STEP);
        let before = (inflater.total_in(), out.len());
        let at = usize::try_from(before.0).ok()?;
        let status = inflater.decompress_vec(data.get(at..)?, out, FlushDecompress::None).ok()?;
        if out.len() as u64 > longest {
            return None;
        }
        match status {
            Status::StreamEnd => return data.get(usize::try_from(inflater.total_in()).ok()?..),
            Status::Ok | Status::BufError if before == (inflater.total_in(), out.len()) => return None,
            Status::Ok | Status::BufError => {}
        }
    }
}

/// What follows a member's header; None where there is none.
fn after_header(member: &[u8]) -> Option<&[u8]> {
    const CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let (&[0x1f, 0x8b, 8, flags, ..], mut rest) = member.split_first_chunk::<10>()? else { return None };
    if flags & EXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            rest = rest.get(memchr::memchr(0, rest)? + 1..)?;
        }
    }
    if flags & CHECKSUM != 0 { rest.get(2..) } else { Some(rest) }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
