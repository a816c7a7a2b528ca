//! `jobdeck completions SHELL`: the completion script of a shell, which asks this program for the names of jobs,
//! services, batches and commands.

use std::collections::HashSet;

use clap_complete::Shell;

use crate::cli::args::{CommonArgs, Names};
use crate::cli::failure::Failure;
use crate::cli::output::StdoutWriter;
use crate::domain::clean::is_harmless;
use crate::session::{open, select, settings};

/// What bash asks beside the script that clap makes: at the places where a name of the jobs file can stand.
const BASH: &str = r#"
_jobdeck_names() {
    local word="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" command="" place=0 what="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${COMP_WORDS[i]}" in
            -c|--config|--state-dir|--store|--color|--filter|--format|--tag|--name|--by|--fields|--rows|--batch) ((i++)) ;;
            -*) ;;
            *) if [[ -z $command ]]; then command="${COMP_WORDS[i]}"; else ((place++)); fi ;;
        esac
    done
    case "$previous" in --batch) what=batches ;; esac
    if [[ -z $what && $word != -* && $previous != --* && ($place -eq 0 || $command == compare || $command == forget) ]]; then
        case "$command" in
            show|forget) what=jobs ;;
            add) what=services ;;
            compare|open) what=batches ;;
            run) what=commands ;;
        esac
    fi
    if [[ -n $what ]]; then
        local IFS=$'\n'
        COMPREPLY=($(compgen -W "$(jobdeck complete "$what" 2>/dev/null)" -- "$word"))
        declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "$word"
        return 0
    fi
    _jobdeck "$@"
}
complete -F _jobdeck_names -o nosort -o bashdefault -o default jobdeck 2>/dev/null || complete -F _jobdeck_names -o bashdefault -o default jobdeck
"#;

/// The functions that zsh's script calls where a name of the jobs file can stand.
const ZSH: &str = r#"
_jobdeck_jobs() { local -a names; names=("${(@f)$(jobdeck complete jobs 2>/dev/null)}"); compadd -a names }
_jobdeck_services() { local -a names; names=("${(@f)$(jobdeck complete services 2>/dev/null)}"); compadd -a names }
_jobdeck_own_commands() { local -a names; names=("${(@f)$(jobdeck complete commands 2>/dev/null)}"); compadd -a names }
_jobdeck_batches() { local -a names; names=("${(@f)$(jobdeck complete batches 2>/dev/null)}"); compadd -a names }
"#;

/// What fish asks beside clap's script. Only the first word of `add` is a service, and of `run` a command.
const FISH: &str = r#"
function __jobdeck_at -a command most -d "Whether this command stands before, with at most so many words behind it"
    set -l words
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case -c --config --state-dir --store --color --filter --format --tag --name --by --fields --rows --batch
                set skip 1
            case '-*'
            case '*'
                set -a words $word
        end
    end
    test "$words[1]" = $command; and test (count $words) -le (math $most + 1)
end
complete -c jobdeck -n "__jobdeck_at show 0; or __jobdeck_at forget 1000" -f -a "(jobdeck complete jobs 2>/dev/null)"
complete -c jobdeck -n "__jobdeck_at add 0" -f -a "(jobdeck complete services 2>/dev/null)"
complete -c jobdeck -n "__jobdeck_at compare 1; or __jobdeck_at open 0" -f -a "(jobdeck complete batches 2>/dev/null)"
complete -c jobdeck -n "__jobdeck_at run 0" -f -a "(jobdeck complete commands 2>/dev/null)"
complete -c jobdeck -l batch -x -a "(jobdeck complete batches 2>/dev/null)"
"#;

/// Prints the script for this command line.
pub fn run(command: &clap::Command, shell: Shell) -> Result<u8, Failure> {
    let mut out = StdoutWriter::new();
    out.bytes(script(command, shell).as_bytes())?;
    out.flush()?;
    Ok(0)
}

