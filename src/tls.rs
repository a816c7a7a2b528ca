//! Why a certificate was refused, in words that say what to do.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// What is wrong with the server's certificate; None if the error is of another kind.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of rustls are open")]
pub fn refusal(error: &(dyn Error + 'static)) -> Option<String> {
    let refused = std::iter::successors(Some(error), |&error| error.source()).find_map(of_rustls)?;
    let rustls::Error::InvalidCertificate(certificate) = refused else { return None };
    Some(match certificate {
        CertificateError::UnknownIssuer => {
            "its certificate is signed by a CA that is not known here; give that CA's certificate in SSL_CERT_FILE (PEM)"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; renew it, or set this machine's clock".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; set this machine's clock".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another host; write the host that the certificate names".to_owned()
        }
        CertificateError::Revoked => "its certificate was revoked; ask who runs the service".to_owned(),
        // The kind within is not public; its name is.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is a CA's own; give the server a certificate that this CA has signed (with basicConstraints \
             CA:FALSE), and the CA in SSL_CERT_FILE"
                .to_owned()
        }
        other => format!("its certificate was refused: {other}"),
    })
}

fn of_rustls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    // An I/O error does not name what it holds as its source.
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.downcast_ref().or_else(|| of_rustls(held?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[derive(Debug)]
    struct CaUsedAsEndEntity;

    impl std::fmt::Display for CaUsedAsEndEntity {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("CaUsedAsEndEntity")
        }
    }

    impl Error for CaUsedAsEndEntity {}

    #[test]
    fn a_refused_certificate_says_what_to_do() {
        let other = CertificateError::Other(OtherError(Arc::new(CaUsedAsEndEntity)));
        let cases = [
            (CertificateError::UnknownIssuer, "SSL_CERT_FILE"),
            (CertificateError::Expired, "expired"),
            (CertificateError::NotValidForName, "another host"),
            (other, "is a CA's own"),
            (CertificateError::BadEncoding, "was refused"),
        ];
        for (certificate, said) in cases {
            let error = io::Error::other(rustls::Error::InvalidCertificate(certificate));
            let sentence = refusal(&io::Error::other(error));
            assert!(sentence.as_deref().is_some_and(|text| text.contains(said)), "{said}: {sentence:?}");
        }
        assert_eq!(refusal(&io::Error::other("no route")), None);
    }
}
