//! New sessions and tickets, which only a server's resources give.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::client::api::{Join, Session};
use crate::client::channel::Fault;
use crate::wire::reply::ReceivedSession;

/// Lets a replica in again.
pub trait Access: Send + Sync {
    /// Opens a new session for the same client; its token is used from then on.
    fn login(&self) -> BoxFuture<'_, Result<ReceivedSession, Fault>>;

    /// The newest recovery ticket, and its version.
    fn ticket(&self) -> BoxFuture<'_, Result<(String, u64), Fault>>;
}

/// Access by the meet's password, which stays in memory.
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
