//! Saving and reading back.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::domain::files::{FileCounts, ItemCounts};
use crate::domain::observation::{BodyId, Doubt, Doubtful, FieldValues};
use crate::domain::state::LostBecause;
use crate::store::dir::StateDir;
use crate::store::spool::LONGEST_INLINE;
use crate::store::sqlite::connect;

#[test]
fn a_new_database_has_its_tables_in_its_own_file_before_anything_is_saved() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let _store = open(dir.path());
    let copy = copy.path().join("jobdeck.db");
    std::fs::copy(dir.path().join("jobdeck.db"), &copy).unwrap();
    let copy = rusqlite::Connection::open(copy).unwrap();
    let count = |sql| copy.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM job"), 0);
    assert!(count("PRAGMA user_version") > 0);
}

#[tokio::test]
async fn what_is_saved_is_there_after_a_new_start_field_by_field() {
    let dir = tempfile::tempdir().unwrap();
    let job = scan("a");
    let full = Observation {
        lost: Some(LostBecause::Cut),
        state: State::Lost,
        word: Some("COMPLETED \u{1b}[31m".to_owned()),
        http_status: Some(422),
        service_status_code: Some(-3),
        progress: Some(12.5),
        fail_reason: Some("why".to_owned()),
        error_code: Some("E1".to_owned()),
        warning: Some("odd".to_owned()),
        odd_on_disk: None,
        files: Some(FileCounts { total: 3, failed: 1 }),
        items: Some(Box::new(ItemCounts { total: Some(9), succeeded: None, failed: Some(2) })),
        cost: Some("0.0123000".into()),
        title: Some("scan 7.pdf".into()),
        fields: Some(Box::new(FieldValues { taken_by: "v1".to_owned(), values: r#"{"total":1.50}"#.to_owned() })),
        created_at: Some(at(0)),
        expires_at: Some(at(86_400)),
        first_seen: Some(at(1)),
        running_since: Some(at(2)),
        finished_at: Some(at(3)),
        eta: Some(at(4)),
        changed_at: Some("2026-11-21T10:00:00.123456789Z".parse().unwrap()),
        applied: 41,
        doubt: Some(Doubt::NoReply),
        doubtful: Some(Box::new(Doubtful { http_status: Some(500), at: at(8), reason: "<html>".to_owned() })),
        last_poll: Some(LastPoll {
            read: PollOutcome::Malformed,
            http_status: None,
            reason: Some("html".to_owned()),
            at: at(9),
        }),
        saved: None,
        evidence: None,
        sent_again: false,
    };
    let store = open(dir.path());
    let save = Save { change: Some(change()), attempts: vec![attempt(), attempt()], ..step(&job, full.clone()) };
    assert_eq!(store.save(save).await.unwrap(), full);
    drop(store);

    let store = open(dir.path());
    assert_eq!(
        store.results().load(vec![scan("never"), job.clone()]).await.unwrap(),
        [Observation::default(), full.clone()]
    );
    assert_eq!(store.results().load_all().await.unwrap(), [((*super::job(&job)).clone(), full)]);
    assert_eq!(store.results().history(job).await.unwrap(), (vec![attempt(), attempt()], vec![change()]));
}

#[tokio::test]
async fn of_each_job_the_last_changes_are_kept_however_many_change_in_turn_and_the_state_before_the_word() {
    let of = |job: &JobKey, n: i64, previous, state, word: i64| {
        let change = StateChange { at: at(n), previous, state, word: Some(word.to_string()) };
        Save { change: Some(change), ..step(job, knowing(state, n.cast_unsigned())) }
    };
    for jobs in [2, 4, 16, 32] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let keys: Vec<JobKey> = (0..jobs).map(|n| key(ProviderName::VESSL, &n.to_string())).collect();
        let (quiet, slow) = (scan("quiet"), scan("slow"));
        let running = Some(State::Running);
        let words = (3..=230).map(|n| (n, running, State::Running));
        let steps = [(1, None, State::Queued), (2, Some(State::Queued), State::Running)].into_iter().chain(words);
        let turns = steps.flat_map(|(n, previous, state)| keys.iter().map(move |job| of(job, n, previous, state, n)));
        // Of one that only gets on, nothing is kept after its start.
        let progress = (2..=300).map(|n| of(&slow, n, running, State::Running, 1));
        let others = [of(&quiet, 1, None, State::Queued, 1), of(&slow, 1, Some(State::Queued), State::Running, 1)];
        let saves = others.into_iter().chain(turns).chain(progress).map(|save| store.save(save));
        futures_util::future::try_join_all(saves).await.unwrap();
        for job in keys {
            let kept = store.results().history(job).await.unwrap().1;
            assert!((200..=216).contains(&kept.len()), "{jobs} jobs: {} are kept", kept.len());
            assert_eq!([kept[0].at, kept[1].at, kept.last().unwrap().at], [at(1), at(2), at(230)], "{jobs} jobs");
        }
        for job in [quiet, slow] {
            assert_eq!(store.results().history(job).await.unwrap().1.len(), 1, "{jobs} jobs");
        }
    }
}

#[tokio::test]
async fn that_a_job_was_sent_again_is_known_from_then_on_whatever_is_saved_of_it_later() {
    let dir = tempfile::tempdir().unwrap();
    let (store, other) = (open(dir.path()), open(dir.path()));
    for id in ["a", "b"] {
        store.save(step(&scan(id), knowing(State::Failed, 1))).await.unwrap();
    }
    assert_eq!(store.results().sent_again().await.unwrap(), []);
    other.notes().end_sending(jobs_of(vec![scan("a"), scan("new")]), true).await.unwrap();
    assert!(store.save(step(&scan("a"), knowing(State::Failed, 2))).await.unwrap().sent_again);
    assert_eq!(store.results().sent_again().await.unwrap(), [scan("a"), scan("new")]);
    for (id, expected) in [("a", true), ("b", false), ("new", true)] {
        assert_eq!(known(&view(dir.path()), &scan(id)).await.sent_again, expected, "{id}");
    }
}

#[tokio::test]
async fn two_that_would_send_a_job_again_at_once_are_one_that_does() {
    let dir = tempfile::tempdir().unwrap();
    let (store, other) = (open(dir.path()), open(dir.path()));
    let asked = |ids: &[&str], is_known| {
        jobs_of(ids.iter().map(|id| scan(id)).collect()).into_iter().map(|job| (job, is_known)).collect::<Vec<_>>()
    };
    assert_eq!(store.notes().begin_sending(asked(&["a", "b"], false)).await.unwrap(), [true, true]);
    // Nor by the same instance, nor where one is asked for once more.
    for (who, is_known) in [(&other, false), (&other, true), (&store, false)] {
        assert_eq!(who.notes().begin_sending(asked(&["a"], is_known)).await.unwrap(), [false], "{is_known}");
    }
    // What failed may be tried by anybody; what was sent only by who knows.
    store.notes().end_sending(jobs_of(vec![scan("a")]), true).await.unwrap();
    store.notes().end_sending(jobs_of(vec![scan("b")]), false).await.unwrap();
    assert_eq!(other.notes().begin_sending(asked(&["a", "b", "c"], false)).await.unwrap(), [false, true, true]);
    assert_eq!(other.notes().begin_sending(asked(&["a"], true)).await.unwrap(), [true]);
    assert_eq!(store.results().sent_again().await.unwrap(), [scan("a")]);
    // Whoever is gone may have sent what it was at.
    other.close().await;
    assert_eq!(store.notes().begin_sending(asked(&["b"], false)).await.unwrap(), [false]);
    assert_eq!(store.results().sent_again().await.unwrap(), [scan("a"), scan("b")]);
    assert_eq!(store.notes().begin_sending(asked(&["b", "c"], true)).await.unwrap(), [true, true]);
}

#[tokio::test]
async fn a_body_is_given_back_byte_for_byte_and_over_64_kib_it_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for (n, (size, is_file)) in
        [(0, false), (LONGEST_INLINE, false), (LONGEST_INLINE + 1, true)].into_iter().enumerate()
    {
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let known = store.save(with_copy(&scan(&n.to_string()), 1, bytes.clone())).await.unwrap();
        let saved = known.saved.unwrap();
        assert_eq!((saved.bytes, saved.http_status, saved.at), (size as u64, 200, at(7)));
        assert_eq!(saved.sha256, crate::domain::checksum::Checksum::of(&bytes));
        assert_eq!(store.results().body(saved.body).await.unwrap(), bytes);
        let path = store.results().body_path(saved.body).await.unwrap();
        assert_eq!(path.is_some(), is_file);
        assert!(path.is_none_or(|path| std::fs::read(path).unwrap() == bytes));
    }
    assert!(
        store.results().body(BodyId(99)).await.unwrap_err().to_string().starts_with("failed to read a saved response")
    );
}

#[tokio::test]
async fn a_spooled_reply_is_moved_and_not_written_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bytes = vec![b'x'; 3 * LONGEST_INLINE];
    let mut spool = store.spool().begin(&scan("a"), 1, true);
    for chunk in bytes.chunks(10_000) {
        spool.push(chunk);
    }
    let (held, spooled) = spool.finish().bytes().unwrap();
    assert_eq!(held, bytes);
    let mut save = with_copy(&scan("a"), 1, held.to_vec());
    save.body.as_mut().unwrap().spooled = spooled;
    let saved = store.save(save).await.unwrap().saved.unwrap();
    assert_eq!(saved.sha256, crate::domain::checksum::Checksum::of(&bytes));
    assert_eq!(held, bytes, "the mapping outlives the move");
    assert_eq!(store.results().body(saved.body).await.unwrap(), bytes);
    assert_eq!(files_in(&dir.path().join("spool")), Vec::<String>::new());
    assert_eq!(files_in(&dir.path().join("bodies")).len(), 1);
}

