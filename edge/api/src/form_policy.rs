//! The policy of a form as JSON: read strictly, each mistake with the name of its field.

use edge_types::{Problem, parse_timestamp, timestamp};
use image_rules::{AspectRatio, Format, Formats, Limits, Policy};
use serde_json::{Map, Value};

/// What a form allows. What it does not say is as in the deployment's policy, which is the ceiling.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the policy")]
pub struct FormPolicy {
    accept: Option<Formats>,
    max_bytes: Option<u64>,
    pub max_files: Option<u32>,
    pub max_files_per_user: Option<u32>,
    max_edge: Option<u32>,
    quality: Option<u8>,
    min_width: Option<u32>,
    min_height: Option<u32>,
    aspect_ratio: Option<AspectRatio>,
    pub guests: bool,
    /// Whether only signed URLs may read its pictures.
    pub is_private: bool,
    /// Whether its pictures are held until somebody releases them.
    pub is_reviewed: bool,
    /// Whether an upload waits for the answer of the back end.
    pub waits_for_back_end: bool,
    /// After how long a pending picture expires.
    pub pending_s: Option<u32>,
    pub opens_ms: Option<u64>,
    pub closes_ms: Option<u64>,
}

/// The fields, each with its values.
const FIELDS: [(&str, &str); 16] = [
    ("accept", "a list of image/jpeg, image/png, image/gif and image/webp"),
    ("maxBytes", "a whole number from 1024"),
    ("maxFiles", "a whole number from 1 to 1000000"),
    ("maxFilesPerUser", "a whole number from 1 to 1000000"),
    ("maxEdge", "a whole number from 16 to 16384"),
    ("quality", "a whole number from 1 to 100"),
    ("minWidth", "a whole number from 1 to 16384"),
    ("minHeight", "a whole number from 1 to 16384"),
    ("aspectRatio", "a ratio of whole numbers up to 1000, such as 4:3"),
    ("guests", "true or false"),
    ("visibility", "public or private"),
    ("review", "none or held"),
    ("callback", "none or wait"),
    ("pendingSeconds", "a whole number from 1 to 604800"),
    ("opensAt", "a moment in RFC 3339, such as 2026-12-31T15:00:00Z"),
    ("closesAt", "a moment in RFC 3339, such as 2026-12-31T15:00:00Z"),
];

const VISIBILITY: [&str; 2] = ["public", "private"];
const REVIEW: [&str; 2] = ["none", "held"];
const MAX_FILES: u64 = 1_000_000;
const MAX_EDGE: u64 = 16_384;
/// A week, as for `PENDING_S`.
const MAX_PENDING_S: u64 = 604_800;

impl FormPolicy {
    /// Nothing but what the deployment allows.
    const OPEN: Self = Self {
        accept: None,
        max_bytes: None,
        max_files: None,
        max_files_per_user: None,
        max_edge: None,
        quality: None,
        min_width: None,
        min_height: None,
        aspect_ratio: None,
        guests: true,
        is_private: false,
        is_reviewed: false,
        waits_for_back_end: false,
        pending_s: None,
        opens_ms: None,
        closes_ms: None,
    };

    /// Reads a policy. A field that is `null` is as one that is left out.
    ///
    /// # Errors
    /// `MALFORMED_REQUEST`, with the field.
    pub fn read(json: &Map<String, Value>) -> Result<Self, Problem> {
        let mut policy = Self::OPEN;
        for (name, value) in json {
            let field = FIELDS.iter().find(|(known, _)| known == name);
            let Some((_, expected)) = field else { return Err(Problem::field(name, None)) };
            if !value.is_null() {
                let read = policy.set(name, value);
                read.ok_or_else(|| Problem::field(name, Some(expected)))?;
            }
        }
        policy.check()?;
        Ok(policy)
    }

