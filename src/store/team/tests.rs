//! Two machines and a server: what one saves the other has, whoever is cut off or dies.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tempfile::TempDir;

use super::{Caught, Here};
use crate::domain::attempt::StateChange;
use crate::domain::job::{Job, JobKey, JobTraits, ProviderName};
use crate::domain::observation::{Doubt, Keep, Observation, Role};
use crate::domain::response::Headers;
use crate::domain::state::{LostBecause, State};
use crate::store::postgres::schema;
use crate::store::postgres::session::{ServerTarget, Session};
use crate::store::postgres::tests::cluster::Cluster;
use crate::store::postgres::tests::{made, target};
use crate::store::{Changes, Claim, Save, SaveBody, Store, StoreErrorKind};

/// A machine with its own directory.
struct Machine {
    store: Store,
    _dir: Option<TempDir>,
}

impl Machine {
    fn start(user: &str, target: &Arc<ServerTarget>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Self::over(dir.path(), user, target);
        Self { store, _dir: Some(dir) }
    }

    fn over(dir: &Path, user: &str, target: &Arc<ServerTarget>) -> Store {
        let (store, _) = Store::open(dir).unwrap();
        let here = Here { host: format!("{user}-laptop"), user: user.to_owned() };
        store.shared_by((**target).clone(), here).unwrap()
    }

    async fn known(&self, key: &JobKey) -> Observation {
        self.store.results().load(vec![key.clone()]).await.unwrap().remove(0)
    }

