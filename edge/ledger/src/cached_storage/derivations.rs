//! The rows of derived pictures. Whether there are any is kept in memory: most ledgers have none.

use edge_storage::UploadKey;

use super::CachedStorage;
use crate::{Derivation, LedgerStorage, storage::StorageResult};

impl<S: LedgerStorage> CachedStorage<S> {
    pub fn derivations(&self, upload: &UploadKey) -> StorageResult<Vec<Derivation>> {
        if self.has_derivations()? { self.rows.derivations(upload) } else { Ok(Vec::new()) }
    }

    pub fn write_derivation(&self, derivation: &Derivation) -> StorageResult<()> {
        self.rows.write_derivation(derivation)?;
        self.has_derivations.set(Some(true));
        Ok(())
    }

    pub fn delete_derivation(&self, upload: &UploadKey, name: &str) -> StorageResult<()> {
        self.has_derivations.set(None);
        self.rows.delete_derivation(upload, name)
    }

    pub fn delete_derivations(&self, upload: &UploadKey) -> StorageResult<()> {
        if self.has_derivations()? {
            self.has_derivations.set(None);
            self.rows.delete_derivations(upload)?;
        }
        Ok(())
    }

    pub(super) fn has_derivations(&self) -> StorageResult<bool> {
        if let Some(known) = self.has_derivations.get() {
            return Ok(known);
        }
        let has = self.rows.has_derivations()?;
        self.has_derivations.set(Some(has));
        Ok(has)
    }
}