    /// [`None`] for a value that the field cannot have.
    fn set(&mut self, name: &str, value: &Value) -> Option<()> {
        let number = |least, most| value.as_u64().filter(|it| (least..=most).contains(it));
        let small = |least, most| u32::try_from(number(least, most)?).ok().map(Some);
        let second = |choices: [&str; 2]| {
            let text = value.as_str()?;
            choices.contains(&text).then_some(text == choices[1])
        };
        let moment = || parse_timestamp(value.as_str()?).map(Some);
        match name {
            "accept" => self.accept = Some(formats(value)?),
            // 2^53 is the end of the whole numbers in JSON.
            "maxBytes" => self.max_bytes = Some(number(1024, 1 << 53)?),
            "maxFiles" => self.max_files = small(1, MAX_FILES)?,
            "maxFilesPerUser" => self.max_files_per_user = small(1, MAX_FILES)?,
            "maxEdge" => self.max_edge = small(16, MAX_EDGE)?,
            "quality" => self.quality = Some(u8::try_from(number(1, 100)?).ok()?),
            "minWidth" => self.min_width = small(1, MAX_EDGE)?,
            "minHeight" => self.min_height = small(1, MAX_EDGE)?,
            "aspectRatio" => self.aspect_ratio = Some(AspectRatio::parse(value.as_str()?)?),
            "guests" => self.guests = value.as_bool()?,
            "visibility" => self.is_private = second(VISIBILITY)?,
            "review" => self.is_reviewed = second(REVIEW)?,
            "callback" => {
                self.waits_for_back_end = match value.as_str()? {
                    "none" => false,
                    "wait" => true,
                    _ => return None,
                };
            }
            "pendingSeconds" => self.pending_s = small(1, MAX_PENDING_S)?,
            "opensAt" => self.opens_ms = moment()?,
            "closesAt" => self.closes_ms = moment()?,
            _ => return None,
        }
        Some(())
    }

    /// Checks fields against each other.
    fn check(&self) -> Result<(), Problem> {
        let refuse = |field, expected| Err(Problem::field(field, Some(expected)));
        let has = |format| self.accept.is_none_or(|accept| accept.contains(format));
        if has(Format::WebP) && !(has(Format::Jpeg) && has(Format::Png)) {
            const EXPECTED: &str = "image/jpeg and image/png beside image/webp: large WebP pictures become one of them";
            return refuse("accept", EXPECTED);
        }
        if let Some(max_edge) = self.max_edge {
            const EXPECTED: &str = "at most maxEdge";
            for (field, min) in [("minWidth", self.min_width), ("minHeight", self.min_height)] {
                if min.is_some_and(|min| min > max_edge) {
                    return refuse(field, EXPECTED);
                }
            }
        }
        match (self.opens_ms, self.closes_ms) {
            (Some(opens), Some(closes)) if closes <= opens => {
                refuse("closesAt", "a moment after opensAt")
            }
            _ => Ok(()),
        }
    }

    /// All fields, as they are read.
    pub fn to_json(&self) -> Map<String, Value> {
        let moment = |ms: Option<u64>| ms.map(timestamp).into();
        let values: [Value; 16] = [
            self.accept
                .map(|accept| accept.iter().map(Format::media_type).collect::<Vec<_>>())
                .into(),
            self.max_bytes.into(),
            self.max_files.into(),
            self.max_files_per_user.into(),
            self.max_edge.into(),
            self.quality.into(),
            self.min_width.into(),
            self.min_height.into(),
            self.aspect_ratio.map(|ratio| ratio.to_string()).into(),
            self.guests.into(),
            self.visibility().into(),
            self.review().into(),
            if self.waits_for_back_end { "wait" } else { "none" }.into(),
            self.pending_s.into(),
            moment(self.opens_ms),
            moment(self.closes_ms),
        ];
        let mut json = Map::new();
        for ((name, _), value) in FIELDS.iter().zip(values) {
            json.insert((*name).to_owned(), value);
        }
        json
    }

    pub const fn visibility(&self) -> &'static str {
        let [public, private] = VISIBILITY;
        if self.is_private { private } else { public }
    }

    pub const fn review(&self) -> &'static str {
        let [none, held] = REVIEW;
        if self.is_reviewed { held } else { none }
    }

    /// The field for which URLs must be signed, if there is one.
    pub const fn needs_signed_urls(&self) -> Option<&'static str> {
        if self.is_private {
            Some("visibility")
        } else if self.is_reviewed {
            Some("review")
        } else {
            None
        }
    }

    /// Whether the pictures of the form are counted.
    pub const fn has_limit(&self) -> bool {
        self.max_files.is_some() || self.max_files_per_user.is_some()
    }

    /// The deployment's policy, narrowed by that of the form.
    pub fn narrow(&self, ceiling: &Policy) -> Policy {
        let max_bytes = self.max_bytes.unwrap_or(u64::MAX).min(ceiling.limits.max_bytes);
        let accept = self.accept.unwrap_or(Formats::ALL);
        Policy {
            limits: Limits { max_bytes, ..ceiling.limits },
            max_edge: self.max_edge.unwrap_or(u32::MAX).min(ceiling.max_edge),
            quality: self.quality.unwrap_or(u8::MAX).min(ceiling.quality),
            accepted_types: accept.intersection(ceiling.accepted_types),
            min_width: self.min_width,
            min_height: self.min_height,
            aspect_ratio: self.aspect_ratio,
            ..*ceiling
        }
    }
}

