//! Names looked up by the system on a thread of their own. The HTTP library's own way ends in a panic where no thread can
//! be started.

use std::net::ToSocketAddrs;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::offload;

/// Looks names up.
#[derive(Debug)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let look_up = move || (name.as_str(), 0).to_socket_addrs();
            let found =
                offload::run(look_up).await.unwrap_or_else(|| Err(std::io::Error::other("the look-up failed")))?;
            Ok(Box::new(found) as Addrs)
        })
    }
}
