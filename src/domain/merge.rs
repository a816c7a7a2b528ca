//! What two machines know of one job, put together: one rule for what is uploaded, taken over and saved.
//!
//! It does not matter in which order two machines meet, nor how often. Requests are numbered on over all that have heard
//! of each other; clocks of machines decide only between equal numbers, and which copy or loss of a one-shot result came first.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::observation::{BodyId, Observation, SavedBody};
use super::state::{LostBecause, PollOutcome};

/// How much an observation says, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    NeverAnswered,
    /// Also a job that the service denies: it may come back. And one that is over without a copy and can be asked for
    /// again: sent anew, it runs again.
    Unfinished,
    Over,
    /// A whole terminal response is saved. A job that was restarted after that has it still.
    Saved,
}

impl Observation {
    /// What is known where both are: a copy beats a loss, what is over with a copy, or cannot be asked for again, what is
    /// unfinished, the later request the earlier. Of a result that is handed out once the first copy stands, and the first loss. Dates are the earliest of
    /// both. Bodies are told apart by their SHA-256; the number that comes with one is that of its side.
    #[must_use]
    pub fn merged(&self, other: &Self, one_shot: bool) -> Self {
        let (more, less) = if order(self, other, one_shot).is_ge() { (self, other) } else { (other, self) };
        let mut merged = more.clone();
        merged.applied = more.applied.max(less.applied);
        merged.sent_again |= less.sent_again;
        merged.first_seen = earliest(more.first_seen, less.first_seen);
        let alike = (more.state, &more.word, more.progress) == (less.state, &less.word, less.progress);
        if alike {
            merged.changed_at = earliest(more.changed_at, less.changed_at);
        }
        let same_run = more.is_same_run(less);
        if same_run {
            merged.created_at = more.created_at.or(less.created_at);
        }
        if alike && same_run {
            merged.running_since = earliest(more.running_since, less.running_since);
            merged.finished_at = earliest(more.finished_at, less.finished_at);
        }
        merged.saved = first_of(more.saved.as_ref(), less.saved.as_ref()).cloned();
        merged.evidence = first_of(more.evidence.as_deref(), less.evidence.as_deref()).cloned().map(Box::new);
        merged.expires_at = more.expires_at.or(less.expires_at);
        merged.title = more.title.clone().or_else(|| less.title.clone());
        merged.cost = more.cost.clone().or_else(|| less.cost.clone());
        merged.fields = more.fields.clone().or_else(|| less.fields.clone());
        if less.doubt > more.doubt && !more.clears_doubt_of(less) {
            merged.doubt = less.doubt;
            merged.doubtful.clone_from(&less.doubtful);
        }
        merged
    }

    fn weight(&self, one_shot: bool) -> Weight {
        if self.saved.is_some() {
            Weight::Saved
        } else if one_shot && self.is_over() && self.lost != Some(LostBecause::Gone) {
            Weight::Over
        } else if self.is_observed() {
            Weight::Unfinished
        } else {
            Weight::NeverAnswered
        }
    }

    /// Whether both speak of one run: not where one began after the other had ended.
    fn is_same_run(&self, other: &Self) -> bool {
        let is_before = |one: &Self, next: &Self| {
            let ended = one.finished_at.is_some_and(|end| Some(end) < next.began());
            ended && one.began() < next.began()
        };
        !is_before(self, other) && !is_before(other, self)
    }

    fn began(&self) -> Option<Timestamp> {
        self.running_since.max(self.created_at)
    }

    /// Whether an answer came after what the doubt is about.
    fn clears_doubt_of(&self, other: &Self) -> bool {
        let Some(last) = self.last_poll.as_ref().filter(|last| last.read == PollOutcome::Answered) else {
            return false;
        };
        let doubted = other.doubtful.as_ref().map(|doubtful| doubtful.at);
        doubted.max(other.last_poll.as_ref().map(|last| last.at)).is_none_or(|at| last.at > at)
    }
}

