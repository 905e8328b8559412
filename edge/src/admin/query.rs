//! What the queries of administrators ask for, read strictly.

use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::registry::MOST_WHOLE;

/// How many entries a page has unless asked otherwise, and at most.
const PAGE: u32 = 20;
const MOST_PAGE: u32 = 100;
/// How far back is looked unless asked otherwise, and at most: a day, and a month.
const HOURS: u64 = 24;
const MOST_HOURS: u64 = 31 * 24;

/// What is asked for; each address takes what it knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) hours: u64,
    pub(super) limit: u32,
    pub(super) cursor: Option<u64>,
    pub(super) kind: Option<String>,
}

impl Query {
    /// Nothing when a value makes no sense; names that are not ours change nothing.
    pub(super) fn read(head: &Parts) -> Option<Self> {
        let mut query = Self { hours: HOURS, limit: PAGE, cursor: None, kind: None };
        for pair in head.uri.query().unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8().ok()?;
            let number = || value.parse::<u64>().ok();
            match name {
                "hours" => {
                    query.hours = number().filter(|hours| (1..=MOST_HOURS).contains(hours))?;
                }
                "limit" => {
                    let limit = value.parse().ok();
                    query.limit = limit.filter(|limit| (1..=MOST_PAGE).contains(limit))?;
                }
                "cursor" => query.cursor = Some(number().filter(|cursor| *cursor <= MOST_WHOLE)?),
                "kind" => query.kind = Some(kind(&value)?),
                _ => {}
            }
        }
        Some(query)
    }
}

/// The kinds of events are words of ours.
fn kind(text: &str) -> Option<String> {
    let is_word = (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_word.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<Query> {
        let uri = format!("https://edge.example/admin/api/events?{query}");
        Query::read(&http::Request::builder().uri(uri).body(()).expect("valid").into_parts().0)
    }

    #[test]
    fn queries_are_read_strictly() {
        let expected =
            Query { hours: 744, limit: 5, cursor: Some(7), kind: Some("ban".to_owned()) };
        assert_eq!(read("hours=744&limit=5&cursor=7&kind=ban&other=x"), Some(expected));
        assert_eq!(read("").map(|query| (query.hours, query.limit)), Some((24, 20)));
        for wrong in [
            "hours=0",
            "hours=745",
            "limit=0",
            "limit=101",
            "cursor=-1",
            "kind=",
            "kind=a'",
            "cursor=9007199254740992",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
