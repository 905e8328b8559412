//! The flood limit of a client IP, on the rate-limit bindings: near and cheap, and only roughly exact.

use worker::RateLimiter;

use crate::{
    app::{Gate, GateFault},
    ledger::{Account, ClientIp},
};

/// The rate-limit bindings.
pub struct FloodLimit {
    /// Of an IPv4 address or an IPv6 /64.
    pub client_ip: RateLimiter,
    /// Of an IPv6 /48.
    pub site: RateLimiter,
}

impl Gate for FloodLimit {
    async fn admits(&self, client_ip: &ClientIp) -> Result<bool, GateFault> {
        let passes = has_room(&self.client_ip, client_ip.account()).await?;
        match client_ip.site() {
            Some(site) if passes => has_room(&self.site, site).await,
            _ => Ok(passes),
        }
    }
}

async fn has_room(limiter: &RateLimiter, account: &Account) -> Result<bool, GateFault> {
    let outcome = limiter.limit(account.to_string()).await;
    outcome.map(|outcome| outcome.success).map_err(|error| GateFault(error.to_string()))
}
