//! A response on its way in: our token masked, its bytes kept as they arrive, its content coding undone at the end.
//! Nothing looks into the bytes before they are whole in memory or in a file.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::domain::job::Job;
use crate::domain::response::{Headers, Response};
use crate::domain::secret::Token;
use crate::net::decode::{self, DecodedBody};
use crate::net::{Arrived, Sink};
use crate::store::{Spool, SpoolWriter};

use super::mask::{self, Masking};

pub struct Intake {
    masking: Masking<SpoolWriter>,
    spool: Spool,
    job: Arc<Job>,
    seq: u64,
    one_shot: bool,
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
        Self { masking, spool: spool.clone(), job, seq, one_shot, token, of_errors: None }
    }

    /// What is no result is masked by this token.
    pub fn masking_errors_by(self, token: Token) -> Self {
        Self { of_errors: Some(token), ..self }
    }

    /// It stands in a file once it is whole, however short it is: further files are waited for before it is saved.
    pub fn spilled_at_end(mut self) -> Self {
        self.masking.sink_mut().spill_at_end();
        self
    }

    /// No response came: what it left is taken away.
    pub fn discard(self) {
        let (written, _) = self.masking.finish(true);
        forget(&self.spool, written.finish().1);
    }

    /// Hands on what may still be held of a response that has arrived; whether a file holds all of it then.
    pub fn stands_in_a_file(&mut self, arrived: &Arrived) -> bool {
        self.masking.hand_on_rest(arrived.broken.is_some());
        self.masking.sink().is_in_a_file()
    }

    /// All bytes as received; cheap, however many there are.
    pub fn whole(self, arrived: Arrived) -> WholeResponse {
        let Self { masking, spool, job, seq, one_shot, token, of_errors: _ } = self;
        let (written, masked) = masking.finish(arrived.broken.is_some());
        let (as_received, spooled) = written.finish();
        WholeResponse { as_received, spooled, masked, arrived, spool, job, seq, one_shot, token }
    }
}

/// A response of which all bytes are here, as received but for our token.
pub struct WholeResponse {
    as_received: Bytes,
    spooled: Option<PathBuf>,
    masked: bool,
    arrived: Arrived,
    spool: Spool,
    job: Arc<Job>,
    seq: u64,
    one_shot: bool,
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

impl WholeResponse {
    /// The response with its content coding undone.
    pub fn decoded(self) -> DecodedResponse {
        let Self { as_received, spooled, masked, arrived, spool, job, seq, one_shot, token } = self;
        let Arrived { status, headers, broken, at, .. } = arrived;
        let headers = mask::headers(headers, &token);
        let Some(DecodedBody { bytes, warning }) = decode::decoded(headers.content_encoding.as_deref(), &as_received)
        else {
            let response = Response { status, headers, body: as_received, broken, at };
            return DecodedResponse { response, warning: None, spooled, masked };
        };
        forget(&spool, spooled);
        let (bytes, masked) = match mask::bytes(&bytes, &token) {
            Some(clean) => (clean, true),
            None => (bytes, masked),
        };
        // A long body goes into a file again.
        let mut again = spool.begin(&job.key, seq, one_shot);
        again.set_status(status);
        if masked {
            again.set_masked();
        }
        again.push(&bytes);
        let (body, spooled) = again.finish();
        DecodedResponse { response: Response { status, headers, body, broken, at }, warning, spooled, masked }
    }
}

fn forget(spool: &Spool, spooled: Option<PathBuf>) {
    if let Some(path) = spooled {
        spool.discard(&path);
    }
}