fn script(command: &clap::Command, shell: Shell) -> String {
    let mut script = Vec::new();
    // Clap's script for fish would offer commands that are hidden.
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut command = clap::Command::new("jobdeck").args(command.get_arguments().cloned()).subcommands(shown);
    clap_complete::generate(shell, &mut command, "jobdeck", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Bash {
        script + BASH
    } else if shell == Shell::Fish {
        script + FISH
    } else if shell == Shell::Zsh {
        with_zsh_names(&script)
    } else {
        script
    }
}

/// Clap's script for zsh with our functions in the places of names: `':job -- …:_default'`.
fn with_zsh_names(script: &str) -> String {
    let named = |line: &str| {
        for (place, function) in [
            ("':job ", "_jobdeck_jobs"),
            ("':service ", "_jobdeck_services"),
            ("'--batch=", "_jobdeck_batches"),
            ("'*::jobs ", "_jobdeck_jobs"),
            ("':name -- The name of the command", "_jobdeck_own_commands"),
            ("':batch ", "_jobdeck_batches"),
            ("':before ", "_jobdeck_batches"),
            ("':after ", "_jobdeck_batches"),
        ] {
            if line.trim_start().starts_with(place) {
                return line.replace(":_default'", &format!(":{function}'"));
            }
        }
        line.to_owned()
    };
    let mut lines: Vec<String> = script.lines().map(named).collect();
    // The head `#compdef jobdeck` has to stay the first line.
    lines.insert(1.min(lines.len()), ZSH.to_owned());
    lines.join("\n") + "\n"
}

/// Prints names for a script, one a line. A jobs file that cannot be read has none; batches are those on disk as well.
pub async fn names(common: &CommonArgs, what: Names) -> Result<u8, Failure> {
    let mut names: Vec<String> = match (common.jobs_file(), what) {
        (file, Names::Batches) => {
            let declared = file.map(|file| file.jobs).unwrap_or_default();
            // What is on this machine alone: a key in a shell waits for no server and runs no password's command.
            let here = common.state_dir().and_then(|dir| open::results(&dir, common.log()));
            let saved = match here {
                Ok(results) => select::of_disk(&results, &declared).await.unwrap_or_default(),
                Err(_) => Vec::new(),
            };
            let jobs = declared.iter().chain(saved.iter().map(|entry| &entry.job));
            jobs.filter_map(|job| job.batch.as_deref().map(str::to_owned)).collect()
        }
        (file, Names::Commands) => {
            let own = settings::read().ok();
            let known = own.and_then(|(user, keymap)| settings::commands(&user, file.as_ref().ok(), &keymap).ok());
            known.into_iter().flat_map(|(_, commands)| commands).map(|command| command.name.to_string()).collect()
        }
        (Err(_), _) => Vec::new(),
        (Ok(file), Names::Services) => file.services.iter().map(|service| service.name.to_string()).collect(),
        (Ok(file), Names::Jobs) => {
            let named = file.jobs.iter().filter_map(|job| job.name.clone());
            named.chain(file.jobs.iter().map(|job| job.label())).collect()
        }
    };
    names.retain(|name| name.chars().all(is_harmless));
    let mut given = HashSet::new();
    names.retain(|name| given.insert(name.clone()));
    let mut out = StdoutWriter::new();
    names.iter().try_for_each(|name| out.line(name))?;
    out.flush()?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Args;

    #[test]
    fn the_scripts_ask_for_names_of_the_jobs_file() {
        let script = |shell| script(&Args::command(), shell);
        assert!(script(Shell::Bash).contains("complete -F _jobdeck_names"));
        assert!(script(Shell::Fish).contains("(jobdeck complete jobs"));
        let zsh = script(Shell::Zsh);
        assert!(zsh.starts_with("#compdef jobdeck\n"), "{zsh:.60}");
        for function in ["_jobdeck_jobs'", "_jobdeck_services'", "_jobdeck_batches'"] {
            assert!(zsh.contains(function), "{function}");
        }
    }
}
