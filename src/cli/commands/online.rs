//! `jobdeck check`, put together: the file, its tokens and, with `--online`, one harmless request to each service.

use super::check;
use crate::cli::args::{CheckArgs, CommonArgs};
use crate::cli::failure::Failure;
use crate::cli::output::StdoutWriter;
use crate::engine::online;
use crate::session::settings;
use crate::stderr::Stderr;

/// Runs it: 2 where anything is wrong.
pub async fn run(common: &CommonArgs, wanted: &CheckArgs) -> Result<u8, Failure> {
    if let (Some(reply), Some(service)) = (&wanted.reply, &wanted.service) {
        return super::check_response::run(common.named(), service, reply, wanted.code);
    }
    let (user, keymap) = settings::read()?;
    let mut out = StdoutWriter::new();
    let code = if wanted.online {
        let checked = check::check(&common.config).await?;
        settings::commands(&user, Some(&checked.file), &keymap)?;
        let online = online::ask_all(&checked.file.poll, &checked.tokens).await;
        check::report(&checked, &online, &user, &mut out)?
    } else {
        check::run(&common.config, &user, &keymap, &mut out, &mut Stderr::default()).await?
    };
    out.flush()?;
    Ok(code)
}
