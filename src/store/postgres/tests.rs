//! A team's store against a real PostgreSQL.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::changes::{ChangeCursor, fetch, whole_body};
use super::leases::{self, Holder, InstanceId, Who};
use super::schema::{self, Made};
use super::session::{ServerTarget, Session};
use super::trouble::TeamTrouble;
use super::upload::{CHUNK, Upload, upload};
use crate::domain::attempt::StateChange;
use crate::domain::checksum::Checksum;
use crate::domain::job::{Job, JobKey, JobTraits, ProviderName};
use crate::domain::observation::{BodyId, Keep, Observation, Role, SavedBody};
use crate::domain::response::Headers;
use crate::domain::secret::Token;
use crate::domain::state::{LostBecause, State};
use crate::domain::team::Address;
use crate::store::KeptBody;
use cluster::{Cluster, PASSWORD};

#[path = "../../../tests/team/cluster.rs"]
#[expect(dead_code, reason = "the tests of the binary use the rest")]
pub mod cluster;

/// One server for all of these tests; each has its own database.
pub fn shared() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(&["max_connections=200"])).as_ref()
}

pub fn target(url: &str) -> Arc<ServerTarget> {
    with_password(url, PASSWORD)
}

fn with_password(url: &str, password: &str) -> Arc<ServerTarget> {
    let address = Address::parse(url, &|_| None).unwrap();
    Arc::new(ServerTarget { address, password: Token::new(password) })
}

/// A database with tables.
pub async fn made(name: &str) -> Option<(&'static Cluster, Arc<ServerTarget>)> {
    let cluster = shared()?;
    let target = target(&cluster.database(name));
    let mut session = Session::connect(&target).await.unwrap();
    assert_eq!(schema::init(&mut session).await, Ok(Made::Tables));
    Some((cluster, target))
}

async fn open(target: &Arc<ServerTarget>) -> Session {
    Session::open(target).await.unwrap().0
}

async fn instance(session: &Session, user: &str) -> InstanceId {
    let who =
        Who { host: "build-3".to_owned(), user: user.to_owned(), pid: 7, place: user.to_owned(), lock: String::new() };
    leases::register(session, &who).await.unwrap()
}

fn job(id: usize) -> Arc<Job> {
    let key =
        JobKey { provider: ProviderName::UNSTRACT, endpoint: "https://us.example".into(), id: format!("job-{id}") };
    let traits = JobTraits { one_shot: true, ..JobTraits::default() };
    Arc::new(Job {
        key,
        service: "invoices".into(),
        name: Some(format!("scan {id}")),
        tags: Arc::from(["a".to_owned()]),
        traits,
        batch: None,
        resubmits: Arc::default(),
    })
}

fn copy(bytes: &Bytes) -> (KeptBody, Bytes) {
    let saved = SavedBody {
        body: BodyId(0),
        bytes: bytes.len() as u64,
        sha256: Checksum::of(bytes),
        http_status: 200,
        at: jiff::Timestamp::new(1_800_000_000, 5).unwrap(),
        masked: false,
    };
    let headers = Headers { content_type: Some("application/json".to_owned()), ..Headers::default() };
    (KeptBody { saved, keep: Keep::Result, role: Role::Status, broken: false, exported: false, headers }, bytes.clone())
}

fn finished(job: &Arc<Job>, applied: u64, bytes: &'static [u8]) -> Upload {
    let body = copy(&Bytes::from_static(bytes));
    let at = jiff::Timestamp::new(1_800_000_000, 7).unwrap();
    let known = Observation {
        state: State::Succeeded,
        word: Some("COMPLETED\0".to_owned()),
        first_seen: Some(at),
        saved: Some(body.0.saved.clone()),
        applied,
        ..Observation::default()
    };
    let changes = vec![StateChange { at, previous: Some(State::Running), state: State::Succeeded, word: None }];
    Upload { job: Arc::clone(job), known, changes, bodies: vec![body], description: Some("name = 'x'".to_owned()) }
}

fn lost(job: &Arc<Job>, applied: u64) -> Upload {
    let known =
        Observation { state: State::Lost, lost: Some(LostBecause::AlreadyRead), applied, ..Observation::default() };
    Upload { job: Arc::clone(job), known, changes: Vec::new(), bodies: Vec::new(), description: None }
}

