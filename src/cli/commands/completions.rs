//! `jobdeck completions SHELL`: the completion script of a shell, which asks this program for the names of jobs,
//! services and batches.

use clap_complete::Shell;

use crate::cli::args::{CommonArgs, Names};
use crate::cli::failure::Failure;
use crate::cli::output::StdoutWriter;
use crate::domain::clean::is_harmless;

/// What bash asks beside the script that clap makes: at the places where a name of the jobs file can stand.
const BASH: &str = r#"
_jobdeck_names() {
    local word="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" command="" place=0 what="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${COMP_WORDS[i]}" in
            -c|--config|--state-dir|--color|--filter|--format|--tag|--name|--by|--fields|--rows|--batch) ((i++)) ;;
            -*) ;;
            *) if [[ -z $command ]]; then command="${COMP_WORDS[i]}"; else ((place++)); fi ;;
        esac
    done
    case "$previous" in --batch) what=batches ;; esac
    if [[ -z $what && $word != -* && $previous != --* && ($place -eq 0 || $command == compare) ]]; then
        case "$command" in show) what=jobs ;; add) what=services ;; compare) what=batches ;; esac
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
_jobdeck_batches() { local -a names; names=("${(@f)$(jobdeck complete batches 2>/dev/null)}"); compadd -a names }
"#;

/// What fish asks beside clap's script.
const FISH: &str = r#"
complete -c jobdeck -n "__fish_jobdeck_using_subcommand show" -f -a "(jobdeck complete jobs 2>/dev/null)"
complete -c jobdeck -n "__fish_jobdeck_using_subcommand add" -f -a "(jobdeck complete services 2>/dev/null)"
complete -c jobdeck -n "__fish_jobdeck_using_subcommand compare" -f -a "(jobdeck complete batches 2>/dev/null)"
complete -c jobdeck -l batch -x -a "(jobdeck complete batches 2>/dev/null)"
"#;

/// Prints the script.
pub fn run(command: &mut clap::Command, shell: Shell) -> Result<u8, Failure> {
    let mut out = StdoutWriter::new();
    out.bytes(script(command, shell).as_bytes())?;
    out.flush()?;
    Ok(0)
}

fn script(command: &mut clap::Command, shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "jobdeck", &mut script);
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

/// Prints names for a script, one a line. A jobs file that cannot be read has none.
pub fn names(common: &CommonArgs, what: Names) -> Result<u8, Failure> {
    let mut names: Vec<String> = match common.jobs_file() {
        Err(_) => Vec::new(),
        Ok(file) => match what {
            Names::Services => file.services.iter().map(|service| service.name.to_string()).collect(),
            Names::Batches => file.jobs.iter().filter_map(|job| job.batch.as_deref().map(str::to_owned)).collect(),
            Names::Jobs => {
                let named = file.jobs.iter().filter_map(|job| job.name.clone());
                named.chain(file.jobs.iter().map(|job| job.label())).collect()
            }
        },
    };
    names.retain(|name| name.chars().all(is_harmless));
    names.dedup();
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
        let script = |shell| script(&mut Args::command(), shell);
        assert!(script(Shell::Bash).contains("complete -F _jobdeck_names"));
        assert!(script(Shell::Fish).contains("(jobdeck complete jobs"));
        let zsh = script(Shell::Zsh);
        assert!(zsh.starts_with("#compdef jobdeck\n"), "{zsh:.60}");
        for function in ["_jobdeck_jobs'", "_jobdeck_services'", "_jobdeck_batches'"] {
            assert!(zsh.contains(function), "{function}");
        }
    }
}
