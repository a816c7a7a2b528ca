//! Where a team's store is: host, port, user, database, and whether the connection is encrypted. Never a password.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// The port of PostgreSQL.
const PORT: u16 = 5432;

/// A PostgreSQL database. Shown without anything that could be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub server: Server,
    /// Its port; for a socket the number in the socket's name.
    pub port: u16,
    /// The role.
    pub user: String,
    pub database: String,
    /// Whether the connection is encrypted, and the server's certificate checked.
    pub tls: bool,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// By TCP.
    Host(String),
    /// By a Unix socket in this directory.
    Socket(PathBuf),
}

/// What is wrong with an address. Names no value that could be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the address of the team's store is no PostgreSQL URL")]
    NoUrl,
    #[error("the address of the team's store holds a password")]
    Password,
    #[error("the address of the team's store has the parameter `{0}`, which is not known here")]
    Parameter(String),
    #[error("the address of the team's store has a port that is no number of 1 to 65535")]
    Port,
    #[error("the address of the team's store names no user")]
    User,
    /// A mode that would send results unencrypted, or does not exist.
    #[error("the address of the team's store has the sslmode `{0}`")]
    SslMode(String),
}

impl AddressError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoUrl => "write it like postgres://jobdeck@db.internal/jobdeck",
            Self::Password => {
                "take it out of the URL, and give it as password = { env = \"JOBDECK_DB_PASSWORD\" } (or file, command) \
                 beside the URL in config.toml, in ~/.pgpass, or in PGPASSWORD"
            }
            Self::Parameter(_) => "known are host, port, user, dbname, sslmode",
            Self::Port => "leave it out for 5432",
            Self::User => "write postgres://USER@HOST/DATABASE, or set PGUSER",
            Self::SslMode(_) => {
                "write sslmode=verify-full, the default beyond this machine (the certificate is always checked), or \
                 sslmode=disable for a connection that anybody on the way can read"
            }
        }
    }
}

impl Address {
    /// Reads a URL. What it leaves out is asked of `variable`, which looks into the environment: PGHOST, PGPORT, PGUSER,
    /// PGDATABASE, PGSSLMODE, and last USER.
    pub fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, AddressError> {
        // A user without a host means a socket, or PGHOST: no URL by the letter.
        let text = text.trim();
        let without_host = text.contains("@/") && !text.contains("@localhost");
        let text = if without_host { text.replacen("@/", "@localhost/", 1) } else { text.to_owned() };
        let url = Url::parse(&text).map_err(|_| AddressError::NoUrl)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(AddressError::NoUrl);
        }
        if url.password().is_some() {
            return Err(AddressError::Password);
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let mut host = url.host().filter(|_| !without_host).map(|host| match host {
            Host::Domain(name) => decoded(name),
            Host::Ipv4(ip) => ip.to_string(),
            Host::Ipv6(ip) => ip.to_string(),
        });
        let mut port = url.port().map(|port| port.to_string());
        let mut user = Some(decoded(url.username()));
        let mut database = Some(decoded(url.path().trim_start_matches('/')));
        let mut mode = None;
        for (name, value) in url.query_pairs() {
            let value = Some(value.into_owned());
            match &*name {
                "host" => host = value,
                "port" => port = value,
                "user" => user = value,
                "dbname" => database = value,
                "sslmode" => mode = value,
                "password" | "passfile" => return Err(AddressError::Password),
                other => {
                    return Err(AddressError::Parameter(
                        other.chars().filter(char::is_ascii_graphic).take(40).collect(),
                    ));
                }
            }
        }
        let given =
            |value: Option<String>, name: &str| value.filter(|value| !value.is_empty()).or_else(|| variable(name));
        let host = given(host, "PGHOST").unwrap_or_else(|| "localhost".to_owned());
        let port = match given(port, "PGPORT") {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(AddressError::Port)?,
            None => PORT,
        };
        let user = given(user, "PGUSER").or_else(|| variable("USER")).ok_or(AddressError::User)?;
        let database = given(database, "PGDATABASE").unwrap_or_else(|| user.clone());
        let server = if host.starts_with('/') { Server::Socket(host.into()) } else { Server::Host(host) };
        let tls = is_encrypted(given(mode, "PGSSLMODE").as_deref(), server.is_local())?;
        Ok(Self { server, port, user, database, tls })
    }
}

