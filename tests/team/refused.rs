//! Servers that a team's store cannot be on, with the sentence that says what to do instead.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::cluster::{Cluster, free_port};
use super::support::{Bench, done, wait_for};
use super::{Team, scan};

/// Whether a program can be started; says that a test is skipped where it cannot.
fn has(program: &str, what: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        let _ = writeln!(io::stderr(), "SKIPPED: {what} needs {program} (Debian: apt-get install {program}).");
    }
    found
}

fn team() -> Option<Team> {
    Team::over(Bench::new().job("vessl", "one", [done("x")]).job("unstract", &scan(1), [super::result()]))
}

#[test]
fn a_pooler_that_changes_the_connection_with_every_transaction_is_refused_and_one_in_session_mode_is_not() {
    if !has("pgbouncer", "the test of a pooler") {
        return;
    }
    let Some(mut team) = team() else { return };
    for (mode, size) in [("transaction", 5), ("transaction", 1), ("statement", 5), ("session", 5)] {
        let port = free_port();
        let dir = team.cluster.dir().display().to_string();
        let ini = format!(
            "[databases]\ndeck = host={dir} port={} dbname=deck user=jobdeck pool_size={size}\n[pgbouncer]\nlisten_addr = \
             127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n",
            team.cluster.port()
        );
        let written = team.cluster.run(&format!("cat >'{dir}/pgbouncer.ini' <<'END'\n{ini}END\n"));
        assert!(written.status.success(), "{written:?}");
        let pooler = team.cluster.beside(&format!("pgbouncer -q '{dir}/pgbouncer.ini' >>'{dir}/pgbouncer.log' 2>&1"));
        wait_for("the pooler", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        team.url = format!("postgres://jobdeck@127.0.0.1:{port}/deck");
        if mode == "session" {
            team.run("ana", &["store", "status"]).with(0);
            team.run("ana", &["watch"]).with(0);
        } else if mode == "statement" {
            // It lets nobody begin a transaction at all.
            team.run("ana", &["store", "status"]).with(1);
        } else {
            for command in ["init", "status"] {
                team.run("ana", &["store", command]).with(1).said("behind a pooler").said("a pool in session mode");
            }
            let ana = team.start("ana", &["watch"]);
            ana.until_said("behind a pooler");
            wait_for("what can be polled again", || ana.out().contains("DONE"));
            assert_eq!(team.bench.script.reads(&scan(1)), 0);
            ana.signal(rustix::process::Signal::TERM);
            ana.end().with(143);
        }
        drop(pooler);
    }
}

#[test]
fn a_replica_that_takes_no_writes_is_refused_and_a_server_set_to_read_only_too() {
    let Some(mut team) = team() else { return };
    let good = team.url.clone();
    let (bin, dir, port) = (team.cluster.bin().display(), team.cluster.dir().display(), free_port());
    let made = team.cluster.run(&format!(
        "'{bin}/pg_basebackup' -h '{dir}' -p {} -U postgres -D '{dir}/replica' -R --checkpoint=fast 2>&1",
        team.cluster.port()
    ));
    assert!(made.status.success(), "{made:?}");
    let replica = team.cluster.beside(&format!(
        "'{bin}/postgres' -D '{dir}/replica' -k '{dir}' -p {port} -c listen_addresses=127.0.0.1 -c fsync=off >>'{dir}/replica.log' 2>&1"
    ));
    team.url = format!("postgres://jobdeck@127.0.0.1:{port}/deck");
    let is_ready = format!("'{bin}/pg_isready' -q -h 127.0.0.1 -p {port}");
    wait_for("the replica", || team.cluster.run(&is_ready).status.success());
    for command in ["init", "status"] {
        team.run("ana", &["store", command]).with(1).said("is a replica that takes no writes").said("Name its primary");
    }
    let ana = team.start("ana", &["watch"]);
    ana.until_said("is a replica");
    assert_eq!(team.bench.script.reads(&scan(1)), 0);
    ana.signal(rustix::process::Signal::TERM);
    ana.end().with(143);
    drop(replica);
    team.url = good;
    team.sql("ALTER ROLE jobdeck SET default_transaction_read_only = on");
    team.run("ana", &["store", "status"]).with(1).said("is read-only").said("Let it take writes again");
    team.sql("ALTER ROLE jobdeck RESET default_transaction_read_only");
    team.run("ana", &["watch"]).with(0);
}

/// Certificates of a test's own, made by openssl.
struct Certificates {
    dir: PathBuf,
}

impl Certificates {
    fn openssl(&self, args: &str) {
        let done = Command::new("sh").arg("-c").arg(format!("openssl {args}")).current_dir(&self.dir).output().unwrap();
        assert!(done.status.success(), "openssl {args}: {done:?}");
    }

    /// A CA called `ca`, in `ca.crt`.
    fn authority(&self, ca: &str) {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN={ca} -keyout {ca}.key -out {ca}.crt"
        ));
    }

    /// A server's certificate for a name, signed by a CA, good for so many days from now, in `server.crt`.
    fn server(&self, ca: &str, name: &str, days: i32) {
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout server.key -out server.csr"
        ));
        std::fs::write(self.dir.join("ext"), format!("subjectAltName={name}\nbasicConstraints=CA:FALSE\n")).unwrap();
        // openssl takes a negative number of days for one that is over.
        self.openssl(&format!(
            "x509 -req -in server.csr -CA {ca}.crt -CAkey {ca}.key -CAcreateserial -days {days} -extfile ext -out server.crt"
        ));
    }

    /// The server takes what was made last for its new connections.
    fn install(&self, cluster: &Cluster) {
        let read = |name: &str| std::fs::read_to_string(self.dir.join(name)).unwrap();
        let dir = cluster.dir().display();
        let (certificate, key) = (read("server.crt"), read("server.key"));
        let put = cluster.run(&format!(
            "umask 077; printf %s '{certificate}' >'{dir}/data/server.crt'; printf %s '{key}' >'{dir}/data/server.key'"
        ));
        assert!(put.status.success(), "{put:?}");
        cluster.sql("postgres", "ALTER SYSTEM SET ssl = on");
        cluster.sql("postgres", "SELECT pg_reload_conf()");
        let fingerprint = |script: String| String::from_utf8(cluster.run(&script).stdout).unwrap();
        let wanted = fingerprint(format!("openssl x509 -in '{dir}/data/server.crt' -noout -fingerprint"));
        let shown = format!(
            "openssl s_client -starttls postgres -connect 127.0.0.1:{} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint 2>/dev/null",
            cluster.port()
        );
        wait_for("the server's new certificate", || fingerprint(shown.clone()) == wanted);
    }
}

