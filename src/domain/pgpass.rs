//! The password file of PostgreSQL's own programs, `~/.pgpass`: lines of host, port, database, user and password.

use super::team::{Address, Server};

/// The password that a file holds for an address: of the first line that fits.
pub fn password(file: &str, address: &Address) -> Option<String> {
    let host = match &address.server {
        Server::Host(host) => host.clone(),
        Server::Socket(_) => "localhost".to_owned(),
    };
    let port = address.port.to_string();
    let wanted = [host.as_str(), &port, &address.database, &address.user];
    file.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (password, place) = fields.split_last()?;
        let fits = place.len() == wanted.len()
            && place.iter().zip(wanted).all(|(field, wanted)| field.raw == "*" || field.text == wanted);
        fits.then(|| password.text.clone())
    })
}

struct PgpassField {
    raw: String,
    text: String,
}

/// Five at most: the password may hold colons.
fn fields(line: &str) -> Vec<PgpassField> {
    let mut fields = vec![PgpassField { raw: String::new(), text: String::new() }];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == ':' && fields.len() < 5 {
            fields.push(PgpassField { raw: String::new(), text: String::new() });
            continue;
        }
        let Some(field) = fields.last_mut() else { break };
        field.raw.push(c);
        if c == '\\' {
            let escaped = chars.next();
            field.raw.extend(escaped);
            field.text.push(escaped.unwrap_or(c));
        } else {
            field.text.push(c);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::parse(url, &|_| None).unwrap()
    }

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let file = "# host:port:database:user:password\nother:5432:deck:ana:no\ndb:*:*:ana:se:c\\ret\\:\n*:*:*:*:any\nlocalhost:1:*:*:never\n";
        let cases = [
            ("postgres://ana@db/deck", Some("se:cret:")),
            ("postgres://ben@db/deck", Some("any")),
            ("postgres://ana@/deck?host=/run/pg", Some("any")),
        ];
        for (url, expected) in cases {
            assert_eq!(password(file, &address(url)).as_deref(), expected, "{url}");
        }
        assert_eq!(
            password("localhost:5432:deck:ana:x", &address("postgres://ana@/deck?host=/run/pg")).as_deref(),
            Some("x")
        );
        for file in ["", "db:5432:deck:ana", "db:5433:deck:ana:x", "\\*:5432:deck:ana:x"] {
            assert_eq!(password(file, &address("postgres://ana@db/deck")), None, "{file}");
        }
    }
}
