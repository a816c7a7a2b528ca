//! Starts with hardly any memory, or without threads: every command works or says what is missing.

use std::process::{Command, Stdio};

use crate::support::{Bench, Ended, Running, as_ordinary_user, done};

const COMMANDS: [&[&str]; 8] = [
    &["watch", "--timeout", "2s"],
    &["once"],
    &["status"],
    &["show", "job-1"],
    &["export", "out"],
    &["check"],
    &["keys"],
    &["man"],
];

/// The same command under a limit of the shell's.
fn under(limit: &str, command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -c 0; {limit}; exec \"$0\" \"$@\""));
    limited.arg(command.get_program()).args(command.get_args()).env_clear().stdin(Stdio::null());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(command.get_current_dir().unwrap());
    limited
}

#[track_caller]
fn works_or_says_a_sentence(ended: &Ended, limit: &str, command: &[&str]) {
    let code = ended.code.unwrap_or_else(|| panic!("{limit}, {command:?}: ended by a signal: {ended:?}"));
    assert!(code != 101 && !ended.err.contains("panicked"), "{limit}, {command:?}: {ended:?}");
    assert!(
        code == 0 || !ended.err.is_empty() || !ended.out.is_empty(),
        "{limit}, {command:?} says nothing: {ended:?}"
    );
}

#[test]
fn with_hardly_enough_memory_to_begin_every_command_works_or_says_what_is_short() {
    let bench = Bench::new().job("vessl", "job-1", [done("x")]);
    bench.run(&["once"]).with(0);
    let under = |kibibytes: u32, command: &[&str]| {
        let limit = format!("ulimit -v {kibibytes}");
        (Running::start(under(&limit, &bench.command(command))).end(), limit)
    };
    // Below some size the system cannot even load the program.
    let begins = |kibibytes: &u32| {
        let (ended, _) = under(*kibibytes, &["--version"]);
        ended.code == Some(0) || ended.err.contains("memory is short") || ended.err.contains("memory is too short")
    };
    let least = (4..400).map(|step| step << 11).find(begins).expect("a size that is enough");
    for kibibytes in (0..8).map(|step| least + (step << 12)) {
        for command in COMMANDS {
            let (ended, limit) = under(kibibytes, command);
            works_or_says_a_sentence(&ended, &limit, command);
        }
    }
}

#[test]
fn without_threads_every_command_works_or_says_what_is_short() {
    for threads in [1, 2, 3, 5] {
        let bench = Bench::new().job("vessl", "job-1", [done("x")]);
        for command in COMMANDS {
            let mut ordinary = bench.command(command);
            as_ordinary_user(&mut ordinary, bench.home());
            let limit = format!("ulimit -u {threads} 2>/dev/null || ulimit -p {threads}");
            let mut limited = under(&limit, &ordinary);
            crate::support::run_as_that_user(&mut limited);
            works_or_says_a_sentence(&Running::start(limited).end(), &limit, command);
        }
    }
}
