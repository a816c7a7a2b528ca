//! Polls jobs as fast as it can with the same HTTP library on one thread, and does nothing else with the responses.
//!
//!     bare-loop ADDRESS JOBS IN_FLIGHT SECONDS      prints how many polls it made
//!
//! With 0 seconds every job is polled once.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, jobs, in_flight, seconds] = arguments.as_slice() else {
        return Err("bare-loop ADDRESS JOBS IN_FLIGHT SECONDS".into());
    };
    let (jobs, in_flight, seconds) = (jobs.parse()?, in_flight.parse()?, seconds.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    println!("{}", local.block_on(&runtime, poll(address, jobs, in_flight, Duration::from_secs(seconds)))?);
    Ok(())
}

async fn poll(address: &str, jobs: usize, in_flight: usize, lasts: Duration) -> Result<usize, Failure> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (started, next) = (Instant::now(), Rc::new(Cell::new(0)));
    let worker = |client: reqwest::Client, next: Rc<Cell<usize>>, address: String| async move {
        while lasts.is_zero() || started.elapsed() < lasts {
            let job = next.get();
            if lasts.is_zero() && job >= jobs {
                break;
            }
            next.set(job + 1);
            let url = format!("{address}/async/job-{:07}/output", job % jobs);
            client.get(url).bearer_auth("peer-token-0123456789").send().await?.bytes().await?;
        }
        Ok::<(), reqwest::Error>(())
    };
    let workers =
        (0..in_flight).map(|_| tokio::task::spawn_local(worker(client.clone(), next.clone(), address.to_owned())));
    for worker in workers.collect::<Vec<_>>() {
        worker.await??;
    }
    Ok(next.get())
}
