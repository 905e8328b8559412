//! The policies of forms on D1.

use edge_registry::{FormPictures, FormRow, FormStore, NewForm, RegistryError};
use edge_types::FormName;
use worker::D1Type;

use super::{D1Registry, json, no_row, number};

const GET_FORM: &str = "SELECT * FROM forms WHERE name = ?1";
/// A form that is counted stays counted since then; one that gets a limit now is counted from now on.
const PUT_FORM: &str = "INSERT INTO forms \
     (name, policy, counted_since_ms, deleted_ms, created_ms, updated_ms) \
     VALUES (?1, ?2, ?3, ?5, ?4, ?4) ON CONFLICT (name) DO UPDATE SET policy = excluded.policy, \
     counted_since_ms = CASE WHEN excluded.counted_since_ms IS NULL THEN NULL \
     ELSE COALESCE(counted_since_ms, excluded.counted_since_ms) END, \
     deleted_ms = excluded.deleted_ms, updated_ms = excluded.updated_ms RETURNING *";
const FORMS: &str = "SELECT * FROM forms WHERE name > ?1 ORDER BY name LIMIT ?2";
const COUNT_PICTURES: &str = "SELECT value AS form_id, (SELECT COUNT(*) FROM \
     (SELECT 1 FROM images WHERE form_id = value LIMIT ?2)) AS count FROM json_each(?1)";
// As `UPLOADERS` in `audit.rs`: the images of a time are found by the last number of the hour before.
const FORM_PICTURES: &str = "SELECT form_id, COUNT(*) AS count FROM images NOT INDEXED \
     WHERE id > COALESCE((SELECT last_image_id \
     FROM image_hours WHERE hour <= ?1 / 3600000 ORDER BY hour DESC LIMIT 1), 0) \
     AND created_ms >= ?1 AND form_id IS NOT NULL GROUP BY form_id ORDER BY count DESC, form_id LIMIT ?2";
const COUNT_FORM_PICTURES: &str = "SELECT COUNT(*) AS count FROM images NOT INDEXED \
     WHERE id > COALESCE((SELECT last_image_id \
     FROM image_hours WHERE hour <= ?1 / 3600000 ORDER BY hour DESC LIMIT 1), 0) \
     AND created_ms >= ?1 AND form_id IS NOT NULL";

impl FormStore for D1Registry {
    async fn form(&self, name: &FormName) -> Result<Option<FormRow>, RegistryError> {
        self.first(GET_FORM, &[D1Type::Text(name.as_str())]).await
    }

    async fn put_form(&self, form: NewForm<'_>) -> Result<FormRow, RegistryError> {
        let now = number(form.now_ms);
        let counted_since = if form.has_limit { number(form.now_ms) } else { D1Type::Null };
        let values = [
            D1Type::Text(form.name.as_str()),
            D1Type::Text(form.policy),
            counted_since,
            now,
            form.deleted_ms.map_or(D1Type::Null, number),
        ];
        self.first(PUT_FORM, &values).await?.ok_or_else(no_row)
    }

    async fn forms(&self, after: &str, limit: u32) -> Result<Vec<FormRow>, RegistryError> {
        self.rows(FORMS, &[D1Type::Text(after), number(limit.into())]).await
    }

    async fn count_pictures(
        &self,
        forms: &[&str],
        most: u32,
    ) -> Result<Vec<FormPictures>, RegistryError> {
        self.rows(COUNT_PICTURES, &[D1Type::Text(&json(&forms)?), number(most.into())]).await
    }

    async fn form_pictures(
        &self,
        since_ms: u64,
        limit: u32,
    ) -> Result<Vec<FormPictures>, RegistryError> {
        self.rows(FORM_PICTURES, &[number(since_ms), number(limit.into())]).await
    }

    async fn count_form_pictures(&self, since_ms: u64) -> Result<u64, RegistryError> {
        self.count(COUNT_FORM_PICTURES, &[number(since_ms)]).await
    }
}
