//! Reads the few elements of S3's documents that matter here. It is no XML parser: it finds elements
//! by their plain names, as every S3 service writes them, and decodes their text.

/// The text of the first element of this name.
pub(crate) fn first(document: &str, name: &str) -> Option<String> {
    texts(document, name).next()
}

/// The texts of all elements of this name, in order.
pub(crate) fn texts<'a>(document: &'a str, name: &str) -> impl Iterator<Item = String> + use<'a> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = document;
    core::iter::from_fn(move || {
        let (_, after) = rest.split_once(&open)?;
        let (text, after) = after.split_once(&close)?;
        rest = after;
        Some(decode(text))
    })
}

/// Entities to characters; what is no entity stays as it is.
fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let entity =
            after.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        if let Some((character, after)) = entity {
            decoded.push(character);
            rest = after;
        } else {
            decoded.push('&');
            rest = after;
        }
    }
    decoded.push_str(rest);
    decoded
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_in_order_and_decoded() {
        let document = "<L><Key>a</Key><X/><Key>b&amp;c &#x44;&#69;&lt;</Key><Key>cut";
        assert_eq!(texts(document, "Key").collect::<Vec<_>>(), ["a", "b&c DE<"]);
        assert_eq!(first(document, "Code"), None);
    }

    #[test]
    fn text_that_is_no_entity_is_unchanged() {
        for text in ["&", "&;", "&nbsp;", "&#xD800;", "&#99999999999;", "a & b; c", "&&amp"] {
            assert_eq!(decode(text), text);
        }
        assert_eq!(decode("&amp;lt;"), "&lt;", "decoded once");
    }
}
