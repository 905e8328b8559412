//! The API of administrators: they see what database and ledgers hold, and ban.

mod bans;
mod bucket;
mod events;
mod query;
mod sessions;
mod stats;
mod status;
mod uploaders;
mod user;
mod webhooks;

use edge_auth::Principal;
use edge_types::{Role, Subject, UploadLimits};
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::App,
    body::BodyStream,
    context::RequestContext,
    endpoint::AdminEndpoint,
    ports::{Ports, StoreContent},
    response::{self, Body, HandlerResult, Response},
};
use query::Query;

/// Serves an administrator, who is authorized already.
///
/// # Errors
/// `MALFORMED_REQUEST` for an invalid query or body.
pub async fn handle<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: Principal,
    endpoint: AdminEndpoint,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let request = AdminRequest { app, context, caller };
    let query = || Query::read(context.head);
    match endpoint {
        AdminEndpoint::Status => request.status().await,
        AdminEndpoint::Stats => request.stats(&query()?).await,
        AdminEndpoint::Uploaders => request.uploaders(&query()?).await,
        AdminEndpoint::Events => request.events(&query()?).await,
        AdminEndpoint::Bans => request.bans().await,
        AdminEndpoint::Ban => request.ban(body).await,
        AdminEndpoint::Unban(subject) => request.unban(&subject).await,
        AdminEndpoint::UnbanErased(name) => request.unban_erased(&name).await,
        AdminEndpoint::User(user) => request.user(user, &query()?).await,
        AdminEndpoint::Sessions(user) => request.sessions(&user).await,
        AdminEndpoint::EndSessions(user) => request.end_sessions(&user, None).await,
        AdminEndpoint::EndSession(user, id) => request.end_sessions(&user, Some(&id)).await,
        AdminEndpoint::BindBucket => request.bind_bucket().await,
        AdminEndpoint::Webhooks => request.webhooks(&query()?).await,
        AdminEndpoint::ResendEvents => request.resend_events(body).await,
        AdminEndpoint::PingWebhook => request.ping_webhook().await,
    }
}

struct AdminRequest<'a, P> {
    app: &'a App<P>,
    context: &'a RequestContext<'a>,
    caller: Principal,
}

impl<P: Ports> AdminRequest<'_, P> {
    fn success(
        &self,
        status: StatusCode,
        message: &str,
        data: &impl Serialize,
    ) -> Response<Body<StoreContent<P>>> {
        response::success(status, message, data, self.app.ports.now_ms())
    }

    /// The limits of a subject. Only a token shows the role of a user, but an id shows a guest.
    fn upload_limits(&self, subject: &Subject) -> UploadLimits {
        let is_guest = matches!(subject, Subject::User(user) if user.is_guest());
        self.app.config.limits.of_role(if is_guest { Role::Guest } else { Role::User })
    }
}
