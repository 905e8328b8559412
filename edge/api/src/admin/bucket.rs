//! Binds the bucket to the database on behalf of an administrator.

use edge_registry::Event;
use edge_storage::BucketBinding;
use http::StatusCode;
use serde::Serialize;

use super::AdminRequest;
use crate::{bucket_binding, ports::Ports, response::HandlerResult};

#[derive(Serialize)]
struct Bound {
    before: &'static str,
    bucket: &'static str,
}

impl<P: Ports> AdminRequest<'_, P> {
    /// The event is written first, so that no binding is without one.
    pub async fn bind_bucket(&self) -> HandlerResult<P> {
        let before = bucket_binding::check(self.app).await?;
        if before != BucketBinding::Bound {
            let at_ms = self.app.ports.now_ms();
            self.app
                .record(Event {
                    idempotency_key: format!("bind#{at_ms}"),
                    at_ms,
                    kind: "bind".to_owned(),
                    subject: "store".to_owned(),
                    reason: before.into_str().to_owned(),
                    until_ms: None,
                    detail: Some(format!("by {}", self.caller.user())),
                })
                .await;
            bucket_binding::bind(self.app).await?;
        }
        let bucket = bucket_binding::check(self.app).await?.into_str();
        let data = Bound { before: before.into_str(), bucket };
        self.app.isolate.readiness.forget();
        Ok(self.success(StatusCode::OK, "bind_bucket_success", &data))
    }
}
