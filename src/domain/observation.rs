//! What is known about a job, and the one place where a reading may change it.
//!
//! Two rules hold everything: a read that is no answer never changes the state, and an answer to an older
//! request never overwrites a newer one.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::checksum::Checksum;
use super::files::{FileCounts, ItemCounts};
use super::reading::{Answer, Reading, Verdict};
use super::state::{LostBecause, PollOutcome, State};

/// All that is known about a job. Texts are foreign and not sanitised.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// What the service last said.
    pub state: State,
    /// The service's own word for it.
    pub word: Option<String>,
    /// Why the result is lost; there exactly when the state is `lost`.
    pub lost: Option<LostBecause>,
    /// HTTP code of the last applied answer.
    pub http_status: Option<u16>,
    /// VESSL: the code of the user's own service.
    pub service_status_code: Option<i64>,
    /// Percent, 0 to 100.
    pub progress: Option<f64>,
    /// The service's own reason.
    pub fail_reason: Option<String>,
    /// The service's own code for it.
    pub error_code: Option<String>,
    /// What is odd about the last answer.
    pub warning: Option<String>,
    /// What the database holds of the job though jobdeck wrote no such thing, and what was therefore left out. The
    /// warning says it too.
    pub odd_on_disk: Option<Box<str>>,
    /// Unstract: how many files, and how many failed.
    pub files: Option<FileCounts>,
    /// How many items the job works on, where the service says so. Boxed, for few do.
    pub items: Option<Box<ItemCounts>>,
    /// What the job cost in US dollars, digit for digit as the service said it, or the exact sum over its files.
    pub cost: Option<Box<str>>,
    /// What an unnamed job may be called: the name of its first file.
    pub title: Option<Box<str>>,
    /// What the user's fields hold, taken when the result was saved.
    pub fields: Option<Box<FieldValues>>,
    /// When the service accepted the job, by its own clock.
    pub created_at: Option<Timestamp>,
    /// When the first answer came.
    pub first_seen: Option<Timestamp>,
    /// Since when it runs: the service's own time, else when we first saw it running.
    pub running_since: Option<Timestamp>,
    /// When it was over: the service's own time, else when we first saw it so.
    pub finished_at: Option<Timestamp>,
    /// When the service expects it to be over.
    pub eta: Option<Timestamp>,
    /// When the service lets go of the job or of its result, by its own clock.
    pub expires_at: Option<Timestamp>,
    /// When state, word or progress last changed, by our clock.
    pub changed_at: Option<Timestamp>,
    /// The copy: a whole terminal reply on disk.
    pub saved: Option<SavedBody>,
    /// What else was kept: the last reply that broke off or made no sense. Boxed, for few jobs have any.
    pub evidence: Option<Box<SavedBody>>,
    /// Sequence number of the last request whose answer was applied.
    pub applied: u64,
    /// What an "already acknowledged" would mean now.
    pub doubt: Option<Doubt>,
    /// The poll that left this doubt, if it was one of ours. Boxed, for few jobs have any.
    pub doubtful: Option<Box<Doubtful>>,
    /// What our last read was.
    pub last_poll: Option<LastPoll>,
    /// Whether a command of the user's own has sent it again: further jobs came of it.
    pub sent_again: bool,
}

/// The values of the user's fields of one job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldValues {
    /// What the definitions were that they were taken by: where these change, the values are taken anew.
    pub taken_by: String,
    /// The values as one JSON object, numbers digit by digit.
    pub values: String,
}

/// A body's number in the store. Never used again for another body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct BodyId(pub i64);

/// What a saved body is of its job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Role {
    /// The response of the status poll.
    #[default]
    Status,
    /// The response to a separate request for the result.
    Result,
    /// A further file of the job, by its name in the provider's description.
    Also(String),
}

impl Role {
    /// The role that [`Display`](fmt::Display) names so.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "status" => Some(Self::Status),
            "result" => Some(Self::Result),
            other => other.strip_prefix("also:").map(|name| Self::Also(name.to_owned())),
        }
    }
}

impl fmt::Display for Role {
    /// The word of the store.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Result => f.write_str("result"),
            Self::Also(name) => write!(f, "also:{name}"),
        }
    }
}

