//! Disk trouble, damaged databases, and looking without touching.

use std::io::Write;

use super::*;
use crate::store::spool::LONGEST_INLINE;

#[tokio::test]
async fn looking_makes_nothing_not_even_the_directory() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("state");
    let store = view(&dir);
    assert_eq!(store.load(vec![scan("a")]).await.unwrap(), [Observation::default()]);
    assert_eq!(store.load_all().await.unwrap(), []);
    assert!(!dir.exists());

    let writer = open(&dir);
    writer.save(with_copy(&scan("a"), 1, "x")).await.unwrap();
    writer.close().await;
    drop(writer);
    let before = files_in(&dir);
    assert_eq!(known(&store, &scan("a")).await.state, State::Succeeded);
    assert_eq!(files_in(&dir), before);
}

#[tokio::test]
async fn a_viewer_sees_what_a_running_instance_saves() {
    let dir = tempfile::tempdir().unwrap();
    let viewer = view(dir.path());
    let writer = open(dir.path());
    for n in 1..4 {
        writer.save(step(&scan("a"), knowing(State::Running, n))).await.unwrap();
        assert_eq!(known(&viewer, &scan("a")).await.applied, n);
    }
}

#[tokio::test]
async fn a_damaged_database_is_moved_aside_and_its_bodies_are_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = vec![b'x'; LONGEST_INLINE + 1];
    let store = open(dir.path());
    store.save(with_copy(&scan("a"), 1, bytes.clone())).await.unwrap();
    store.close().await;
    drop(store);
    std::fs::write(dir.path().join("jobdeck.db"), b"this is no database, and long enough to be looked at as one")
        .unwrap();
    assert!(Results::open(dir.path()).unwrap_err().to_string().contains("damaged"));

    let (store, notes) = Store::open(dir.path()).unwrap();
    assert!(notes[0].contains("damaged"), "{notes:?}");
    assert_eq!(files_in(dir.path()).iter().filter(|name| name.contains(".corrupt-")).count(), 1);
    assert_eq!(claimed(&store, &scan("a")).await, Claim::Ours { orphaned: true });
    let evidence = known(store.results(), &scan("a")).await.evidence.unwrap();
    assert_eq!(store.results().body(evidence.body).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_database_that_is_damaged_in_use_is_replaced_and_saving_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..200 {
        store.save(with_copy(&scan(&n.to_string()), 1, vec![b'x'; 2000])).await.unwrap();
    }
    store.close().await;
    drop(store);
    let path = dir.path().join("jobdeck.db");
    let mut damaged = std::fs::read(&path).unwrap();
    let from = 3 * 4096;
    for byte in &mut damaged[from..] {
        *byte = 0xa5;
    }
    std::fs::write(&path, damaged).unwrap();
    let (store, notes) = Store::open(dir.path()).unwrap();
    assert!(store.results().load((0..200).map(|n| scan(&n.to_string())).collect()).await.is_ok(), "{notes:?}");
    let _ = store.save(with_copy(&scan("b"), 1, "x")).await;
    store.save(with_copy(&scan("b"), 1, "x")).await.unwrap();
    assert!(files_in(dir.path()).iter().any(|name| name.contains(".corrupt-")));
}

#[tokio::test]
async fn a_database_of_a_newer_jobdeck_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().await;
    let connection = rusqlite::Connection::open(dir.path().join("jobdeck.db")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    for error in [Store::open(dir.path()).unwrap_err(), Results::open(dir.path()).unwrap_err()] {
        assert_eq!(error.kind, StoreErrorKind::Newer);
        assert!(error.to_string().contains("newer jobdeck"), "{error}");
    }
    assert!(!files_in(dir.path()).iter().any(|name| name.contains(".corrupt-")));
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_made_is_one_clear_error() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("state")).unwrap_err();
    assert!(error.to_string().starts_with("failed to open the state directory: "), "{error}");
    assert!(error.to_string().contains("--state-dir"), "{error}");
}