#[tokio::test]
async fn the_tables_are_made_once_and_whoever_has_other_ones_is_told_what_to_do() {
    let Some(cluster) = shared() else { return };
    let target = target(&cluster.database("versions"));
    assert_eq!(Session::open(&target).await.err(), Some(TeamTrouble::NoTables));
    let mut session = Session::connect(&target).await.unwrap();
    assert_eq!(schema::init(&mut session).await, Ok(Made::Tables));
    assert_eq!(schema::init(&mut session).await, Ok(Made::Nothing));
    assert!(Session::open(&target).await.is_ok());
    cluster.sql("versions", "UPDATE jobdeck.store SET version = 99");
    assert_eq!(Session::open(&target).await.err(), Some(TeamTrouble::Newer(99, 1)));
    assert_eq!(schema::init(&mut session).await, Err(TeamTrouble::Newer(99, 1)));
    cluster.sql("versions", "UPDATE jobdeck.store SET version = 0");
    assert_eq!(Session::open(&target).await.err(), Some(TeamTrouble::Older(0, 1)));
}

#[tokio::test]
async fn a_server_that_cannot_be_used_says_why_and_names_no_password() {
    let Some((cluster, _)) = made("doors").await else { return };
    let url = cluster.url("doors");
    let trouble = |target: Arc<ServerTarget>| async move { Session::open(&target).await.err().unwrap() };
    let wrong = trouble(with_password(&url, "wrong")).await;
    assert!(matches!(&wrong, TeamTrouble::Refused(..)), "{wrong}");
    assert!(!wrong.to_string().contains("wrong") && !wrong.to_string().contains(PASSWORD), "{wrong}");
    assert!(
        matches!(trouble(target(&url.replace("/doors", "/nowhere"))).await, TeamTrouble::NoDatabase(name) if name == "nowhere")
    );
    let closed = trouble(target("postgres://jobdeck@127.0.0.1:1/doors")).await;
    assert!(closed.is_passing() && closed.to_string().contains("127.0.0.1:1"), "{closed}");
    let plain = trouble(target(&format!("{url}?sslmode=verify-full"))).await;
    assert!(!plain.to_string().contains(PASSWORD), "{plain}");
    cluster.sql("doors", "CREATE ROLE guest LOGIN PASSWORD 'g'");
    let guest = trouble(with_password(&url.replace("jobdeck@", "guest@"), "g")).await;
    assert!(matches!(guest, TeamTrouble::NoRight(_)), "{guest}");
    cluster.sql("doors", "ALTER ROLE guest SET default_transaction_read_only = on");
    let guest = trouble(with_password(&url.replace("jobdeck@", "guest@"), "g")).await;
    assert!(matches!(guest, TeamTrouble::ReadOnly(_)), "{guest}");
    cluster.sql("doors", "ALTER DATABASE doors CONNECTION LIMIT 0");
    let full = trouble(target(&url)).await;
    assert!(matches!(full, TeamTrouble::Full(_)), "{full}");
}

#[tokio::test]
async fn a_job_has_one_holder_until_that_one_gives_it_up_or_its_lease_runs_out_by_the_servers_clock() {
    let Some((cluster, target)) = made("leases").await else { return };
    let (mut a, mut b) = (open(&target).await, open(&target).await);
    let (ana, ben) = (instance(&a, "ana").await, instance(&b, "ben").await);
    let jobs = [job(1), job(2)];
    leases::declare(&a, &jobs).await.unwrap();
    let holders = |leased: Vec<leases::Leased>| leased.into_iter().map(|leased| leased.holder).collect::<Vec<_>>();
    let us = |before| Holder::Us { before };
    assert_eq!(holders(leases::claim(&mut a, ana, &jobs).await.unwrap()), [us(None), us(None)]);
    assert_eq!(
        holders(leases::claim(&mut a, ana, &jobs).await.unwrap()),
        [us(None), us(None)],
        "they are hers already"
    );
    let who = |user: &str, id| {
        let (host, user, place) = ("build-3".to_owned(), user.to_owned(), user.to_owned());
        Holder::Other(Some((id, Who { host, user, pid: 7, place, lock: String::new() })))
    };
    assert_eq!(holders(leases::claim(&mut b, ben, &jobs).await.unwrap()), [who("ana", ana), who("ana", ana)]);
    leases::release(&a, ana, &[jobs[0].key.clone()]).await.unwrap();
    let keys = [jobs[0].key.clone(), jobs[1].key.clone()];
    assert_eq!(leases::freed(&b, &keys).await.unwrap(), keys[..1]);
    assert_eq!(holders(leases::claim(&mut b, ben, &jobs).await.unwrap()), [us(None), who("ana", ana)]);

    cluster.sql("leases", &format!("UPDATE jobdeck.instance SET until = clock_timestamp() WHERE id = {}", ana.0));
    assert_eq!(leases::renew(&a, ana, 0).await, Err(TeamTrouble::LeaseLost), "too late");
    assert_eq!(leases::claim(&mut a, ana, &jobs).await, Err(TeamTrouble::LeaseLost));
    assert_eq!(holders(leases::claim(&mut b, ben, &jobs).await.unwrap()), [us(None), us(Some(ana))], "an orphan");
    assert!(leases::end(&b, ben, true).await.unwrap());
    let anew = instance(&a, "ana").await;
    assert_eq!(holders(leases::claim(&mut a, anew, &jobs).await.unwrap()), [us(None), us(None)], "given up in order");
    assert!(leases::end(&b, anew, false).await.unwrap(), "a laptop that was stolen");
    assert_eq!(leases::renew(&a, anew, 0).await, Err(TeamTrouble::LeaseLost));
}

