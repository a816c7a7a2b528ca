//! Other programs at the database: saved means saved, whoever looks at its files or takes them away.

use std::process::{Command, Stdio};

use super::*;
use crate::store::dir::file_id;
use crate::store::sqlite::files::with_suffix;

/// Programs that look into a database with their own SQLite.
const OUTSIDERS: [(&str, &[&str]); 2] = [
    ("sqlite3", &["{db}", "select count(*) from job"]),
    (
        "python3",
        &[
            "-c",
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('select count(*) from job'); c.close()",
            "{db}",
        ],
    ),
];

fn look_from_outside(database: &Path, (program, arguments): (&str, &[&str])) -> bool {
    let database = database.to_str().unwrap();
    let looked = Command::new(program)
        .args(arguments.iter().map(|argument| argument.replace("{db}", database)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let looked = looked.is_ok_and(|status| status.success());
    if !looked {
        println!("skipped: there is no {program} here that can look into a database");
    }
    looked
}

#[cfg(target_os = "linux")]
fn locks_on(path: &Path) -> usize {
    let (_, inode) = file_id(path).unwrap();
    let of_ours = format!(" {} ", std::process::id());
    let of_file = format!(":{inode} ");
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    locks.lines().filter(|lock| lock.contains(&of_file) && lock.contains(&of_ours)).count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_database_is_locked_from_first_to_last() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("jobdeck.db");
    let store = open(dir.path());
    assert!(locks_on(&database) > 0, "after opening");
    known(store.results(), &scan("a")).await;
    assert!(locks_on(&database) > 0, "after the first load");
    store.save(with_copy(&scan("a"), 1, vec![b'x'; 100_000])).await.unwrap();
    store.results().load_all().await.unwrap();
    store.results().kept(scan("a")).await.unwrap();
    store.probe().await.unwrap();
    store.quick_check().unwrap();
    assert!(store.changes().await.is_ok());
    assert!(locks_on(&database) > 0, "after work");
}

#[tokio::test]
async fn a_saved_body_that_another_program_cuts_short_or_takes_away_stays_whole_for_who_looks_at_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ways: [fn(&Path); 4] = [
        |file| std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(0).unwrap(),
        |file| std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(1000).unwrap(),
        |file| std::fs::write(file, "shorter").unwrap(),
        |file| std::fs::remove_file(file).unwrap(),
    ];
    for (n, way) in ways.into_iter().enumerate() {
        let key = scan(&n.to_string());
        let bytes = vec![b'x'; 300_000];
        store.save(with_copy(&key, 1, bytes.clone())).await.unwrap();
        let body = known(store.results(), &key).await.saved.unwrap().body;
        let held = store.results().body(body).await.unwrap();
        way(&store.results().body_path(body).await.unwrap().unwrap());
        // A byte of a mapped file that is no longer there would end the process.
        assert!(held == bytes, "{n}");
    }
}

#[tokio::test]
async fn large_bodies_are_saved_and_found_again_where_a_folder_is_a_link_to_another_disk() {
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        println!("skipped: there is no other file system here");
        return;
    };
    for folder in ["bodies", "spool"] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(other.path().join(folder)).unwrap();
        std::os::unix::fs::symlink(other.path().join(folder), dir.path().join(folder)).unwrap();
        let store = open(dir.path());
        let key = scan("a");
        let bytes = vec![b'x'; 300_000];
        let mut spool = store.spool().begin(&key, 1, true);
        spool.push(&bytes);
        let (_, spooled) = spool.finish().bytes().unwrap();
        assert!(spooled.is_some());
        let mut save = with_copy(&key, 1, bytes.clone());
        save.body.as_mut().unwrap().spooled = spooled;
        store.save(save).await.unwrap();
        let body = known(store.results(), &key).await.saved.unwrap().body;
        assert!(store.results().body(body).await.unwrap() == bytes, "{folder}");
        assert_eq!((files_in(&dir.path().join("bodies")).len(), files_in(&dir.path().join("spool")).len()), (1, 0));
    }
}

#[tokio::test]
async fn a_look_from_outside_takes_nothing_away() {
    for outsider in OUTSIDERS {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("jobdeck.db");
        let store = open(dir.path());
        known(store.results(), &scan("a")).await;
        store.save(with_copy(&scan("before"), 1, "result")).await.unwrap();
        let wal = file_id(&with_suffix(&database, "-wal"));
        assert!(wal.is_some());
        if !look_from_outside(&database, outsider) {
            continue;
        }
        assert_eq!(file_id(&with_suffix(&database, "-wal")), wal, "{}", outsider.0);
        store.save(with_copy(&scan("after"), 1, "result")).await.unwrap();
        assert_whole(dir.path(), &["before", "after"]).await;
    }
}

