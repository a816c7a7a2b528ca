//! The disk full, read-only, gone, damaged or locked: nothing that can be read only once is asked for in vain, and
//! nothing that came is lost.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Resource, Rlimit, Signal, prlimit};

use crate::support::script::{Fault, Scripted};
use crate::support::{
    Bench, RESULT, Running, TOKEN_VARIABLE, acknowledged, as_ordinary_user, done, executing, large_result, pending,
    result, row, wait_for,
};

pub const WITHHELD: &str = "one-shot polls wait until it can be written again";

/// A small file system of its own, where the machine lets us mount one.
pub struct Small(PathBuf);

impl Small {
    pub fn mount(at: &Path, mebibytes: usize) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={mebibytes}m,mode=0777");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(at.to_owned()));
        }
        println!("skipped: no file system can be mounted here (that takes root)");
        None
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.0.join("ballast")).unwrap();
        let block = vec![b'x'; 1 << 20];
        while file.write_all(&block).is_ok() {}
        while file.write_all(b"x").is_ok() {}
    }

    pub fn free(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Lets a running process write files of so many bytes only: a write error by the system, not by a hook of ours.
pub fn limit_file_size(watch: &Running, bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(Some(watch.pid()), Resource::Fsize, limit).unwrap();
}

/// A change of a job that is not lost by asking again: it has to be saved, which shows at once that the disk fails.
fn in_progress() -> Scripted {
    Scripted::json(200, r#"{"status":"in_progress"}"#)
}

/// The path that was printed behind these words.
pub fn path_after(err: &str, words: &str) -> PathBuf {
    let rest = err.split(words).nth(1).unwrap_or_else(|| panic!("{words:?} was not said: {err}"));
    PathBuf::from(rest.lines().next().unwrap().trim())
}

#[test]
fn with_less_than_64_mib_free_no_one_shot_read_is_sent_and_the_others_go_on() {
    let bench = Bench::new().job("unstract", "job-1", [result()]).job("vessl", "job-2", [done("x")]);
    let Some(_small) = Small::mount(&bench.state_dir(), 32) else { return };
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    watch.until_said(WITHHELD);
    bench.until_read("job-2", 1);
    wait_for("the line of the other job", || watch.out().contains("\"succeeded\""));
    watch.signal(Signal::TERM);
    let ended = watch.end().with(143).said("64 MiB are needed");
    assert_eq!((ended.summary()["succeeded"].clone(), bench.script.reads("job-1")), (1.into(), 0));
    bench.run(&["once"]).with(1);
    assert_eq!(bench.script.reads("job-1"), 0);
}

#[test]
fn a_disk_that_fills_up_holds_one_shot_reads_back_and_reading_resumes_by_itself() {
    let bench = Bench::new().job("unstract", "job-1", [executing()]).job("vessl", "job-2", [pending()]);
    let Some(small) = Small::mount(&bench.state_dir(), 100) else { return };
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 2);
    small.fill();
    watch.until_said(WITHHELD);
    let reads = bench.script.reads("job-1");
    bench.script.on("job-1", [vec![executing(); reads], vec![result(), acknowledged()]].concat());
    let others = bench.script.reads("job-2");
    bench.until_read("job-2", others + 3);
    assert_eq!(bench.script.reads("job-1"), reads, "withheld");
    bench.script.on("job-2", [done("x")]);
    small.free();
    let at = Instant::now();
    watch.until_said("can be written again\n");
    watch.end().with(0);
    row("disk full, then free again", 1, 0, at.elapsed());
    assert_eq!(bench.body("job-1"), RESULT.as_bytes());
}

#[test]
fn an_end_tries_the_disk_once_more_before_it_says_that_it_cannot_be_written() {
    let bench = Bench::new().job("unstract", "job-1", [executing()]);
    let Some(small) = Small::mount(&bench.state_dir(), 100) else { return };
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 2);
    small.fill();
    watch.until_said(WITHHELD);
    small.free();
    watch.signal(Signal::TERM);
    watch.end().with(143).said("can be written again\n");
}

