//! The queries of administrators.

use edge_types::{MAX_SAFE_INTEGER, Problem};
use http::request::Parts;

use crate::request::{self, QueryName};

/// The default and the largest page.
const PAGE: u32 = 20;
const MAX_PAGE: u32 = 100;
/// The default and the longest period: a day, and a month.
const HOURS: u64 = 24;
const MAX_HOURS: u64 = 31 * 24;

/// All parameters; each endpoint uses those that it knows.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    pub hours: u64,
    pub limit: u32,
    pub cursor: Option<u64>,
    pub kind: Option<String>,
}

impl Query {
    /// # Errors
    /// `MALFORMED_REQUEST` for an invalid value or an unknown name.
    pub fn read(head: &Parts) -> Result<Self, Problem> {
        let mut query = Self { hours: HOURS, limit: PAGE, cursor: None, kind: None };
        request::read_query(head, |name, value| {
            let number = || value.parse::<u64>().ok();
            match name {
                "hours" => {
                    query.hours = number().filter(|hours| (1..=MAX_HOURS).contains(hours))?;
                }
                "limit" => {
                    let limit = value.parse().ok();
                    query.limit = limit.filter(|limit| (1..=MAX_PAGE).contains(limit))?;
                }
                "cursor" => {
                    query.cursor = Some(number().filter(|cursor| *cursor <= MAX_SAFE_INTEGER)?);
                }
                "kind" => query.kind = Some(value).filter(|kind| is_kind(kind)).map(Some)?,
                _ => return Some(QueryName::Unknown),
            }
            Some(QueryName::Known)
        })?;
        Ok(query)
    }
}

fn is_kind(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<Query> {
        let uri = format!("https://edge.example/admin/api/events?{query}");
        let head = http::Request::builder().uri(uri).body(()).expect("valid").into_parts().0;
        Query::read(&head).ok()
    }

    #[test]
    fn queries_are_read_strictly() {
        let expected =
            Query { hours: 744, limit: 5, cursor: Some(7), kind: Some("ban".to_owned()) };
        assert_eq!(read("hours=744&limit=5&cursor=7&kind=ban"), Some(expected));
        assert_eq!(read("").map(|query| (query.hours, query.limit)), Some((24, 20)));
        for wrong in [
            "hours=0",
            "hours=745",
            "limit=0",
            "limit=101",
            "cursor=-1",
            "kind=",
            "other=x",
            "kind=a'",
            "cursor=9007199254740992",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
