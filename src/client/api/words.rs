//! What became of a request, in words for a person.

use std::error::Error;
use std::io;

use rustls::CertificateError as Flaw;

/// The whole chain of causes: the first one alone says next to nothing. Addresses may hold secrets.
pub(super) fn in_words(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(flaw) = flaw(error) {
            return told(flaw);
        }
        causes.push(error.to_string());
        cause = error.source();
    }
    if error.is_timeout() {
        causes.insert(0, "no answer came in time".to_owned());
    }
    if causes.is_empty() { "the request failed".to_owned() } else { causes.join(": ") }
}

/// What is wrong with the server's certificate, where that is the cause. Errors of the system wrap others, several times over.
fn flaw<'a>(mut cause: &'a (dyn Error + 'static)) -> Option<&'a Flaw> {
    while let Some(inner) = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        cause = inner;
    }
    match cause.downcast_ref()? {
        rustls::Error::InvalidCertificate(flaw) => Some(flaw),
        _ => None,
    }
}

fn told(flaw: &Flaw) -> String {
    match flaw {
        Flaw::UnknownIssuer | Flaw::BadSignature => {
            "nobody who is trusted here has signed the server's certificate; if it is the right one, trust it or its issuer's".to_owned()
        }
        Flaw::Expired | Flaw::ExpiredContext { .. } => {
            "the server's certificate has expired, or the clock of this machine is wrong".to_owned()
        }
        Flaw::NotValidForName | Flaw::NotValidForNameContext { .. } => {
            "the server's certificate is for other names than this address".to_owned()
        }
        flaw => format!("the server's certificate is not valid: {flaw}"),
    }
}