#[tokio::test]
async fn a_reply_that_is_not_saved_leaves_no_file_but_for_a_one_shot_one_that_nobody_discarded() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let count = || files_in(&dir.path().join("spool")).len();
    for (provider, left) in [(ProviderName::VESSL, 0), (ProviderName::OPTEXITY, 0), (ProviderName::UNSTRACT, 1)] {
        for finished in [true, false] {
            let mut spool = store.spool().begin(&key(provider, "a"), u64::from(finished), left > 0);
            spool.push(&[b'x'; 2 * LONGEST_INLINE]);
            assert_eq!(count(), 1, "{provider}");
            let spooled = if finished {
                spool.finish().bytes().unwrap().1
            } else {
                drop(spool);
                None
            };
            assert_eq!(count(), left, "{provider}");
            if let Some(spooled) = spooled {
                store.spool().discard(&spooled);
                assert_eq!(count(), 0, "{provider}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_newer_is_told_by_the_requests_and_not_by_a_clock_that_may_be_set_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let read_at = |state, applied, second| {
        let last_poll = knowing(state, applied).last_poll.map(|read| LastPoll { at: at(second), ..read });
        step(&scan("a"), Observation { last_poll, ..knowing(state, applied) })
    };
    store.claim(jobs_of(vec![scan("a")])).await.unwrap();
    store.save(read_at(State::Queued, 5, 0)).await.unwrap();
    assert_eq!(store.save(read_at(State::Running, 6, -3600)).await.unwrap().state, State::Running);
    assert_eq!(store.save(read_at(State::Queued, 5, 9)).await.unwrap().state, State::Running);
    let refused = Observation { word: Some("EXECUTING".to_owned()), ..knowing(State::Running, 6) };
    let refused = Observation { last_poll: read_at(State::Running, 6, -7200).observation.last_poll, ..refused };
    let known = store.save(step(&scan("a"), refused.clone())).await.unwrap();
    assert_eq!(known, refused, "whoever holds the claim is not outdone by the clock either");
}

#[tokio::test]
async fn a_short_reply_makes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut spool = store.spool().begin(&scan("a"), 1, true);
    spool.push(b"short");
    assert_eq!(spool.finish().bytes().unwrap(), (Bytes::from_static(b"short"), None));
    assert_eq!(files_in(&dir.path().join("spool")), Vec::<String>::new());
}

#[tokio::test]
async fn a_reply_whose_disk_fails_goes_on_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bytes = vec![b'x'; 3 * LONGEST_INLINE];
    std::fs::remove_dir_all(dir.path().join("spool")).unwrap();
    std::fs::write(dir.path().join("spool"), "a file is in the way").unwrap();
    let mut spool = store.spool().begin(&scan("a"), 1, true);
    for chunk in bytes.chunks(10_000) {
        spool.push(chunk);
    }
    let (held, spooled) = spool.finish().bytes().unwrap();
    assert_eq!((held.as_ref(), spooled), (bytes.as_slice(), None));
}

