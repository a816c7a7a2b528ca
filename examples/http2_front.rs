//! An HTTPS front before a plain service, for `scripts/soak`: `http2_front PORT CERTIFICATE` writes its certificate there
//! and prints its own port. Each line on standard input is how requests over HTTP/2 are met from then on: `pass`,
//! `refuse`, `reset`, `cut`, `go-away`.

#[path = "../tests/support/http2.rs"]
#[expect(dead_code, reason = "what the tests need too")]
mod http2;

use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use h2::Reason;
use http2::{Conduct, Front};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || std::io::Error::other("usage: http2_front PORT CERTIFICATE");
    let port = arguments.next().and_then(|port| port.parse().ok()).ok_or_else(usage)?;
    let certificate = arguments.next().ok_or_else(usage)?;
    let now = Arc::new(Mutex::new(String::new()));
    let rule = {
        let (now, dice) = (now.clone(), Mutex::new(fastrand::Rng::with_seed(1)));
        move |_: &str, _: usize| {
            let one_in = |sides: u32| dice.lock().is_ok_and(|mut dice| dice.u32(0..sides) == 0);
            match now.lock().map(|now| now.clone()).unwrap_or_default().as_str() {
                "refuse" if !one_in(4) => Conduct::Refuse,
                "reset" if one_in(2) => Conduct::Reset(Reason::INTERNAL_ERROR),
                "cut" if one_in(4) => Conduct::GoAway(Reason::INTERNAL_ERROR),
                "go-away" if one_in(4) => Conduct::GoAwayUnbegun,
                "go-away" => Conduct::PassAndGoAway,
                _ => Conduct::Pass,
            }
        }
    };
    let front = Front::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), &["h2", "http/1.1"], rule)?;
    front.write_certificate(Path::new(&certificate))?;
    writeln!(std::io::stdout(), "{}", front.port())?;
    for line in std::io::stdin().lock().lines() {
        if let Ok(mut now) = now.lock() {
            line?.trim().clone_into(&mut now);
        }
    }
    Ok(())
}