#[tokio::test]
async fn a_locked_database_is_an_error_and_no_wait_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let other = rusqlite::Connection::open(dir.path().join("jobdeck.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.probe().await.unwrap_err();
    assert!(error.to_string().contains("Another program holds"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    store.probe().await.unwrap();
}

#[tokio::test]
async fn saving_works_again_when_the_directory_is_back() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("state");
    let store = open(&dir);
    store.probe().await.unwrap();
    std::fs::rename(&dir, parent.path().join("away")).unwrap();
    std::fs::write(&dir, "a file is in the way").unwrap();
    assert!(store.probe().await.is_err());
    assert!(store.save(with_copy(&scan("a"), 1, "x")).await.is_err());
    std::fs::remove_file(&dir).unwrap();
    std::fs::rename(parent.path().join("away"), &dir).unwrap();
    store.probe().await.unwrap();
    store.save(with_copy(&scan("a"), 1, "x")).await.unwrap();
}

#[tokio::test]
async fn a_body_that_cannot_be_placed_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    std::fs::remove_dir(dir.path().join("bodies")).unwrap();
    std::fs::write(dir.path().join("bodies"), "in the way").unwrap();
    let large = store.save(with_copy(&scan("large"), 1, vec![b'x'; LONGEST_INLINE + 1]));
    let small = store.save(with_copy(&scan("small"), 1, "x"));
    let (large, small) = futures_util::future::join(large, small).await;
    assert!(large.unwrap_err().to_string().starts_with("failed to save a result"));
    small.unwrap();
    std::fs::remove_file(dir.path().join("bodies")).unwrap();
    std::fs::create_dir(dir.path().join("bodies")).unwrap();
    store.save(with_copy(&scan("large"), 1, vec![b'x'; LONGEST_INLINE + 1])).await.unwrap();
}

#[tokio::test]
async fn a_copy_of_the_directory_taken_in_the_middle_holds_whole_steps_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let saves = (0..50).map(|n| store.save(with_copy(&scan(&n.to_string()), 1, vec![b'x'; 3000])));
    futures_util::future::join_all(saves).await;
    let torn = tempfile::tempdir().unwrap();
    for name in ["jobdeck.db", "jobdeck.db-wal"] {
        std::fs::copy(dir.path().join(name), torn.path().join(name)).unwrap();
    }
    // The last commit's end did not reach the disk.
    let wal = std::fs::File::options().write(true).open(torn.path().join("jobdeck.db-wal")).unwrap();
    wal.set_len(wal.metadata().unwrap().len() - 100).unwrap();
    let after = open(torn.path());
    for (job, known) in after.results().load_all().await.unwrap() {
        let saved = known.saved.unwrap_or_else(|| panic!("{job:?} without its body"));
        assert_eq!(after.results().body(saved.body).await.unwrap().len(), 3000);
    }
}

#[test]
fn a_result_that_the_store_does_not_take_goes_to_the_first_place_that_takes_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let hostile = scan("../../etc/\u{1b}passwd");
    let first = crate::store::dir::rescue(dir.path(), &hostile, b"result").unwrap();
    let second = crate::store::dir::rescue(dir.path(), &hostile, b"result").unwrap();
    assert_eq!((first.parent(), second.parent()), (Some(dir.path()), Some(dir.path())));
    assert_ne!(first, second);
    assert_eq!(std::fs::read(&first).unwrap(), b"result");
    assert_eq!(std::fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);

    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"no directory").unwrap();
    let elsewhere = crate::store::dir::rescue(file.path(), &hostile, b"result").unwrap();
    assert_eq!(std::fs::read(&elsewhere).unwrap(), b"result");
    std::fs::remove_file(elsewhere).unwrap();
}

#[tokio::test]
async fn folders_that_a_cleaner_took_away_are_made_again() {
    for taken in [&["spool"][..], &["bodies"], &["spool", "bodies"]] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        store.probe().await.unwrap();
        for folder in taken {
            std::fs::remove_dir(dir.path().join(folder)).unwrap();
        }
        store.quick_check().unwrap();
        store.probe().await.unwrap();
        let bytes = vec![b'x'; 2 * LONGEST_INLINE];
        let mut spool = store.spool().begin(&scan("a"), 1, true);
        spool.push(&bytes);
        let (bytes, spooled) = spool.finish().bytes().unwrap();
        assert!(spooled.is_some(), "{taken:?}");
        for folder in taken.iter().filter(|folder| **folder == "bodies") {
            let _ = std::fs::remove_dir(dir.path().join(folder));
        }
        let save = with_copy(&scan("a"), 1, bytes.to_vec());
        let body = save.body.map(|body| SaveBody { spooled, ..body });
        let known = store.save(Save { body, ..step(&scan("a"), knowing(State::Succeeded, 1)) }).await.unwrap();
        assert_eq!(store.results().body(known.saved.unwrap().body).await.unwrap(), bytes, "{taken:?}");
    }
}

#[tokio::test]
async fn a_path_that_is_too_long_for_the_database_is_called_that() {
    let parent = tempfile::tempdir().unwrap();
    let long = (0..6).fold(parent.path().to_owned(), |path, _| path.join("d".repeat(100)));
    let error = Store::open(&long).unwrap_err();
    assert!(error.to_string().contains("characters") && error.to_string().contains("--state-dir"), "{error}");
}
