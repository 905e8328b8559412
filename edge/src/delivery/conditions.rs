//! What a request asks for on condition, and how much of it (RFC 9110 §13 and §14): pure decisions
//! over headers, an entity tag and a date.

use http::{HeaderName, Method, header, request::Parts};

use super::dates;
use crate::{route::text_header, storage::Span};

/// What the picture is known by.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// Quoted, strong.
    pub etag: &'a str,
    /// When it was stored, in whole seconds.
    pub modified_s: i64,
}

/// What is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// This much of it.
    Part(Span),
    /// The caller has it: 304.
    Nothing,
    /// A condition does not hold: 412.
    Failed,
    /// No byte of it: 416.
    Unsatisfiable,
}

/// Decides in the order of RFC 9110 §13.2.2.
#[must_use]
pub fn wanted(head: &Parts, known: Validators<'_>, size_bytes: u64) -> Wanted {
    let value = |name: HeaderName| text_header(head, name);
    let holds = match value(header::IF_MATCH) {
        Some(tags) => names(tags, known.etag, Comparison::Strong),
        None => {
            date(value(header::IF_UNMODIFIED_SINCE)).is_none_or(|date| known.modified_s <= date)
        }
    };
    if !holds {
        return Wanted::Failed;
    }
    let has_it = match value(header::IF_NONE_MATCH) {
        Some(tags) => names(tags, known.etag, Comparison::Weak),
        None => date(value(header::IF_MODIFIED_SINCE)).is_some_and(|date| known.modified_s <= date),
    };
    if has_it {
        return Wanted::Nothing;
    }
    let is_current = value(header::IF_RANGE).is_none_or(|validator| {
        validator == known.etag || date(Some(validator)) == Some(known.modified_s)
    });
    match value(header::RANGE) {
        // Ranges are for GET only (§14.2).
        Some(range) if is_current && head.method == Method::GET => span(range, size_bytes),
        _ => Wanted::Whole,
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

/// What is no date is as good as absent.
fn date(text: Option<&str>) -> Option<i64> {
    dates::read(text?)
}

/// One range of bytes (§14.1.2). Several, other units and what cannot be read are answered with the
/// whole, as §14.2 allows.
fn span(range: &str, size_bytes: u64) -> Wanted {
    let Some((first, last)) = one_range(range) else { return Wanted::Whole };
    let (offset, end) = match (first, last) {
        (Some(first), last) => {
            (first, last.map_or(size_bytes, |last| last.saturating_add(1)).min(size_bytes))
        }
        (None, Some(suffix)) => (size_bytes - suffix.min(size_bytes), size_bytes),
        (None, None) => return Wanted::Whole,
    };
    match end.checked_sub(offset) {
        Some(length) if length > 0 => Wanted::Part(Span { offset, length }),
        _ => Wanted::Unsatisfiable,
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
            // More digits than a number holds lie behind the end in any case.
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

    fn asked(headers: &[(&str, &str)]) -> Wanted {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        wanted(&request.body(()).expect("valid").into_parts().0, KNOWN, 100)
    }

    const fn part(offset: u64, length: u64) -> Wanted {
        Wanted::Part(Span { offset, length })
    }

    #[test]
    fn conditions_are_weighed_in_order() {
        for (headers, expected) in [
            (&[][..], Wanted::Whole),
            (&[("if-none-match", "\"a\"")], Wanted::Nothing),
            (&[("if-none-match", "W/\"a\"")], Wanted::Nothing),
            (&[("if-none-match", "\"b\", \"a\"")], Wanted::Nothing),
            (&[("if-none-match", "*")], Wanted::Nothing),
            (&[("if-none-match", "\"b\"")], Wanted::Whole),
            (&[("if-none-match", "a")], Wanted::Whole),
            (&[("if-none-match", "\"b\""), ("if-modified-since", SAME)], Wanted::Whole),
            (&[("if-modified-since", SAME)], Wanted::Nothing),
            (&[("if-modified-since", BEFORE)], Wanted::Whole),
            (&[("if-modified-since", "never")], Wanted::Whole),
            (&[("if-match", "\"a\"")], Wanted::Whole),
            (&[("if-match", "W/\"a\"")], Wanted::Failed),
            (&[("if-match", "\"b\"")], Wanted::Failed),
            (&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Wanted::Failed),
            (&[("if-unmodified-since", BEFORE)], Wanted::Failed),
            (&[("if-unmodified-since", SAME)], Wanted::Whole),
        ] {
            assert_eq!(asked(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn one_range_is_cut_out_and_the_rest_ignored() {
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=10-", part(10, 90)),
            ("bytes=10-1000", part(10, 90)),
            ("bytes=-5", part(95, 5)),
            ("bytes=-1000", part(0, 100)),
            ("Bytes=0-9", part(0, 10)),
            ("bytes=100-", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("nonsense", Wanted::Whole),
        ] {
            assert_eq!(asked(&[("range", range)]), expected, "{range}");
        }
        let head = Request::head("/").header("range", "bytes=0-0").body(()).expect("valid");
        assert_eq!(wanted(&head.into_parts().0, KNOWN, 100), Wanted::Whole, "ranges are for GET");
    }

    #[test]
    fn a_range_of_another_picture_is_the_whole_of_this_one() {
        let range = ("range", "bytes=0-9");
        assert_eq!(asked(&[range, ("if-range", "\"a\"")]), part(0, 10));
        assert_eq!(asked(&[range, ("if-range", SAME)]), part(0, 10));
        for other in ["\"b\"", "W/\"a\"", BEFORE, "nonsense"] {
            assert_eq!(asked(&[range, ("if-range", other)]), Wanted::Whole, "{other}");
        }
    }
}
