//! A response on its way in: our token masked, its bytes kept as they arrive, its content coding undone at the end.
//! Nothing looks into the bytes before they are whole in memory or in a file.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::domain::job::Job;
use crate::domain::observation::Role;
use crate::domain::response::{Headers, Response};
use crate::domain::secret::Token;
use crate::net::decode::{self, Decoded};
use crate::net::{Arrived, Sink};
use crate::store::{Spool, SpoolWriter, Spooled};

use super::mask::{self, Masking};

/// A response longer than this is read off the loop's thread.
const LONG_BODY: u64 = 256 * 1024;

pub struct Intake {
    masking: Masking<SpoolWriter>,
    spool: Spool,
    job: Arc<Job>,
    seq: u64,
    one_shot: bool,
    /// Whether it is a result that a request of its own takes, and whether further files are waited for before it is
    /// saved.
    of_own_request: bool,
    waits: bool,
    token: Token,
    /// The token and what else an error's text may not repeat, where that is more.
    of_errors: Option<Token>,
}

/// A response whose bytes are held.
#[derive(Debug, Clone)]
pub struct ReceivedResponse {
    pub status: u16,
    /// The headers that matter, our token masked.
    pub headers: Headers,
    /// The body, decoded where it could be, our token masked.
    pub bytes: Bytes,
    /// The store's file that holds exactly these bytes, if there is one.
    pub spooled: Option<PathBuf>,
    /// Whether it broke off, and the bytes are not one whole document all the same.
    pub broken: bool,
    /// Whether our token stood in it.
    pub masked: bool,
    /// When its head arrived.
    pub at: Timestamp,
}

impl Sink for SpoolWriter {
    fn begin(&mut self, status: u16) {
        self.set_status(status);
    }

    fn masked(&mut self) {
        self.set_masked();
    }

    fn push(&mut self, chunk: &[u8]) {
        Self::push(self, chunk);
    }

    fn objection(&mut self) -> Option<String> {
        Self::objection(self)
    }
}

impl Sink for Intake {
    /// A result comes as it is, but for our token: that it repeats a word of its address is no reason to change it.
    fn begin(&mut self, status: u16) {
        if !(200..300).contains(&status)
            && let Some(token) = self.of_errors.take()
        {
            self.masking.mask_by(&token);
            self.token = token;
        }
        self.masking.begin(status);
    }

    fn push(&mut self, chunk: &[u8]) {
        self.masking.push(chunk);
    }

    fn objection(&mut self) -> Option<String> {
        self.masking.objection()
    }
}

impl Intake {
    /// For the response to request `seq` of a job; `one_shot`: it may be the only one.
    pub fn new(spool: &Spool, job: Arc<Job>, seq: u64, one_shot: bool, token: Token) -> Self {
        let masking = Masking::new(spool.begin(&job.key, seq, one_shot), &token);
        let (spool, of_own_request, waits) = (spool.clone(), false, false);
        Self { masking, spool, job, seq, one_shot, of_own_request, waits, token, of_errors: None }
    }

    /// What is no result is masked by this token.
    pub fn masking_errors_by(self, token: Token) -> Self {
        Self { of_errors: Some(token), ..self }
    }

    /// It is a result that a request of its own takes: its file says so once it is whole. Where it waits for further
    /// files before it is saved it stands in one however short it is.
    pub fn of_own_request(self, waits: bool) -> Self {
        Self { of_own_request: true, waits, ..self }
    }

    /// No response came: what it left is taken away.
    pub fn discard(self) {
        let (written, _) = self.masking.finish(true);
        written.discard();
    }

    /// No more bytes come.
    pub fn whole(self, arrived: Arrived) -> WholeResponse {
        let Self { masking, spool, job, seq, one_shot, of_own_request, waits, token, of_errors: _ } = self;
        let (mut written, masked) = masking.finish(arrived.broken.is_some());
        // Its last bytes were pushed just now.
        let broken = arrived.broken.or_else(|| written.refused().map(str::to_owned));
        let arrived = Arrived { broken, ..arrived };
        let role = (of_own_request && arrived.broken.is_none()).then_some(Role::Result);
        written.ends_as(role.clone(), waits);
        let as_received = written.finish();
        WholeResponse { as_received, masked, arrived, spool, job, seq, one_shot, role, waits, token }
    }
}

/// A response of which all bytes are here, as received but for our token.
pub struct WholeResponse {
    as_received: Spooled,
    masked: bool,
    arrived: Arrived,
    spool: Spool,
    job: Arc<Job>,
    seq: u64,
    one_shot: bool,
    role: Option<Role>,
    waits: bool,
    token: Token,
}

/// A response to be read, and what is to be remembered of it.
pub struct DecodedResponse {
    /// What providers read.
    pub response: Response,
    /// What was odd about its content coding.
    pub warning: Option<&'static str>,
    spooled: Option<PathBuf>,
    masked: bool,
}

impl DecodedResponse {
    /// What is kept of it. `is_whole`: who read it knows that it is one whole document, though it may have broken off.
    pub fn received(self, is_whole: bool) -> ReceivedResponse {
        let Self { response, spooled, masked, .. } = self;
        let Response { status, headers, body: bytes, broken, at } = response;
        ReceivedResponse { status, headers, bytes, spooled, broken: broken.is_some() && !is_whole, masked, at }
    }
}

