//! State directories of the first edition, odd rows, and the views for people with a sqlite3.

use rusqlite::Connection;

use super::*;
use crate::domain::files::FileCounts;
use crate::domain::state::LostBecause;

const FIRST_EDITION: [&str; 2] = [include_str!("../sqlite/001_tables.sql"), include_str!("first_edition.sql")];

fn first_edition(dir: &Path) -> Connection {
    let connection = Connection::open(dir.join("jobdeck.db")).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    FIRST_EDITION.iter().for_each(|sql| connection.execute_batch(sql).unwrap());
    connection
}

fn keys() -> [JobKey; 4] {
    let of = |provider, endpoint: &str, id: &str| JobKey { provider, endpoint: endpoint.into(), id: id.to_owned() };
    let (vessl, unstract) = ("https://serve.example/api/v1/services/a", "https://us.unstract.example");
    [
        of(ProviderName::VESSL, vessl, "98nlux8b0eu6"),
        of(ProviderName::UNSTRACT, unstract, "e748d90f-af7d-4a98-813d-4c47344ff595"),
        of(ProviderName::UNSTRACT, unstract, "lost-one"),
        of(ProviderName::VESSL, vessl, "declared"),
    ]
}

#[tokio::test]
async fn a_state_directory_of_the_first_edition_is_taken_over_with_all_that_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(first_edition(dir.path()));
    let store = open(dir.path());
    let [first, second, third, fourth] =
        <[Observation; 4]>::try_from(store.results().load(keys().to_vec()).await.unwrap()).unwrap();
    assert_eq!((first.state, first.warning.clone()), (State::Succeeded, None));
    assert_eq!(store.results().body(first.saved.unwrap().body).await.unwrap(), "result");
    assert_eq!((second.state, second.files), (State::Partial, Some(FileCounts { total: 3, failed: 1 })));
    assert_eq!(second.saved.unwrap().bytes, 9);
    assert_eq!((third.state, third.lost), (State::Lost, Some(LostBecause::NoReply)));
    assert_eq!(fourth, Observation::default());
    let (attempts, changes) = store.results().history(keys()[0].clone()).await.unwrap();
    assert_eq!((attempts.len(), changes.len()), (1, 1));
    assert_eq!(store.results().load_all().await.unwrap().len(), 4);
    assert_eq!(claimed(&store, &keys()[3]).await, Claim::Ours { orphaned: true });
    store.save(with_copy(&keys()[3], 1, "new")).await.unwrap();
}

#[tokio::test]
async fn the_first_edition_can_be_looked_at_only_once_it_was_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    drop(first_edition(dir.path()));
    open(dir.path()).close().await;
    assert_eq!(known(&view(dir.path()), &keys()[0]).await.state, State::Succeeded);
}

#[tokio::test]
async fn one_odd_row_hides_no_other_job_and_says_what_is_odd() {
    let cases = [
        ("UPDATE observation SET state = 'paused'", "state is 'paused'"),
        ("UPDATE observation SET read = 'maybe'", "read is 'maybe'"),
        ("UPDATE observation SET http_status = 4000000", "http_status is 4000000"),
        ("UPDATE observation SET doubt = 'none'", "doubt is 'none'"),
        ("UPDATE body SET sha256 = 'g' || substr(sha256, 2)", "sha256 is 'g"),
        ("UPDATE observation SET saved = 999", "the saved response is missing"),
    ];
    for (damage, said) in cases {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        for id in ["odd", "good"] {
            store.save(Save { change: Some(change()), ..with_copy(&scan(id), 1, "result") }).await.unwrap();
        }
        let table = if damage.contains("body") { "job" } else { "observation.job" };
        let only = format!("{damage} WHERE {table} = (SELECT id FROM job WHERE service_id = 'odd')");
        Connection::open(dir.path().join("jobdeck.db")).unwrap().execute(&only, []).unwrap();

        let both = store.results().load(vec![scan("odd"), scan("good")]).await.unwrap();
        assert_eq!(both[1], known(store.results(), &scan("good")).await, "{damage}");
        assert_eq!(both[1].warning, None, "{damage}");
        let warning = both[0].warning.clone().unwrap_or_default();
        assert!(warning.contains(said), "{damage}: {warning}");
        assert_eq!(both[0].state, State::Succeeded, "{damage}: its last change says so");
        assert_eq!(store.results().load_all().await.unwrap().len(), 2, "{damage}");
        store.save(step(&scan("good"), knowing(State::Succeeded, 2))).await.unwrap();
        store.save(step(&scan("odd"), knowing(State::Succeeded, 2))).await.unwrap();
    }
}