#[tokio::test]
async fn a_reply_whose_file_vanishes_is_still_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bytes = vec![b'x'; 3 * LONGEST_INLINE];
    let mut spool = store.spool().begin(&scan("a"), 1, true);
    spool.push(&bytes);
    std::fs::remove_dir_all(dir.path().join("spool")).unwrap();
    spool.push(b"end");
    let (held, spooled) = spool.finish().bytes().unwrap();
    assert_eq!((held.len(), spooled), (bytes.len() + 3, None));
    let saved = store.save(with_copy(&scan("a"), 1, held.to_vec())).await;
    let saved = match saved {
        Ok(known) => known.saved,
        Err(_) => {
            std::fs::create_dir(dir.path().join("spool")).unwrap();
            store.save(with_copy(&scan("a"), 1, held.to_vec())).await.unwrap().saved
        }
    };
    assert_eq!(store.results().body(saved.unwrap().body).await.unwrap(), held);
}

#[tokio::test]
async fn the_directory_is_for_its_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/state");
    let store = open(&dir);
    store.save(with_copy(&scan("a"), 1, vec![b'x'; LONGEST_INLINE + 1])).await.unwrap();
    let mut todo = vec![dir];
    while let Some(path) = todo.pop() {
        let about = std::fs::metadata(&path).unwrap();
        let mode = if about.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(about.permissions().mode() & 0o777, mode, "{}", path.display());
        if about.is_dir() {
            todo.extend(files_in(&path).iter().map(|name| path.join(name)));
        }
    }
}

