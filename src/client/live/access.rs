//! New sessions and tickets, which only a server's resources give.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::client::api::{Join, Session};
use crate::client::channel::Fault;
use crate::wire::reply::ReceivedSession;

/// Lets a replica in again.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use futures_util::future::{BoxFuture, FutureExt, ready};
/// use liftrelay::client::{channel::Fault, live::{Options, access::Access}};
/// use liftrelay::wire::reply::ReceivedSession;
///
/// /// Lets nobody in who has to type something.
/// struct Unattended;
///
/// impl Access for Unattended {
///     fn login(&self) -> BoxFuture<'_, Result<ReceivedSession, Fault>> {
///         ready(Err(Fault::NotAuthorised("nobody is here to type the password".to_owned()))).boxed()
///     }
///     fn ticket(&self) -> BoxFuture<'_, Result<(String, u64), Fault>> {
///         ready(Err(Fault::Unreachable("tickets are not renewed here".to_owned()))).boxed()
///     }
/// }
/// let options = Options { access: Some(Arc::new(Unattended)), ..Options::default() };
/// assert!(options.access.is_some_and(|access| access.login().now_or_never().is_some_and(|login| login.is_err())));
/// # Ok(()) }
/// ```
pub trait Access: Send + Sync {
    /// Opens a new session for the same client; its token is used from then on.
    fn login(&self) -> BoxFuture<'_, Result<ReceivedSession, Fault>>;

    /// The newest recovery ticket, and its version.
    fn ticket(&self) -> BoxFuture<'_, Result<(String, u64), Fault>>;
}

/// Access by the meet's password, which stays in memory.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::live::access::{Access, PasswordAccess};
///
/// # let session = hall::session().await?;
/// let access = PasswordAccess::new(session.clone(), "a long password".to_owned(), "desk".to_owned(), "laptop".to_owned());
/// session.leave().await?;
/// assert!(access.ticket().await.is_err());
/// access.login().await?; // The session has the new token.
/// assert!(access.ticket().await.is_ok() && session.info().await.is_ok());
/// # Ok(()) }
/// ```
pub struct PasswordAccess {
    session: Session,
    login: Option<Login>,
}

struct Login {
    password: String,
    location_name: String,
    client_id: String,
}

impl PasswordAccess {
    /// Renews tickets only: nobody has the password.
    pub fn without_password(session: Session) -> PasswordAccess {
        PasswordAccess { session, login: None }
    }

    /// Logs in again where the session has ended.
    pub fn new(session: Session, password: String, location_name: String, client_id: String) -> PasswordAccess {
        PasswordAccess { session, login: Some(Login { password, location_name, client_id }) }
    }
}

impl Access for PasswordAccess {
    fn login(&self) -> BoxFuture<'_, Result<ReceivedSession, Fault>> {
        async move {
            let Some(Login { password, location_name, client_id }) = &self.login else {
                return Err(Fault::NotAuthorised("the session has ended; join the meet again".to_owned()));
            };
            let join = Join { password, location_name, client_id: Some(client_id) };
            let joined = self.session.server().join(self.session.meet(), &join).await?;
            self.session.set_token(joined.session_token.clone());
            Ok(joined)
        }
        .boxed()
    }

    fn ticket(&self) -> BoxFuture<'_, Result<(String, u64), Fault>> {
        async move {
            let info = self.session.info().await?;
            let ticket = info["recoveryTicket"].as_str().zip(info["ticketVersion"].as_u64());
            let (ticket, version) = ticket.ok_or_else(|| Fault::Unreadable("the server told no ticket".to_owned()))?;
            Ok((ticket.to_owned(), version))
        }
        .boxed()
    }
}