/// Which of two says more. Equal only where they say the same.
fn order(one: &Observation, other: &Observation, one_shot: bool) -> Ordering {
    let polled = |known: &Observation| known.last_poll.as_ref().map(|last| last.at);
    let later = one
        .applied
        .cmp(&other.applied)
        .then_with(|| one.is_over().cmp(&other.is_over()))
        .then_with(|| polled(one).cmp(&polled(other)));
    let first = || {
        let came = |known: &Observation| known.saved.as_ref().map(|saved| (saved.at, saved.sha256.0));
        came(other).cmp(&came(one)).then_with(|| polled(other).cmp(&polled(one)))
    };
    let weight = one.weight(one_shot);
    let by_weight = weight.cmp(&other.weight(one_shot));
    let stands = if one_shot && weight >= Weight::Over { first() } else { Ordering::Equal };
    // Something has to decide, the same everywhere.
    by_weight
        .then(stands)
        .then(later)
        .then_with(|| text(one).cmp(&text(other)))
        .then_with(|| one.began().cmp(&other.began()))
}

/// All of it that is not taken from both, nor differs from store to store.
fn text(known: &Observation) -> String {
    let mut known = Observation {
        first_seen: None,
        changed_at: None,
        running_since: None,
        finished_at: None,
        sent_again: false,
        doubt: None,
        ..known.clone()
    };
    for saved in known.saved.iter_mut().chain(known.evidence.as_deref_mut()) {
        (saved.body, saved.at) = (BodyId(0), Timestamp::UNIX_EPOCH);
    }
    format!("{known:?}")
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// The body of the first; where both have it, as it was received first.
fn first_of<'a>(more: Option<&'a SavedBody>, less: Option<&'a SavedBody>) -> Option<&'a SavedBody> {
    match (more, less) {
        (Some(more), Some(less)) if more.sha256 == less.sha256 && less.at < more.at => Some(less),
        (more, less) => more.or(less),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::checksum::Checksum;
    use crate::domain::observation::{Doubt, Doubtful, LastPoll};
    use crate::domain::state::State;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn body(kind: u8, second: i64) -> SavedBody {
        let sha256 = Checksum([kind; 32]);
        SavedBody { body: BodyId(kind.into()), bytes: 1, sha256, http_status: 200, at: at(second), masked: false }
    }

    fn polled(read: PollOutcome, second: i64) -> Option<LastPoll> {
        Some(LastPoll { read, http_status: Some(200), reason: None, at: at(second) })
    }

    /// An answer to a request of this number, one second after another.
    fn knowing(state: State, applied: u64) -> Observation {
        let second = applied as i64;
        let lost = (state == State::Lost).then_some(LostBecause::AlreadyRead);
        let finished_at = state.is_terminal().then(|| at(second));
        let last_poll = polled(PollOutcome::Answered, second);
        Observation { state, lost, applied, first_seen: Some(at(1)), finished_at, last_poll, ..Observation::default() }
    }

    fn saved(applied: u64) -> Observation {
        Observation { saved: Some(body(7, applied as i64)), ..knowing(State::Succeeded, applied) }
    }

    fn any_known() -> impl Strategy<Value = Observation> {
        let moment = || proptest::option::of(0..4_i64);
        const CAUSES: [LostBecause; 3] = [LostBecause::AlreadyRead, LostBecause::Gone, LostBecause::Cut];
        let what = (proptest::sample::select(&State::ALL[..]), proptest::sample::select(&CAUSES[..]), 0..4_u64);
        let doubts = proptest::option::of(proptest::sample::select(&Doubt::ALL[..]));
        let reads = proptest::option::of((proptest::sample::select(&PollOutcome::ALL[..]), 0..4_i64));
        let bodies = || proptest::option::of((0..3_u8, 0..4_i64));
        let dates = (moment(), moment(), moment(), moment());
        (what, doubts, reads, bodies(), bodies(), dates, any::<bool>()).prop_map(
            |((state, cause, applied), doubt, read, copy, evidence, dates, sent_again)| {
                let (first_seen, running_since, finished_at, created_at) = dates;
                // Nothing is over before it began.
                let finished_at = finished_at.filter(|_| state.is_terminal()).max(running_since.max(created_at));
                let finished_at = finished_at.filter(|_| state.is_terminal());
                Observation {
                    state,
                    lost: (state == State::Lost).then_some(cause),
                    applied,
                    first_seen: first_seen.map(at),
                    running_since: running_since.map(at),
                    finished_at: finished_at.map(at),
                    created_at: created_at.map(at),
                    saved: copy.map(|(kind, second)| body(kind, second)),
                    evidence: evidence.map(|(kind, second)| Box::new(body(kind, second))),
                    doubt,
                    doubtful: doubt.map(|_| {
                        Box::new(Doubtful { http_status: None, at: at(applied as i64), reason: String::new() })
                    }),
                    last_poll: read.and_then(|(read, second)| polled(read, second)),
                    sent_again,
                    ..Observation::default()
                }
            },
        )
    }

    proptest! {
        #[test]
        fn it_does_not_matter_who_is_asked_nor_how_often_and_no_saved_body_is_given_up(
            one in any_known(), other in any_known(), one_shot in any::<bool>()
        ) {
            let merged = one.merged(&other, one_shot);
            prop_assert_eq!(&merged, &other.merged(&one, one_shot));
            prop_assert_eq!(&one.merged(&one, one_shot), &one);
            prop_assert_eq!(&merged.merged(&one, one_shot), &merged);
            prop_assert_eq!(&merged.merged(&other, one_shot), &merged);
            prop_assert_eq!(merged.saved.is_some(), one.saved.is_some() || other.saved.is_some());
            prop_assert_eq!(merged.evidence.is_some(), one.evidence.is_some() || other.evidence.is_some());
            prop_assert!(merged.weight(one_shot) == one.weight(one_shot).max(other.weight(one_shot)));
        }
    }

    #[test]
    fn a_copy_beats_a_loss_what_is_over_for_good_what_is_unfinished_and_a_later_request_an_earlier() {
        use State::{Failed, Lost, Queued, Running, Succeeded};
        let gone = Observation { lost: Some(LostBecause::Gone), ..knowing(Lost, 2) };
        let restarted = Observation { state: Queued, finished_at: None, ..saved(5) };
        let refused = |second| Observation { last_poll: polled(PollOutcome::Throttled, second), ..knowing(Running, 3) };
        let cases = [
            (saved(2), knowing(Lost, 9), [true, true]),
            (saved(2), knowing(Running, 9), [true, true]),
            // What can be asked for again is sent anew, or runs on after all, unless it is held.
            (knowing(Lost, 2), knowing(Queued, 99), [true, false]),
            (knowing(Succeeded, 2), knowing(Running, 3), [true, false]),
            (knowing(Failed, 4), knowing(Running, 3), [true, true]),
            (knowing(Running, 3), knowing(Queued, 2), [true, true]),
            (knowing(Queued, 1), Observation::default(), [true, true]),
            (refused(5), knowing(Running, 3), [true, true]),
            (knowing(Running, 4), refused(9), [true, true]),
            // It may come back.
            (knowing(Running, 3), gone.clone(), [true, true]),
            (gone, knowing(Running, 2), [true, true]),
            // The first copy of what is handed out once; else the newest.
            (saved(5), saved(2), [false, true]),
            (restarted, saved(3), [false, true]),
            (knowing(Lost, 2), knowing(Lost, 3), [true, false]),
        ];
        for (one, other, stands) in cases {
            for (one_shot, stands) in [true, false].into_iter().zip(stands) {
                let expected = if stands { &one } else { &other };
                let merged = one.merged(&other, one_shot);
                let found = (merged.state, merged.lost, merged.last_poll.clone());
                assert_eq!(
                    found,
                    (expected.state, expected.lost, expected.last_poll.clone()),
                    "{one:?} {other:?} {one_shot}"
                );
                assert_eq!(merged.applied, one.applied.max(other.applied));
            }
        }
    }

    #[test]
    fn a_poll_that_comes_late_does_not_date_a_finished_job_anew_and_one_that_ran_again_is_dated_by_its_new_run() {
        let late = Observation { first_seen: Some(at(50)), finished_at: Some(at(50)), ..saved(50) };
        let merged = saved(3).merged(&late, false);
        assert_eq!((merged.first_seen, merged.finished_at), (Some(at(1)), Some(at(3))));
        assert_eq!(merged.saved, Some(body(7, 3)));
        let again = Observation { running_since: Some(at(40)), ..late };
        assert_eq!(saved(3).merged(&again, false).finished_at, Some(at(50)));
    }

    #[test]
    fn a_doubt_about_the_only_response_stays_until_an_answer_after_it() {
        let doubtful = Some(Box::new(Doubtful { http_status: None, at: at(4), reason: "cut".to_owned() }));
        let doubted = Observation { doubt: Some(Doubt::Cut), doubtful, ..knowing(State::Running, 3) };
        for (applied, doubt) in [(4, Some(Doubt::Cut)), (5, None)] {
            let merged = knowing(State::Running, applied).merged(&doubted, true);
            assert_eq!((merged.doubt, merged.doubtful.is_some()), (doubt, doubt.is_some()), "{applied}");
        }
    }
}