#[tokio::test]
async fn a_newer_copy_of_a_job_that_can_be_read_again_leaves_the_older_one_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let task = key(ProviderName::OPTEXITY, "t");
    let first = store.save(with_copy(&task, 1, "one")).await.unwrap().saved.unwrap();
    let second = store.save(with_copy(&task, 2, "two")).await.unwrap().saved.unwrap();
    let same = store.save(with_copy(&task, 3, "two")).await.unwrap().saved.unwrap();
    assert_eq!(store.results().body(first.body).await.unwrap(), "one");
    assert_eq!(store.results().body(second.body).await.unwrap(), "two");
    assert_eq!(same, second);
    assert_eq!(store.results().kept(task).await.unwrap().len(), 2);
}

#[tokio::test]
async fn nothing_displaces_the_only_copy_of_a_one_shot_result() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let held = store.save(with_copy(&scan("a"), 5, "result")).await.unwrap();
    let lost = Observation { lost: Some(LostBecause::AlreadyRead), ..knowing(State::Lost, 9) };
    let stands = store.save(step(&scan("a"), lost)).await.unwrap();
    assert_eq!((stands.state, stands.saved), (State::Succeeded, held.saved));
}

#[tokio::test]
async fn an_older_step_changes_nothing_but_its_copy_is_never_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let newer = Observation { lost: Some(LostBecause::AlreadyRead), ..knowing(State::Lost, 9) };
    store.save(step(&scan("a"), newer.clone())).await.unwrap();
    let stands = store.save(step(&scan("a"), knowing(State::Running, 5))).await.unwrap();
    assert_eq!(stands, newer);
    let rescued = store.save(with_copy(&scan("a"), 5, "result")).await.unwrap();
    assert_eq!((rescued.state, rescued.applied), (State::Succeeded, 9));
    assert_eq!(store.results().body(rescued.saved.unwrap().body).await.unwrap(), "result");
}

#[tokio::test]
async fn five_bodies_of_evidence_are_kept_and_the_same_bytes_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 1..=8 {
        store.save(with_evidence(&scan("a"), n, &format!("html {n}"))).await.unwrap();
        store.save(with_evidence(&scan("a"), n, &format!("html {n}"))).await.unwrap();
    }
    let kept = store.results().kept(scan("a")).await.unwrap();
    assert_eq!(kept.len(), 5);
    let last = known(store.results(), &scan("a")).await.evidence.unwrap();
    assert_eq!(kept.last().unwrap().saved, *last);
    assert_eq!(store.results().body(last.body).await.unwrap(), "html 8");
}

#[tokio::test]
async fn what_came_of_a_one_shot_reply_that_broke_off_is_never_displaced() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let cut = store.save(broken(with_evidence(&scan("a"), 1, "{\"message\":["))).await.unwrap().evidence;
    for n in 2..=9 {
        let known = store.save(with_evidence(&scan("a"), n, &format!("a longer page of html {n}"))).await.unwrap();
        assert_eq!(known.evidence, cut);
    }
    let longer = store.save(broken(with_evidence(&scan("a"), 10, "{\"message\":[{\"file\""))).await.unwrap().evidence;
    assert_eq!(longer.unwrap().bytes, 19);
    let broken = store.results().kept(scan("a")).await.unwrap().into_iter().filter(|kept| kept.broken);
    assert_eq!(broken.count(), 2);
}

