//! What holds for any sequence of replies: a read outcome never changes a state, and what is over stays over.

use jiff::Timestamp;
use proptest::prelude::*;

use super::wire_cases::cases;
use crate::domain::job::{JobKey, ProviderName};
use crate::domain::observation::{Applied, BodyId, Keep, Observation, SavedBody, Seen};
use crate::domain::reading::Reading;
use crate::domain::response::{Headers, Response};
use crate::domain::state::{PollOutcome, State};

/// A reply that a service, a proxy or chance could send.
fn replies() -> impl Strategy<Value = (u16, String, bool, bool)> {
    let words = prop::sample::select(vec![
        "PENDING",
        "EXECUTING",
        "COMPLETED",
        "ERROR",
        "STOPPED",
        "pending",
        "in_progress",
        "completed",
        "failed",
        "queued",
        "running",
        "killed",
        "cancelled",
        "something new",
        "",
    ]);
    let messages = prop::sample::select(vec![
        "null",
        "[]",
        r#""Result already acknowledged""#,
        r#""text""#,
        "{}",
        "7",
        r#"[{"file":"a","status":"Success","result":{"output":1},"error":null}]"#,
        r#"[{"file":"a","status":"Failed","result":null,"error":"no"},{"file":"b","status":"Success","result":1}]"#,
    ]);
    let body = prop_oneof![
        6 => (words, messages).prop_map(|(word, message)| {
            format!(r#"{{"success":true,"status":"{word}","message":{message},"result":"x","raw_output":"y"}}"#)
        }),
        1 => Just(r#"{"detail":"Not Found"}"#.to_owned()),
        1 => Just(r#"{"errors":[{"detail":"Execution with ID 'x' does not exist."}]}"#.to_owned()),
        1 => Just("<html><title>502</title></html>".to_owned()),
        1 => "\\PC{0,40}",
    ];
    let status = prop::sample::select(vec![
        200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 406, 406, 408, 410, 422, 422, 429, 500, 500, 502, 503,
    ]);
    (status, body, prop::bool::weighted(0.15), prop::bool::weighted(0.1))
}

fn read_scripted(provider: ProviderName, (status, body, broken, _): &(u16, String, bool, bool)) -> Reading {
    read(provider, *status, body.as_bytes(), *broken)
}

fn read(provider: ProviderName, status: u16, body: &[u8], broken: bool) -> Reading {
    let key = JobKey { provider, endpoint: "https://h".into(), id: "x".to_owned() };
    let reply = Response {
        status,
        headers: Headers::default(),
        body: bytes::Bytes::copy_from_slice(body),
        broken: broken.then(|| "cut".to_owned()),
        at: Timestamp::UNIX_EPOCH,
    };
    super::read(&key, &reply)
}

fn is_over(state: State) -> bool {
    match state {
        State::Succeeded | State::Partial | State::Failed | State::Cancelled | State::Lost => true,
        State::Queued | State::Running | State::Unknown => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_read_outcome_but_ok_changes_a_state_and_a_saved_result_is_never_lost(
        provider in prop::sample::select(super::PROVIDERS.to_vec()),
        sequence in prop::collection::vec(replies(), 1..12),
    ) {
        let one_shot = super::traits(provider).one_shot;
        let mut known = Observation::default();
        let mut copies = 0_i64;
        for (seq, scripted) in sequence.iter().enumerate() {
            let reading = read_scripted(provider, scripted);
            prop_assert_eq!(reading.read == PollOutcome::Answered, reading.answer.is_some());
            let unsent = scripted.3;
            let reading = if unsent { Reading::refused(PollOutcome::Unreachable, "refused") } else { reading };
            let applied = known.apply(Seen {
                reading: &reading,
                seq: seq as u64 + 1,
                at: Timestamp::UNIX_EPOCH,
                http_status: (!unsent).then_some(scripted.0),
                one_shot,
                takes_result: one_shot,
                sent: !unsent,
                broken: scripted.2 && reading.read != PollOutcome::Answered,
                now: std::time::Duration::ZERO,
                draw: 0.5,
            });
            let Applied::Known { observation, changed, keep, .. } = applied else {
                prop_assert!(one_shot && copies > 0, "only a result that is here makes newer replies worthless");
                continue;
            };
            if reading.read != PollOutcome::Answered {
                prop_assert_eq!((observation.state, &observation.word), (known.state, &known.word));
                prop_assert!(!changed && keep != Keep::Result);
            }
            if one_shot && copies > 0 {
                prop_assert!(observation.state != State::Lost, "{:?} after a copy was saved", observation);
            }
            prop_assert!(keep != Keep::Result || is_over(observation.state), "a copy of what is not over");
            known = *observation;
            if keep == Keep::Result {
                // As the store does.
                copies += 1;
                let at = Timestamp::UNIX_EPOCH;
                known.saved =
                    Some(SavedBody { body: BodyId(copies), bytes: 1, sha256: Default::default(), http_status: 200, at, masked: false });
            }
        }
    }

    #[test]
    fn an_answer_to_an_older_request_changes_nothing(provider in prop::sample::select(super::PROVIDERS.to_vec()), first in replies(), late in replies()) {
        let apply = |known: &Observation, seq, scripted: &(u16, String, bool, bool)| known.apply(Seen {
            reading: &read_scripted(provider, scripted),
            seq,
            at: Timestamp::UNIX_EPOCH,
            http_status: Some(scripted.0),
            one_shot: super::traits(provider).one_shot,
            takes_result: super::traits(provider).one_shot,
            sent: true,
            broken: false,
            now: std::time::Duration::ZERO,
            draw: 0.5,
        });
        // Only an answer outranks an older one.
        if read_scripted(provider, &first).read != PollOutcome::Answered {
            return Ok(());
        }
        if let Applied::Known { observation, .. } = apply(&Observation::default(), 5, &first)
            && let Applied::Known { observation: after, .. } = apply(&observation, 4, &late)
        {
            prop_assert_eq!((after.state, &after.word, &after.lost), (observation.state, &observation.word, &observation.lost));
        }
    }

    #[test]
    fn a_recorded_reply_that_is_cut_changed_or_doubled_is_read_without_a_panic(
        nth in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..4u8, status in 100u16..600,
    ) {
        let cases = all_cases();
        let case = &cases[nth.index(cases.len())];
        let mut body = case.1.clone();
        if !body.is_empty() {
            let at = at.index(body.len());
            match how {
                0 => body.truncate(at),
                1 => body[at] = byte,
                2 => body.insert(at, byte),
                _ => body.extend_from_within(at..),
            }
        }
        let reading = read(case.0, status, &body, how == 0);
        prop_assert_eq!(reading.read == PollOutcome::Answered, reading.answer.is_some());
        let whole = crate::json::scan::document(&body).is_ok();
        let begins_whole = crate::json::scan::leading_object(&body).is_some();
        let is_taken = super::extract(case.0, &body.into()).fault.is_none();
        prop_assert!(is_taken == whole || (is_taken && begins_whole));
    }
}

/// The recorded bodies that are not huge, read from disk once.
fn all_cases() -> &'static [(ProviderName, Vec<u8>)] {
    static CASES: std::sync::OnceLock<Vec<(ProviderName, Vec<u8>)>> = std::sync::OnceLock::new();
    CASES.get_or_init(|| {
        let small = |body: &Vec<u8>| body.len() < 64 << 10;
        cases().iter().map(|case| (case.provider, case.body().to_vec())).filter(|(_, body)| small(body)).collect()
    })
}