fn formats(value: &Value) -> Option<Formats> {
    let names: Option<Vec<_>> = value.as_array()?.iter().map(Value::as_str).collect();
    Formats::from_media_types(names?)
}

#[cfg(test)]
mod tests {
    use edge_types::{Details, InvalidField};
    use serde_json::json;

    use super::*;

    fn read(json: &Value) -> Result<FormPolicy, Problem> {
        FormPolicy::read(json.as_object().expect("an object"))
    }

    fn all() -> Value {
        json!({
            "accept": ["image/jpeg", "image/png"], "maxBytes": 2_000_000, "maxFilesPerUser": 4, "maxFiles": 10_000,
            "maxEdge": 1024, "quality": 70, "minWidth": 200, "minHeight": 100, "aspectRatio": "1:1", "guests": false,
            "visibility": "private", "review": "held", "callback": "wait", "pendingSeconds": 600,
            "opensAt": "2025-11-14T10:00:00.000Z", "closesAt": "2026-12-31T15:00:00.000Z",
        })
    }

    #[test]
    fn every_field_is_read_and_written_again() {
        let policy = read(&all()).expect("valid");
        assert_eq!(Value::from(policy.to_json()), all());
        assert!(policy.has_limit());
        let open = read(&json!({})).expect("valid");
        assert_eq!(open, FormPolicy::OPEN);
        assert_eq!(read(&Value::from(open.to_json())), Ok(open), "null is nothing");
        assert!(!FormPolicy::OPEN.has_limit());
        assert_eq!(FormPolicy::OPEN.needs_signed_urls(), None);
        for (field, value) in [("visibility", "private"), ("review", "held")] {
            let policy = read(&json!({field: value})).expect("valid");
            assert_eq!(policy.needs_signed_urls(), Some(field));
        }
        for limit in [json!({"maxFiles": 1}), json!({"maxFilesPerUser": 1})] {
            assert!(read(&limit).expect("valid").has_limit());
        }
    }

    #[test]
    fn a_mistake_is_refused_with_its_field() {
        for (field, value) in [
            ("accept", json!([])),
            ("accept", json!("image/jpeg")),
            ("accept", json!(["image/heic"])),
            ("accept", json!(["image/webp"])),
            ("accept", json!(["image/webp", "image/jpeg"])),
            ("maxBytes", json!(1023)),
            ("maxBytes", json!("5 MB")),
            ("maxFiles", json!(0)),
            ("maxFilesPerUser", json!(1_000_001)),
            ("maxEdge", json!(15)),
            ("quality", json!(101)),
            ("quality", json!(80.5)),
            ("minWidth", json!(0)),
            ("minHeight", json!(-1)),
            ("aspectRatio", json!("1")),
            ("guests", json!("yes")),
            ("visibility", json!("secret")),
            ("visibility", json!(true)),
            ("review", json!("before")),
            ("callback", json!("later")),
            ("pendingSeconds", json!(604_801)),
            ("opensAt", json!("tomorrow")),
            ("closesAt", json!(1_763_114_400_000_u64)),
        ] {
            let mut policy = json!({});
            policy[field] = value;
            let problem = read(&policy).expect_err("invalid");
            match problem.details.as_deref() {
                Some(Details::Field(InvalidField { name, expected: Some(_) })) => {
                    assert_eq!(name, field);
                }
                other => panic!("{field}: {other:?}"),
            }
        }
        let problem = read(&json!({"maxfiles": 1})).expect_err("unknown");
        assert_eq!(problem, Problem::field("maxfiles", None));
        for wrong in [
            json!({"maxEdge": 100, "minWidth": 101}),
            json!({"maxEdge": 100, "minHeight": 101}),
            json!({"opensAt": "2025-11-14T10:00:00Z", "closesAt": "2025-11-14T10:00:00Z"}),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_deployment_is_the_ceiling() {
        let narrow = read(&all()).expect("valid").narrow(&Policy::EDGE);
        assert_eq!(
            (narrow.limits.max_bytes, narrow.max_edge, narrow.quality),
            (2_000_000, 1024, 70)
        );
        assert_eq!((narrow.min_width, narrow.min_height), (Some(200), Some(100)));
        assert!(!narrow.accepted_types.contains(Format::Gif));
        let wide = json!({"maxBytes": 1_u64 << 40, "maxEdge": 16_384, "quality": 100});
        assert_eq!(read(&wide).expect("valid").narrow(&Policy::EDGE), Policy::EDGE);
        assert_eq!(FormPolicy::OPEN.narrow(&Policy::EDGE), Policy::EDGE);
    }
}
