//! Conditional requests and ranges (RFC 9110 §13 and §14): pure decisions over headers, an entity tag and a date.

use std::time::{Duration, UNIX_EPOCH};

use edge_storage::Span;
use http::{HeaderName, Method, header, request::Parts};

use crate::request::text_header;

/// The validators of a picture.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// Quoted, strong.
    pub etag: &'a str,
    pub modified_s: u64,
}

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    Whole,
    Part(Span),
    /// 304: the client has it.
    NotModified,
    /// 412
    PreconditionFailed,
    /// 416
    Unsatisfiable,
}

/// Evaluates the conditions in the order of RFC 9110 §13.2.2.
pub fn select(head: &Parts, known: Validators<'_>, size_bytes: u64) -> Selection {
    let value = |name: HeaderName| text_header(head, name);
    let holds = match value(header::IF_MATCH) {
        Some(tags) => names(tags, known.etag, Comparison::Strong),
        None => {
            date(value(header::IF_UNMODIFIED_SINCE)).is_none_or(|date| known.modified_s <= date)
        }
    };
    if !holds {
        return Selection::PreconditionFailed;
    }
    let has_it = match value(header::IF_NONE_MATCH) {
        Some(tags) => names(tags, known.etag, Comparison::Weak),
        None => date(value(header::IF_MODIFIED_SINCE)).is_some_and(|date| known.modified_s <= date),
    };
    if has_it {
        return Selection::NotModified;
    }
    let is_current = value(header::IF_RANGE).is_none_or(|validator| {
        validator == known.etag || date(Some(validator)) == Some(known.modified_s)
    });
    match value(header::RANGE) {
        // Ranges are for GET only (§14.2).
        Some(range) if is_current && head.method == Method::GET => span(range, size_bytes),
        _ => Selection::Whole,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a list of entity tags names this one (§8.8.3.2).
fn names(list: &str, etag: &str, comparison: Comparison) -> bool {
    list.trim() == "*"
        || list.split(',').map(str::trim).any(|tag| match tag.strip_prefix("W/") {
            Some(tag) => comparison == Comparison::Weak && tag == etag,
            None => tag == etag,
        })
}

/// An HTTP date, in seconds since 1970 (RFC 9110 §5.6.7). Anything else is ignored.
fn date(text: Option<&str>) -> Option<u64> {
    let date = httpdate::parse_http_date(text?).ok()?;
    Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// Writes an HTTP date.
pub fn http_date(seconds: u64) -> String {
    /// The end of the year 9999: the format has four digits.
    const MAX_SECONDS: u64 = 253_402_300_799;
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(MAX_SECONDS)))
}

/// One range of bytes (§14.1.2). Several ranges, other units and invalid ranges are answered with the whole, as §14.2
/// allows.
fn span(range: &str, size_bytes: u64) -> Selection {
    let Some((first, last)) = one_range(range) else { return Selection::Whole };
    let (offset, end) = match (first, last) {
        (Some(first), last) => {
            (first, last.map_or(size_bytes, |last| last.saturating_add(1)).min(size_bytes))
        }
        (None, Some(suffix)) => (size_bytes - suffix.min(size_bytes), size_bytes),
        (None, None) => return Selection::Whole,
    };
    match end.checked_sub(offset) {
        Some(length) if length > 0 => Selection::Part(Span { offset, length }),
        _ => Selection::Unsatisfiable,
    }
}

/// `bytes=first-last` with one end left out or none.
fn one_range(range: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, set) = range.split_once('=')?;
    let (first, last) = set.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let position = |text: &str| match text {
        "" => Some(None),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            // A number that overflows lies behind the end in any case.
            Some(Some(text.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    };
    let (first, last) = (position(first)?, position(last)?);
    let is_reversed = matches!((first, last), (Some(first), Some(last)) if last < first);
    (!is_reversed).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const KNOWN: Validators<'static> = Validators { etag: "\"a\"", modified_s: 1_763_114_400 };
    const SAME: &str = "Fri, 14 Nov 2025 10:00:00 GMT";
    const BEFORE: &str = "Fri, 14 Nov 2025 09:59:59 GMT";

    fn asked(headers: &[(&str, &str)]) -> Selection {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        select(&request.body(()).expect("valid").into_parts().0, KNOWN, 100)
    }

    const fn part(offset: u64, length: u64) -> Selection {
        Selection::Part(Span { offset, length })
    }

    #[test]
    fn conditions_are_evaluated_in_order() {
        for (headers, expected) in [
            (&[][..], Selection::Whole),
            (&[("if-none-match", "\"a\"")], Selection::NotModified),
            (&[("if-none-match", "W/\"a\"")], Selection::NotModified),
            (&[("if-none-match", "\"b\", \"a\"")], Selection::NotModified),
            (&[("if-none-match", "*")], Selection::NotModified),
            (&[("if-none-match", "\"b\"")], Selection::Whole),
            (&[("if-none-match", "a")], Selection::Whole),
            (&[("if-none-match", "\"b\""), ("if-modified-since", SAME)], Selection::Whole),
            (&[("if-modified-since", SAME)], Selection::NotModified),
            (&[("if-modified-since", BEFORE)], Selection::Whole),
            (&[("if-modified-since", "never")], Selection::Whole),
            (&[("if-match", "\"a\"")], Selection::Whole),
            (&[("if-match", "W/\"a\"")], Selection::PreconditionFailed),
            (&[("if-match", "\"b\"")], Selection::PreconditionFailed),
            (&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Selection::PreconditionFailed),
            (&[("if-unmodified-since", BEFORE)], Selection::PreconditionFailed),
            (&[("if-unmodified-since", SAME)], Selection::Whole),
        ] {
            assert_eq!(asked(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn one_range_is_served_and_several_are_ignored() {
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=10-", part(10, 90)),
            ("bytes=10-1000", part(10, 90)),
            ("bytes=-5", part(95, 5)),
            ("bytes=-1000", part(0, 100)),
            ("Bytes=0-9", part(0, 10)),
            ("bytes=100-", Selection::Unsatisfiable),
            ("bytes=99999999999999999999999-", Selection::Unsatisfiable),
            ("bytes=-0", Selection::Unsatisfiable),
            ("bytes=5-4", Selection::Whole),
            ("bytes=0-1,5-6", Selection::Whole),
            ("bytes=-", Selection::Whole),
            ("bytes=a-b", Selection::Whole),
            ("bytes=+1-2", Selection::Whole),
            ("lines=0-1", Selection::Whole),
            ("nonsense", Selection::Whole),
        ] {
            assert_eq!(asked(&[("range", range)]), expected, "{range}");
        }
        let head = Request::head("/").header("range", "bytes=0-0").body(()).expect("valid");
        assert_eq!(
            select(&head.into_parts().0, KNOWN, 100),
            Selection::Whole,
            "ranges are for GET"
        );
    }

    #[test]
    fn a_failed_if_range_gets_the_whole_image() {
        let range = ("range", "bytes=0-9");
        assert_eq!(asked(&[range, ("if-range", "\"a\"")]), part(0, 10));
        assert_eq!(asked(&[range, ("if-range", SAME)]), part(0, 10));
        for other in ["\"b\"", "W/\"a\"", BEFORE, "nonsense"] {
            assert_eq!(asked(&[range, ("if-range", other)]), Selection::Whole, "{other}");
        }
    }

    #[test]
    fn the_three_forms_of_a_date_are_read_and_the_first_is_written() {
        let moment = 784_111_777;
        assert_eq!(http_date(moment), "Sun, 06 Nov 1994 08:49:37 GMT");
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(date(Some(text)), Some(moment), "{text}");
        }
        assert_eq!(date(Some("Friday, 20-Nov-26 19:59:09 GMT")), Some(1_795_204_749));
        assert_eq!(http_date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn an_invalid_date_is_ignored() {
        for text in [
            "",
            "yesterday",
            "0",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 08:49:37 +0900",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(date(Some(text)), None, "{text}");
        }
    }
}