/// Bytes on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedBody {
    /// The store's number of this body.
    pub body: BodyId,
    /// Length of the body.
    pub bytes: u64,
    /// SHA-256 of the body.
    pub sha256: Checksum,
    /// HTTP code it came with.
    pub http_status: u16,
    /// When it was received.
    pub at: Timestamp,
    /// Whether our own token stood in it and was masked before saving.
    pub masked: bool,
}

/// How saved bytes differ from what was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Some are missing, or there are too many.
    #[error("the saved response is damaged: {found} bytes are there, {saved} were saved")]
    Length {
        /// How many were saved.
        saved: u64,
        /// How many are there.
        found: u64,
    },
    /// As many, but other ones.
    #[error("the saved response is damaged: its SHA-256 is no longer what it was when it was saved")]
    Content,
}

impl SavedBody {
    /// Compares bytes that were read back with what was saved, by length and SHA-256.
    pub fn check(&self, bytes: &[u8]) -> Result<(), Damage> {
        let found = bytes.len() as u64;
        if found != self.bytes {
            return Err(Damage::Length { saved: self.bytes, found });
        }
        if Checksum::of(bytes) == self.sha256 { Ok(()) } else { Err(Damage::Content) }
    }
}

/// Why the only copy of a one-shot result may have been used up by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// A dead instance had claimed the job.
    ReaderDied,
    /// A read was sent and its reply never came.
    NoReply,
    /// A reply broke off.
    Cut,
}

impl Doubt {
    pub const ALL: [Self; 3] = [Self::ReaderDied, Self::NoReply, Self::Cut];

    /// What a poll that brought no answer leaves: a one-shot service deletes a result before it answers, so whatever
    /// came instead may have been its end. A refusal (4xx), and what a proxy says of itself, used nothing up. A change
    /// of protocol (1xx) and "not modified" answer nothing that was asked: behind them may be what was.
    fn left_by(seen: Seen<'_>) -> Option<Self> {
        let failed_after_it = seen.http_status.is_some_and(|code| matches!(code, ..200 | 304 | 500..600));
        match seen.reading.read {
            _ if seen.broken => Some(Self::Cut),
            _ if failed_after_it => Some(Self::NoReply),
            PollOutcome::Malformed => Some(Self::NoReply),
            PollOutcome::Unreachable => (seen.sent && seen.http_status != Some(407)).then_some(Self::NoReply),
            PollOutcome::Answered
            | PollOutcome::Throttled
            | PollOutcome::ServerError
            | PollOutcome::Unauthorized
            | PollOutcome::NotFound
            | PollOutcome::Rejected => None,
        }
    }

    /// The cause of loss that an "already acknowledged" now means; its words are the store's too.
    pub fn cause(self) -> LostBecause {
        match self {
            Self::ReaderDied => LostBecause::ReaderDied,
            Self::NoReply => LostBecause::NoReply,
            Self::Cut => LostBecause::Cut,
        }
    }
}

/// A one-shot poll that was sent and brought no answer: it may have used the result up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubtful {
    /// HTTP code; None if no response came.
    pub http_status: Option<u16>,
    /// When the response came, or was given up.
    pub at: Timestamp,
    /// What came instead of an answer. Foreign and not sanitised.
    pub reason: String,
}

impl Doubtful {
    /// What came, and when (UTC).
    pub fn sentence(&self) -> String {
        let at = self.at.strftime("%H:%M:%S UTC");
        match self.http_status {
            // Some reasons begin with the code themselves.
            Some(code) => match self.reason.strip_prefix(&format!("HTTP {code}")) {
                Some("") => format!("HTTP {code} at {at}"),
                Some(rest) if rest.starts_with([':', ' ']) => format!("HTTP {code} at {at}{rest}"),
                Some(_) | None => format!("HTTP {code} at {at}: {}", self.reason),
            },
            None => format!("no response at {at}: {}", self.reason),
        }
    }
}

/// What our last read was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastPoll {
    pub read: PollOutcome,
    /// HTTP code; None if no reply came.
    pub http_status: Option<u16>,
    pub reason: Option<String>,
    /// When it was sent.
    pub at: Timestamp,
}