#[tokio::test]
async fn a_job_whose_names_are_no_text_is_listed_with_what_is_left_of_them_and_says_so() {
    let odd = "CAST(x'61ff62' AS TEXT)";
    let cases = [
        format!("UPDATE job SET service_id = {odd} WHERE service_id = 'odd'"),
        format!("UPDATE declaration SET service = {odd} WHERE job = (SELECT id FROM job WHERE service_id = 'odd')"),
        format!("UPDATE declaration SET name = {odd} WHERE job = (SELECT id FROM job WHERE service_id = 'odd')"),
        format!("UPDATE endpoint SET url = {odd}"),
        format!("UPDATE endpoint SET provider = {odd}"),
    ];
    for damage in cases {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        for id in ["odd", "good"] {
            store.save(step(&scan(id), knowing(State::Succeeded, 1))).await.unwrap();
        }
        Connection::open(dir.path().join("jobdeck.db")).unwrap().execute(&damage, []).unwrap();
        let all = store.results().load_all().await.unwrap();
        assert_eq!(all.len(), 2, "{damage}");
        for (job, known) in all {
            let is_odd = [&*job.key.endpoint, &job.key.id, job.key.provider.as_str(), &job.service]
                .into_iter()
                .chain(job.name.as_deref())
                .any(|text| text.contains("a\u{fffd}b"));
            assert_eq!(known.odd_on_disk.is_some(), is_odd, "{damage}");
            assert_eq!(known.state, State::Succeeded, "{damage}");
            assert!(is_odd || job.key.id == "good", "{damage}");
        }
    }
}

#[tokio::test]
async fn the_views_answer_what_people_ask_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let batch = Arc::new(Job { batch: Some("nov-22".into()), ..(*job(&scan("a"))).clone() });
    let observation = Observation { finished_at: Some(at(3)), ..knowing(State::Succeeded, 1) };
    store
        .save(Save { job: batch, observation, change: Some(change()), ..with_copy(&scan("a"), 1, "result") })
        .await
        .unwrap();
    let outside = Connection::open(dir.path().join("jobdeck.db")).unwrap();
    let asked = |sql: &str| outside.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(
        asked("SELECT job || ' ' || batch || ' ' || state || ' ' || finished_at FROM jobs"),
        "invoices/a nov-22 succeeded 2027-01-15T08:00:03.000Z"
    );
    assert_eq!(asked("SELECT job || ' ' || previous || ' ' || state FROM changes"), "invoices/a running succeeded");
    assert_eq!(asked("SELECT role || ' ' || bytes || ' ' || data FROM bodies"), "status 6 result");
    assert_eq!(asked("SELECT batch || ' ' || jobs || ' ' || succeeded FROM batches"), "nov-22 1 1");
}

#[tokio::test]
async fn several_bodies_of_one_step_are_kept_with_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let of = |role, bytes: &str| SaveBody { role, ..body(Keep::Result, bytes) };
    let save = Save {
        further: vec![of(Role::Status, "status"), of(Role::Also("errors".to_owned()), &"e".repeat(100_000))],
        body: Some(of(Role::Result, "result")),
        description: Some("title = \"Render\"".into()),
        ..step(&scan("a"), knowing(State::Succeeded, 1))
    };
    let known = store.save(save).await.unwrap();
    assert_eq!(store.results().body(known.saved.unwrap().body).await.unwrap(), "result");
    let kept = store.results().kept(scan("a")).await.unwrap();
    let roles: Vec<String> = kept.iter().map(|kept| format!("{} {}", kept.role, kept.saved.bytes)).collect();
    assert_eq!(roles, ["result 6", "status 6", "also:errors 100000"]);
    assert_eq!(store.results().description(scan("a")).await.unwrap().as_deref(), Some("title = \"Render\""));
}

#[tokio::test]
async fn an_event_of_a_hook_is_delivered_once_whoever_dies_in_between() {
    let dir = tempfile::tempdir().unwrap();
    let event = NewHookEvent { hook: "on-fail".to_owned(), event: "failed".to_owned(), at: at(5) };
    let first = open(dir.path());
    for _ in 0..2 {
        let hooks = HookNews { events: vec![event.clone()], endings: Vec::new() };
        first.save(Save { hooks, ..step(&scan("a"), knowing(State::Failed, 1)) }).await.unwrap();
    }
    let second = open(dir.path());
    assert_eq!(second.hook_queue().undelivered().await.unwrap(), [], "while the first lives they are its own");
    drop(first);
    let events = second.hook_queue().undelivered().await.unwrap();
    assert_eq!(events.iter().map(|event| (event.job.key.id.as_str(), event.tries)).collect::<Vec<_>>(), [("a", 0)]);
    second.hook_queue().note(vec![events[0].id], false).await.unwrap();
    assert_eq!(second.hook_queue().undelivered().await.unwrap()[0].tries, 1);
    second.hook_queue().note(vec![events[0].id], true).await.unwrap();
    assert_eq!(second.hook_queue().undelivered().await.unwrap(), []);
}
