//! Lists and ends the sessions of any user.

use edge_registry::WhichSessions;
use edge_types::{SessionId, UserId};
use http::StatusCode;

use super::AdminRequest;
use crate::{accounts, ports::Ports, response::HandlerResult};

impl<P: Ports> AdminRequest<'_, P> {
    pub async fn sessions(&self, user: &UserId) -> HandlerResult<P> {
        let list = accounts::list_sessions_of(self.app, &self.caller, user).await?;
        Ok(self.success(StatusCode::OK, "list_sessions_success", &list))
    }

    /// Ends one session, or all of them.
    pub async fn end_sessions(&self, user: &UserId, id: Option<&SessionId>) -> HandlerResult<P> {
        let only = id.map(|id| WhichSessions::Only(id.as_str()));
        let which = only.unwrap_or(WhichSessions::All);
        let ended =
            accounts::end_sessions_of(self.app, self.context, &self.caller, user, which).await?;
        let message = if id.is_some() { "end_session_success" } else { "end_sessions_success" };
        Ok(self.success(StatusCode::OK, message, &ended))
    }
}
