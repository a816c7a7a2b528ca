//! One reader a job, whatever happens to it.

use super::*;
use crate::domain::observation::Doubt;
use crate::store::spool::LONGEST_INLINE;

#[tokio::test]
async fn a_job_has_one_reader_until_that_one_gives_it_up() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()), open(dir.path()));
    let ours = Claim::Ours { orphaned: false };
    assert_eq!(claimed(&first, &scan("a")).await, ours);
    assert_eq!(claimed(&first, &scan("a")).await, ours);
    let claims = second.claim(jobs_of(vec![scan("a"), scan("b")])).await.unwrap();
    assert_eq!((pid_of(&claims[0]), &claims[1]), (Some(std::process::id()), &ours));
    second.release(vec![scan("a")], Vec::new()).await.unwrap();
    assert_ne!(claimed(&second, &scan("a")).await, ours, "only the holder can give it up");
    first.release(vec![scan("a")], Vec::new()).await.unwrap();
    assert_eq!(claimed(&second, &scan("a")).await, ours);
}

#[tokio::test]
async fn a_holder_on_another_machine_is_named_by_its_user_and_host() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()), open(dir.path()));
    claimed(&first, &scan("a")).await;
    let outside = rusqlite::Connection::open(dir.path().join("jobdeck.db")).unwrap();
    outside.execute("UPDATE instance SET host = 'build-3', user = 'ana'", []).unwrap();
    let Claim::Theirs(owner) = claimed(&second, &scan("a")).await else { panic!("the first one lives") };
    assert_eq!((owner.is_here, owner.to_string().as_str()), (false, "ana@build-3"));
    let owners = second.results().owners(vec![scan("a"), scan("b")]).await.unwrap();
    assert_eq!(owners, [Some(owner), None]);
}

#[tokio::test]
async fn closing_gives_up_every_claim() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()), open(dir.path()));
    claimed(&first, &scan("a")).await;
    first.close().await;
    assert_eq!(claimed(&second, &scan("a")).await, Claim::Ours { orphaned: false });
    assert!(first.probe().await.is_err());
    drop(first);
    assert_eq!(files_in(&dir.path().join("instances")).iter().filter(|name| name.ends_with(".lock")).count(), 1);
}

#[tokio::test]
async fn where_a_response_lies_unread_closing_leaves_the_claims_to_the_end_of_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()), open(dir.path()));
    first.claim(jobs_of(vec![scan("a"), scan("b")])).await.unwrap();
    let mut spool = first.spool().begin(&scan("a"), 1, true);
    spool.push(&vec![b'x'; 2 * LONGEST_INLINE]);
    drop(spool.finish());
    first.release(vec![scan("b")], Vec::new()).await.unwrap();
    first.close().await;
    let claims = second.claim(jobs_of(vec![scan("a"), scan("b")])).await.unwrap();
    assert_eq!((pid_of(&claims[0]), &claims[1]), (Some(std::process::id()), &Claim::Ours { orphaned: false }));
    drop(first);
    assert_eq!(claimed(&second, &scan("a")).await, Claim::Ours { orphaned: true });
    assert_eq!(known(second.results(), &scan("a")).await.evidence.unwrap().bytes, 2 * LONGEST_INLINE as u64);
}

#[tokio::test]
async fn a_job_of_which_something_lies_unread_is_nobodys_until_that_can_be_taken_in() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()), open(dir.path()));
    first.claim(jobs_of(vec![scan("a"), scan("b")])).await.unwrap();
    let mut spool = first.spool().begin(&scan("a"), 1, true);
    spool.push(&vec![b'x'; 2 * LONGEST_INLINE]);
    drop(spool.finish());
    drop(first);
    // A folder that is not empty stands where the bytes are to go.
    let left = files_in(&dir.path().join("spool"));
    let in_the_way = dir.path().join("bodies").join(&left[0]);
    std::fs::create_dir_all(in_the_way.join("x")).unwrap();
    for _ in 0..2 {
        let claims = second.claim(jobs_of(vec![scan("a"), scan("b")])).await.unwrap();
        assert!(matches!((&claims[0], &claims[1]), (Claim::Blocked(_), Claim::Ours { .. })), "{claims:?}");
    }
    std::fs::remove_dir_all(in_the_way).unwrap();
    assert_eq!(claimed(&second, &scan("a")).await, Claim::Ours { orphaned: true });
    assert_eq!(known(second.results(), &scan("a")).await.evidence.unwrap().bytes, 2 * LONGEST_INLINE as u64);
}

#[tokio::test]
async fn a_dead_instance_leaves_its_jobs_with_a_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()), open(dir.path()));
    let (task, cut) = (key(ProviderName::VESSL, "t"), scan("cut"));
    let jobs = vec![scan("a"), scan("done"), task.clone(), cut.clone()];
    first.claim(jobs_of(jobs.clone())).await.unwrap();
    first.save(with_copy(&scan("done"), 1, "result")).await.unwrap();
    first.save(step(&cut, Observation { doubt: Some(Doubt::Cut), ..knowing(State::Running, 1) })).await.unwrap();
    drop(first);
    assert_eq!(second.claim(jobs_of(jobs.clone())).await.unwrap(), vec![Claim::Ours { orphaned: true }; 4]);
    let doubts: Vec<_> = second.results().load(jobs).await.unwrap().iter().map(|known| known.doubt).collect();
    assert_eq!(doubts, [Some(Doubt::ReaderDied), None, None, Some(Doubt::Cut)]);
    assert_eq!(files_in(&dir.path().join("instances")).iter().filter(|name| name.ends_with(".lock")).count(), 1);
}

