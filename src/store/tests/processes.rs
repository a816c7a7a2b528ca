//! What only another process can show: kill -9, and limits that hold for a whole process.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::*;
use crate::store::spool::LONGEST_INLINE;

/// Where a child works; unset, the children's tests do nothing.
const DIR: &str = "JOBDECK_STORE_TEST_DIR";

fn start(child: &str, dir: &Path) -> Child {
    // An ignored signal stays ignored over exec; ignoring it here would need unsafe code.
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("store::tests::processes::{child}"), "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn given_dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

#[tokio::test]
async fn after_kill_9_the_next_instance_takes_over_with_what_had_arrived() {
    let dir = tempfile::tempdir().unwrap();
    let mut reader = start("reads_until_it_is_killed", dir.path());
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("half of it arrived")));
    let store = open(dir.path());
    assert_eq!(pid_of(&claimed(&store, &scan("a")).await), Some(reader.id()));
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert_eq!(claimed(&store, &scan("a")).await, Claim::Ours { orphaned: true });
    let known = known(store.results(), &scan("a")).await;
    assert_eq!(known.doubt, Some(crate::domain::observation::Doubt::ReaderDied));
    assert_eq!(known.evidence.unwrap().bytes, 2 * LONGEST_INLINE as u64);
    assert_eq!(super::known(store.results(), &scan("saved")).await.state, State::Succeeded);
}

#[tokio::test]
#[ignore = "a child of after_kill_9_…"]
async fn reads_until_it_is_killed() {
    let Some(dir) = given_dir() else { return };
    let store = open(&dir);
    store.claim(jobs_of(vec![scan("a"), scan("saved")])).await.unwrap();
    store.save(with_copy(&scan("saved"), 1, "result")).await.unwrap();
    let mut spool = store.spool().begin(&scan("a"), 1, true);
    spool.push(&vec![b'x'; 2 * LONGEST_INLINE]);
    println!("\nhalf of it arrived");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_full_disk_is_an_error_nothing_is_lost_by_it_and_saving_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let output = start("writes_against_a_limit", dir.path()).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[tokio::test]
#[ignore = "a child of a_full_disk_…"]
async fn writes_against_a_limit() {
    let Some(dir) = given_dir() else { return };
    let limit = |bytes| setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    let store = open(&dir);
    store.save(with_copy(&scan("before"), 1, "result")).await.unwrap();
    limit(Some(1 << 20));

    let bytes = vec![b'x'; 3 << 20];
    let mut spool = store.spool().begin(&scan("large"), 1, true);
    for chunk in bytes.chunks(100_000) {
        spool.push(chunk);
    }
    let (held, spooled) = spool.finish().bytes().unwrap();
    assert!(held == bytes && spooled.is_none(), "a reply is held in memory where the disk takes no more");
    let error = store.save(with_copy(&scan("large"), 1, held.to_vec())).await.unwrap_err();
    assert!(error.to_string().contains("limit on file sizes"), "{error}");

    limit(Some(57 << 20));
    let mut spool = store.spool().begin(&scan("too long for memory"), 1, true);
    let mut pushed = 0;
    let why = loop {
        spool.push(&bytes);
        match spool.objection() {
            Some(why) => break why,
            None => pushed += bytes.len(),
        }
    };
    assert!(why.starts_with("no more of it could be kept"), "{why}");
    let (kept, spooled) = spool.finish().bytes().unwrap();
    assert!(kept.len() == pushed && spooled.is_some(), "what was written stays in its file");
    drop(kept);
    limit(Some(1 << 20));

    let mut saved = Vec::new();
    let failed = loop {
        let job = scan(&saved.len().to_string());
        match store.save(with_copy(&job, 1, vec![b'y'; 50_000])).await {
            Ok(_) => saved.push(job),
            Err(error) => break error,
        }
    };
    assert!(failed.to_string().starts_with("failed to save a result: "), "{failed}");

    limit(None);
    store.probe().await.unwrap();
    store.save(with_copy(&scan("large"), 1, held.to_vec())).await.unwrap();
    saved.extend([scan("before"), scan("large")]);
    let known = store.results().load(saved).await.unwrap();
    assert!(known.iter().all(|known| known.saved.is_some()));
    assert_eq!(store.results().body(known.last().unwrap().saved.as_ref().unwrap().body).await.unwrap(), bytes);
}