#[tokio::test]
async fn ten_thousand_jobs_are_claimed_by_many_at_once_each_by_one() {
    let Some((_, target)) = made("crowd").await else { return };
    let jobs: Vec<Arc<Job>> = (0..10_000).map(job).collect();
    let claimed = (0..6).map(|n| {
        let (target, jobs) = (Arc::clone(&target), jobs.clone());
        tokio::spawn(async move {
            let mut session = open(&target).await;
            let us = instance(&session, &format!("user {n}")).await;
            leases::declare(&session, &jobs).await.unwrap();
            let leased = leases::claim(&mut session, us, &jobs).await.unwrap();
            leased.iter().filter(|leased| leased.holder == Holder::Us { before: None }).count()
        })
    });
    let mut total = 0;
    for claimed in claimed.collect::<Vec<_>>() {
        total += claimed.await.unwrap();
    }
    assert_eq!(total, jobs.len());
}

#[tokio::test]
async fn a_result_comes_back_byte_for_byte_and_uploading_it_again_changes_nothing() {
    let Some((_, target)) = made("results").await else { return };
    let (mut a, b) = (open(&target).await, open(&target).await);
    let ana = instance(&a, "ana").await;
    let long: &'static [u8] = Vec::leak((0..2 * CHUNK + 17).map(|n| (n * 31 % 251) as u8).collect());
    let uploads = [
        finished(&job(1), 3, b"{\"status\":\"COMPLETED\"}\0\xff"),
        finished(&job(2), 4, long),
        finished(&job(3), 1, b""),
    ];
    assert_eq!(upload(&mut a, ana, &uploads).await, Ok(vec![true; 3]));
    assert_eq!(upload(&mut a, ana, &uploads).await, Ok(vec![true; 3]), "a reply that was lost: it is there");
    let mut cursor = ChangeCursor::default();
    assert!(cursor.next(&b, Some(ana)).await.unwrap().jobs.is_empty(), "one's own is known");
    let mut cursor = ChangeCursor::default();
    let page = cursor.next(&b, None).await.unwrap();
    assert_eq!((page.jobs.len(), page.is_full), (3, false));
    for (remote, uploaded) in fetch(&b, &page.jobs).await.unwrap().iter().zip(&uploads) {
        assert_eq!((&remote.job, &remote.changes), (&*uploaded.job, &uploaded.changes));
        assert_eq!(remote.description.as_deref(), Some("name = 'x'"));
        assert_eq!(remote.record.clone().into_observation(), uploaded.known);
        let [kept] = remote.bodies.as_slice() else { panic!("{:?}", remote.bodies) };
        assert_eq!(whole_body(&b, kept.saved.body).await.unwrap(), uploaded.bodies[0].1);
        assert_eq!(kept.headers, uploaded.bodies[0].0.headers);
    }
}

#[tokio::test]
async fn a_late_copy_beats_the_loss_that_another_saw_and_no_loss_ever_beats_a_copy() {
    let Some((_, target)) = made("losses").await else { return };
    let (mut a, mut b) = (open(&target).await, open(&target).await);
    let (ana, ben) = (instance(&a, "ana").await, instance(&b, "ben").await);
    let one = job(1);
    leases::declare(&b, &[Arc::clone(&one)]).await.unwrap();
    leases::claim(&mut b, ben, &[Arc::clone(&one)]).await.unwrap();
    assert_eq!(upload(&mut b, ben, &[lost(&one, 40)]).await, Ok(vec![true]));
    assert_eq!(
        upload(&mut a, ana, &[finished(&one, 2, b"paid for")]).await,
        Ok(vec![false]),
        "the number of Ben's request is kept"
    );
    assert_eq!(upload(&mut b, ben, &[lost(&one, 99)]).await, Ok(vec![false]));
    assert_eq!(upload(&mut b, ben, &[finished(&one, 99, b"other")]).await, Ok(vec![false]));
    let known = fetch(&b, &ChangeCursor::default().next(&b, None).await.unwrap().jobs).await.unwrap().remove(0);
    assert_eq!(known.record.saved(), Some(Checksum::of(b"paid for")));
    assert_eq!(known.bodies.len(), 2, "what came beside it is kept");
}

