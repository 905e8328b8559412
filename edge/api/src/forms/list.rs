//! `GET /forms`: the forms that have a policy, each with the number of its pictures.

use edge_registry::FormStore;
use edge_types::FormName;
use http::{StatusCode, request::Parts};
use serde::Serialize;
use serde_json::{Map, Value};

use super::to_json;
use crate::{
    app::App,
    ports::Ports,
    request::{self, QueryName},
    response::{self, HandlerResult},
};

/// The default and the largest page.
const PAGE: u32 = 20;
const MAX_PAGE: u32 = 100;
/// The pictures of a form are counted so far only: a page reads at most a million entries of the index.
const MOST_COUNTED: u32 = 10_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FormPage {
    forms: Vec<Map<String, Value>>,
    next_cursor: Option<String>,
}

/// Lists forms by name.
///
/// # Errors
/// `MALFORMED_REQUEST` for an invalid query.
pub async fn list<P: Ports>(app: &App<P>, head: &Parts) -> HandlerResult<P> {
    let (mut after, mut limit) = (String::new(), PAGE);
    request::read_query(head, |name, value| {
        match name {
            "cursor" => after = FormName::parse(&value)?.to_string(),
            "limit" => {
                limit = value.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit))?;
            }
            _ => return Some(QueryName::Unknown),
        }
        Some(QueryName::Known)
    })?;
    let registry = app.ports.registry();
    // One more than requested shows whether there is another page.
    let mut rows = registry.forms(&after, limit + 1).await?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| has_more).map(|row| row.name.clone());
    let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    let counts = registry.count_pictures(&names, MOST_COUNTED).await?;
    let now_ms = app.ports.now_ms();
    let mut forms = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut form = to_json(row, now_ms)?;
        let count = counts.iter().find(|it| it.form_id == row.name).map_or(0, |it| it.count);
        form.insert("imageCount".to_owned(), count.into());
        forms.push(form);
    }
    let data = FormPage { forms, next_cursor };
    Ok(response::success(StatusCode::OK, "list_forms_success", &data, now_ms))
}
