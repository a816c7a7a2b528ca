//! Gzip (RFC 1952) member by member, zlib (RFC 1950) and bare deflate (RFC 1951), as far as they are whole: the usual
//! decoders throw all of gzip away over a trailer that is missing or bytes that stand behind it, and take a zlib stream
//! that is cut short for whole.

use std::cell::Cell;
use std::io::{self, BufRead, ErrorKind, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

const MISSING_TRAILER: &str = "the gzip trailer is missing, so that the bytes could not be checked";
const REST: &str = "something else stands behind the gzip data";

/// What stands around deflated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// The headers and trailers of gzip.
    Gzip,
    /// Those of zlib, or nothing: both are called so.
    Deflate,
}

/// Decodes as it is read. An error where the data end early, are damaged, or are none of this kind.
pub struct Inflating<'a, R> {
    from: R,
    framing: Framing,
    at: At,
    /// Whether a gzip member came before.
    further: bool,
    inflate: Decompress,
    crc: Crc,
    warning: &'a Cell<Option<&'static str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Header,
    Data,
    End,
}

impl<'a, R: BufRead> Inflating<'a, R> {
    /// Decodes what is read from there; `warning` is set where it is whole, and odd all the same.
    pub fn new(from: R, framing: Framing, warning: &'a Cell<Option<&'static str>>) -> Self {
        let (inflate, crc) = (Decompress::new(false), Crc::new());
        Self { from, framing, at: At::Header, further: false, inflate, crc, warning }
    }

    fn begin(&mut self) -> io::Result<()> {
        let is_zlib = match self.framing {
            Framing::Deflate => is_zlib(self.from.fill_buf()?),
            Framing::Gzip => {
                if self.further && self.from.fill_buf()?.is_empty() {
                    self.at = At::End;
                    return Ok(());
                }
                if let Err(error) = skip_gzip_header(&mut self.from) {
                    if !self.further || error.kind() == ErrorKind::FileTooLarge {
                        return Err(error);
                    }
                    self.end_with(REST);
                    return Ok(());
                }
                false
            }
        };
        self.inflate.reset(is_zlib);
        self.crc.reset();
        self.at = At::Data;
        Ok(())
    }

    /// A member's data are over.
    fn end_member(&mut self) -> io::Result<()> {
        self.at = At::End;
        if self.framing == Framing::Gzip {
            let mut trailer = [0; 8];
            match self.from.read_exact(&mut trailer) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.end_with(MISSING_TRAILER),
                Err(error) => return Err(error),
                Ok(()) if trailer.starts_with(&self.crc.sum().to_le_bytes()) => {
                    (self.at, self.further) = (At::Header, true);
                }
                Ok(()) => return Err(ErrorKind::InvalidData.into()),
            }
        }
        Ok(())
    }

    fn end_with(&mut self, warning: &'static str) {
        self.at = At::End;
        self.warning.set(Some(warning));
    }
}

impl<R: BufRead> Read for Inflating<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.at {
                At::Header => self.begin()?,
                At::End => return Ok(0),
                At::Data => {
                    let before = (self.inflate.total_in(), self.inflate.total_out());
                    let status = self.inflate.decompress(self.from.fill_buf()?, out, FlushDecompress::None)?;
                    let length = |more: u64| usize::try_from(more).unwrap_or_default();
                    let taken = length(self.inflate.total_in() - before.0);
                    let made = length(self.inflate.total_out() - before.1);
                    self.from.consume(taken);
                    self.crc.update(out.get(..made).unwrap_or_default());
                    match status {
                        Status::StreamEnd => self.end_member()?,
                        Status::Ok | Status::BufError if (taken, made) == (0, 0) => {
                            return Err(ErrorKind::UnexpectedEof.into());
                        }
                        Status::Ok | Status::BufError => {}
                    }
                    if made > 0 {
                        return Ok(made);
                    }
                }
            }
        }
    }
}

/// Whether a stream that is called deflate begins as zlib does.
pub fn is_zlib(start: &[u8]) -> bool {
    let &[method, flags, ..] = start else { return false };
    method & 15 == 8 && u16::from_be_bytes([method, flags]) % 31 == 0
}

fn skip_gzip_header(from: &mut impl BufRead) -> io::Result<()> {
    const CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let mut head = [0; 10];
    from.read_exact(&mut head)?;
    let [0x1f, 0x8b, 8, flags, ..] = head else { return Err(ErrorKind::InvalidData.into()) };
    if flags & EXTRA != 0 {
        let mut length = [0; 2];
        from.read_exact(&mut length)?;
        io::copy(&mut from.by_ref().take(u16::from_le_bytes(length).into()), &mut io::sink())?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            from.skip_until(0)?;
        }
    }
    if flags & CHECKSUM != 0 {
        from.read_exact(&mut [0; 2])?;
    }
    Ok(())
}
