//! A certificate and its key, from two PEM files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError as Flaw, Error, InconsistentKeys, RootCertStore};

use super::provider;

/// Later than any certificate lasts, in seconds since 1970: the year 9999.
const FAR_FUTURE: Duration = Duration::from_secs(253_000_000_000);
/// The library's word for any key that it does not take says neither which nor why.
const KEY_KINDS: &str = "keys are RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519, and this is none of them or is damaged; \
    for example, RSA of 1024 bits and P-521 are not taken. One that is:  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256; \
    its certificate has to be made anew too";
const OLD_VERSION: &str = "it is an X.509 certificate of version 1, which browsers refuse; version 3 would be right, with the server's name in \
    it:  openssl req -x509 -addext subjectAltName=DNS:NAME  makes one";

/// A certificate with what lies between it and its root, and its key.
pub struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// Good from then on, where that can be told.
    pub begins_at: Option<SystemTime>,
    /// Good until then, where that can be told.
    pub expires_at: Option<SystemTime>,
    /// It ends before it begins, so it is good at no time.
    pub is_never_valid: bool,
}

/// Why two files give no certificate. The text is for operators.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is none in the file.
    #[error(
        "{} holds no certificate; it must be PEM, -----BEGIN CERTIFICATE----- and so on: the server's own first, then those between it and the root",
        .0.display()
    )]
    NoCertificate(PathBuf),
    /// There is none in the file.
    #[error("{} holds no private key; it must be PEM, -----BEGIN PRIVATE KEY----- and so on", .0.display())]
    NoKey(PathBuf),
    /// It needs a password, and nobody is there to give one.
    #[error("the key in {path} is encrypted; write it out without a password:  openssl pkey -in {path} -out FILE", path = .0.display())]
    Encrypted(PathBuf),
    /// They are not two halves of one thing.
    #[error("{} is not the key of the first certificate in {}; the server's own certificate must come first", key.display(), certificate.display())]
    OfAnother {
        /// The file with the key.
        key: PathBuf,
        /// The file with the certificate.
        certificate: PathBuf,
    },
    /// A file holds something that cannot be used.
    #[error("{} cannot be used: {what}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        what: String,
    },
}

impl Certificate {
    /// Reads a certificate and its key, and makes sure that they belong together.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn read(certificate: &Path, key: &Path) -> Result<Certificate, CertificateError> {
        let chain = read_chain(certificate)?;
        let first = chain.first().cloned().ok_or_else(|| CertificateError::NoCertificate(certificate.to_owned()))?;
        let made = CertifiedKey::from_der(chain, read_key(key)?, &provider()).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                CertificateError::OfAnother { key: key.to_owned(), certificate: certificate.to_owned() }
            }
            Error::InvalidCertificate(_) if error.to_string().contains("UnsupportedCertVersion") => unusable(certificate, OLD_VERSION),
            Error::InvalidCertificate(_) => unusable(certificate, error.to_string()),
            Error::General(_) => unusable(key, KEY_KINDS),
            _ => unusable(key, error.to_string()),
        });
        let key = Arc::new(made?);
        let (begins_at, expires_at) = (begins_at(&first), expires_at(&first));
        let is_never_valid = matches!(flaw_at(&first, FAR_FUTURE), Some(Flaw::Expired));
        Ok(Certificate { key, begins_at, expires_at, is_never_valid })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|source| CertificateError::Unreadable { path: path.to_owned(), source })
}

fn unusable(path: &Path, what: impl Into<String>) -> CertificateError {
    CertificateError::Unusable { path: path.to_owned(), what: what.into() }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let text = read(path)?;
    CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|error| unusable(path, error.to_string()))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    use rustls::pki_types::pem::Error as PemError;
    let text = read(path)?;
    // Both ways in which tools write an encrypted key say so.
    if String::from_utf8_lossy(&text).lines().any(|line| line.contains("ENCRYPTED")) {
        return Err(CertificateError::Encrypted(path.to_owned()));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        PemError::NoItemsFound => CertificateError::NoKey(path.to_owned()),
        error => unusable(path, error.to_string()),
    })
}

