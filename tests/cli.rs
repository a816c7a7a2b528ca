//! The binary from outside: what it prints, where, and how it exits.
#![cfg(test)] // Helpers of tests are tests to the lints too.

use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;

/// The binary in an empty directory of its own, with no variable of ours but those that keep it there.
fn jobdeck(home: &Path) -> Command {
    let mut command = Command::cargo_bin("jobdeck").unwrap();
    command.current_dir(home).env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap());
    command.env("XDG_CONFIG_HOME", home.join("config")).env("XDG_STATE_HOME", home.join("state"));
    command
}

/// Runs it in a fresh home with these files, and checks exit code, a part of stdout and a part of stderr.
#[track_caller]
fn runs(files: &[(&str, &str)], args: &[&str], code: i32, out: &str, err: &str) {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let run = jobdeck(home.path()).args(args).assert().code(code);
    let run =
        if out.is_empty() { run.stdout(predicate::str::is_empty()) } else { run.stdout(predicate::str::contains(out)) };
    if err.is_empty() {
        run.stderr(predicate::str::is_empty());
    } else {
        run.stderr(predicate::str::contains(err));
    }
}

#[test]
fn keys_are_told_as_they_are_bound_and_two_actions_on_one_key_are_an_error_with_both_lines() {
    let bound = |keys| [("config/jobdeck/config.toml", keys)];
    runs(&[], &["keys"], 0, "q           quit ", "");
    runs(&bound("[keys]\nquit = ['Ctrl-Q', 'F10']\nhelp = []\n"), &["keys"], 0, "Ctrl-q F10  quit ", "");
    runs(&bound("[keys]\nhelp = []\n"), &["keys"], 0, ":help       help ", "");
    let both = "config.toml:3:8: this key of `help` in line 3 is a key of `quit` in line 2";
    runs(&bound("[keys]\nquit = 'x'\nhelp = 'x'\n"), &["keys"], 2, "", both);
    let own = "config.toml:2:8: this key of `quit` in line 2 is `copy-raw`'s own";
    runs(&bound("[keys]\nquit = 'y'\n"), &["keys"], 2, "", own);
}

const ONE_JOB: &str = r#"
[services.llama]
provider = "vessl"
base_url = "http://127.0.0.1:9/s"
token = { env = "NOT_SET" }

[[jobs]]
service = "llama"
id = "98nl"
name = "hello prompt"
"#;

#[test]
fn help_and_version_are_data() {
    runs(&[], &["--help"], 0, "Usage: jobdeck", "");
    runs(&[], &["--version"], 0, env!("CARGO_PKG_VERSION"), "");
    runs(&[], &["watch", "--help"], 0, "first-failure", "");
}

#[test]
fn a_usage_error_exits_with_2_and_says_what_is_there() {
    runs(&[], &["--no-such-flag"], 2, "", "--no-such-flag");
    runs(&[], &["wotch"], 2, "", "watch");
    runs(&[], &["watch", "--format", "xml"], 2, "", "jsonl");
    runs(&[], &["watch", "--timeout", "0s"], 2, "", "above zero");
    runs(&[], &["show"], 2, "", "JOB");
    runs(&[], &["show", "a/1", "--raw", "--body"], 2, "", "cannot be used with");
    runs(&[], &["demo", "--speed", "0"], 2, "", "above zero");
}

#[test]
fn a_missing_jobs_file_is_said_with_where_it_was_looked_for_and_how_to_begin() {
    for command in [&["watch"][..], &["once"], &["status"], &["export", "out"], &[]] {
        runs(&[], command, 2, "", "jobs.toml");
    }
    runs(&[], &["status", "-c", "nowhere.toml"], 2, "", "nowhere.toml");
}

#[test]
fn a_broken_jobs_file_is_shown_with_line_and_caret_before_anything_is_read() {
    let broken = [("jobs.toml", "[services.llama]\nprovider = \"vessel\"\n[[jobs]]\nservice = \"lama\"\nid = \"1\"\n")];
    for command in [&["watch"][..], &["once"], &["status"], &[]] {
        runs(&broken, command, 2, "", "^");
    }
}