fn is_encrypted(mode: Option<&str>, local: bool) -> Result<bool, AddressError> {
    match mode {
        None => Ok(!local),
        Some("disable") => Ok(false),
        Some("require" | "verify-ca" | "verify-full") => Ok(true),
        Some("allow" | "prefer") if local => Ok(false),
        Some(other) => Err(AddressError::SslMode(other.chars().filter(char::is_ascii_graphic).take(40).collect())),
    }
}

impl Server {
    /// Whether nothing leaves this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Host(name) => {
                name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }
}

/// Without the port.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Socket(directory) => write!(f, "{}", directory.display()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Server::Host(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port)?,
            Server::Host(host) => write!(f, "{host}:{}", self.port)?,
            Server::Socket(directory) => write!(f, "{}/.s.PGSQL.{}", directory.display(), self.port)?,
        }
        write!(f, " (database {}, user {})", self.database, self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Address, AddressError> {
        Address::parse(text, &|name| (name == "USER").then(|| "ana".to_owned()))
    }

    #[test]
    fn an_address_is_a_url_whose_gaps_the_environment_fills() {
        let cases = [
            ("postgres://jobdeck@db.internal/deck", "db.internal:5432 (database deck, user jobdeck)", true),
            ("postgresql://db.internal:6432", "db.internal:6432 (database ana, user ana)", true),
            ("postgres://jobdeck@127.0.0.1/deck", "127.0.0.1:5432 (database deck, user jobdeck)", false),
            ("postgres://j%40b@[::1]:6000/d%20k", "[::1]:6000 (database d k, user j@b)", false),
            ("postgres://j@localhost/deck?sslmode=verify-full", "localhost:5432 (database deck, user j)", true),
            ("postgres://j@far/deck?sslmode=disable", "far:5432 (database deck, user j)", false),
            ("postgres://j@/deck?host=/run/pg&port=7", "/run/pg/.s.PGSQL.7 (database deck, user j)", false),
            ("postgres://j@%2Frun%2Fpg/deck", "/run/pg/.s.PGSQL.5432 (database deck, user j)", false),
        ];
        for (text, shown, tls) in cases {
            let address = read(text).unwrap();
            assert_eq!((address.to_string().as_str(), address.tls), (shown, tls), "{text}");
        }
        let of_environment = |name: &str| match name {
            "PGHOST" => Some("pg.example".to_owned()),
            "PGPORT" => Some("99".to_owned()),
            "PGUSER" => Some("ben".to_owned()),
            "PGDATABASE" => Some("deck".to_owned()),
            "PGSSLMODE" => Some("disable".to_owned()),
            _ => None,
        };
        let address = Address::parse("postgres://", &of_environment).unwrap();
        assert_eq!(address.to_string(), "pg.example:99 (database deck, user ben)");
        assert!(!address.tls);
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_never_repeated() {
        for text in
            ["postgres://j:hunter2@db/d", "postgres://j@db/d?password=hunter2", "postgres://j@db/d?passfile=hunter2"]
        {
            let error = read(text).unwrap_err();
            assert_eq!(error, AddressError::Password);
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let cases = [
            ("mysql://j@db/d", AddressError::NoUrl),
            ("db.internal", AddressError::NoUrl),
            ("postgres://j@db:0/d", AddressError::Port),
            ("postgres://j@db/d?port=x", AddressError::Port),
            ("postgres://j@db/d?options=-c", AddressError::Parameter("options".to_owned())),
            ("postgres://j@db/d?sslmode=prefer", AddressError::SslMode("prefer".to_owned())),
            ("postgres://j@db/d?sslmode=sure", AddressError::SslMode("sure".to_owned())),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), Err(expected), "{text}");
        }
        assert_eq!(Address::parse("postgres://db/d", &|_| None), Err(AddressError::User));
    }
}
