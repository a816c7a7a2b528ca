//! What is wrong with the variables that requests depend on: proxies and the file of CA certificates.

use std::ffi::OsString;
use std::path::Path;

use url::Url;

/// The variables that name a proxy.
const PROXIES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// A sentence for each variable that is set to what cannot be used, saying what to do. Holds no value of a proxy's:
/// it may have a password in it.
pub fn troubles() -> Vec<String> {
    of(|name| std::env::var_os(name), Path::exists)
}

/// Whether a variable names this host as a proxy.
pub fn is_proxy(host: &str) -> bool {
    PROXIES.iter().filter_map(|name| std::env::var(name).ok()).any(|value| {
        let value = value.trim();
        let whole = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        Url::parse(&whole).is_ok_and(|url| url.host_str().is_some_and(|named| named.eq_ignore_ascii_case(host)))
    })
}

fn of(variable: impl Fn(&str) -> Option<OsString>, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut troubles = Vec::new();
    for name in PROXIES {
        let Some(value) = set(name) else { continue };
        let why = match value.to_str() {
            Some(value) if value.trim().is_empty() => continue,
            Some(value) => misunderstood(value.trim()),
            None => Some("it is not UTF-8"),
        };
        if let Some(why) = why {
            troubles.push(format!(
                "the proxy in {name} is not understood and not used: {why}; write it like http://proxy.example:8080"
            ));
        }
    }
    for (name, what) in [("SSL_CERT_FILE", "file"), ("SSL_CERT_DIR", "directory")] {
        let Some(value) = set(name) else { continue };
        let there = if what == "file" {
            exists(Path::new(&value))
        } else {
            std::env::split_paths(&value).any(|path| exists(&path))
        };
        if !there {
            troubles.push(format!("{name} names a {what} that is not there; correct it, or unset it"));
        }
    }
    troubles
}

/// Why a proxy cannot be used.
fn misunderstood(value: &str) -> Option<&'static str> {
    let whole = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    match Url::parse(&whole) {
        Err(_) => Some("it is no URL"),
        Ok(url) if url.scheme().starts_with("socks") => Some("SOCKS proxies are not supported"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => Some("its scheme is neither http nor https"),
        Ok(url) if url.host_str().is_none_or(str::is_empty) => Some("it names no host"),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_cannot_be_used_is_named_without_its_value() {
        let cases = [
            ("HTTPS_PROXY", "http://proxy:8080", None),
            ("HTTPS_PROXY", "proxy:8080", None),
            ("https_proxy", "http://u:CANARY@proxy:8080", None),
            ("HTTP_PROXY", "", None),
            ("HTTPS_PROXY", "http://CANARY:CANARY", Some("is no URL")),
            ("ALL_PROXY", "socks5://CANARY:1080", Some("SOCKS")),
            ("HTTPS_PROXY", "ftp://CANARY", Some("neither http nor https")),
            ("SSL_CERT_FILE", "/there", None),
            ("SSL_CERT_FILE", "/CANARY", Some("SSL_CERT_FILE names a file that is not there")),
            ("SSL_CERT_DIR", "/CANARY:/there", None),
            ("SSL_CERT_DIR", "/CANARY", Some("SSL_CERT_DIR names a directory that is not there")),
        ];
        for (name, value, said) in cases {
            let troubles = of(|wanted| (wanted == name).then(|| value.into()), |path| path == Path::new("/there"));
            assert_eq!(troubles.len(), usize::from(said.is_some()), "{name}={value} {troubles:?}");
            let text = troubles.concat();
            assert!(text.contains(said.unwrap_or_default()) && !text.contains("CANARY"), "{text}");
        }
    }
}
