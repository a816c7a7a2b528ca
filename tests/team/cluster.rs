//! A PostgreSQL of the tests' own: in a temporary directory, on a free port of loopback, gone with the process.

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The password of the role `jobdeck`.
pub const PASSWORD: &str = "pass'word with \"marks\"";

/// A server that can be stopped, killed and started again.
#[derive(Debug)]
pub struct Cluster {
    bin: PathBuf,
    dir: PathBuf,
    port: u16,
    settings: Vec<String>,
    /// A shell that ends the server when its standard input is closed, however this process ends.
    server: Mutex<Option<Child>>,
}

impl Cluster {
    /// A new one, running; None, with a sentence on standard error, on a machine without PostgreSQL.
    pub fn start(settings: &[&str]) -> Option<Self> {
        let Some(bin) = programs() else {
            let _ = writeln!(
                io::stderr(),
                "SKIPPED: the tests of the team's store need initdb and postgres. Install PostgreSQL (Debian: apt-get \
                 install postgresql), or name the folder of its programs in PG_BINDIR."
            );
            return None;
        };
        let number = free_port();
        let dir = std::env::temp_dir().join(format!("jobdeck-pg-{}-{number}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        if is_root() {
            assert!(Command::new("chown").arg("postgres").arg(&dir).status().unwrap().success(), "chown");
        }
        let settings = settings.iter().map(|setting| format!("-c {setting}")).collect();
        let cluster = Self { bin, dir, port: number, settings, server: Mutex::new(None) };
        let made = cluster.run(&format!(
            "'{}/initdb' -D '{}/data' -U postgres --auth-local=trust --auth-host=scram-sha-256 -E UTF8 --locale=C --no-sync >'{}/initdb.log' 2>&1",
            cluster.bin.display(),
            cluster.dir.display(),
            cluster.dir.display()
        ));
        assert!(made.status.success(), "initdb: {made:?}");
        cluster.go_on();
        cluster.sql("postgres", &format!("CREATE ROLE jobdeck LOGIN PASSWORD '{}'", PASSWORD.replace('\'', "''")));
        Some(cluster)
    }

    /// Starts it (again), and waits until it answers.
    pub fn go_on(&self) {
        let (bin, dir) = (self.bin.display(), self.dir.display());
        let script = format!(
            "'{bin}/postgres' -D '{dir}/data' -k '{dir}' -p {} -c listen_addresses=127.0.0.1 -c fsync=off {} >>'{dir}/log' 2>&1 & \
             server=$!; cat >/dev/null; kill -INT $server; wait $server; [ -e '{dir}/keep' ] || rm -rf '{dir}'",
            self.port,
            self.settings.join(" "),
        );
        let _ = std::fs::remove_file(self.dir.join("keep"));
        let child = as_owner(&script).stdin(Stdio::piped()).spawn().unwrap();
        *self.lock() = Some(child);
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if self.psql("postgres", "SELECT 1").is_ok() {
                return;
            }
            assert!(
                Instant::now() < end,
                "no server: {}",
                std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills it with everything that it has: as a power cut.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        // The others of the cluster end with the one that made them, once their sockets are gone.
        self.run(&format!("pkill -KILL -P {pid}; kill -KILL {pid} 2>/dev/null"));
        std::fs::write(self.dir.join("keep"), "").unwrap();
        if let Some(mut child) = self.lock().take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.run(&format!("rm -f '{}/data/postmaster.pid'", self.dir.display()));
    }

    /// A new database that the role `jobdeck` owns: its URL.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER jobdeck"));
        self.url(name)
    }

    /// The URL of a database.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://jobdeck@127.0.0.1:{}/{name}", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs SQL as the superuser, and answers with what it says, unaligned.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.psql(database, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let out = Command::new(self.bin.join("psql"))
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"])
            .arg(&self.dir)
            .args(["-p", &self.port.to_string(), "-d", database, "-c", sql])
            .env_remove("PGPASSWORD")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
    }

    /// Runs a script as the owner of the server's files.
    pub fn run(&self, script: &str) -> std::process::Output {
        as_owner(script).output().unwrap()
    }

    /// The folder of the server's programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// Starts a program that belongs to the server, as a pooler or a replica, which ends with what this answers.
    pub fn beside(&self, program: &str) -> Beside {
        let script = format!("{program} & beside=$!; cat >/dev/null; kill -INT $beside; wait $beside");
        Beside(as_owner(&script).stdin(Stdio::piped()).spawn().unwrap())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program beside a server.
#[derive(Debug)]
pub struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut child) = self.lock().take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A port of loopback on which nobody listens.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The folder of initdb and postgres.
fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("PG_BINDIR").map(PathBuf::from);
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|folders| folders.flatten().map(|folder| folder.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    let path =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    named.into_iter().chain(debian.into_iter().rev()).chain(path).find(|folder| folder.join("initdb").is_file())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.starts_with(b"0\n"))
}

/// PostgreSQL does not run as root.
fn as_owner(script: &str) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c", script]);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    };
    command.current_dir("/");
    command
}
