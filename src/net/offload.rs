//! Work that would hold up the loop, on a thread of its own; in place where no thread can be started: late is better
//! than lost.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// What the work comes to; None if it panicked.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // A thread that cannot be started must not take the work along.
    let work = Arc::new(Mutex::new(Some(work)));
    let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (done, result) = oneshot::channel();
    let own = Arc::clone(&work);
    let on_thread = move || {
        let work = take(&own);
        let _ = done.send(work.map(|work| work()));
    };
    match std::thread::Builder::new().name("offload".to_owned()).spawn(on_thread) {
        Ok(_) => result.await.ok().flatten(),
        Err(error) => {
            tracing::warn!("no thread can be started ({error}): a response is read in place");
            take(&work).map(|work| work())
        }
    }
}
