//! A connection to a team's store: made, looked at whether it can bear what jobdeck needs, and given up when it does
//! not answer.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Socket};

use super::leases::InstanceId;
use super::schema;
use super::tls::Tls;
use super::trouble::TeamTrouble;
use crate::domain::secret::Token;
use crate::domain::team::{Address, Server};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a session of our own may take to name itself once more.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a request may take: what takes longer counts as unreachable.
const ANSWER: Duration = Duration::from_secs(20);
/// The first server that can be asked for the snapshot's 64-bit transaction numbers.
const OLDEST_SERVER: i32 = 130_000;
/// The channel on which changes are announced.
pub const CHANNEL: &str = "jobdeck";
/// What is announced there when jobs became free; else more became known: by whom, or nothing.
pub const FREED: &str = "freed";

/// A server and who we are there. Its `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct ServerTarget {
    pub address: Address,
    /// The password, where one is needed.
    pub password: Option<Token>,
}

/// What was announced since that was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Whether jobs became free.
    pub freed: bool,
    /// Whether others than ourselves have saved something.
    pub news: bool,
    by: Option<i64>,
}

/// A connection.
#[derive(Debug)]
pub struct Session {
    /// To be asked through [`Session::ask`].
    pub client: Client,
    target: Arc<ServerTarget>,
    notifications: mpsc::UnboundedReceiver<Told>,
}

impl Session {
    /// Connects, whatever the database holds.
    pub async fn connect(target: &Arc<ServerTarget>) -> Result<Self, TeamTrouble> {
        let address = &target.address;
        let mut config = Config::new();
        match &address.server {
            Server::Host(host) => config.host(host),
            Server::Socket(directory) => config.host_path(directory),
        };
        config
            .port(address.port)
            .user(&address.user)
            .dbname(&address.database)
            .application_name("jobdeck")
            .connect_timeout(CONNECT)
            .keepalives_idle(Duration::from_secs(15))
            .tcp_user_timeout(ANSWER)
            .ssl_mode(if address.tls { SslMode::Require } else { SslMode::Disable });
        if let Some(password) = &target.password {
            config.password(password.expose());
        }
        let connecting = async {
            if address.tls {
                let tls = Tls::new().map_err(|error| {
                    let named = std::env::var_os("SSL_CERT_FILE").filter(|path| std::fs::File::open(path).is_err());
                    let why = match named {
                        Some(path) => format!("SSL_CERT_FILE names {}, which cannot be read", path.display()),
                        None => format!("no certificates: {error}"),
                    };
                    TeamTrouble::Certificate(address.to_string(), why)
                })?;
                Self::connect_with(&config, tls, target).await
            } else {
                Self::connect_with(&config, NoTls, target).await
            }
        };
        let session = within(connecting, CONNECT * 2, address).await??;
        // A server that waits for us with a lock held would make the others wait too.
        session
            .ask(session.client.batch_execute(
                "SET statement_timeout = '60s'; SET lock_timeout = '10s'; SET client_min_messages = warning; \
                 SET idle_in_transaction_session_timeout = '60s'; \
                 SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
            ))
            .await?;
        Ok(session)
    }

    /// Connects to a database that can be worked with: one that takes writes, with tables as this jobdeck knows them.
    /// Answers with the store's number too.
    pub async fn open(target: &Arc<ServerTarget>) -> Result<(Self, String), TeamTrouble> {
        let session = Self::connect(target).await?;
        session.must_be_writable().await?;
        let store = schema::check(&session).await?;
        Ok((session, store))
    }