    /// Waits until this is known of a job.
    async fn learns(&self, key: &JobKey, what: impl Fn(&Observation) -> bool) -> Observation {
        for _ in 0..600 {
            let known = self.known(key).await;
            if what(&known) {
                return known;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never learned: {:?}", self.known(key).await)
    }

    async fn claims(&self, job: &Arc<Job>) -> Claim {
        self.store.claim(vec![Arc::clone(job)]).await.unwrap().remove(0)
    }

    /// Waits until the team's store has what was saved here.
    async fn uploads(&self) {
        eventually(|| async { self.store.waiting_for_upload().await.unwrap().jobs == 0 }).await;
    }

    /// Waits until one-shot polls may be sent, or may not.
    async fn may_poll(&self, may: bool) {
        eventually(|| async { self.store.quick_check().is_ok() == may }).await;
    }
}

async fn eventually<F: Future<Output = bool>>(is_so: impl Fn() -> F) {
    for _ in 0..900 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never was so");
}

fn job(id: &str) -> Arc<Job> {
    let key = JobKey { provider: ProviderName::UNSTRACT, endpoint: "https://us.example".into(), id: id.to_owned() };
    let traits = JobTraits { one_shot: true, ..JobTraits::default() };
    Arc::new(Job {
        key,
        service: "invoices".into(),
        name: None,
        tags: Arc::default(),
        traits,
        batch: None,
        resubmits: Arc::default(),
    })
}

fn knowing(state: State, applied: u64) -> Observation {
    let first_seen = Some(Timestamp::UNIX_EPOCH);
    let lost = (state == State::Lost).then_some(LostBecause::AlreadyRead);
    Observation { state, lost, applied, first_seen, ..Observation::default() }
}

fn finished(job: &Arc<Job>, applied: u64, bytes: &Bytes) -> Save {
    let body = SaveBody {
        keep: Keep::Result,
        role: Role::Status,
        broken: false,
        bytes: bytes.clone(),
        spooled: None,
        http_status: 200,
        headers: Headers::default(),
        masked: false,
        at: Timestamp::UNIX_EPOCH,
    };
    Save { body: Some(body), ..Save::new(Arc::clone(job), knowing(State::Succeeded, applied)) }
}

async fn body(machine: &Machine, known: &Observation) -> Bytes {
    machine.store.results().body(known.saved.as_ref().unwrap().body).await.unwrap()
}

#[tokio::test]
async fn what_one_machine_saves_every_machine_has_byte_for_byte() {
    let Some((_, target)) = made("two_machines").await else { return };
    let (ana, ben) = (Machine::start("ana", &target), Machine::start("ben", &target));
    let (short, long) = (job("short"), job("long"));
    let results = [Bytes::from_static(b"{}\xff\0"), Bytes::from(vec![7; 3_000_001])];
    for (job, result) in [&short, &long].into_iter().zip(&results) {
        assert_eq!(ana.claims(job).await, Claim::Ours { orphaned: false });
        let Claim::Theirs(owner) = ben.claims(job).await else { panic!("Ana's") };
        assert_eq!(owner.to_string(), "ana@ana-laptop");
        ana.store.save(finished(job, 3, result)).await.unwrap();
        let known = ben.learns(&job.key, |known| known.saved.is_some()).await;
        assert_eq!((known.state, &body(&ben, &known).await), (State::Succeeded, result));
    }
    // Of a result that nobody may replace too, the others learn that it was sent again.
    ben.store.notes().end_sending(vec![Arc::clone(&short)], true).await.unwrap();
    let known = ana.learns(&short.key, |known| known.sent_again).await;
    assert_eq!(body(&ana, &known).await, results[0]);
    // What is known is told of a moment later, and once.
    eventually(|| async {
        matches!(ben.store.changes().await.unwrap(), Changes::Of(keys) if keys.contains(&long.key))
    })
    .await;
}

#[tokio::test]
async fn a_job_goes_on_elsewhere_once_its_holder_is_done_or_gone_and_a_death_leaves_a_doubt() {
    let Some((cluster, target)) = made("heirs").await else { return };
    let (ana, ben) = (Machine::start("ana", &target), Machine::start("ben", &target));
    let (released, inherited, orphaned) = (job("released"), job("inherited"), job("orphaned"));
    for job in [&released, &inherited, &orphaned] {
        assert_eq!(ana.claims(job).await, Claim::Ours { orphaned: false });
        assert!(matches!(ben.claims(job).await, Claim::Theirs(_)));
    }
    ana.store.release(vec![released.key.clone()], Vec::new()).await.unwrap();
    eventually(|| async { ben.claims(&released).await == Claim::Ours { orphaned: false } }).await;
    ana.store.release(vec![inherited.key.clone()], Vec::new()).await.unwrap();
    drop(ana);
    cluster.sql("heirs", "UPDATE jobdeck.instance SET until = clock_timestamp() WHERE \"user\" = 'ana'");
    eventually(|| async { ben.store.results().owners(vec![orphaned.key.clone()]).await.unwrap() == [None] }).await;
    assert_eq!(ben.claims(&orphaned).await, Claim::Ours { orphaned: true });
    assert_eq!(ben.known(&orphaned.key).await.doubt, Some(Doubt::ReaderDied));
}

#[tokio::test]
async fn of_a_job_that_changes_for_ever_every_machine_and_the_server_keep_the_last_changes() {
    let Some((cluster, target)) = made("restless").await else { return };
    let (ana, ben) = (Machine::start("ana", &target), Machine::start("ben", &target));
    let restless = job("restless");
    ana.claims(&restless).await;
    let states = [State::Queued, State::Running];
    for last in [150, 300, 450] {
        for n in last - 149..=last {
            let [previous, state] = if n % 2 == 0 { states } else { [states[1], states[0]] };
            let at = Timestamp::from_second(n).unwrap();
            let change = StateChange { at, previous: Some(previous), state, word: None };
            let save = Save::new(Arc::clone(&restless), knowing(state, n.cast_unsigned()));
            ana.store.save(Save { change: Some(change), ..save }).await.unwrap();
        }
        ben.learns(&restless.key, |known| known.applied == last.cast_unsigned()).await;
        ana.uploads().await;
        let count: usize = cluster.sql("restless", "SELECT count(*) FROM jobdeck.change").parse().unwrap();
        let mut kept = Vec::new();
        for machine in [&ana, &ben] {
            let (_, changes) = machine.store.results().history(restless.key.clone()).await.unwrap();
            assert!(changes.is_sorted_by_key(|change| change.at) && changes.len() <= 216, "{} are kept", changes.len());
            kept.push(changes.into_iter().rev().take(200).collect::<Vec<_>>());
        }
        assert_eq!(kept[0], kept[1]);
        assert_eq!((kept[0].len() as i64, kept[0][0].at.as_second()), (last.min(200), last));
        assert!(count <= 216, "{count} are kept by the server");
    }
}

#[tokio::test]
async fn a_copy_that_comes_late_beats_the_loss_that_another_machine_saw() {
    let Some((cluster, target)) = made("late").await else { return };
    let (one, result) = (job("late"), Bytes::from_static(b"paid for"));
    let dir = tempfile::tempdir().unwrap();
    // Ana joined the team once, polls without it now, and dies before anything is uploaded.
    let ana = Machine::over(dir.path(), "ana", &target);
    ana.claim(vec![Arc::clone(&one)]).await.unwrap();
    ana.close().await;
    let (alone, _) = Store::open(dir.path()).unwrap();
    alone.claim(vec![Arc::clone(&one)]).await.unwrap();
    alone.save(finished(&one, 2, &result)).await.unwrap();
    drop(alone);

    let ben = Machine::start("ben", &target);
    assert_eq!(ben.claims(&one).await, Claim::Ours { orphaned: false });
    ben.store.save(Save::new(Arc::clone(&one), knowing(State::Lost, 9))).await.unwrap();
    ben.uploads().await;
    assert_eq!(cluster.sql("late", "SELECT state FROM jobdeck.known"), "lost");

    let ana = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
    let known = ben.learns(&one.key, |known| known.saved.is_some()).await;
    assert_eq!((known.state, known.lost, body(&ben, &known).await), (State::Succeeded, None, result.clone()));
    let known = ana.known(&one.key).await;
    assert_eq!((known.state, body(&ana, &known).await), (State::Succeeded, result));
}

#[tokio::test]
async fn what_the_others_knew_more_of_arrives_also_if_its_first_download_fails() {
    let Some((cluster, target)) = made("first_fails").await else { return };
    let (one, result) = (job("one"), Bytes::from_static(b"paid for"));
    let ben = Machine::start("ben", &target);
    ben.store.save(finished(&one, 3, &result)).await.unwrap();
    ben.uploads().await;
    drop(ben);
    // Ana was told that it had been read, by a later request, and joins the team with that.
    let dir = tempfile::tempdir().unwrap();
    let (alone, _) = Store::open(dir.path()).unwrap();
    alone.save(Save::new(Arc::clone(&one), knowing(State::Lost, 9))).await.unwrap();
    drop(alone);
    cluster.sql("first_fails", "ALTER TABLE jobdeck.chunk RENAME TO away");
    let ana = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
    let applied = || cluster.sql("first_fails", "SELECT record->>'applied' FROM jobdeck.known") == "9";
    eventually(|| async { applied() }).await;
    ana.uploads().await;
    assert_eq!(ana.known(&one.key).await.saved, None);
    cluster.sql("first_fails", "ALTER TABLE jobdeck.away RENAME TO chunk");
    let known = ana.learns(&one.key, |known| known.saved.is_some()).await;
    assert_eq!((known.state, body(&ana, &known).await), (State::Succeeded, result));
}

#[tokio::test]
async fn a_job_that_can_be_asked_for_again_runs_again_for_everybody_once_it_was_sent_anew() {
    let Some((_, target)) = made("anew").await else { return };
    let (ana, ben) = (Machine::start("ana", &target), Machine::start("ben", &target));
    let repeatable = Arc::new(Job { traits: JobTraits::default(), ..(*job("anew")).clone() });
    ana.claims(&repeatable).await;
    let mut previous = None;
    for (applied, state) in [(2, State::Lost), (3, State::Running), (4, State::Failed), (5, State::Queued)] {
        let change = StateChange { at: Timestamp::from_second(1).unwrap(), previous, state, word: None };
        let save = Save::new(Arc::clone(&repeatable), knowing(state, applied));
        ana.store.save(Save { change: Some(change), ..save }).await.unwrap();
        previous = Some(state);
        let known = ben.learns(&repeatable.key, |known| known.applied == applied).await;
        assert_eq!((known.state, known.lost), (state, knowing(state, applied).lost));
        ana.uploads().await;
        assert_eq!(ana.known(&repeatable.key).await.state, state);
    }
}

#[tokio::test]
async fn while_the_server_is_away_results_are_saved_here_and_polls_that_can_be_made_once_wait() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let target = target(&cluster.database("away"));
    schema::init(&mut Session::connect(&target).await.unwrap()).await.unwrap();
    let (ana, ben) = (Machine::start("ana", &target), Machine::start("ben", &target));
    let (one, other) = (job("one"), job("other"));
    assert_eq!(ana.claims(&one).await, Claim::Ours { orphaned: false });
    ana.may_poll(true).await;

    cluster.kill();
    // A response that was under way is kept, whatever the server does.
    ana.store.save(finished(&one, 1, &Bytes::from_static(b"under way"))).await.unwrap();
    assert_eq!(ana.claims(&other).await, Claim::Ours { orphaned: false }, "nobody can be asked");
    let withheld = ana.store.quick_check().unwrap_err();
    assert_eq!(withheld.kind, StoreErrorKind::Unreachable, "{withheld}");
    assert!(withheld.to_string().contains("the team's store cannot be reached"), "{withheld}");
    assert_eq!(ana.store.waiting_for_upload().await.unwrap().jobs, 1);

    cluster.go_on();
    let known = ben.learns(&one.key, |known| known.saved.is_some()).await;
    assert_eq!(body(&ben, &known).await, "under way");
    ana.may_poll(true).await;
    assert!(matches!(ben.claims(&other).await, Claim::Theirs(_)), "what was claimed meanwhile is confirmed");
}

#[tokio::test]
async fn a_lease_that_was_lost_withholds_polls_until_the_jobs_are_claimed_anew() {
    let Some((cluster, target)) = made("lost_lease").await else { return };
    let (ana, ben) = (Machine::start("ana", &target), Machine::start("ben", &target));
    let one = job("one");
    assert_eq!(ana.claims(&one).await, Claim::Ours { orphaned: false });
    ana.may_poll(true).await;
    // Somebody forgets Ana's instance, and Ben takes its job over before Ana notices.
    cluster.sql("lost_lease", "UPDATE jobdeck.instance SET ended = clock_timestamp() WHERE \"user\" = 'ana'");
    eventually(|| async { ben.claims(&one).await == Claim::Ours { orphaned: true } }).await;
    ana.may_poll(false).await;
    eventually(|| async { ana.store.changes().await.unwrap() == Changes::Claims }).await;
    assert!(matches!(ana.claims(&one).await, Claim::Theirs(_)));
    ana.may_poll(true).await;
}

#[tokio::test]
async fn a_directory_brings_all_that_it_knows_to_the_team_that_it_joins() {
    let Some((_, target)) = made("joined").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let (alone, _) = Store::open(dir.path()).unwrap();
    let one = job("one");
    alone.save(finished(&one, 2, &Bytes::from_static(b"before"))).await.unwrap();
    assert_eq!(alone.waiting_for_upload().await.unwrap().jobs, 1);
    alone.close().await;
    let _ana = Machine::over(dir.path(), "ana", &target);
    let ben = Machine::start("ben", &target);
    let known = ben.learns(&one.key, |known| known.saved.is_some()).await;
    assert_eq!(body(&ben, &known).await, "before");
    // Who looks only takes over the same, and polls nothing.
    let looking = tempfile::tempdir().unwrap();
    let (looks, _) = Store::open(looking.path()).unwrap();
    let mut told = Vec::new();
    let caught = looks.catch_up((*target).clone(), |done, all| told.push((done, all))).await.unwrap();
    assert_eq!((caught, told.as_slice()), (Caught { jobs: 1, damaged: Vec::new() }, &[(1, 1)][..]));
    assert_eq!(looks.results().load(vec![one.key.clone()]).await.unwrap().remove(0).state, State::Succeeded);
}

#[tokio::test]
async fn a_first_look_that_is_left_in_the_middle_keeps_what_it_has_and_the_next_goes_on_from_there() {
    let Some((_, target)) = made("first_look").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let (alone, _) = Store::open(dir.path()).unwrap();
    let jobs: Vec<Arc<Job>> = (0..1_500).map(|n| job(&format!("{n}"))).collect();
    let body = Bytes::from(vec![b'x'; 70_000]);
    let saves = jobs.iter().enumerate().map(|(n, one)| match n % 100 {
        0 => alone.save(finished(one, 1, &body)),
        _ => alone.save(Save::new(Arc::clone(one), knowing(State::Running, 1))),
    });
    futures_util::future::try_join_all(saves).await.unwrap();
    alone.close().await;
    let ana = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
    ana.uploads().await;

    let looking = tempfile::tempdir().unwrap();
    let (looks, _) = Store::open(looking.path()).unwrap();
    // A page and a little more, then it is left.
    let (left, is_left) = tokio::sync::oneshot::channel();
    let mut left = Some(left);
    let told = |done, all| {
        assert_eq!(all, 1_500);
        if done > 1_000 {
            left.take().map(|left| left.send(done));
        }
    };
    tokio::select! {
        biased;
        done = is_left => assert!(done.unwrap() < 1_500),
        caught = looks.catch_up((*target).clone(), told) => panic!("not left: {caught:?}"),
    }
    let keys: Vec<JobKey> = jobs.iter().map(|job| job.key.clone()).collect();
    let known = |store: Store| {
        let keys = keys.clone();
        async move { store.results().load(keys).await.unwrap().iter().filter(|known| known.applied > 0).count() }
    };
    let kept = known(looks.clone()).await;
    assert!((1_000..1_500).contains(&kept), "{kept}");
    let mut least = u64::MAX;
    let caught = looks.catch_up((*target).clone(), |_, all| least = least.min(all)).await.unwrap();
    assert!(least <= 600, "it began anew: {least}");
    assert_eq!((known(looks.clone()).await, caught.jobs + kept), (1_500, 1_500));
    let first = looks.results().load(vec![jobs[0].key.clone()]).await.unwrap().remove(0);
    assert_eq!(looks.results().body(first.saved.unwrap().body).await.unwrap(), body);
}

/// Other bytes in the place of all that a team's store has.
const DAMAGE: &str = "UPDATE jobdeck.chunk SET data = decode(repeat('21', length(data)), 'hex')";

#[tokio::test]
async fn other_bytes_than_were_uploaded_are_nobodys_result_until_a_machine_that_has_them_uploads_them_again() {
    for (plant, name) in [
        (DAMAGE, "other_bytes"),
        ("UPDATE jobdeck.chunk SET data = data || '\\x00'", "longer"),
        ("DELETE FROM jobdeck.chunk WHERE n = 1", "shorter"),
        ("INSERT INTO jobdeck.chunk SELECT body, n + 1, data FROM jobdeck.chunk WHERE n = 1", "one_chunk_more"),
    ] {
        let Some((cluster, target)) = made(name).await else { return };
        let (one, result) = (job("one"), Bytes::from(vec![7; 1_500_000]));
        let dir = tempfile::tempdir().unwrap();
        let ana = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
        ana.claims(&one).await;
        ana.store.save(finished(&one, 1, &result)).await.unwrap();
        ana.uploads().await;
        ana.store.close().await;
        drop(ana);
        cluster.sql(name, plant);

        let ben = Machine::start("ben", &target);
        let is_reported = "SELECT count(*) FROM jobdeck.body WHERE is_damaged";
        let is_read = name == "one_chunk_more";
        if is_read {
            // What stands behind the end is not read.
            ben.learns(&one.key, |known| known.saved.is_some()).await;
            continue;
        }
        eventually(|| async { cluster.sql(name, is_reported) == "1" }).await;
        let known = ben.known(&one.key).await;
        assert_eq!((known.state, known.saved.is_some()), (State::Unknown, false), "{name}");
        assert!(matches!(ben.claims(&one).await, Claim::Theirs(_)), "it cannot be polled again");
        let looking = tempfile::tempdir().unwrap();
        let (looks, _) = Store::open(looking.path()).unwrap();
        let caught = looks.catch_up((*target).clone(), |_, _| ()).await.unwrap();
        assert!(caught.damaged[0].contains("is damaged"), "{caught:?}");
        assert_eq!(caught.jobs, 0);

        let _ana = Machine::over(dir.path(), "ana", &target);
        let known = ben.learns(&one.key, |known| known.saved.is_some()).await;
        assert_eq!((known.state, &body(&ben, &known).await), (State::Succeeded, &result), "{name}");
        assert_eq!(cluster.sql(name, is_reported), "0");
    }
}

#[tokio::test]
async fn a_job_whose_damaged_result_can_be_asked_for_again_is_polled_again() {
    let Some((cluster, target)) = made("asked_again").await else { return };
    let mut one = (*job("one")).clone();
    one.traits.one_shot = false;
    let (one, result) = (Arc::new(one), Bytes::from_static(b"it can be had again"));
    let ana = Machine::start("ana", &target);
    ana.claims(&one).await;
    ana.store.save(finished(&one, 1, &result)).await.unwrap();
    ana.uploads().await;
    ana.store.close().await;
    drop(ana);
    cluster.sql("asked_again", DAMAGE);
    let ben = Machine::start("ben", &target);
    eventually(|| async { ben.claims(&one).await == Claim::Ours { orphaned: false } }).await;
    ben.store.save(finished(&one, 1, &result)).await.unwrap();
    let cai = Machine::start("cai", &target);
    let known = cai.learns(&one.key, |known| known.saved.is_some()).await;
    assert_eq!(body(&cai, &known).await, result);
}

#[tokio::test]
async fn a_result_that_arrives_at_the_server_as_other_bytes_is_refused_there_and_uploaded_again() {
    let Some((cluster, target)) = made("corrupted").await else { return };
    cluster.sql(
        "corrupted",
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN NEW.data := set_byte(NEW.data, 0, 255 - get_byte(NEW.data, 0)); RETURN NEW; END$$; \
         CREATE TRIGGER spoil BEFORE INSERT ON jobdeck.chunk FOR EACH ROW EXECUTE FUNCTION spoil()",
    );
    let (one, result) = (job("one"), Bytes::from_static(b"paid for"));
    let (ana, ben) = (Machine::start("ana", &target), Machine::start("ben", &target));
    ana.claims(&one).await;
    ana.store.save(finished(&one, 1, &result)).await.unwrap();
    // It is tried again and again.
    eventually(|| async { cluster.sql("corrupted", "SELECT last_value > 1 FROM jobdeck.body_id_seq") == "t" }).await;
    assert_eq!(ana.store.waiting_for_upload().await.unwrap().jobs, 1);
    assert_eq!(ben.known(&one.key).await.saved, None);
    assert_eq!(cluster.sql("corrupted", "SELECT count(*) FROM jobdeck.known"), "0", "nobody is told");
    cluster.sql("corrupted", "DROP TRIGGER spoil ON jobdeck.chunk");
    let known = ben.learns(&one.key, |known| known.saved.is_some()).await;
    assert_eq!(body(&ben, &known).await, result);
}

#[tokio::test]
async fn what_can_be_uploaded_again_is_however_much_is_damaged_before_it_that_nobody_has() {
    let Some((cluster, target)) = made("much_damaged").await else { return };
    let (one, result) = (job("one"), Bytes::from_static(b"here still"));
    let dir = tempfile::tempdir().unwrap();
    let gone = Machine::start("gone", &target);
    let jobs: Vec<Arc<Job>> = (0..101).map(|n| job(&format!("gone-{n}"))).collect();
    let saves = jobs.iter().map(|job| gone.store.save(finished(job, 1, &result)));
    futures_util::future::try_join_all(saves).await.unwrap();
    gone.uploads().await;
    gone.store.close().await;
    drop(gone);
    cluster.sql("much_damaged", DAMAGE);
    cluster.sql("much_damaged", "UPDATE jobdeck.body SET is_damaged = true");
    let (alone, _) = Store::open(dir.path()).unwrap();
    alone.save(finished(&one, 1, &result)).await.unwrap();
    alone.close().await;
    let ana = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
    ana.uploads().await;
    ana.store.close().await;
    drop(ana);
    cluster.sql("much_damaged", DAMAGE);
    cluster.sql("much_damaged", "UPDATE jobdeck.body SET is_damaged = true");
    let _ana = Machine::over(dir.path(), "ana", &target);
    eventually(|| async { cluster.sql("much_damaged", "SELECT count(*) FROM jobdeck.body WHERE is_damaged") == "101" })
        .await;
}

#[tokio::test]
async fn a_response_that_cannot_be_uploaded_again_keeps_nothing_else_from_arriving() {
    let Some((cluster, target)) = made("not_mended").await else { return };
    let (one, two, result) = (job("one"), job("two"), Bytes::from_static(b"paid for"));
    let dir = tempfile::tempdir().unwrap();
    let ana = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
    ana.store.save(finished(&one, 1, &result)).await.unwrap();
    ana.uploads().await;
    ana.store.close().await;
    drop(ana);
    let ben = Machine::start("ben", &target);
    ben.store.save(finished(&two, 1, &result)).await.unwrap();
    ben.uploads().await;
    cluster.sql("not_mended", "UPDATE jobdeck.body SET is_damaged = true");
    cluster.sql(
        "not_mended",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not that'; END$$; \
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON jobdeck.chunk FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let ana = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
    let known = ana.learns(&two.key, |known| known.saved.is_some()).await;
    assert_eq!(body(&ana, &known).await, result);
    assert_eq!(cluster.sql("not_mended", "SELECT count(*) FROM jobdeck.body WHERE is_damaged"), "2");
}

#[tokio::test]
async fn a_copy_that_is_damaged_on_its_own_machine_does_not_become_everybodys() {
    let Some((_, target)) = made("damaged_here").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let (alone, _) = Store::open(dir.path()).unwrap();
    let one = job("one");
    alone.save(finished(&one, 1, &Bytes::from(vec![7; 100_000]))).await.unwrap();
    alone.close().await;
    drop(alone);
    for file in std::fs::read_dir(dir.path().join("bodies")).unwrap() {
        std::fs::write(file.unwrap().path(), vec![8; 100_000]).unwrap();
    }
    let ana = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
    ana.uploads().await;
    let ben = Machine::start("ben", &target);
    assert!(matches!(ben.claims(&one).await, Claim::Theirs(_)));
    assert_eq!(ben.known(&one.key).await.saved, None);
}

#[tokio::test]
async fn whoever_is_started_again_after_a_death_ends_the_lease_of_the_dead_at_once_and_uploads_what_that_saved_first() {
    let Some((cluster, target)) = made("started_again").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let (saved, polled) = (job("saved"), job("polled"));
    let ana = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
    let ben = Machine::start("ben", &target);
    for job in [&saved, &polled] {
        assert_eq!(ana.claims(job).await, Claim::Ours { orphaned: false });
        assert!(matches!(ben.claims(job).await, Claim::Theirs(_)));
    }
    drop(ana);
    let (alone, _) = Store::open(dir.path()).unwrap();
    alone.save(finished(&saved, 2, &Bytes::from_static(b"paid for"))).await.unwrap();
    drop(alone);

    let ana = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
    eventually(|| async { ana.claims(&polled).await == Claim::Ours { orphaned: true } }).await;
    assert_eq!(ana.known(&polled.key).await.doubt, Some(Doubt::ReaderDied), "it may have taken the result");
    let ended = "SELECT count(*) FROM jobdeck.instance WHERE ended < until";
    assert_eq!(cluster.sql("started_again", ended), "1", "before the lease ran out");
    let known =
        "SELECT count(*) FROM jobdeck.known k JOIN jobdeck.instance i ON i.ended IS NOT NULL WHERE k.saved IS NOT NULL";
    assert_eq!(cluster.sql("started_again", known), "1");
    ben.learns(&saved.key, |known| known.saved.is_some()).await;
    // One that lives keeps what it has, over whatever directory another is.
    let beside = Machine { store: Machine::over(dir.path(), "ana", &target), _dir: None };
    assert!(matches!(beside.claims(&polled).await, Claim::Theirs(_)));
    beside.uploads().await;
    assert_eq!(ana.claims(&polled).await, Claim::Ours { orphaned: false });
}
