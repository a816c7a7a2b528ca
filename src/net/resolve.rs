//! Names looked up by the system on their own threads. The HTTP library's own lookup panics where no thread can
//! be started.

use std::net::{SocketAddr, ToSocketAddrs};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{environment, offload};
use crate::domain::inner::is_inner;

#[derive(Debug)]
pub struct SystemResolver;

/// Looks names up that a response gave: none of a network that the world cannot reach is found. Proxies excepted, which
/// the user has named.
#[derive(Debug)]
pub struct OuterResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move { Ok(Box::new(look_up(name.as_str()).await?.into_iter()) as Addrs) })
    }
}

impl Resolve for OuterResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = look_up(name.as_str()).await?;
            if environment::is_proxy(name.as_str()) {
                return Ok(Box::new(found.into_iter()) as Addrs);
            }
            let outer: Vec<SocketAddr> = found.into_iter().filter(|address| !is_inner(address.ip())).collect();
            if outer.is_empty() {
                let why = "its host is a private, link-local or loopback one: not asked for a response of another host";
                return Err(std::io::Error::other(why).into());
            }
            Ok(Box::new(outer.into_iter()) as Addrs)
        })
    }
}

/// Whether a name stands for an address of a network that the world cannot reach. One that cannot be looked up does
/// not.
pub async fn is_inside(name: &str) -> bool {
    look_up(name).await.is_ok_and(|found| found.iter().any(|address| is_inner(address.ip())))
}

async fn look_up(name: &str) -> std::io::Result<Vec<SocketAddr>> {
    let name = name.to_owned();
    let look_up = move || (name.as_str(), 0).to_socket_addrs().map(Vec::from_iter);
    offload::run(look_up).await.unwrap_or_else(|| Err(std::io::Error::other("the look-up failed")))
}
