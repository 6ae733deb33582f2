//! Passwords: scrypt (RFC 7914) on a bounded pool, so that a flood of logins leaves a core to live meets.

use std::sync::Arc;

use scrypt::Params;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::meet::limits::{CREATE_QUEUE, LOGIN_QUEUE, PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS};

use super::random_bytes;
use super::token::equal;

/// log2 of N: 16 MiB a hash.
const LOG_N: u8 = 14;
/// Block size.
const R: u32 = 8;
/// Parallelisation; OWASP's password storage sheet pairs it with N = 2^14.
const P: u32 = 5;

/// A stored password: salt, hash and the parameters that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PasswordHash {
    /// `scrypt`
    algorithm: String,
    log_n: u8,
    r: u32,
    p: u32,
    #[serde(with = "hex::serde")]
    salt: [u8; 16],
    #[serde(with = "hex::serde")]
    hash: [u8; 32],
}

/// A password is too short or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password has {PASSWORD_MIN_CHARS} to {PASSWORD_MAX_CHARS} characters")]
pub struct InvalidPassword;

/// Checks the length of a new password.
///
/// # Errors
/// [`InvalidPassword`]
pub fn check_password(password: &str) -> Result<(), InvalidPassword> {
    let length = password.chars().count();
    if (PASSWORD_MIN_CHARS..=PASSWORD_MAX_CHARS).contains(&length) { Ok(()) } else { Err(InvalidPassword) }
}

impl PasswordHash {
    /// Hashes a password with a new salt and today's parameters. Takes about 0.2 s of a core.
    pub fn new(password: &str) -> PasswordHash {
        PasswordHash::with(password, random_bytes(), LOG_N, R, P)
    }

    fn with(password: &str, salt: [u8; 16], log_n: u8, r: u32, p: u32) -> PasswordHash {
        PasswordHash { algorithm: "scrypt".to_owned(), log_n, r, p, salt, hash: scrypt_hash(password, &salt, log_n, r, p) }
    }

    /// Whether `password` is the one. Takes as long as making the hash did.
    pub fn matches(&self, password: &str) -> bool {
        equal(&scrypt_hash(password, &self.salt, self.log_n, self.r, self.p), &self.hash)
    }

    /// Whether it was made with weaker parameters than today's.
    pub fn is_outdated(&self) -> bool {
        self.log_n < LOG_N || self.r < R || self.p < P
    }

    /// What a password is compared with where there is no meet: costs the same and matches nothing.
    fn decoy() -> PasswordHash {
        PasswordHash { algorithm: "scrypt".to_owned(), log_n: LOG_N, r: R, p: P, salt: [0; 16], hash: [0; 32] }
    }
}

/// All zeros where the parameters are none, which matches nothing a password gives.
fn scrypt_hash(password: &str, salt: &[u8], log_n: u8, r: u32, p: u32) -> [u8; 32] {
    let mut hash = [0; 32];
    let made = Params::new(log_n, r, p).map(|params| scrypt::scrypt(password.as_bytes(), salt, &params, &mut hash));
    if !matches!(made, Ok(Ok(()))) {
        tracing::error!(log_n, r, p, "unusable scrypt parameters in auth.json");
    }
    hash
}

/// Hashes passwords on a bounded number of threads, with a short queue.
#[derive(Clone, Debug)]
pub struct Passwords {
    running: Arc<Semaphore>,
    logins: Arc<Semaphore>,
    creates: Arc<Semaphore>,
}

/// Too many passwords wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// What became of a login.
#[derive(Debug, PartialEq, Eq)]
pub enum Login {
    /// The password is right.
    Right {
        /// A stronger hash of it, where the stored one is outdated.
        renewed: Option<Box<PasswordHash>>,
    },
    /// It is not, or there is no such meet.
    Wrong,
}

impl Default for Passwords {
    /// One thread less than there are cores, but at least one.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Passwords::new(cores.saturating_sub(1).max(1))
    }
}

impl Passwords {
    fn new(threads: usize) -> Passwords {
        let queue = |waiting| Arc::new(Semaphore::new(threads + waiting));
        Passwords { running: Arc::new(Semaphore::new(threads)), logins: queue(LOGIN_QUEUE), creates: queue(CREATE_QUEUE) }
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`Busy`]
    pub async fn hash(&self, password: String) -> Result<PasswordHash, Busy> {
        self.run(&self.creates, move || PasswordHash::new(&password)).await
    }

    /// Compares a password with a stored one, or with a decoy where there is none.
    ///
    /// # Errors
    /// [`Busy`]
    pub async fn verify(&self, password: String, stored: Option<PasswordHash>) -> Result<Login, Busy> {
        self.run(&self.logins, move || {
            let exists = stored.is_some();
            let stored = stored.unwrap_or_else(PasswordHash::decoy);
            if !stored.matches(&password) || !exists {
                return Login::Wrong;
            }
            Login::Right { renewed: stored.is_outdated().then(|| Box::new(PasswordHash::new(&password))) }
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, queue: &Semaphore, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _place = queue.try_acquire().map_err(|_| Busy)?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Busy)?;
        // The turn goes along: a request that is given up keeps its thread until the hash is done.
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        work.await.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_characters() {
        assert_eq!(check_password("ninechars"), Err(InvalidPassword));
        assert_eq!(check_password("ünïcödé-ß!"), Ok(()));
        assert_eq!(check_password(&"x".repeat(1024)), Ok(()));
        assert_eq!(check_password(&"x".repeat(1025)), Err(InvalidPassword));
    }

    /// RFC 7914, section 12, third vector: N = 16384, r = 8, p = 1.
    #[test]
    fn rfc_7914_vector() {
        let hash = scrypt_hash("pleaseletmein", b"SodiumChloride", 14, 8, 1);
        assert_eq!(hex::encode(hash), "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
    }

    #[tokio::test]
    async fn right_wrong_unknown_and_outdated() {
        let passwords = Passwords::new(1);
        let stored = passwords.hash("AStrongerPassword".into()).await.unwrap();
        assert!(!stored.is_outdated());
        let verify =
            async |password: &str, stored: Option<&PasswordHash>| passwords.verify(password.into(), stored.cloned()).await.unwrap();
        assert_eq!(verify("AStrongerPassword", Some(&stored)).await, Login::Right { renewed: None });
        assert_eq!(verify("astrongerpassword", Some(&stored)).await, Login::Wrong);
        assert_eq!(verify("AStrongerPassword", None).await, Login::Wrong);
        let old = PasswordHash::with("AStrongerPassword", [1; 16], 10, 8, 1);
        let Login::Right { renewed: Some(renewed) } = verify("AStrongerPassword", Some(&old)).await else { panic!("not renewed") };
        assert!(!renewed.is_outdated() && renewed.matches("AStrongerPassword"));
    }

    #[tokio::test]
    async fn a_full_queue_is_told_at_once() {
        let passwords = Passwords::new(1);
        let _all = passwords.creates.acquire_many((1 + CREATE_QUEUE) as u32).await.unwrap();
        assert_eq!(passwords.hash("AStrongerPassword".into()).await, Err(Busy));
        assert_eq!(passwords.verify("AStrongerPassword".into(), None).await, Ok(Login::Wrong), "joining goes on");
    }
}