fn begins_at(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let Some(Flaw::NotValidYetContext { not_before, .. }) = flaw_at(certificate, Duration::ZERO) else { return None };
    time(not_before)
}

fn expires_at(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let Some(Flaw::ExpiredContext { not_after, .. }) = flaw_at(certificate, FAR_FUTURE) else { return None };
    time(not_after)
}

fn time(time: UnixTime) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()))
}

/// The verifier, asked about the distant past or future, names the days of the certificate; no parser of our own is needed.
fn flaw_at(certificate: &CertificateDer<'_>, since_1970: Duration) -> Option<Flaw> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).ok()?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build().ok()?;
    let (anyone, then) = (ServerName::try_from("localhost").ok()?, UnixTime::since_unix_epoch(since_1970));
    match verifier.verify_server_cert(certificate, &[], &anyone, &[], then) {
        Err(Error::InvalidCertificate(flaw)) => Some(flaw),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use std::fs;
    use tempfile::TempDir;

    struct Files {
        folder: TempDir,
    }

    impl Files {
        fn new() -> Files {
            let (certificate, key) = made(|_| {});
            let files = Files { folder: tempfile::tempdir().unwrap() };
            files.write("cert.pem", &certificate);
            files.write("key.pem", &key);
            files
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.folder.path().join(name), text).unwrap();
        }

        fn read(&self) -> Result<Certificate, String> {
            let path = |name| self.folder.path().join(name);
            Certificate::read(&path("cert.pem"), &path("key.pem")).map_err(|error| error.to_string())
        }

        fn refused(&self) -> String {
            self.read().map(|_| ()).unwrap_err()
        }
    }

    fn made(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn the_end_is_told_whether_it_has_come_or_not() {
        let files = Files::new();
        for (year, seconds) in [(2020, 1_577_836_800), (2099, 4_070_908_800)] {
            let (certificate, key) = made(|params| params.not_after = rcgen::date_time_ymd(year, 1, 1));
            files.write("cert.pem", &certificate);
            files.write("key.pem", &key);
            let expires_at = files.read().unwrap().expires_at.unwrap();
            assert_eq!(expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), seconds);
        }
    }

    #[test]
    fn a_beginning_to_come_and_an_end_before_it_are_noticed() {
        let files = Files::new();
        for (not_before, not_after, is_never_valid) in [(2090, 2099, false), (2099, 2090, true)] {
            let (certificate, key) = made(|params| {
                params.not_before = rcgen::date_time_ymd(not_before, 1, 1);
                params.not_after = rcgen::date_time_ymd(not_after, 1, 1);
            });
            files.write("cert.pem", &certificate);
            files.write("key.pem", &key);
            let read = files.read().unwrap();
            assert_eq!(read.is_never_valid, is_never_valid);
            assert_eq!(read.begins_at.is_some_and(|begin| begin > SystemTime::now()), !is_never_valid);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_file_and_what_would_be_right() {
        let files = Files::new();
        files.write("key.pem", &made(|_| {}).1);
        assert!(files.refused().contains("key.pem is not the key of the first certificate in"), "{}", files.refused());
        files.write("key.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
        assert!(files.refused().contains("encrypted") && files.refused().contains("openssl pkey -in"), "{}", files.refused());
        files.write("key.pem", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIB\n-----END RSA PRIVATE KEY-----\n");
        assert!(files.refused().contains("encrypted"), "{}", files.refused());
        files.write("key.pem", "nothing");
        assert!(files.refused().contains("key.pem holds no private key"), "{}", files.refused());
        files.write("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        assert!(files.refused().contains("key.pem cannot be used"), "{}", files.refused());
        files.write("cert.pem", "nothing");
        assert!(files.refused().contains("cert.pem holds no certificate"), "{}", files.refused());
        files.write("cert.pem", "-----BEGIN CERTIFICATE-----\n!\n");
        assert!(files.refused().contains("cert.pem cannot be used"), "{}", files.refused());
        fs::remove_file(files.folder.path().join("cert.pem")).unwrap();
        assert!(files.refused().contains("cert.pem cannot be read"), "{}", files.refused());
    }
}