#[test]
fn a_broken_filter_is_underlined_and_one_without_a_match_is_an_error() {
    let file = [("jobs.toml", ONE_JOB)];
    runs(&file, &["status", "--filter", "state:nonsense"], 2, "", "^");
    runs(&file, &["watch", "--filter", "(a or"], 2, "", "^");
    runs(&file, &["status", "--filter", "zzz"], 2, "", "matches none of 1 jobs");
}

#[test]
fn a_starter_file_is_checked_for_what_was_not_filled_in() {
    let home = tempfile::tempdir().unwrap();
    jobdeck(home.path()).arg("init").assert().code(0).stderr(predicate::str::contains("take the # from the lines"));
    jobdeck(home.path()).arg("check").assert().code(0).stdout(predicate::str::contains("nothing is filled in yet"));
    let starter = std::fs::read_to_string(home.path().join("jobs.toml")).unwrap();
    let filled = starter
        .replace("#[services.llama]", "[services.llama]")
        .replace("#provider = \"vessl\"", "provider = \"vessl\"");
    let filled = filled
        .replace("#base_url = \"https://serve", "base_url = \"https://serve")
        .replace("#token = { env = \"VESSL", "token = { env = \"VESSL");
    std::fs::write(home.path().join("jobs.toml"), filled).unwrap();
    let check = jobdeck(home.path()).env("VESSL_TOKEN", "t").arg("check").assert().code(0);
    check.stdout(predicate::str::contains("put your own there:\n  <slug> in [services.llama]\n"));
}

#[test]
fn keys_completions_and_the_manual_come_from_the_same_tables() {
    runs(&[], &["keys"], 0, "next problem", "");
    runs(&[], &["completions", "bash"], 0, "_jobdeck", "");
    runs(&[], &["completions", "zsh"], 0, "#compdef jobdeck", "");
    runs(&[], &["completions", "fish"], 0, "complete -c jobdeck", "");
    for part in [".TH jobdeck 1", ".SH KEYS", ".SH FILTER", "EXIT STATUS", "Ctrl\\-d", "first\\-failure"] {
        runs(&[], &["man"], 0, part, "");
    }
}