#[tokio::test]
async fn evidence_stays_beside_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let before = store.save(with_evidence(&scan("a"), 1, "html")).await.unwrap();
    let after = store.save(with_copy(&scan("a"), 2, "result")).await.unwrap();
    assert_eq!(after.evidence, before.evidence);
    assert_eq!(known(store.results(), &scan("a")).await, after);
}

#[tokio::test]
async fn declaring_the_same_again_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, other) = (open(dir.path()), open(dir.path()));
    let jobs: Vec<_> = (0..10).map(|n| job(&scan(&n.to_string()))).collect();
    store.declare(jobs.clone()).await.unwrap();
    assert!(other.changes().await.unwrap() != Changes::Nothing);
    store.declare(jobs.clone()).await.unwrap();
    assert!(other.changes().await.unwrap() == Changes::Nothing);
    let renamed = Arc::new(Job { name: None, ..(*jobs[3]).clone() });
    store.declare(vec![Arc::clone(&renamed)]).await.unwrap();
    assert!(other.changes().await.unwrap() != Changes::Nothing);
    assert_eq!(store.results().load_all().await.unwrap()[3].0, *renamed);
}

#[tokio::test]
async fn steps_that_wait_together_are_all_saved() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let keys: Vec<_> = (0..2000).map(|n| scan(&n.to_string())).collect();
    let begun = std::time::Instant::now();
    let saves = keys.iter().map(|key| {
        let attempts = vec![attempt(); 3];
        store.save(Save { attempts, change: Some(change()), ..with_copy(key, 1, vec![b'x'; 2000]) })
    });
    for known in futures_util::future::join_all(saves).await {
        assert!(known.unwrap().saved.is_some());
    }
    println!("2000 saves in {:?}", begun.elapsed());
    drop(store);
    let known = open(dir.path()).results().load(keys).await.unwrap();
    assert!(known.iter().all(|known| known.saved.is_some()));
}

#[tokio::test]
#[ignore = "a measurement: run it in release"]
async fn a_hundred_thousand_jobs_are_loaded_and_claimed_quickly() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let jobs: Vec<_> = (0..100_000).map(|n| job(&scan(&format!("e748d90f-af7d-4a98-813d-{n:012}")))).collect();
    let keys: Vec<_> = jobs.iter().map(|job| job.key.clone()).collect();
    let since = std::time::Instant::now();
    store.declare(jobs.clone()).await.unwrap();
    println!("declare {:?}", since.elapsed());
    let since = std::time::Instant::now();
    store.declare(jobs.clone()).await.unwrap();
    println!("declare again {:?}", since.elapsed());
    let since = std::time::Instant::now();
    store.claim(jobs_of(keys.clone())).await.unwrap();
    println!("claim {:?}", since.elapsed());
    let since = std::time::Instant::now();
    let saves = keys.iter().map(|key| store.save(with_copy(key, 1, "result")));
    futures_util::future::join_all(saves).await;
    println!("save {:?}", since.elapsed());
    let since = std::time::Instant::now();
    let known = store.results().load(keys.clone()).await.unwrap();
    println!("load {:?}", since.elapsed());
    assert!(known.iter().all(|known| known.saved.is_some()));
    let since = std::time::Instant::now();
    assert_eq!(store.results().load_all().await.unwrap().len(), keys.len());
    println!("load all {:?}", since.elapsed());
    drop(store);
    let since = std::time::Instant::now();
    let store = open(dir.path());
    println!("open {:?}", since.elapsed());
    let since = std::time::Instant::now();
    assert!(store.claim(jobs_of(keys)).await.unwrap().iter().all(|claim| *claim == Claim::Ours { orphaned: true }));
    println!("take over {:?}", since.elapsed());
    let since = std::time::Instant::now();
    store.close().await;
    println!("close {:?}", since.elapsed());
}

#[test]
fn a_statement_is_prepared_once_whatever_numbers_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let connection = connect::for_reading(&StateDir::new(dir.path()).database()).unwrap();
    let mut find = connection.prepare("SELECT 1 FROM job WHERE endpoint = ?1 AND service_id = 'a'").unwrap();
    for endpoint in [1, 2, 1, 3] {
        assert!(!find.exists([endpoint]).unwrap());
    }
    assert_eq!(find.get_status(rusqlite::StatementStatus::RePrepare), 0);
}