#[test]
fn a_result_that_a_full_disk_does_not_take_is_tried_again_until_it_does() {
    let late = result().fault(Fault::StallHead(Duration::from_secs(2)));
    let bench = Bench::new().job("unstract", "job-1", [late, acknowledged()]);
    let Some(small) = Small::mount(&bench.state_dir(), 100) else { return };
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 1);
    small.fill();
    watch.until_said(WITHHELD);
    assert!(!watch.out().contains("\"succeeded\",\"previous\""), "nothing is shown before it is saved");
    small.free();
    let at = Instant::now();
    watch.end().with(0);
    row("disk full while a result arrives, then free", 1, 0, at.elapsed());
    assert_eq!((bench.body("job-1"), bench.script.reads("job-1")), (RESULT.into(), 1));
}

#[test]
fn a_result_that_the_disk_never_takes_goes_to_a_rescue_file_whose_path_is_printed() {
    for signals in [&[Signal::TERM][..], &[Signal::INT, Signal::INT]] {
        let late = result().fault(Fault::StallHead(Duration::from_secs(2)));
        let bench = Bench::new().job("unstract", "job-1", [late, acknowledged()]);
        let Some(small) = Small::mount(&bench.state_dir(), 100) else { return };
        let watch = bench.start(&["watch", "--format", "jsonl"]);
        bench.until_read("job-1", 1);
        small.fill();
        watch.until_said(WITHHELD);
        for signal in signals {
            watch.signal(*signal);
            std::thread::sleep(Duration::from_millis(200));
        }
        let at = Instant::now();
        let ended = watch.end().with(if signals.len() == 1 { 143 } else { 130 });
        row("disk full to the end: rescue file", 1, 0, at.elapsed());
        let rescued = path_after(&ended.err, "was saved to ");
        assert_eq!(fs::read(&rescued).unwrap(), RESULT.as_bytes());
        assert_eq!(fs::metadata(&rescued).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!rescued.starts_with(bench.state_dir()), "{}", rescued.display());
        small.free();
        bench.run(&["watch"]).with(0);
        assert_eq!((bench.body("job-1"), bench.script.reads("job-1")), (RESULT.into(), 1), "taken up, not asked for");
        assert!(!rescued.exists(), "it is in the state directory now");
    }
}

#[test]
fn a_limit_on_file_sizes_is_a_disk_that_is_full_and_never_the_end_of_the_program() {
    let bench = Bench::new().job("unstract", "job-1", [executing()]).job("vessl", "job-2", [pending()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 2);
    limit_file_size(&watch, Some(0));
    watch.until_said(WITHHELD);
    bench.until_read("job-2", bench.script.reads("job-2") + 2);
    bench.script.on("job-2", [in_progress()]);
    let reads = bench.script.reads("job-1");
    bench.script.on("job-1", [vec![executing(); reads], vec![result(), acknowledged()]].concat());
    bench.script.on("job-2", [done("x")]);
    wait_for("the other job, marked", || watch.out().contains("not saved: the state directory cannot be written"));
    assert_eq!(bench.script.reads("job-1"), reads, "withheld");
    limit_file_size(&watch, None);
    let at = Instant::now();
    watch.end().with(0);
    row("every write fails (RLIMIT_FSIZE), then none", 1, 0, at.elapsed());
    assert_eq!(bench.body("job-1"), RESULT.as_bytes());
    assert_eq!(bench.known("job-2")["state"], "succeeded");
    assert_eq!(bench.known("job-2")["warning"], serde_json::Value::Null, "what is saved is no more marked as unsaved");
}

#[test]
fn with_no_room_for_any_file_from_the_start_nothing_is_read_and_the_exit_code_is_1() {
    let bench = Bench::new().job("unstract", "job-1", [result()]);
    let mut command = Command::new("sh");
    let inner = bench.command(&["watch", "--format", "jsonl", "--timeout", "3s"]);
    command.arg("-c").arg("ulimit -f 0; exec \"$0\" \"$@\"").arg(inner.get_program()).args(inner.get_args());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(bench.home());
    Running::start(command).end().with(1).said("failed to");
    assert_eq!(bench.script.reads("job-1"), 0);
}

#[test]
fn with_few_descriptors_fewer_polls_are_sent_and_no_result_is_lost() {
    for descriptors in [32, 40, 64] {
        let mut bench = Bench::new();
        let ids: Vec<String> = (0..24).map(|n| format!("job-{n}")).collect();
        for id in &ids {
            // Long enough for a file of its own.
            let body = large_result(100_000);
            let slow = Scripted::json(200, body).fault(Fault::StallAfter(90_000, Duration::from_millis(100)));
            bench = bench.job("unstract", id, [slow, acknowledged()]);
        }
        let mut command = Command::new("sh");
        let inner = bench.command(&["watch", "--format", "jsonl"]);
        let limited = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        command.arg("-c").arg(limited).arg(inner.get_program()).args(inner.get_args());
        command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(bench.home());
        let ended = Running::start(command).end();
        assert_eq!(ended.summary()["succeeded"], 24, "{descriptors} descriptors: {ended:?}");
        row(&format!("{descriptors} file descriptors"), 24, 0, Duration::ZERO);
    }
}

/// Leaves a running process so much address space beside what it has.
fn limit_memory(watch: &Running, more: Option<u64>) {
    let pages = fs::read_to_string(format!("/proc/{}/statm", watch.pid().as_raw_nonzero())).unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    let current = more.map(|more| pages * 4096 + more);
    prlimit(Some(watch.pid()), Resource::As, Rlimit { current, maximum: None }).unwrap();
}

/// A response packed by gzip, which makes little of it.
fn packed(body: &str) -> Scripted {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(body.as_bytes()).unwrap();
    Scripted::json(200, gzip.finish().unwrap()).header("Content-Encoding", "gzip")
}

/// How the wait for memory goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    ThereIsRoom,
    AfterAStop,
    AtTheNextStart,
    ByAnother,
}

