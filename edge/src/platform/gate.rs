//! The limit of an address, on the rate-limit binding: cheap, and exact enough to bound guessing.

use worker::RateLimiter;

use crate::app::{Gate, GateFault};

/// The rate-limit binding.
pub struct AddressGate(pub RateLimiter);

impl Gate for AddressGate {
    async fn admits(&self, address: &str) -> Result<bool, GateFault> {
        let outcome = self.0.limit(address.to_owned()).await;
        outcome.map(|outcome| outcome.success).map_err(|error| GateFault(error.to_string()))
    }
}
