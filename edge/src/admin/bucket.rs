//! An administrator says that this bucket belongs to this database.

use http::StatusCode;
use serde::Serialize;

use super::Desk;
use crate::{
    app::Ports,
    binding::{self, BindingFault, StoreBinding},
    error::Failure,
    registry::Event,
    response::Answer,
    route::Body,
};

#[derive(Serialize)]
struct Bound {
    before: &'static str,
    bucket: &'static str,
}

impl<P: Ports> Desk<'_, P> {
    /// On record before it is done, so that no binding is without its event.
    pub(super) async fn bind_bucket(&self) -> Result<Answer<Body<P>>, Failure> {
        let before = binding::check(self.app).await?;
        if before != StoreBinding::Bound {
            let at_ms = self.app.ports.now_ms();
            self.app
                .record(Event {
                    mark: format!("bind#{at_ms}"),
                    at_ms,
                    kind: "bind".to_owned(),
                    subject: "store".to_owned(),
                    reason: before.name().to_owned(),
                    until_ms: None,
                    detail: Some(format!("by {}", self.caller.user())),
                })
                .await;
            binding::write(self.app).await?;
        }
        let bucket = binding::check(self.app).await?.name();
        let data = Bound { before: before.name(), bucket };
        Ok(self.tell(StatusCode::OK, "bind_bucket_success", &data))
    }
}

impl From<BindingFault> for Failure {
    fn from(fault: BindingFault) -> Self {
        match fault {
            BindingFault::Registry(fault) => fault.into(),
            BindingFault::Store(fault) => fault.into(),
        }
    }
}
