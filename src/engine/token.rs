//! Tokens: asked of the environment, a file or a command, when they are needed and never kept longer.

use crate::domain::secret::{Token, TokenSource};

/// The token, or why it cannot be had: a sentence that names the source and never the secret. A command runs without
/// a shell, with no standard input, for at most 30 seconds.
pub async fn resolve(source: &TokenSource) -> Result<Token, String> {
    let _ = source;
    Err("not written yet".to_owned())
}