/// A reading and the circumstances in which it came: all that the rules for a job and for its service look at.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What the reply said.
    pub reading: &'a Reading,
    /// The request's number: greater is newer, over all instances.
    pub seq: u64,
    /// When the reply came, by our clock.
    pub at: Timestamp,
    /// HTTP code; None if no reply came.
    pub http_status: Option<u16>,
    /// Whether the provider hands a result out only once.
    pub one_shot: bool,
    /// Whether this very request takes the result, so that its response may be the only one.
    pub takes_result: bool,
    /// Whether the request may have reached the service.
    pub sent: bool,
    /// Whether a reply began and broke off.
    pub broken: bool,
    /// When it came, since the engine's start.
    pub now: Duration,
    /// Jitter, between 0 and 1.
    pub draw: f64,
}

/// What must be done with the body of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    /// It is the job's result: save it before anything of it is shown.
    Result,
    /// It is no result, but the only trace of one, or of what went wrong.
    Evidence,
}

/// What a reading came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// It is older than what is known, or a copy is held already: nothing changes.
    Superseded,
    /// What is known now.
    Known {
        /// With everything but `saved` and `evidence`, which the store fills in.
        observation: Box<Observation>,
        /// Whether state, word or progress changed, or this is the first sight.
        changed: bool,
        /// Whether anything changed that has to survive us, the body apart.
        durable: bool,
        /// What to do with the body.
        keep: Keep,
    },
}

impl Observation {
    /// The body that holds the job's result or, where there is none, what else was kept of it: a reply that broke off or
    /// made no sense. None if nothing was kept.
    pub fn kept_body(&self) -> Option<&SavedBody> {
        self.saved.as_ref().or(self.evidence.as_deref())
    }

    /// Whether the job was ever answered for.
    pub fn is_observed(&self) -> bool {
        self.first_seen.is_some()
    }

    /// Whether nothing more is to be asked: over, and its result saved or lost.
    pub fn is_over(&self) -> bool {
        self.state.is_terminal()
    }

    /// The observation after a reading.
    pub fn apply(&self, seen: Seen<'_>) -> Applied {
        let holds_the_only_copy = seen.one_shot && self.saved.is_some();
        if seen.seq <= self.applied || holds_the_only_copy {
            return Applied::Superseded;
        }
        let mut next = self.clone();
        next.last_poll = Some(LastPoll {
            read: seen.reading.read,
            http_status: seen.http_status,
            reason: seen.reading.reason.clone(),
            at: seen.at,
        });
        let keep = match &seen.reading.answer {
            Some(answer) => next.take_answer(answer, seen),
            None => next.take_refusal(seen),
        };
        let first = !self.is_observed() && next.is_observed();
        let changed = first || self.state != next.state || self.word != next.word || self.progress != next.progress;
        if changed {
            next.changed_at = Some(seen.at);
        }
        let durable = changed || self.differs_durably(&next);
        Applied::Known { observation: Box::new(next), changed, durable, keep }
    }

    /// The observation of a job that the service has denied for longer than the grace: `lost` if it was ever seen.
    pub fn gone(&self, at: Timestamp) -> Self {
        let mut next = self.clone();
        if self.is_observed() && !self.is_over() {
            next.state = State::Lost;
            next.lost = Some(LostBecause::Gone);
            next.changed_at = Some(at);
            next.finished_at = Some(at);
            next.eta = None;
        }
        next
    }