    async fn connect_with<T>(config: &Config, tls: T, target: &Arc<ServerTarget>) -> Result<Self, TeamTrouble>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let failed = |error: tokio_postgres::Error| trouble(&error, &target.address);
        let (client, mut connection) = config.connect(tls).await.map_err(failed)?;
        let (notify, notifications) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            // Ends with the connection, and with the client: the requests then find it closed.
            while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
                match message {
                    Ok(AsyncMessage::Notification(told)) => {
                        let by = told.payload().parse().ok();
                        let _ = notify.send(Told { freed: told.payload() == FREED, news: true, by });
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!("the connection to the team's store ended: {error}");
                        return;
                    }
                }
            }
        });
        Ok(Self { client, target: Arc::clone(target), notifications })
    }

    /// Waits for a request, but not for ever.
    pub async fn ask<T>(
        &self,
        request: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, TeamTrouble> {
        within(request, ANSWER, &self.target.address).await?.map_err(|error| trouble(&error, &self.target.address))
    }

    /// An error of the library as what it means here.
    pub fn trouble(&self, error: &tokio_postgres::Error) -> TeamTrouble {
        trouble(error, &self.target.address)
    }

    /// Wants to be woken by changes.
    pub async fn listen(&self) -> Result<(), TeamTrouble> {
        self.ask(self.client.batch_execute(&format!("LISTEN {CHANNEL}"))).await
    }

    /// Resolves when something was announced: what. `us` knows what it has saved. None when the connection has ended.
    pub async fn notified(&mut self, us: Option<InstanceId>) -> Option<Told> {
        let mut next = self.notifications.recv().await?;
        let mut all = Told::default();
        loop {
            all.freed |= next.freed;
            all.news |= next.by.is_none_or(|by| Some(InstanceId(by)) != us);
            match self.notifications.try_recv() {
                Ok(more) => next = more,
                Err(_) => return Some(all),
            }
        }
    }

    /// Whether a connection is to a session of its own: a pooler that works by transactions gives ours to a second one
    /// that begins a transaction, and then lets us wait or gives us another.
    pub async fn must_be_apart(&self) -> Result<(), TeamTrouble> {
        let other = Self::connect(&self.target).await?;
        let first = self.backend().await?;
        other.ask(other.client.batch_execute("BEGIN")).await?;
        let second = other.backend().await?;
        let again = tokio::time::timeout(AGAIN, self.backend()).await.map_err(|_| TeamTrouble::Pooler)??;
        other.ask(other.client.batch_execute("ROLLBACK")).await?;
        if first == second || first != again { Err(TeamTrouble::Pooler) } else { Ok(()) }
    }

    async fn backend(&self) -> Result<i32, TeamTrouble> {
        let row = self.ask(self.client.query_typed_one("SELECT pg_backend_pid()", &[])).await?;
        cell(&row, 0)
    }

    /// A server that takes writes, and is new enough.
    pub async fn must_be_writable(&self) -> Result<(), TeamTrouble> {
        let sql = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', \
                   current_setting('server_version_num')::int4";
        let row = self.ask(self.client.query_typed_one(sql, &[])).await?;
        let (replica, read_only, version): (bool, bool, i32) = (cell(&row, 0)?, cell(&row, 1)?, cell(&row, 2)?);
        match (replica, read_only, version) {
            (true, _, _) => Err(TeamTrouble::Replica),
            (_, true, _) => Err(TeamTrouble::ReadOnly("default_transaction_read_only is on".to_owned())),
            (_, _, version) if version < OLDEST_SERVER => Err(TeamTrouble::OldServer(version / 10_000)),
            (false, false, _) => Ok(()),
        }
    }
}

/// A cell of a row.
pub fn cell<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a tokio_postgres::Row,
    at: usize,
) -> Result<T, TeamTrouble> {
    row.try_get(at).map_err(|error| TeamTrouble::Other(format!("an answer is not as expected: {error}")))
}

fn trouble(error: &tokio_postgres::Error, address: &Address) -> TeamTrouble {
    TeamTrouble::of(error, &address.to_string(), &address.user, &address.database)
}

async fn within<T>(work: impl Future<Output = T>, limit: Duration, address: &Address) -> Result<T, TeamTrouble> {
    tokio::time::timeout(limit, work)
        .await
        .map_err(|_| TeamTrouble::Unreachable(format!("{address}: no answer within {} s", limit.as_secs())))
}
