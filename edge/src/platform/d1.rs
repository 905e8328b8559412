//! The registry on a D1 database. Values are bound, never written into the statement.

use serde::Deserialize;
use worker::{D1Database, D1Type};

use crate::registry::{ImageId, NewRow, Registry, RegistryFault};

/// A D1 database.
pub struct D1Registry(pub D1Database);

const INSERT: &str = "INSERT INTO images (key, owner, media_type, width, height, size_bytes, sha256, \
     original_name, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id";

#[derive(Deserialize)]
struct InsertedRow {
    id: u64,
}

impl Registry for D1Registry {
    async fn add(&self, row: NewRow<'_>) -> Result<ImageId, RegistryFault> {
        let owner = row.owner.to_string();
        let values = [
            D1Type::Text(row.key.as_str()),
            D1Type::Text(&owner),
            D1Type::Text(row.format.media_type()),
            number(row.width.into()),
            number(row.height.into()),
            number(row.size_bytes),
            D1Type::Text(row.sha256),
            row.original_name.map_or(D1Type::Null, D1Type::Text),
            number(row.created_ms),
        ];
        let statement = self.0.prepare(INSERT).bind_refs(&values).map_err(failed)?;
        let inserted: Option<InsertedRow> = statement.first(None).await.map_err(failed)?;
        let inserted = inserted.ok_or_else(|| RegistryFault("no row came back".to_owned()))?;
        Ok(ImageId(inserted.id))
    }

    async fn probe(&self) -> Result<(), RegistryFault> {
        // The table, not just the database: a database without its migrations is not ready.
        let statement = self.0.prepare("SELECT id FROM images LIMIT 1");
        statement.run().await.map_err(failed).map(|_| ())
    }
}

/// D1 speaks JavaScript numbers, exact up to 2^53: sizes and milliseconds stay far below.
#[expect(clippy::cast_precision_loss, reason = "all values are below 2^53")]
fn number(value: u64) -> D1Type<'static> {
    D1Type::Real(value as f64)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: worker::Error) -> RegistryFault {
    RegistryFault(error.to_string())
}
