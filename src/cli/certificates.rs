//! The certificate of the configuration, read at the start and at every reload.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use tracing::{info, warn};

use crate::http::serve::tls::{Certificate, CertificateError, Tls};
use crate::meet::limits::CERTIFICATE_ENDS_SOON;

use super::config::Config;

/// TLS as the configuration wants it; `None` for plain HTTP.
///
/// # Errors
/// For a person: the files hold no certificate with its key.
pub(super) fn start(config: &Config) -> Result<Option<Tls>, String> {
    let Some(certificate) = read(config).transpose().map_err(|error| error.to_string())? else { return Ok(None) };
    Tls::new(&certificate).map(Some).map_err(|error| error.to_string())
}

/// Reads the files and says how long the certificate is good; `None` where there is no TLS.
pub(super) fn read(config: &Config) -> Option<Result<Certificate, CertificateError>> {
    let (certificate_file, key_file) = config.tls()?;
    let read = Certificate::read(certificate_file, key_file);
    if let Ok(certificate) = &read {
        tell_validity(certificate_file, certificate);
    }
    Some(read)
}

/// Says how long a certificate is good, and warns where browsers refuse it or soon will.
fn tell_validity(file: &Path, certificate: &Certificate) {
    let (file, now) = (file.display(), SystemTime::now());
    if certificate.is_never_valid {
        return warn!(%file, "the certificate is never valid: it ends before it begins; browsers refuse it");
    }
    if let Some(begin) = certificate.begins_at.filter(|begin| *begin > now) {
        return warn!(%file, from = day(begin), "the certificate is not yet valid; browsers refuse it until then");
    }
    let Some(end) = certificate.expires_at else { return };
    let until = day(end);
    match end.duration_since(now) {
        Err(_) => warn!(%file, until, "the certificate has expired; browsers refuse it"),
        Ok(left) if left < CERTIFICATE_ENDS_SOON => warn!(%file, until, "the certificate ends soon; renew it and send SIGHUP"),
        Ok(_) => info!(%file, until, "the certificate is read"),
    }
}

fn day(time: SystemTime) -> String {
    Timestamp::try_from(time).map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}
