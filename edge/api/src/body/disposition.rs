//! The `Content-Disposition` of a form part (RFC 7578 §4.2, RFC 6266): the name of the field and of the file.

use percent_encoding::percent_decode_str;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    pub name: String,
    /// The file's name; empty for a file field in which nothing was chosen.
    pub file_name: Option<String>,
}

impl Disposition {
    /// From the header's value, when it is that of a form's part.
    pub fn parse(value: &[u8]) -> Option<Self> {
        // Names come as UTF-8 from every browser; what is not is shown as far as it can be.
        let value = String::from_utf8_lossy(value);
        let (kind, mut rest) = value.split_once(';').unwrap_or((&value, ""));
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return None;
        }
        let (mut name, mut plain, mut extended) = (None, None, None);
        while !rest.trim().is_empty() {
            let (key, after) = rest.split_once('=')?;
            let (text, after) = parameter_value(after.trim_start());
            match key.trim().to_ascii_lowercase().as_str() {
                "name" => name = name.or(Some(text)),
                "filename" => plain = plain.or(Some(text)),
                "filename*" => extended = extended.or_else(|| extended_value(&text)),
                _ => {}
            }
            rest = after;
        }
        Some(Self { name: name?, file_name: extended.or(plain) })
    }
}

/// The value of a parameter, and what follows the semicolon behind it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, rest) = text.split_once(';').unwrap_or((text, ""));
        return (token.trim_end().to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let rest = quoted.get(at + 1..).unwrap_or_default();
                return (unescaped(&value), rest.split_once(';').map_or("", |(_, rest)| rest));
            }
            // Only a quotation mark and a backslash are escaped: old browsers send folders with
            // backslashes and escape nothing.
            '\\' if matches!(characters.peek(), Some((_, '"' | '\\'))) => {
                value.extend(characters.next().map(|(_, escaped)| escaped));
            }
            _ => value.push(character),
        }
    }
    (unescaped(&value), "")
}

/// Browsers write a quotation mark and line ends in names as `%22`, `%0D` and `%0A` and nothing
/// else so (the HTML standard's multipart encoding).
fn unescaped(name: &str) -> String {
    name.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

/// `UTF-8''%e2%82%ac` (RFC 8187 §3.2); other character sets are as good as absent.
fn extended_value(text: &str) -> Option<String> {
    let (charset, rest) = text.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    let is_utf8 = charset.eq_ignore_ascii_case("utf-8");
    let decoded = percent_decode_str(encoded).decode_utf8();
    decoded.ok().filter(|_| is_utf8).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<(String, Option<String>)> {
        let Disposition { name, file_name } = Disposition::parse(value.as_bytes())?;
        Some((name, file_name))
    }

    #[test]
    fn parameters_are_read_as_clients_write_them() {
        for (value, name, file_name) in [
            ("form-data; name=\"a\"", "a", None),
            ("Form-Data;name=a;filename=b.jpg", "a", Some("b.jpg")),
            ("form-data; name=\"a;b=c\"; filename=\"d;e.jpg\"", "a;b=c", Some("d;e.jpg")),
            ("form-data; filename=\"프로필.jpg\"; name=\"image\"", "image", Some("프로필.jpg")),
            ("form-data; name=\"a\"; filename=\"q\\\"q\\\\.jpg\"", "a", Some("q\"q\\.jpg")),
            ("form-data; name=\"a\"; filename=\"q%22q.jpg\"", "a", Some("q\"q.jpg")),
            (
                "form-data; name=\"a\"; filename=\"C:\\photos\\me.jpg\"",
                "a",
                Some("C:\\photos\\me.jpg"),
            ),
            ("form-data; name=\"a\"; filename=\"\"", "a", Some("")),
            (
                "form-data; name=\"a\"; filename=\"x.jpg\"; filename*=UTF-8''%ED%94%84.jpg",
                "a",
                Some("프.jpg"),
            ),
            (
                "form-data; name=\"a\"; filename*=latin1'en'%A3.jpg; filename=x.jpg",
                "a",
                Some("x.jpg"),
            ),
            ("form-data; name=\"a\"; name=\"b\"", "a", None),
        ] {
            let expected = Some((name.to_owned(), file_name.map(str::to_owned)));
            assert_eq!(parsed(value), expected, "{value}");
        }
    }

    #[test]
    fn an_invalid_content_disposition_is_rejected() {
        for value in ["", "form-data", "form-data;", "attachment; name=\"a\"", "form-data; name"] {
            assert_eq!(parsed(value), None, "{value}");
        }
    }
}
