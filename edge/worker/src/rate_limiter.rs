//! The flood limit of a client IP, by the rate-limit bindings: near the caller, cheap, and only roughly exact.

use edge_api::ports::{RateLimiter, RateLimiterError};
use edge_types::{ClientIp, Subject};

pub struct FloodLimit {
    /// Of an IPv4 address or an IPv6 /64.
    pub client_ip: worker::RateLimiter,
    /// Of an IPv6 /48.
    pub site: worker::RateLimiter,
    /// Of pictures that are read from the store.
    pub reads: worker::RateLimiter,
}

impl RateLimiter for FloodLimit {
    async fn admits(&self, client_ip: &ClientIp) -> Result<bool, RateLimiterError> {
        let is_admitted = admits(&self.client_ip, client_ip.subject()).await?;
        match client_ip.site() {
            Some(site) if is_admitted => admits(&self.site, site).await,
            _ => Ok(is_admitted),
        }
    }

    async fn admits_read(&self, client_ip: &ClientIp) -> Result<bool, RateLimiterError> {
        admits(&self.reads, client_ip.subject()).await
    }
}

async fn admits(
    limiter: &worker::RateLimiter,
    subject: &Subject,
) -> Result<bool, RateLimiterError> {
    let outcome = limiter.limit(subject.to_string()).await;
    outcome.map(|outcome| outcome.success).map_err(|error| RateLimiterError(error.to_string()))
}