    fn take_answer(&mut self, answer: &Answer, seen: Seen<'_>) -> Keep {
        self.applied = seen.seq;
        self.http_status = seen.http_status;
        self.first_seen.get_or_insert(seen.at);
        let (state, keep) = match answer.verdict {
            Verdict::State(state) if state.is_terminal() => (state, Keep::Result),
            Verdict::State(state) => (state, payload(answer)),
            Verdict::NoWord => {
                self.clear_doubt(seen);
                self.warning.clone_from(&answer.warning);
                return payload(answer);
            }
            Verdict::Expired => (State::Lost, Keep::Evidence),
            Verdict::Acknowledged => {
                self.lose_to_acknowledgement(answer, seen.at);
                return Keep::Nothing;
            }
        };
        self.clear_doubt(seen);
        self.lost = (answer.verdict == Verdict::Expired).then_some(LostBecause::Expired);
        self.word.clone_from(&answer.word);
        self.service_status_code = answer.service_status_code;
        self.progress = answer.progress;
        self.fail_reason.clone_from(&answer.fail_reason);
        self.error_code.clone_from(&answer.error_code);
        self.warning.clone_from(&answer.warning);
        self.files = answer.files;
        self.items = answer.items.map(Box::new);

        self.cost = answer.cost.as_deref().map(Box::from).or_else(|| self.cost.take());
        self.fields = answer.fields.clone().or_else(|| self.fields.take());
        self.title = answer.title.as_deref().map(Box::from).or_else(|| self.title.take());
        self.created_at = answer.created_at.or(self.created_at);
        self.eta = answer.eta;
        self.expires_at = answer.expires_at.or(self.expires_at);
        self.running_since = match state {
            State::Queued => None,
            State::Running => answer.started_at.or(self.running_since).or(Some(seen.at)),
            State::Unknown | State::Succeeded | State::Partial | State::Failed | State::Cancelled | State::Lost => {
                answer.started_at.or(self.running_since)
            }
        };
        self.finished_at = state.is_terminal().then(|| {
            let before = if self.state.is_terminal() { self.finished_at } else { None };
            answer.finished_at.or(before).unwrap_or(seen.at)
        });
        self.state = state;
        keep
    }

    fn lose_to_acknowledgement(&mut self, answer: &Answer, at: Timestamp) {
        let earlier = self.lost.filter(|cause| *cause != LostBecause::Gone);
        let cause = earlier.unwrap_or_else(|| self.doubt.map_or(LostBecause::AlreadyRead, Doubt::cause));
        if self.state != State::Lost || self.finished_at.is_none() {
            self.finished_at = Some(answer.finished_at.unwrap_or(at));
        }
        // What came of the only response says more than the service's "delivered already" after it.
        match (cause, &self.doubtful) {
            (LostBecause::NoReply, Some(doubtful)) => self.fail_reason = Some(doubtful.sentence()),
            (LostBecause::Cut, Some(doubtful)) => {
                let kept = if self.evidence.is_some() { "what came is kept" } else { "nothing of it kept" };
                self.fail_reason = Some(format!("{}; {kept}", doubtful.sentence()));
            }
            (LostBecause::Cut | LostBecause::NoReply | LostBecause::ReaderDied, _) => {}
            (LostBecause::AlreadyRead | LostBecause::Expired | LostBecause::Gone, _) => {
                self.fail_reason = answer.fail_reason.clone().or_else(|| self.fail_reason.take());
            }
        }
        self.state = State::Lost;
        self.lost = Some(cause);
        self.word.clone_from(&answer.word);
        self.progress = None;
        self.eta = None;
    }

    fn take_refusal(&mut self, seen: Seen<'_>) -> Keep {
        let doubt = Doubt::left_by(seen).filter(|_| seen.takes_result && !self.is_over());
        let is_doubtful = doubt.is_some_and(|doubt| self.raise_doubt(doubt, seen));
        let is_evidence = is_doubtful || seen.broken || seen.reading.read == PollOutcome::Malformed;
        if is_evidence { Keep::Evidence } else { Keep::Nothing }
    }

    /// Whether this poll is what an "already acknowledged" would be blamed on from now on, and was not one like it
    /// before.
    fn raise_doubt(&mut self, doubt: Doubt, seen: Seen<'_>) -> bool {
        if self.doubt > Some(doubt) {
            return false;
        }
        self.doubt = Some(doubt);
        let reason = seen.reading.reason.clone().unwrap_or_default();
        let next = Doubtful { http_status: seen.http_status, at: seen.at, reason };
        let alike = |one: &Doubtful| one.http_status == next.http_status && one.reason == next.reason;
        let is_new = !self.doubtful.as_deref().is_some_and(alike);
        self.doubtful = Some(Box::new(next));
        is_new
    }

    /// A response to the request that takes the result says that it is still there. One to another request says nothing
    /// about that, unless it says so itself.
    fn clear_doubt(&mut self, seen: Seen<'_>) {
        let is_untaken = seen.reading.answer.as_ref().is_some_and(|answer| answer.is_untaken);
        if seen.takes_result || !seen.one_shot || is_untaken {
            self.doubt = None;
            self.doubtful = None;
        }
    }