#[test]
fn a_certificate_that_is_foreign_expired_or_for_another_host_is_refused_with_what_to_do() {
    if !has("openssl", "the test of certificates") {
        return;
    }
    let Some(mut team) = team() else { return };
    let certificates = Certificates { dir: team.bench.home().join("certificates") };
    std::fs::create_dir(&certificates.dir).unwrap();
    certificates.authority("ours");
    certificates.authority("foreign");
    team.url.push_str("?sslmode=verify-full");
    let ca = certificates.dir.join("ours.crt");
    let cases = [
        ("ours", "IP:127.0.0.1", 30, None),
        ("foreign", "IP:127.0.0.1", 30, Some("give that CA's certificate in SSL_CERT_FILE")),
        ("ours", "IP:127.0.0.1", -1, Some("has expired; renew it")),
        ("ours", "DNS:db.example", 30, Some("is for another host; write the host that the certificate names")),
    ];
    for (signed_by, name, days, refused) in cases {
        certificates.server(signed_by, name, days);
        certificates.install(&team.cluster);
        let status = team.run_with("ana", &["store", "status"], &[("SSL_CERT_FILE", ca.as_os_str())]);
        match refused {
            None => drop(status.with(0)),
            Some(said) => drop(status.with(1).said("cannot be trusted").said(said)),
        }
    }
    // A server without encryption is not spoken to in the clear.
    team.sql("ALTER SYSTEM SET ssl = off");
    team.sql("SELECT pg_reload_conf()");
    wait_for("no encryption", || team.sql("SHOW ssl") == "off");
    team.run_with("ana", &["store", "status"], &[("SSL_CERT_FILE", ca.as_os_str())]).with(1).said("cannot be reached");
}