#[tokio::test]
async fn what_a_dead_instance_had_received_becomes_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = vec![b'x'; 2 * LONGEST_INLINE];
    let (first, second) = (open(dir.path()), open(dir.path()));
    claimed(&first, &scan("a")).await;
    let mut spool = first.spool().begin(&scan("a"), 7, true);
    spool.set_status(200);
    spool.push(&bytes);
    assert_eq!(pid_of(&claimed(&second, &scan("a")).await), Some(std::process::id()));
    drop((first, spool));

    assert_eq!(claimed(&second, &scan("a")).await, Claim::Ours { orphaned: true });
    let evidence = known(second.results(), &scan("a")).await.evidence.unwrap();
    assert_eq!((evidence.bytes, evidence.http_status), (bytes.len() as u64, 200));
    assert_eq!(second.results().body(evidence.body).await.unwrap(), bytes);
    let kept = second.results().kept(scan("a")).await.unwrap();
    assert_eq!((kept.len(), kept[0].broken, kept[0].keep), (1, true, Keep::Evidence));
    assert_eq!(files_in(&dir.path().join("spool")), Vec::<String>::new());
}

#[tokio::test]
async fn that_a_token_was_masked_in_what_a_dead_instance_had_received_is_known_to_its_successor() {
    for at in [0, 1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path());
        claimed(&first, &scan("a")).await;
        let mut spool = first.spool().begin(&scan("a"), 7, true);
        for part in 0..2 {
            if part == at {
                spool.set_masked();
            }
            spool.push(&vec![b'*'; 2 * LONGEST_INLINE]);
        }
        drop((first, spool));
        let second = open(dir.path());
        claimed(&second, &scan("a")).await;
        let evidence = known(second.results(), &scan("a")).await.evidence.unwrap();
        assert_eq!((evidence.bytes, evidence.masked), (4 * LONGEST_INLINE as u64, at < 2));
    }
}

#[tokio::test]
async fn a_body_that_was_moved_but_not_committed_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = vec![b'x'; 2 * LONGEST_INLINE];
    let first = open(dir.path());
    claimed(&first, &scan("a")).await;
    let mut spool = first.spool().begin(&scan("a"), 7, true);
    spool.push(&bytes);
    let (_, spooled) = spool.finish().bytes().unwrap();
    let spooled = spooled.unwrap();
    std::fs::rename(&spooled, dir.path().join("bodies").join(spooled.file_name().unwrap())).unwrap();
    drop(first);

    let second = open(dir.path());
    assert_eq!(claimed(&second, &scan("a")).await, Claim::Ours { orphaned: true });
    let evidence = known(second.results(), &scan("a")).await.evidence.unwrap();
    assert_eq!(second.results().body(evidence.body).await.unwrap(), bytes);
}

#[tokio::test]
async fn of_many_who_race_for_a_job_one_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().await;
    let keys: Vec<_> = (0..200).map(|n| scan(&n.to_string())).collect();
    let racers: Vec<_> = (0..6)
        .map(|_| {
            let (dir, keys) = (dir.path().to_owned(), keys.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let store = open(&dir);
                let mut claims = Vec::new();
                for key in &keys {
                    claims.push(runtime.block_on(claimed(&store, key)));
                }
                (store, claims)
            })
        })
        .collect();
    let outcomes: Vec<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
    for n in 0..keys.len() {
        let winners = outcomes.iter().filter(|(_, claims)| claims[n] == Claim::Ours { orphaned: false }).count();
        assert_eq!(winners, 1, "job {n}");
    }
}

#[tokio::test]
async fn a_step_of_a_job_that_is_no_longer_ours_is_saved_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()), open(dir.path()));
    claimed(&first, &scan("a")).await;
    first.release(vec![scan("a")], Vec::new()).await.unwrap();
    claimed(&second, &scan("a")).await;
    second.save(step(&scan("a"), knowing(State::Running, 3))).await.unwrap();
    first.save(with_copy(&scan("a"), 2, "result")).await.unwrap();
    let known = known(second.results(), &scan("a")).await;
    assert_eq!((known.state, known.applied, known.saved.is_some()), (State::Succeeded, 3, true));
}

#[tokio::test]
async fn only_what_others_wrote_counts_as_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()), open(dir.path()));
    first.changes().await.unwrap();
    first.save(with_copy(&scan("a"), 1, "x")).await.unwrap();
    assert!(first.changes().await.unwrap() == Changes::Nothing);
    assert!(second.changes().await.unwrap() != Changes::Nothing);
    assert!(second.changes().await.unwrap() == Changes::Nothing);
}