#[test]
fn shells_complete_jobs_services_batches_and_commands_of_the_file() {
    let home = tempfile::tempdir().unwrap();
    let file = "batch = \"night\"\n".to_owned()
        + ONE_JOB
        + "[[commands]]\nname = \"resubmit\"\nrun = [\"true\"]\nmarked = \"each\"\n";
    std::fs::write(home.path().join("jobs.toml"), file).unwrap();
    let script = |shell: &str| jobdeck(home.path()).args(["completions", shell]).output().unwrap().stdout;
    for (name, shell) in [("c.bash", "bash"), ("_jobdeck", "zsh"), ("c.fish", "fish")] {
        std::fs::write(home.path().join(name), script(shell)).unwrap();
    }
    let bin = assert_cmd::cargo::cargo_bin("jobdeck");
    let path = format!("{}:{}", bin.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let cases = [
        ("show ", "hello prompt"),
        ("show ", "llama/98nl"),
        ("forget l", "llama/98nl"),
        ("add ", "llama"),
        ("open ", "night"),
        ("compare n", "night"),
        ("run ", "resubmit"),
        ("", "watch"),
    ];
    let others = [("", "reference"), ("add llama ", "llama"), ("run resubmit ", "resubmit"), ("open night ", "night")];
    for (shell, driver) in [("bash", BASH), ("zsh", ZSH), ("fish", "source c.fish; complete -C \"jobdeck $LINE\"")] {
        let there = std::process::Command::new(shell).arg("-c").arg("true").output().is_ok();
        if !there {
            eprintln!("{shell} is not there: its completions were not tried");
            continue;
        }
        let offers = |line: &str| {
            let mut run = Command::new(shell);
            if shell == "zsh" {
                run.arg("-f");
            }
            run.args(["-c", driver]).current_dir(home.path()).env_clear().env("LINE", line).env("PATH", &path);
            run.env("HOME", home.path()).env("TERM", "dumb").timeout(std::time::Duration::from_secs(60));
            let out = run.output().unwrap();
            String::from_utf8_lossy(&out.stdout).replace('\\', "")
        };
        for (line, offered) in cases {
            let out = offers(line);
            assert!(out.contains(offered), "{shell}, {line:?}: {out}");
        }
        // zsh echoes the line itself.
        for (line, not_offered) in others.iter().filter(|_| shell != "zsh") {
            let out = offers(line);
            assert!(!out.contains(not_offered), "{shell}, {line:?}: {out}");
        }
    }
}

/// Asks bash's function for what it offers after `jobdeck $LINE`.
const BASH: &str = "source ./c.bash; read -ra COMP_WORDS <<< \"jobdeck $LINE\"; \
    [[ \"jobdeck $LINE\" == *' ' ]] && COMP_WORDS+=(''); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
    _jobdeck_names jobdeck; printf '%s\\n' \"${COMPREPLY[@]}\"";

/// Types into a zsh of its own, and has it list what it offers.
const ZSH: &str = "zmodload zsh/zpty; zpty z zsh -f -i; \
    zpty -w z \"PS1=; fpath=($PWD \\$fpath); autoload -Uz compinit; compinit -u -D; bindkey '^X' list-choices; print RE''ADY\"; \
    zpty -r z out '*READY*'; zpty -w -n z \"jobdeck $LINE\"$'\\x18'; \
    found=; for i in {1..100}; do zpty -r -t z part && found+=$part; \
    [[ ${${found#*jobdeck }//$'\\n'/} == *(llama|night|resubmit|watch)* ]] && break; sleep 0.05; done; \
    sleep 0.1; while zpty -r -t z part; do found+=$part; done; print -r -- $found; zpty -d z";

#[test]
fn status_of_jobs_that_were_never_read_needs_neither_network_nor_token_nor_state_directory() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("jobs.toml"), ONE_JOB).unwrap();
    let run = jobdeck(home.path()).args(["status", "--format", "jsonl"]).assert().code(6).stderr("");
    let out = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["job"], &lines[0]["state"]), (&"llama/98nl".into(), &"unknown".into()));
    assert_eq!((&lines[1]["total"], &lines[1]["never_observed"], &lines[1]["exit"]), (&1.into(), &1.into(), &6.into()));
    assert!(!home.path().join("state").exists());
    jobdeck(home.path())
        .arg("status")
        .assert()
        .code(6)
        .stdout(predicate::str::contains("1 job: 1 never polled successfully"));
    jobdeck(home.path())
        .args(["status", "--format", "csv"])
        .assert()
        .code(6)
        .stdout(predicate::str::starts_with("job,"));
}

#[test]
fn colours_are_for_terminals_unless_they_are_asked_for_and_a_flag_goes_before_no_color() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("jobs.toml"), ONE_JOB).unwrap();
    for (args, no_color, coloured) in [
        (&["status"][..], "", false),
        (&["status", "--color", "always"], "", true),
        (&["status", "--color", "always"], "1", true),
        (&["--color=never", "status"], "", false),
    ] {
        let run = jobdeck(home.path()).env("NO_COLOR", no_color).args(args).assert().code(6);
        let out = String::from_utf8(run.get_output().stdout.clone()).unwrap();
        assert_eq!(out.contains("\u{1b}[1m"), coloured, "{args:?} {no_color:?}: {out:?}");
        assert!(!out.contains("\u{1b}[m"), "{out:?}");
    }
}

