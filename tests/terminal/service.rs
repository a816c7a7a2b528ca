//! A service that answers as a test wishes, and holds an answer back until it is told to give it.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::pty::{Home, PATIENCE};

/// A job of the service, and how it answers.
pub struct Job {
    pub provider: &'static str,
    pub id: String,
    pub name: String,
    /// One after the other; the last is repeated.
    pub answers: Vec<Answer>,
}

#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// Whether the second half of the body is held back until `release`.
    pub held: bool,
}

impl Answer {
    pub fn held(self) -> Self {
        Self { held: true, ..self }
    }
}

/// An Unstract execution that is not done.
pub fn executing() -> Answer {
    Answer { status: 422, body: r#"{"status":"EXECUTING","message":null}"#.to_owned(), held: false }
}

/// An Unstract execution that is done: the one read of its result.
pub fn completed(files: Value) -> Answer {
    Answer { status: 200, body: json!({"status": "COMPLETED", "message": files}).to_string(), held: false }
}

/// One good file of an Unstract execution.
pub fn file(name: &str, output: &Value) -> Value {
    json!({"file": name, "status": "Success", "result": {"output": output}, "error": null, "metadata": {}})
}

/// A VESSL request: its status word, its output, its reason.
pub fn vessl(status: &str, output: &str, reason: Option<&str>) -> Answer {
    let body = json!({"status": status, "status_code": if reason.is_some() { 500 } else { 200 },
        "raw_output": output, "fail_reason": reason});
    Answer { status: 200, body: body.to_string(), held: false }
}

pub fn unstract_job(name: &str, answers: Vec<Answer>) -> Job {
    // A job of the demo would have a UUID; anything that is one path segment will do.
    Job { provider: "unstract", id: format!("e748d90f-{name}"), name: name.to_owned(), answers }
}

pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    jobs: Vec<Job>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many requests there were, by job.
    requests: Vec<usize>,
    /// How many answers are being held.
    holding: usize,
    released: bool,
}

impl Service {
    /// Starts it, and writes the jobs file.
    pub fn start(home: &Home, jobs: Vec<Job>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        home.write("jobs.toml", &jobs_file(address, &jobs));
        let state = State { requests: vec![0; jobs.len()], ..State::default() };
        let shared = Arc::new(Shared { jobs, state: Mutex::new(state), changed: Condvar::new() });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                thread::spawn(move || server.serve(stream));
            }
        });
        Self { shared }
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        self.shared.state.lock().unwrap().requests.iter().sum()
    }

    /// Waits until so many answers are being held.
    pub fn holds(&self, wanted: usize) {
        let state = self.shared.state.lock().unwrap();
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, |state| state.holding < wanted).unwrap();
        assert!(!waited.1.timed_out(), "no such requests came");
    }

    /// Gives what was held, and holds no more.
    pub fn release(&self) {
        self.shared.state.lock().unwrap().released = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if !matches!(reader.read_line(&mut head), Ok(1..)) {
                    return;
                }
            }
            let target = head.split(' ').nth(1).unwrap_or_default();
            let target = percent_decode_str(target).decode_utf8_lossy().into_owned();
            let answer = self.answer(&target);
            if self.send(&mut stream, &answer).is_err() {
                return;
            }
        }
    }

    fn answer(&self, target: &str) -> Answer {
        let Some(ix) = self.jobs.iter().position(|job| target.contains(&job.id)) else {
            return Answer { status: 404, body: r#"{"detail":"Not Found"}"#.to_owned(), held: false };
        };
        let mut state = self.state.lock().unwrap();
        let nth = state.requests[ix];
        state.requests[ix] += 1;
        let answers = &self.jobs[ix].answers;
        answers[nth.min(answers.len() - 1)].clone()
    }

    fn send(&self, stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
        let Answer { status, body, held } = answer;
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        let (first, rest) = body.as_bytes().split_at(length / 2);
        stream.write_all(head.as_bytes())?;
        stream.write_all(first)?;
        if *held {
            let mut state = self.state.lock().unwrap();
            state.holding += 1;
            self.changed.notify_all();
            drop(self.changed.wait_while(state, |state| !state.released).unwrap());
        }
        stream.write_all(rest)
    }
}

fn jobs_file(address: SocketAddr, jobs: &[Job]) -> String {
    let mut file = format!(
        r#"[poll]
interval = "100ms"
max_interval = "300ms"
[services.vessl]
provider = "vessl"
base_url = "http://{address}/s"
token = {{ command = ["echo", "demo"] }}
[services.unstract]
provider = "unstract"
url = "http://{address}/deployment/api/org/invoices/"
token = {{ command = ["echo", "demo"] }}
"#
    );
    for Job { provider, id, name, .. } in jobs {
        // What JSON escapes, TOML reads alike.
        let text = |text: &str| Value::from(text).to_string().replace('\u{7f}', "\\u007f");
        let (id, name) = (text(id), text(name));
        file.push_str(&format!("[[jobs]]\nservice = \"{provider}\"\nid = {id}\nname = {name}\n"));
    }
    file
}