#[tokio::test]
async fn a_change_is_read_once_whatever_the_order_in_which_transactions_end() {
    let Some((cluster, target)) = made("ordering").await else { return };
    let (mut a, b) = (open(&target).await, open(&target).await);
    let ana = instance(&a, "ana").await;
    let slow = open(&target).await;
    let mut cursor = ChangeCursor::default();
    assert_eq!(upload(&mut a, ana, &[finished(&job(0), 1, b"0")]).await, Ok(vec![true]));
    assert_eq!(cursor.next(&b, None).await.unwrap().jobs.len(), 1);
    // A transaction that began before the others and ends after them.
    slow.client
        .batch_execute("BEGIN; UPDATE jobdeck.known SET changed = pg_current_xact_id(), revision = revision + 1")
        .await
        .unwrap();
    for n in 1..4 {
        upload(&mut a, ana, &[finished(&job(n), 1, b"n")]).await.unwrap();
        assert_eq!(cursor.next(&b, None).await.unwrap().jobs.len(), 1, "at once, though an older one is open");
        assert_eq!(cursor.next(&b, None).await.unwrap().jobs.len(), 0, "and once");
    }
    slow.client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(cursor.next(&b, None).await.unwrap().jobs.len(), 1);
    assert_eq!(cursor.next(&b, None).await.unwrap().jobs.len(), 0);
    // The database is restored on another server, whose transactions are numbered anew.
    let mut restored = ChangeCursor::at(cursor.from + 1_000_000);
    assert_eq!(restored.next(&b, None).await.unwrap().jobs.len(), 4);
    cluster.sql("ordering", "UPDATE jobdeck.known SET changed = '9000000000'");
    let mut session = open(&target).await;
    assert_eq!(schema::init(&mut session).await, Ok(Made::Nothing));
    assert_eq!(cluster.sql("ordering", "SELECT count(*) FROM jobdeck.known WHERE changed = '9000000000'"), "0");
}

#[tokio::test]
async fn an_instance_that_ended_long_ago_is_forgotten_unless_something_speaks_of_it() {
    let Some((cluster, target)) = made("old_instances").await else { return };
    let mut session = open(&target).await;
    let (idle, saver, holder, living) = (
        instance(&session, "idle").await,
        instance(&session, "saver").await,
        instance(&session, "holder").await,
        instance(&session, "living").await,
    );
    upload(&mut session, saver, &[finished(&job(0), 1, b"0")]).await.unwrap();
    leases::declare(&session, &[job(1)]).await.unwrap();
    leases::claim(&mut session, holder, &[job(1)]).await.unwrap();
    for ended in [idle, saver, holder] {
        leases::end(&session, ended, false).await.unwrap();
    }
    assert_eq!(leases::forget_old(&session).await, Ok(0));
    cluster.sql("old_instances", "UPDATE jobdeck.instance SET ended = ended - interval '31 days'");
    assert_eq!(leases::forget_old(&session).await, Ok(1));
    let left = cluster.sql("old_instances", "SELECT string_agg(id::text, ' ' ORDER BY id) FROM jobdeck.instance");
    assert_eq!(left, format!("{} {} {}", saver.0, holder.0, living.0));
}

#[tokio::test]
async fn whoever_listens_is_woken_by_a_change_and_learns_that_the_server_is_gone() {
    let Some((cluster, target)) = made("wakes").await else { return };
    let (mut a, mut b) = (open(&target).await, open(&target).await);
    assert_eq!(a.must_be_apart().await, Ok(()));
    let ana = instance(&a, "ana").await;
    b.listen().await.unwrap();
    upload(&mut a, ana, &[finished(&job(0), 1, b"0")]).await.unwrap();
    let told = b.notified(Some(ana)).await.unwrap();
    assert!(!told.news, "one's own");
    upload(&mut a, ana, &[finished(&job(1), 1, b"1")]).await.unwrap();
    let told = b.notified(None).await.unwrap();
    assert!(told.news && !told.freed);
    cluster.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'wakes'");
    assert_eq!(b.notified(None).await, None);
    let trouble = leases::renew(&b, ana, 0).await.unwrap_err();
    assert!(trouble.is_passing(), "{trouble}");
}