/// What a start after a kill would find: the files as they are now, in another place.
async fn assert_whole(dir: &Path, ids: &[&str]) {
    let copy = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-a").arg(format!("{}/.", dir.display())).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    let store = open(copy.path());
    for id in ids {
        let known = known(store.results(), &scan(id)).await;
        assert_eq!(known.state, State::Succeeded, "{id}");
        assert_eq!(store.results().body(known.saved.unwrap().body).await.unwrap(), "result", "{id}");
    }
    store.close().await;
    let check = rusqlite::Connection::open(copy.path().join("jobdeck.db")).unwrap();
    assert_eq!(check.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
}

#[tokio::test]
async fn what_a_log_held_that_was_taken_away_is_saved_again_before_the_next_result_is_shown() {
    let cases: [(&str, &[&str]); 3] = [("log", &["-wal"]), ("index", &["-shm"]), ("both", &["-wal", "-shm"])];
    for (case, suffixes) in cases {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("jobdeck.db");
        let store = open(dir.path());
        assert_eq!(claimed(&store, &scan("first")).await, Claim::Ours { orphaned: false });
        for id in ["first", "second"] {
            let description = Some("title = \"Render\"".into());
            let save = Save { change: Some(change()), description, ..with_copy(&scan(id), 1, "result") };
            store.save(save).await.unwrap();
        }
        known(store.results(), &scan("first")).await;
        for suffix in suffixes {
            std::fs::remove_file(with_suffix(&database, suffix)).unwrap();
        }
        let save = Save { change: Some(change()), ..with_copy(&scan("third"), 1, "result") };
        store.save(save).await.unwrap();
        assert_whole(dir.path(), &["first", "second", "third"]).await;
        assert!(store.results().description(scan("second")).await.unwrap().is_some(), "{case}");
        for id in ["first", "second", "third"] {
            assert_eq!(known(store.results(), &scan(id)).await.state, State::Succeeded, "{case}");
            assert_eq!(store.results().history(scan(id)).await.unwrap().1, [change()], "{case}");
        }
        assert!(store.probe().await.is_err(), "{case}: that claims may be gone is said once");
        store.probe().await.unwrap();
        assert_eq!(files_in(&dir.path().join("spool")), Vec::<String>::new());
    }
}

#[tokio::test]
async fn two_instances_and_looks_from_outside_end_with_a_whole_database() {
    for outsider in OUTSIDERS {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("jobdeck.db");
        let first = open(dir.path());
        first.save(with_copy(&scan("a"), 1, "result")).await.unwrap();
        if !look_from_outside(&database, outsider) {
            continue;
        }
        let second = open(dir.path());
        second.save(with_copy(&scan("b"), 1, "result")).await.unwrap();
        look_from_outside(&database, outsider);
        first.save(with_copy(&scan("c"), 1, "result")).await.unwrap();
        first.close().await;
        drop(first);
        look_from_outside(&database, outsider);
        second.save(with_copy(&scan("d"), 1, "result")).await.unwrap();
        second.close().await;
        drop(second);
        look_from_outside(&database, outsider);
        assert_whole(dir.path(), &["a", "b", "c", "d"]).await;
    }
}

#[tokio::test]
async fn what_can_still_be_read_of_a_damaged_database_is_copied_before_it_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ids: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    for id in &ids {
        store.save(Save { attempts: vec![attempt()], ..with_copy(&scan(id), 1, vec![b'x'; 2000]) }).await.unwrap();
    }
    store.close().await;
    drop(store);
    let database = dir.path().join("jobdeck.db");
    let mut bytes = std::fs::read(&database).unwrap();
    // A page of one table, the bodies: what is on the others can be read.
    let page = bytes.len() / 2 / 4096 * 4096;
    bytes[page..page + 4096].fill(0xa5);
    std::fs::write(&database, bytes).unwrap();

    let (store, mut notes) = Store::open(dir.path()).unwrap();
    // Whether the damage shows when it is opened or read depends on the page.
    store.results().load_all().await.unwrap();
    store.save(with_copy(&scan("new"), 1, "x")).await.unwrap();
    notes.retain(|note| note.contains("could still be read"));
    let known = store.results().load(ids.iter().map(|id| scan(id)).collect()).await.unwrap();
    let states = known.iter().filter(|known| known.state == State::Succeeded).count();
    let saved = known.iter().filter(|known| known.saved.is_some()).count();
    assert!(states > 150 && saved > 150, "{states} states and {saved} responses of 200: {notes:?}");
    assert!(files_in(dir.path()).iter().any(|name| name.contains(".corrupt-")));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_never_overwritten() {
    for length in [1, 100, 511, 512, 1000, 4095, 4096, 10_000] {
        let dir = tempfile::tempdir().unwrap();
        let foreign = vec![b'z'; length];
        std::fs::write(dir.path().join("jobdeck.db"), &foreign).unwrap();
        let (store, notes) = Store::open(dir.path()).unwrap();
        assert!(notes[0].contains("kept as"), "{length}: {notes:?}");
        store.close().await;
        let aside = files_in(dir.path()).into_iter().find(|name| name.contains(".corrupt-")).unwrap();
        assert_eq!(std::fs::read(dir.path().join(aside)).unwrap(), foreign, "{length}");
    }
}

#[tokio::test]
async fn a_reader_that_does_not_end_lets_the_log_grow_and_that_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.save(with_copy(&scan("first"), 1, "result")).await.unwrap();
    let outside = rusqlite::Connection::open(dir.path().join("jobdeck.db")).unwrap();
    outside.execute_batch("BEGIN; SELECT count(*) FROM job").unwrap();
    let fill = async |from: usize| {
        let saves = (from..from + 1200).map(|n| store.save(with_copy(&scan(&n.to_string()), 1, vec![b'x'; 60_000])));
        assert!(futures_util::future::join_all(saves).await.iter().all(Result::is_ok));
    };
    assert_eq!(store.long_log(), None);
    fill(0).await;
    assert!(store.long_log().is_some_and(|bytes| bytes > 65 << 20), "{:?}", store.long_log());
    assert_eq!(known(store.results(), &scan("1199")).await.state, State::Succeeded);
    drop(outside);
    fill(1200).await;
    store.save(with_copy(&scan("last"), 1, "result")).await.unwrap();
    assert_eq!(store.long_log(), None, "the log is taken in, and cut off where it begins anew");
}