/// Why a response cannot be read now, and the response.
pub type NoRoom = (io::Error, WholeResponse);

/// The bytes of a response, the file that holds them, whether our token is masked in them, and what was odd.
type DecodedBytes = (Bytes, Option<PathBuf>, bool, Option<&'static str>);

impl WholeResponse {
    /// Whether taking it in may take long: it has many bytes, or may come to have.
    pub fn is_long(&self) -> bool {
        let first = self.as_received.first_bytes().unwrap_or_default();
        self.arrived.bytes > LONG_BODY || decode::may_be_coded(self.arrived.headers.content_encoding.as_deref(), &first)
    }

    /// Whether it stands in a file, from now on, that is left where it is when this is dropped.
    pub fn outlives_us(&mut self) -> bool {
        self.as_received.stay()
    }

    /// The response with its content coding undone. An error where there is no room for it, in memory or on disk: nothing is
    /// lost by that, for it can stay in a file if it is the only one of its job.
    pub fn decoded(self) -> Result<DecodedResponse, Box<NoRoom>> {
        let (body, spooled, masked, warning) = match self.bytes() {
            Ok(bytes) => bytes,
            Err(why) => {
                return Err(Box::new((why, self)));
            }
        };
        let Arrived { status, headers, broken, at, .. } = self.arrived;
        let headers = mask::headers(headers, &self.token);
        let response = Response { status, headers, body, broken, at };
        Ok(DecodedResponse { response, warning, spooled, masked })
    }

    fn bytes(&self) -> io::Result<DecodedBytes> {
        let (as_received, spooled) = self.as_received.bytes()?;
        let encoding = self.arrived.headers.content_encoding.as_deref();
        if !decode::may_be_coded(encoding, &as_received) {
            return Ok((as_received, spooled, self.masked, None));
        }
        // A long body goes into a file again.
        let writer = self.spool.begin(&self.job.key, self.seq, self.one_shot);
        let mut again = Masking::new(writer, &self.token);
        again.begin(self.arrived.status);
        if self.masked {
            again.masked();
        }
        let decoded = decode::decode(encoding, &as_received, |piece| {
            again.push(piece);
            again.objection().map_or(Ok(()), |why| Err(io::Error::other(why)))
        });
        let (mut written, masked) = again.finish(false);
        let decoded = match written.refused() {
            Some(why) => Err(io::Error::other(why.to_owned())),
            None => decoded,
        };
        let warning = match decoded {
            Ok(Some(Decoded { warning })) => warning,
            undecoded => {
                written.discard();
                return undecoded.map(|_| (as_received, spooled, self.masked, None));
            }
        };
        written.ends_as(self.role.clone(), self.waits);
        let written = written.finish();
        let (bytes, again) = match written.bytes() {
            Ok(all) => all,
            Err(error) => {
                written.discard();
                return Err(error);
            }
        };
        if let Some(path) = spooled {
            self.spool.discard(&path);
        }
        Ok((bytes, again, masked || self.masked, warning))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::job::{JobKey, ProviderName};
    use crate::store::Store;

    fn whole(spool: &Spool, encoding: Option<&str>, body: &[u8], full: bool) -> WholeResponse {
        let key = JobKey { provider: ProviderName::VESSL, endpoint: "https://h.example".into(), id: "a".to_owned() };
        let token = Token::new("s3cret-token").unwrap();
        let mut intake = Intake::new(spool, Arc::new(crate::tests::job(key, "s")), 1, true, token);
        intake.begin(200);
        intake.push(body);
        if full {
            intake.masking.sink_mut().set_full(true, 0);
        }
        let headers = Headers { content_encoding: encoding.map(str::to_owned), ..Headers::default() };
        let (at, latency, bytes) = (Timestamp::UNIX_EPOCH, Duration::ZERO, body.len() as u64);
        intake.whole(Arrived { status: 200, headers, broken: None, at, latency, bytes })
    }

    #[test]
    fn a_response_whose_last_bytes_find_no_room_has_broken_off() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path()).unwrap();
        for (full, breaks) in [(true, true), (false, false)] {
            let whole = whole(store.spool(), None, &[b'x'; 200_000], full);
            assert_eq!(whole.arrived.broken.is_some(), breaks);
        }
    }

    #[test]
    fn only_what_takes_long_is_read_on_a_thread_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path()).unwrap();
        let (short, in_a_file, long) = (vec![b'{'; 10], vec![b'{'; 100_000], vec![b'{'; 300_000]);
        let packed = |body: &[u8]| [&[0x1f, 0x8b], body].concat();
        let cases = [
            (None, short.clone(), false),
            (None, Vec::new(), false),
            (None, b"x".to_vec(), false),
            (None, in_a_file.clone(), false),
            (None, long, true),
            (None, packed(&short), true),
            (None, packed(&in_a_file), true),
            (Some("identity"), short.clone(), false),
            (Some("identity"), in_a_file.clone(), false),
            (Some("identity"), packed(&short), true),
            (Some("gzip"), short, true),
        ];
        for (encoding, body, is_long) in cases {
            let response = whole(store.spool(), encoding, &body, false);
            assert_eq!(response.is_long(), is_long, "{encoding:?}, {} bytes", body.len());
        }
    }
}
