//! A registry in memory, for tests.

use std::cell::RefCell;

use super::{ImageId, NewRow, Registry, RegistryFault};

/// Keeps keys in order of registration; fails when told to.
#[derive(Default)]
pub struct MemoryRegistry {
    /// The keys of the rows; the first has the number 1.
    pub keys: RefCell<Vec<String>>,
    /// Whether it fails.
    pub broken: bool,
}

impl Registry for MemoryRegistry {
    async fn add(&self, row: NewRow<'_>) -> Result<ImageId, RegistryFault> {
        self.probe().await?;
        let mut keys = self.keys.borrow_mut();
        keys.push(row.key.to_string());
        Ok(ImageId(keys.len() as u64))
    }

    async fn probe(&self) -> Result<(), RegistryFault> {
        if self.broken { Err(RegistryFault("told to fail".to_owned())) } else { Ok(()) }
    }
}
