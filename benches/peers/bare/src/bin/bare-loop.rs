//! Polls jobs as fast as it can with the same HTTP library on one thread: each response is parsed, its status looked at and
//! remembered, and nothing else is done.
//!
//!     bare-loop ADDRESS JOBS IN_FLIGHT SECONDS      prints how many polls it made, and how many jobs are not over
//!
//! With 0 seconds every job is polled once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

/// What all workers share.
struct Loop {
    client: reqwest::Client,
    address: String,
    jobs: usize,
    started: Instant,
    /// None: every job once.
    lasts: Option<Duration>,
    polls: Cell<usize>,
    states: RefCell<HashMap<usize, String>>,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, jobs, in_flight, seconds] = arguments.as_slice() else {
        return Err("bare-loop ADDRESS JOBS IN_FLIGHT SECONDS".into());
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lasts = Duration::from_secs(seconds.parse()?);
    let polls = Rc::new(Loop {
        client: reqwest::Client::builder().no_proxy().build()?,
        address: address.clone(),
        jobs: jobs.parse()?,
        started: Instant::now(),
        lasts: (!lasts.is_zero()).then_some(lasts),
        polls: Cell::new(0),
        states: RefCell::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let workers = async {
        let workers: Vec<_> = (0..in_flight.parse()?).map(|_| tokio::task::spawn_local(work(polls.clone()))).collect();
        for worker in workers {
            worker.await??;
        }
        Ok::<(), Failure>(())
    };
    tokio::task::LocalSet::new().block_on(&runtime, workers)?;
    let states = polls.states.borrow();
    println!("{} {}", polls.polls.get(), states.values().filter(|state| *state == "in_progress").count());
    Ok(())
}

async fn work(polls: Rc<Loop>) -> Result<(), Failure> {
    loop {
        let number = polls.polls.get();
        if polls.lasts.map_or(number >= polls.jobs, |lasts| polls.started.elapsed() >= lasts) {
            return Ok(());
        }
        polls.polls.set(number + 1);
        let job = number % polls.jobs;
        let url = format!("{}/async/job-{job:07}/output", polls.address);
        let request = polls.client.get(url).bearer_auth("peer-token-0123456789");
        let body = request.send().await?.error_for_status()?.bytes().await?;
        let body: serde_json::Value = serde_json::from_slice(&body)?;
        let state = body.get("status").and_then(serde_json::Value::as_str).ok_or("no status")?;
        polls.states.borrow_mut().insert(job, state.to_owned());
    }
}
