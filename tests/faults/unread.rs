//! Outputs that nobody reads, that take a moment, or that somebody set non-blocking: they hold up no poll, no save, no end.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Bench, PATIENCE, RESULT, executing, large_result, result, times, wait_for};

/// A pipe that is full from the first byte on, and its reading end.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (reader, writer)
}

fn end(mut child: Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it does not end while nobody reads what it says");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_standard_error_that_nobody_reads_holds_up_nothing_however_much_is_said() {
    for verbose in ["-v", "-vvv"] {
        let mut bench = Bench::new();
        for n in 0..8 {
            bench = bench.job("unstract", &format!("job-{n}"), [executing(), executing(), result()]);
        }
        let (_reader, writer) = full_pipe();
        let child = bench.command(&["watch", verbose]).stdout(Stdio::null()).stderr(writer).spawn().unwrap();
        assert_eq!(end(child).code(), Some(0), "{verbose}");
        assert_eq!(bench.body("job-7"), RESULT.as_bytes());
    }
}

#[test]
fn a_signal_ends_a_watch_of_which_nobody_reads_a_word() {
    for times in [1, 2] {
        let bench = Bench::new().job("unstract", "job-1", [executing()]);
        let (_reader, writer) = full_pipe();
        let child = bench.command(&["watch", "-v"]).stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        bench.until_read("job-1", 2);
        (0..times).for_each(|_| signal(&child, Signal::TERM));
        assert_eq!(end(child).code(), Some(143));
    }
}

#[test]
fn what_a_reader_takes_late_or_from_a_pipe_that_does_not_block_comes_whole() {
    let body = large_result(900 << 10);
    let bench = Bench::new().job("unstract", "job-1", [crate::support::script::Scripted::json(200, body.clone())]);
    bench.run(&["watch"]).with(0);
    for stream in ["out", "err"] {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        fcntl_setfl(writer.as_fd(), OFlags::NONBLOCK).unwrap();
        let mut command = bench.command(&["show", "job-1", "--body"]);
        let child = if stream == "out" {
            command.stdout(writer).stderr(Stdio::null()).spawn().unwrap()
        } else {
            command.args(["--no-such-flag"]).stdout(Stdio::null()).stderr(writer).spawn().unwrap()
        };
        drop(command);
        // It has to wait for its reader at least once.
        std::thread::sleep(Duration::from_millis(200));
        let mut read = Vec::new();
        File::from(reader).read_to_end(&mut read).unwrap();
        let status = end(child);
        if stream == "out" {
            assert_eq!((status.code(), read.len()), (Some(0), body.len()));
        } else {
            assert!(String::from_utf8(read).unwrap().contains("--no-such-flag"));
        }
    }
}

#[test]
fn a_process_that_is_stopped_and_polls_the_jobs_is_named_to_those_who_follow_it() {
    let bench = Bench::new().job("vessl", "job-1", times(1, &crate::support::pending()));
    let first = bench.start(&["watch"]);
    // Not in the middle of its first transaction: a poll that changes nothing writes nothing.
    bench.until_read("job-1", 4);
    let pid = first.pid().as_raw_nonzero();
    first.signal(Signal::STOP);
    let second = bench.start(&["watch"]);
    second.until_said(&format!("process {pid}, which polls 1 job of these, is stopped"));
    second.until_said(&format!("`kill -CONT {pid}`"));
    first.signal(Signal::CONT);
    first.signal(Signal::TERM);
    first.end().with(143);
    let before = bench.script.reads("job-1");
    wait_for("the other to poll", || bench.script.reads("job-1") > before);
    second.signal(Signal::TERM);
    second.end().with(143);
}