#[test]
fn show_knows_a_job_by_its_name_and_says_which_part_is_not_there() {
    let file = [("jobs.toml", ONE_JOB)];
    runs(&file, &["show", "hello prompt"], 0, "llama/98nl", "");
    runs(&file, &["show", "98nl", "--json"], 0, "\"read\":null", "");
    for part in ["--raw", "--body", "--output", "--files", "--error"] {
        runs(&file, &["show", "llama/98nl", part], 4, "", "not polled yet");
    }
    runs(&file, &["show", "nobody"], 2, "", "there is no job \"nobody\"");
    runs(&file, &["show", "helo prompt"], 2, "", "did you mean\n  llama/98nl \"hello prompt\"");
    runs(&[], &["show", "nobody"], 2, "", "no jobs file was found here");
    let broken = format!("{ONE_JOB}colour = 1\n");
    runs(
        &[("jobs.toml", &broken)],
        &["show", "98nl"],
        2,
        "",
        "the names in jobs.toml are not known, since it is not valid",
    );
    let twins = format!("{ONE_JOB}\n[[jobs]]\nservice = \"llama\"\nid = \"99\"\nname = \"hello prompt\"\n");
    runs(&[("jobs.toml", &twins)], &["show", "hello prompt"], 2, "", "llama/99");
}

#[test]
fn the_state_directory_is_the_flags_then_the_variables_and_a_variable_set_to_nothing_is_not_set() {
    let home = tempfile::tempdir().unwrap();
    let cases = [
        ("", &["paths"][..], "state/jobdeck"),
        ("mine", &["paths"], "mine"),
        ("mine", &["paths", "--state-dir", "flag"], "flag"),
        ("mine", &["--state-dir", "flag", "paths"], "flag"),
    ];
    for (variable, args, state) in cases {
        let state = home.path().canonicalize().unwrap().join(state);
        let line = format!("state\t{}\n", state.display());
        jobdeck(home.path())
            .env("XDG_STATE_HOME", home.path().canonicalize().unwrap().join("state"))
            .env("JOBDECK_STATE_DIR", variable)
            .args(args)
            .assert()
            .code(0)
            .stdout(predicate::str::ends_with(line));
    }
}

#[test]
fn a_state_directory_that_cannot_be_one_is_an_error_of_every_command_that_needs_it() {
    let files = [("jobs.toml", ONE_JOB), ("plain", "")];
    for command in [&["watch"][..], &["once"], &["status"], &["status", "--all"], &["show", "98nl"], &["export", "out"]]
    {
        for dir in ["plain", "plain/below"] {
            let args = [command, &["--state-dir", dir]].concat();
            runs(&files, &args, 1, "", "failed to open the state directory");
        }
    }
}

#[test]
fn a_token_command_is_not_waited_for_longer_than_the_timeout_and_not_run_for_jobs_that_are_not_meant() {
    let home = tempfile::tempdir().unwrap();
    let service = |name: &str, command: &str| {
        format!(
            "[services.{name}]\nprovider = \"optexity\"\nbase_url = \"http://127.0.0.1:9\"\n\
             token = {{ command = [{command}] }}\n[[jobs]]\nservice = \"{name}\"\nid = \"{name}\"\n"
        )
    };
    let file = service("slow", "\"sleep\", \"1000\"") + &service("other", "\"touch\", \"asked\"");
    std::fs::write(home.path().join("jobs.toml"), file).unwrap();
    let run = jobdeck(home.path()).args(["watch", "--timeout", "300ms", "--filter", "service:slow"]).assert();
    run.code(6)
        .stdout(predicate::str::contains("1 job: 1 never polled successfully"))
        .stderr(predicate::str::contains("before every token was there"));
    assert!(!home.path().join("asked").exists());
}

#[test]
fn demo_without_a_terminal_says_how_to_run_it() {
    runs(&[], &["demo"], 2, "", "--serve");
}