/// A result of which the request is answered late, so that memory can be made short meanwhile; which target it has.
fn late_result(by_own_request: bool, sent: Scripted) -> (Bench, &'static str) {
    let (late, retrieve) =
        (sent.fault(Fault::StallHead(Duration::from_secs(3))), "whisper-retrieve?whisper_hash=job-1");
    if !by_own_request {
        return (Bench::new().job("unstract", "job-1", [late, acknowledged()]), "job-1");
    }
    let bench =
        Bench::new().job("llmwhisperer", "job-1", [Scripted::json(200, r#"{"status":"processed","detail":[]}"#)]);
    let delivered = Scripted::json(400, r#"{"message":"Whisper already delivered"}"#);
    bench.script.on(retrieve, [late, delivered]);
    (bench, retrieve)
}

#[test]
fn a_result_for_which_there_is_no_memory_waits_on_disk_and_is_read_as_soon_as_there_is_or_at_the_next_start() {
    for (then, by_own_request, is_packed) in [
        (Then::ThereIsRoom, false, false),
        (Then::AfterAStop, false, true),
        (Then::AtTheNextStart, false, true),
        (Then::ByAnother, false, false),
        (Then::ThereIsRoom, true, true),
        (Then::AfterAStop, true, false),
        (Then::AtTheNextStart, true, false),
        (Then::ByAnother, true, true),
    ] {
        let long = large_result(40 << 20);
        let body = if by_own_request { format!(r#"{{"result_text":{}}}"#, serde_json::json!(long)) } else { long };
        let sent = if is_packed { packed(&body) } else { Scripted::json(200, body.clone()) };
        let (bench, target) = late_result(by_own_request, sent);
        let watch = bench.start(&["watch", "-v"]);
        bench.until_read(target, 1);
        limit_memory(&watch, Some(16 << 20));
        watch.until_said("no room to read a response, which waits on disk");
        match then {
            Then::ThereIsRoom => {
                limit_memory(&watch, None);
                watch.end().with(0);
            }
            Then::AfterAStop => {
                watch.signal(Signal::TSTP);
                // Another one finds it claimed, whether or not the first has been stopped by now.
                let other = bench.start(&["watch", "-v"]);
                other.until_said("following");
                watch.signal(Signal::CONT);
                limit_memory(&watch, None);
                watch.end().with(0);
                other.end().with(0);
            }
            Then::AtTheNextStart => {
                watch.signal(Signal::TERM);
                watch.end().with(143);
                bench.run(&["watch"]).with(0);
            }
            Then::ByAnother => {
                let other = bench.start(&["watch", "-v"]);
                other.until_said("following");
                watch.signal(Signal::TERM);
                watch.end().with(143);
                other.end().with(0);
            }
        }
        row("no memory for a result of 40 MiB", 1, 0, Duration::ZERO);
        let kept = (bench.body("job-1") == body.as_bytes(), bench.script.reads(target));
        assert_eq!(kept, (true, 1), "{then:?}, by a request of its own: {by_own_request}");
    }
}

#[test]
fn what_was_left_behind_is_saved_before_its_job_is_asked_for_again_however_long_the_disk_refuses_it() {
    for by_own_request in [false, true] {
        let long = large_result(40 << 20);
        let (bench, target) = late_result(by_own_request, Scripted::json(200, long));
        let watch = bench.start(&["watch", "-v"]);
        bench.until_read(target, 1);
        limit_memory(&watch, Some(16 << 20));
        watch.until_said("no room to read a response, which waits on disk");
        watch.kill();
        let database = Connection::open(bench.state_dir().join("jobdeck.db")).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        let refuse = "CREATE TRIGGER refused BEFORE INSERT ON body WHEN new.is_copy \
                      BEGIN SELECT RAISE(ABORT, 'no room for it'); END";
        database.execute_batch(refuse).unwrap();
        let next = bench.start(&["watch", "-v"]);
        next.until_said("cannot be taken in, and it is not polled before that");
        database.execute_batch("DROP TRIGGER refused").unwrap();
        next.end().with(0);
        assert_eq!(bench.script.reads(target), 1, "by a request of its own: {by_own_request}");
        row("what was left behind is not taken at once", 1, 0, Duration::ZERO);
    }
}

#[test]
fn while_memory_is_short_no_result_is_asked_for_and_the_others_go_on() {
    let bench = Bench::new().job("unstract", "job-1", [executing()]).job("vessl", "job-2", [pending()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 2);
    limit_memory(&watch, Some(16 << 20));
    watch.until_said("memory is short. End other programs, or raise the limit on memory");
    let reads = bench.script.reads("job-1");
    bench.script.on("job-1", [vec![executing(); reads], vec![result(), acknowledged()]].concat());
    bench.until_read("job-2", bench.script.reads("job-2") + 3);
    assert_eq!(bench.script.reads("job-1"), reads, "withheld");
    bench.script.on("job-2", [done("x")]);
    limit_memory(&watch, None);
    watch.end().with(0).said("there is enough memory again");
    assert_eq!(bench.body("job-1"), RESULT.as_bytes());
}

#[test]
fn where_files_are_limited_to_less_than_a_result_may_need_no_result_is_asked_for() {
    for bytes in [0, 1 << 20, (64 << 20) - 1] {
        let bench = Bench::new().job("unstract", "job-1", [executing()]);
        let watch = bench.start(&["watch", "--format", "jsonl"]);
        bench.until_read("job-1", 1);
        limit_file_size(&watch, Some(bytes));
        watch.until_said(WITHHELD);
        let reads = bench.script.reads("job-1");
        bench.script.on("job-1", [vec![executing(); reads], vec![result(), acknowledged()]].concat());
        limit_file_size(&watch, Some(64 << 20));
        let ended = watch.end().with(0);
        // The database, which writes longer files than one byte, may be the first to notice.
        let told = ["(ulimit -f): 64 MiB are needed", "limit on file sizes", "whether file sizes are limited"];
        assert!(told.iter().any(|words| ended.err.contains(words)), "{ended:?}");
        assert_eq!((bench.body("job-1"), bench.script.reads("job-1")), (RESULT.into(), reads + 1), "{bytes}");
    }
}

#[test]
fn a_state_directory_that_cannot_be_made_or_written_is_said_and_no_one_shot_read_is_sent() {
    let read_only = |bench: &Bench| {
        bench.run(&["once", "--filter", "id:job-2"]);
        let mut command = bench.command(&["watch", "--format", "jsonl", "--timeout", "3s"]);
        as_ordinary_user(&mut command, bench.home());
        fs::set_permissions(bench.state_dir(), fs::Permissions::from_mode(0o555)).unwrap();
        for entry in fs::read_dir(bench.state_dir()).unwrap() {
            let path = entry.unwrap().path();
            let mode = if path.is_dir() { 0o555 } else { 0o444 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let ended = Running::start(command).end();
        fs::set_permissions(bench.state_dir(), fs::Permissions::from_mode(0o755)).unwrap();
        ended
    };
    let under_a_file = |bench: &Bench| {
        fs::write(bench.home().join("file"), "in the way").unwrap();
        bench.run(&["watch", "--state-dir", "file/below", "--timeout", "3s"])
    };
    for name in ["read-only", "under a file"] {
        let bench = Bench::new().job("unstract", "job-1", [result()]).job("vessl", "job-2", [done("x")]);
        let ended = if name == "read-only" { read_only(&bench) } else { under_a_file(&bench) };
        assert_eq!((ended.code, bench.script.reads("job-1")), (Some(1), 0), "{name}: {ended:?}");
        assert!(ended.err.contains("failed to") && ended.err.contains("--state-dir"), "{name}: {ended:?}");
    }
}

#[test]
fn a_damaged_database_is_moved_aside_with_a_message_and_never_deleted() {
    let bench = Bench::new().job("unstract", "job-1", [result(), acknowledged()]).job("vessl", "job-2", [done("x")]);
    bench.run(&["watch"]).with(0);
    let database = bench.state_dir().join("jobdeck.db");
    let garbage = vec![0x5a; 40_000];
    fs::write(&database, &garbage).unwrap();
    let at = Instant::now();
    let after = bench.run(&["watch", "--format", "jsonl"]).with(5).said("damaged and a new one was begun");
    row("the database is overwritten with garbage", 1, 1, at.elapsed());
    assert_eq!((&after.summary()["succeeded"], &after.summary()["lost"]), (&1.into(), &1.into()));
    let aside = fs::read_dir(bench.state_dir()).unwrap().map(|entry| entry.unwrap().path());
    assert!(aside.filter(|path| path.is_file()).any(|path| fs::read(path).unwrap() == garbage), "{after:?}");
}

#[test]
fn a_database_that_another_program_holds_is_waited_for() {
    let bench = Bench::new().job("unstract", "job-1", [executing()]).job("vessl", "job-2", [pending()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 1);
    let other = Connection::open(bench.state_dir().join("jobdeck.db")).unwrap();
    other.execute_batch("PRAGMA busy_timeout = 20000; BEGIN IMMEDIATE").unwrap();
    watch.until_said(WITHHELD);
    // What was sent before that has arrived.
    bench.until_read("job-2", bench.script.reads("job-2") + 2);
    let reads = bench.script.reads("job-1");
    bench.script.on("job-1", [vec![executing(); reads], vec![result(), acknowledged()]].concat());
    bench.script.on("job-2", [done("x")]);
    bench.until_read("job-2", bench.script.reads("job-2") + 1);
    assert_eq!(bench.script.reads("job-1"), reads, "withheld");
    other.execute_batch("ROLLBACK").unwrap();
    let at = Instant::now();
    watch.end().with(0);
    row("the database is locked, then free", 1, 0, at.elapsed());
    assert_eq!(bench.body("job-1"), RESULT.as_bytes());
}

#[test]
fn in_a_state_directory_that_was_begun_anew_a_job_has_one_reader_again() {
    let bench = Bench::new().job("unstract", "job-1", [executing()]);
    let first = bench.start(&["watch"]);
    bench.until_read("job-1", 1);
    // In one step: files may be made in it meanwhile.
    fs::rename(bench.state_dir(), bench.home().join("moved")).unwrap();
    first.until_said("the store can be written again");
    let second = bench.start(&["watch", "-v"]);
    second.until_said(&format!("polled by pid {}, following", first.pid().as_raw_nonzero()));
    bench.script.on("job-1", [result()]);
    first.end().with(0);
    second.end().with(0);
    assert_eq!(bench.body("job-1"), RESULT.as_bytes());
}

#[test]
fn a_state_directory_that_vanishes_under_a_running_program_costs_no_result() {
    let late = result().fault(Fault::StallHead(Duration::from_secs(2)));
    let bench = Bench::new().job("unstract", "job-1", [late, acknowledged()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 1);
    let at = Instant::now();
    fs::remove_dir_all(bench.state_dir()).unwrap();
    wait_for("an end or a complaint", || watch.err().contains(WITHHELD) || watch.out().contains("summary"));
    watch.signal(Signal::TERM);
    let ended = watch.end();
    row("the state directory vanishes", 1, 0, at.elapsed());
    let kept = bench.body("job-1");
    if kept.is_empty() {
        assert_eq!(fs::read(path_after(&ended.err, "was saved to ")).unwrap(), RESULT.as_bytes());
    } else {
        assert_eq!(kept, RESULT.as_bytes());
    }
}

#[test]
fn what_the_database_holds_that_nobody_wrote_is_said_by_every_command_and_hides_no_job() {
    let mut bench = Bench::new();
    for n in 0..5 {
        bench = bench.job("vessl", &format!("job-{n}"), [done("x")]);
    }
    bench.run(&["watch"]).with(0);
    let damage = |and: &str| {
        let database = Connection::open(bench.state_dir().join("jobdeck.db")).unwrap();
        let only = "UPDATE observation SET state = 'paused' WHERE job IN (SELECT id FROM job WHERE service_id";
        database.execute(&format!("{only} {and})"), []).unwrap();
    };
    damage("= 'job-0'");
    let export = bench.home().join("out");
    let export = export.to_str().unwrap();
    for command in [&["status"][..], &["show", "job-0"], &["export", export], &["watch"]] {
        let ended = bench.run(command).with(0).said("vessl/job-0: what the database holds of it is odd");
        assert!(ended.err.contains("state is 'paused'"), "{ended:?}");
        assert_eq!(ended.err.matches("is odd").count(), 1, "{ended:?}");
    }
    let other = bench.run(&["show", "job-1"]).with(0);
    assert!(!other.err.contains("odd"), "{other:?}");
    damage("LIKE 'job-%'");
    let ended = bench.run(&["status"]).with(0).said("and of 2 more jobs likewise");
    assert_eq!(ended.err.matches("is odd").count(), 3, "{ended:?}");
}

#[test]
fn a_response_without_an_end_leaves_others_their_room_on_the_disk() {
    let bench = Bench::new();
    let Some(small) = Small::mount(&bench.state_dir(), 100) else { return };
    // Longer than the disk, so that it is as good as without an end.
    let endless = done(&"x".repeat(120 << 20));
    let bench =
        bench.job("vessl", "endless", [endless, done("short")]).job("unstract", "job-2", [executing(), result()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    let ended = watch.end().with(0);
    let cut = ended.line(|line| line["type"] == "read" && line["job"] == "vessl/endless").unwrap();
    assert_eq!((&cut["read"], cut["http_status"].as_i64()), (&"unreachable".into(), Some(200)));
    assert_eq!(cut["reason"], "the disk is full: no more of it could be kept");
    assert_eq!(bench.body("job-2"), RESULT.as_bytes());
    row("response longer than the disk", 1, 0, Duration::ZERO);
    drop(small);
}

#[test]
fn a_result_that_a_second_request_takes_is_not_asked_for_while_the_disk_is_full() {
    let bench = Bench::new();
    let url = bench.script.url("/api/v2");
    let service = format!("provider = \"llmwhisperer\"\nbase = \"{url}\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}");
    let status = |word: &str| Scripted::json(200, format!("{{\"status\":\"{word}\"}}"));
    let bench = bench.service("whisper", &service).job("whisper", "ab12|cd34", [status("processing")]);
    bench.script.on("whisper-retrieve?whisper_hash=ab12|cd34", [Scripted::json(200, "{\"result_text\":\"text\"}")]);
    let Some(small) = Small::mount(&bench.state_dir(), 100) else { return };
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("ab12|cd34", 2);
    small.fill();
    bench.script.on("ab12|cd34", [status("processed")]);
    bench.until_read("ab12|cd34", bench.script.reads("ab12|cd34") + 4);
    assert_eq!(bench.script.reads("whisper-retrieve?whisper_hash=ab12|cd34"), 0);
    small.free();
    let at = Instant::now();
    watch.end().with(0);
    row("disk full before a second request that takes the result", 1, 0, at.elapsed());
    assert_eq!(bench.script.reads("whisper-retrieve?whisper_hash=ab12|cd34"), 1);
    assert_eq!(bench.body("ab12|cd34"), b"{\"result_text\":\"text\"}");
}