#[tokio::test]
async fn after_a_restore_all_jobs_carry_one_transaction_and_each_is_read_once_all_the_same() {
    let Some((cluster, target)) = made("one_transaction").await else { return };
    let mut session = open(&target).await;
    let us = instance(&session, "ana").await;
    let jobs: Vec<Arc<Job>> = (0..3_500).map(job).collect();
    let uploads: Vec<Upload> = jobs.iter().map(|job| lost(job, 1)).collect();
    upload(&mut session, us, &uploads).await.unwrap();
    cluster.sql("one_transaction", "UPDATE jobdeck.known SET changed = pg_current_xact_id()");
    // As it was before there was anything: an index is read from where a look begins.
    let reads = || {
        let sql = "SELECT coalesce(sum(idx_tup_read + idx_scan), 0) FROM pg_stat_user_indexes WHERE indexrelname = 'known_changed'";
        cluster.sql("one_transaction", sql).parse::<u64>().unwrap()
    };
    let before = reads();
    // The planner may choose to sort a table that is so small.
    for plan in ["seqscan", "bitmapscan"] {
        cluster.sql("one_transaction", &format!("ALTER DATABASE one_transaction SET enable_{plan} = off"));
    }
    cluster.sql("one_transaction", "VACUUM jobdeck.known");
    let looks = open(&target).await;
    let (mut cursor, mut found) = (ChangeCursor::default(), Vec::new());
    let mut pages = 0;
    loop {
        let page = cursor.next(&looks, None).await.unwrap();
        pages += 1;
        found.extend(page.jobs);
        if !page.is_full {
            break;
        }
        assert!(cursor.from > 0, "what was read is kept");
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!((found.len(), pages), (3_500, 4));
    assert!(cursor.next(&looks, None).await.unwrap().jobs.is_empty());
    // A session hands its counts over when it ends.
    drop(looks);
    let mut read = 0;
    for _ in 0..400 {
        read = reads() - before;
        if read >= 3_500 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!((3_500..4_000).contains(&read), "{read}");
}

#[tokio::test]
async fn transactions_are_read_by_their_number_and_not_by_its_digits() {
    let Some((cluster, target)) = made("digits").await else { return };
    let mut session = open(&target).await;
    let us = instance(&session, "ana").await;
    let jobs: Vec<Arc<Job>> = (0..2_500).map(job).collect();
    upload(&mut session, us, &jobs.iter().map(|job| lost(job, 1)).collect::<Vec<_>>()).await.unwrap();
    for [before, after] in [["9", "10"], ["99", "100"], ["5", "40"]] {
        let sql =
            format!("UPDATE jobdeck.known SET changed = CASE job % 2 WHEN 0 THEN '{before}'::xid8 ELSE '{after}' END");
        cluster.sql("digits", &sql);
        let (mut cursor, mut found) = (ChangeCursor::default(), Vec::new());
        loop {
            let page = cursor.next(&session, None).await.unwrap();
            found.extend(page.jobs);
            if !page.is_full {
                break;
            }
        }
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 2_500, "{before} and {after}");
    }
}

#[tokio::test]
async fn one_record_that_cannot_be_read_keeps_no_other_job_back_and_one_that_was_sent_again_is_written_once() {
    let Some((cluster, target)) = made("unreadable").await else { return };
    let mut session = open(&target).await;
    let us = instance(&session, "ana").await;
    let (odd, other) = (job(0), job(1));
    upload(&mut session, us, &[lost(&odd, 1)]).await.unwrap();
    cluster.sql("unreadable", "UPDATE jobdeck.known SET record = '\"odd\"'");
    let mut again = lost(&other, 1);
    again.known.sent_again = true;
    assert_eq!(upload(&mut session, us, &[lost(&odd, 2), again.clone()]).await, Ok(vec![true, true]));
    let revisions =
        || cluster.sql("unreadable", "SELECT string_agg(revision::text, ' ' ORDER BY job) FROM jobdeck.known");
    let before = revisions();
    upload(&mut session, us, &[lost(&odd, 3), again]).await.unwrap();
    assert_eq!(revisions(), before);
    assert_eq!(cluster.sql("unreadable", "SELECT count(*) FROM jobdeck.known WHERE record::text = '\"odd\"'"), "1");
}