#[test]
fn add_takes_a_list_with_names_and_a_service_s_answer_and_refuses_junk_with_its_lines() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("jobs.toml"), ONE_JOB).unwrap();
    let add = |stdin: &'static str| jobdeck(home.path()).args(["add", "llama", "-"]).write_stdin(stdin).assert();
    add("\u{feff}# november\r\nq1\tinvoice 17.pdf\r\n\r\nq2\r\n").code(0).stdout("llama/q1\nllama/q2\n");
    add("{\"id\": \"q3\"}\n{\"id\":\"q4\"}").code(0).stdout("llama/q3\nllama/q4\n");
    let refused = predicate::str::contains("line 2: \"a b\"").and(predicate::str::contains("line 3: \"llama/q9\""));
    add("q8\na b\nllama/q9\n").code(2).stdout("").stderr(refused);
    add("{\"errors\":[{\"detail\":\"over the limit (20/20)\"}]}").code(2).stderr(predicate::str::contains("(20/20)"));
    let show = jobdeck(home.path()).args(["show", "invoice 17.pdf", "--json"]).assert().code(0);
    show.stdout(predicate::str::contains("\"job\":\"llama/q1\""));
    jobdeck(home.path()).args(["show", "q8"]).assert().code(2);
}

#[test]
fn several_files_are_one_and_files_of_ids_are_jobs() {
    let ids = ONE_JOB.replace("id = \"98nl\"", "ids_file = \"ids/*.txt\"").replace("name = \"hello prompt\"", "");
    let second = format!("batch = \"second\"\n{ids}");
    let files = [("a.toml", ONE_JOB), ("b.toml", second.as_str()), ("ids/1.txt", "x1\nx2\tnamed\n")];
    runs(&files, &["-c", "a.toml", "-c", "b.toml", "status"], 6, "3 jobs: 3 never polled successfully\n", "");
    let second = ["-c", "a.toml", "-c", "b.toml", "status", "--filter", "batch:second"];
    runs(&files, &second, 6, "2 jobs: 2 never polled successfully\n", "");
    runs(
        &files,
        &["-c", "b.toml", "check"],
        2,
        "b.toml can be read, but one service has no token: 1 service, 2 jobs",
        "",
    );
    let bad = [("b.toml", ids.as_str()), ("ids/1.txt", "x 1\n")];
    runs(&bad, &["-c", "b.toml", "status"], 2, "", "1.txt, line 1: an id has no white space inside");
}

#[test]
fn figures_and_reports_of_jobs_without_results_can_be_had() {
    let files = [("jobs.toml", ONE_JOB)];
    runs(&files, &["stats"], 0, "SERVICE", "");
    runs(&files, &["stats", "--format", "csv"], 0, "by,name,jobs,finished", "");
    runs(&files, &["stats", "--format", "markdown", "--by", "tag"], 0, "| (no tag) | 1 | 0 |", "");
    runs(&files, &["report", "r.html"], 0, "", "r.html: a report of 1 job");
    runs(&files, &["report", "r.txt"], 2, "", "ends in .html or .md");
    runs(&files, &["report", "r.md", "--batch", "none"], 2, "", "no job of a batch \"none\"");
    runs(&files, &["export", "d", "--format", "csv", "--fields", "totl"], 2, "", "there is no field \"totl\"");
    runs(&files, &["export", "d", "--fields", "state"], 2, "", "--fields goes with --format csv");
    runs(&files, &["status", "--filter", "totl:>1"], 2, "", "there is no field \"totl\"");
}

#[test]
fn a_shell_completes_the_names_of_jobs_and_services() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("jobs.toml"), ONE_JOB).unwrap();
    let binary = assert_cmd::cargo::cargo_bin("jobdeck");
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let script = "eval \"$(jobdeck completions bash)\"; COMP_WORDS=(jobdeck $1 ''); COMP_CWORD=2; _jobdeck_names jobdeck; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    for (command, names) in [("show", "hello prompt\nllama/98nl\n"), ("add", "llama\n")] {
        let mut shell = Command::new("bash");
        shell.current_dir(home.path()).env("PATH", &path).env("HOME", home.path());
        shell.args(["--norc", "-c", script, "bash", command]).assert().code(0).stdout(names);
    }
}