    fn differs_durably(&self, next: &Self) -> bool {
        let outcome =
            |read: &Option<LastPoll>| read.as_ref().map(|read| (read.read, read.http_status, read.reason.clone()));
        self.doubt != next.doubt
            || self.warning != next.warning
            || self.fail_reason != next.fail_reason
            || self.error_code != next.error_code
            || self.files != next.files
            || self.items != next.items
            || self.cost != next.cost
            || self.title != next.title
            || self.created_at != next.created_at
            || self.expires_at != next.expires_at
            || self.service_status_code != next.service_status_code
            || self.lost != next.lost
            || outcome(&self.last_poll) != outcome(&next.last_poll)
    }
}

fn payload(answer: &Answer) -> Keep {
    if answer.has_payload { Keep::Evidence } else { Keep::Nothing }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A reading that came at this time since the engine's start, with the least favourable jitter.
    pub(crate) fn seen(reading: &Reading, now: Duration) -> Seen<'_> {
        Seen { now, draw: 1.0, ..received(reading, 1) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn said(state: State) -> Reading {
        Reading::answered(Answer { verdict: Verdict::State(state), word: Some(state.to_string()), ..Answer::default() })
    }

    fn acknowledged() -> Reading {
        let answer = Answer { verdict: Verdict::Acknowledged, word: Some("COMPLETED".to_owned()), ..Answer::default() };
        Reading::answered(answer)
    }

    fn received(reading: &Reading, seq: u64) -> Seen<'_> {
        Seen {
            reading,
            seq,
            at: at(seq as i64),
            http_status: Some(200),
            one_shot: true,
            takes_result: true,
            sent: true,
            broken: false,
            now: Duration::ZERO,
            draw: 0.5,
        }
    }

    fn after(observation: &Observation, seen: Seen<'_>) -> (Observation, bool, Keep) {
        match observation.apply(seen) {
            Applied::Known { observation, changed, keep, .. } => (*observation, changed, keep),
            Applied::Superseded => panic!("superseded"),
        }
    }

    fn running() -> Observation {
        after(&Observation::default(), received(&said(State::Running), 1)).0
    }

    fn copy() -> SavedBody {
        SavedBody { body: BodyId(1), bytes: 2, sha256: Checksum::default(), http_status: 200, at: at(0), masked: false }
    }

    #[test]
    fn a_read_that_is_no_answer_never_changes_the_state() {
        for read in PollOutcome::ALL.into_iter().filter(|read| *read != PollOutcome::Answered) {
            let (next, changed, _) = after(&running(), received(&Reading::refused(read, "no"), 2));
            assert_eq!((next.state, next.word, changed), (State::Running, Some("running".to_owned()), false), "{read}");
            assert_eq!(next.last_poll.unwrap().read, read);
        }
    }

    #[test]
    fn an_answer_to_an_older_request_never_overwrites_a_newer_one() {
        let newer = after(&running(), received(&said(State::Succeeded), 5)).0;
        assert_eq!(newer.apply(received(&said(State::Running), 4)), Applied::Superseded);
    }

    #[test]
    fn what_is_newer_is_told_by_the_requests_and_not_by_a_clock_that_may_be_set_back() {
        let earlier = said(State::Running);
        let back = Seen { at: at(-3600), ..received(&earlier, 6) };
        let newer = after(&after(&running(), received(&said(State::Queued), 5)).0, back).0;
        assert_eq!((newer.state, newer.changed_at), (State::Running, Some(at(-3600))));
        let late = said(State::Queued);
        assert_eq!(newer.apply(Seen { at: at(9), ..received(&late, 5) }), Applied::Superseded);
    }

    #[test]
    fn a_406_for_a_job_whose_result_is_held_changes_nothing() {
        let mut held = after(&running(), received(&said(State::Succeeded), 2)).0;
        held.saved = Some(copy());
        assert_eq!(held.apply(received(&acknowledged(), 3)), Applied::Superseded);
    }

    #[test]
    fn a_406_without_a_copy_is_a_loss_whose_cause_is_what_happened_before_it() {
        let silent = Reading::refused(PollOutcome::Unreachable, "reset");
        let cut = Seen { broken: true, ..received(&silent, 2) };
        let unsent = Seen { sent: false, http_status: None, ..received(&silent, 2) };
        let no_reply = Seen { http_status: None, ..received(&silent, 2) };
        let cases = [
            (running(), LostBecause::AlreadyRead),
            (after(&running(), cut).0, LostBecause::Cut),
            (after(&running(), no_reply).0, LostBecause::NoReply),
            (after(&running(), unsent).0, LostBecause::AlreadyRead),
            (Observation { doubt: Some(Doubt::ReaderDied), ..running() }, LostBecause::ReaderDied),
            (after(&Observation { doubt: Some(Doubt::ReaderDied), ..running() }, cut).0, LostBecause::Cut),
        ];
        for (before, cause) in cases {
            let (lost, changed, keep) = after(&before, received(&acknowledged(), 9));
            assert_eq!((lost.state, lost.lost, changed, keep), (State::Lost, Some(cause), true, Keep::Nothing));
        }
    }

    #[test]
    fn a_poll_that_was_sent_and_brought_no_sense_is_named_and_kept_and_blamed_for_a_loss_after_it() {
        use PollOutcome::{Malformed, NotFound, Rejected, ServerError, Throttled, Unauthorized, Unreachable};
        let named = |code: Option<u16>| {
            let what = code.map_or("no response".to_owned(), |code| format!("HTTP {code}"));
            Some(format!("{what} at 08:00:02 UTC: why"))
        };
        let doubtful = [
            (ServerError, Some(500)),
            (ServerError, Some(502)),
            (Throttled, Some(503)),
            (Unreachable, Some(511)),
            (ServerError, Some(599)),
            (Malformed, Some(200)),
            (Malformed, Some(204)),
            (Rejected, Some(101)),
            (Rejected, Some(304)),
            (Unreachable, None),
        ];
        for (read, http_status) in doubtful {
            let reading = Reading::refused(read, "why");
            let (before, _, keep) = after(&running(), Seen { http_status, ..received(&reading, 2) });
            assert_eq!(keep, Keep::Evidence, "{read} {http_status:?}");
            let again = after(&before, Seen { http_status, ..received(&reading, 3) });
            assert_eq!(again.2 == Keep::Evidence, read == Malformed, "the same again is not kept again: {read}");
            let lost = after(&before, received(&acknowledged(), 4)).0;
            let told = (lost.lost, lost.fail_reason);
            assert_eq!(told, (Some(LostBecause::NoReply), named(http_status)), "{read} {http_status:?}");
        }
        let harmless = [
            (Throttled, 429),
            (Unreachable, 407),
            (ServerError, 408),
            (ServerError, 425),
            (Unauthorized, 401),
            (NotFound, 404),
            (Rejected, 400),
            (Rejected, 307),
        ];
        for (read, code) in harmless {
            let reading = Reading::refused(read, "why");
            let before = after(&running(), Seen { http_status: Some(code), ..received(&reading, 2) }).0;
            let lost = after(&before, received(&acknowledged(), 3)).0;
            assert_eq!((lost.lost, lost.fail_reason), (Some(LostBecause::AlreadyRead), None), "{read} {code}");
        }
    }

    #[test]
    fn a_loss_says_the_http_code_of_what_came_instead_once() {
        let cases = [
            ("HTTP 502: bad gateway", "HTTP 502 at 08:00:02 UTC: bad gateway"),
            ("HTTP 502", "HTTP 502 at 08:00:02 UTC"),
            ("HTTP 502 with an empty body", "HTTP 502 at 08:00:02 UTC with an empty body"),
            ("HTTP 5020 units", "HTTP 502 at 08:00:02 UTC: HTTP 5020 units"),
            ("HTTP 503: upstream", "HTTP 502 at 08:00:02 UTC: HTTP 503: upstream"),
            ("bad gateway", "HTTP 502 at 08:00:02 UTC: bad gateway"),
        ];
        for (reason, told) in cases {
            let doubtful = Doubtful { http_status: Some(502), at: at(2), reason: reason.to_owned() };
            assert_eq!(doubtful.sentence(), told);
        }
    }

    #[test]
    fn what_was_cut_is_blamed_before_a_page_that_came_after_it() {
        let page = Reading::refused(PollOutcome::ServerError, "page");
        let cut = Reading::refused(PollOutcome::Unreachable, "cut");
        let before = after(&running(), Seen { broken: true, ..received(&cut, 2) }).0;
        let before = after(&before, Seen { http_status: Some(502), ..received(&page, 3) }).0;
        let lost = after(&before, received(&acknowledged(), 4)).0;
        let told = "HTTP 200 at 08:00:02 UTC: cut; nothing of it kept".to_owned();
        assert_eq!((lost.lost, lost.fail_reason), (Some(LostBecause::Cut), Some(told)));
    }

    #[test]
    fn a_loss_that_is_our_own_is_told_before_what_the_service_says_to_the_next_request() {
        let delivered = Answer {
            verdict: Verdict::Acknowledged,
            fail_reason: Some("delivered already".to_owned()),
            ..Answer::default()
        };
        let delivered = Reading::answered(delivered);
        let page = Reading::refused(PollOutcome::ServerError, "page");
        let doubted = after(&running(), Seen { http_status: Some(502), ..received(&page, 2) }).0;
        let orphaned = Observation { doubt: Some(Doubt::ReaderDied), ..running() };
        let cases = [
            (doubted, LostBecause::NoReply, Some("HTTP 502 at 08:00:02 UTC: page")),
            (orphaned, LostBecause::ReaderDied, None),
            (running(), LostBecause::AlreadyRead, Some("delivered already")),
        ];
        for (before, cause, reason) in cases {
            let lost = after(&before, received(&delivered, 9)).0;
            assert_eq!((lost.lost, lost.fail_reason.as_deref()), (Some(cause), reason));
        }
    }

    #[test]
    fn an_answer_of_a_running_job_ends_every_doubt_about_its_result() {
        let page = Reading::refused(PollOutcome::ServerError, "page");
        let doubted = after(&running(), Seen { http_status: Some(500), ..received(&page, 2) }).0;
        let sure = after(&doubted, received(&said(State::Running), 3)).0;
        assert_eq!((sure.doubt, sure.doubtful), (None, None));
        let sure = after(&doubted, received(&said(State::Running), 3)).0;
        assert_eq!(after(&sure, received(&acknowledged(), 4)).0.lost, Some(LostBecause::AlreadyRead));
    }

    #[test]
    fn a_missing_word_leaves_the_state_and_an_unfamiliar_one_replaces_it() {
        let missing = Reading::answered(Answer::default());
        assert_eq!(after(&running(), received(&missing, 2)).0.state, State::Running);
        assert_eq!(after(&running(), received(&said(State::Unknown), 2)).0.state, State::Unknown);
    }

    #[test]
    fn a_terminal_answer_must_be_kept_and_a_reply_that_broke_off_too() {
        assert_eq!(after(&running(), received(&said(State::Failed), 2)).2, Keep::Result);
        let silent = Reading::refused(PollOutcome::Unreachable, "cut");
        assert_eq!(after(&running(), Seen { broken: true, ..received(&silent, 2) }).2, Keep::Evidence);
        assert_eq!(after(&running(), received(&Reading::refused(PollOutcome::Malformed, "html"), 2)).2, Keep::Evidence);
        assert_eq!(after(&running(), received(&said(State::Running), 2)).2, Keep::Nothing);
    }

    #[test]
    fn only_a_job_that_was_seen_before_can_be_gone() {
        assert_eq!(running().gone(at(9)).lost, Some(LostBecause::Gone));
        assert_eq!(Observation::default().gone(at(9)), Observation::default());
        let mut done = running();
        done.state = State::Succeeded;
        assert_eq!(done.gone(at(9)).state, State::Succeeded);
    }

    #[test]
    fn a_restarted_task_goes_back_and_forgets_when_it_had_finished() {
        let done = after(&running(), received(&said(State::Failed), 2)).0;
        assert_eq!(done.finished_at, Some(at(2)));
        let again = Seen { one_shot: false, ..received(&said(State::Queued), 3) }.reading.clone();
        let next = after(&done, Seen { one_shot: false, ..received(&again, 3) }).0;
        assert_eq!((next.state, next.finished_at, next.running_since), (State::Queued, None, None));
    }
}
