//! `OIDC_PROVIDERS`: a JSON array with one object for each provider that people sign in with. Every fault is named by its
//! field.

use core::fmt;

use edge_auth::KeyServerUrl;
use edge_types::Reader;
use serde_json::Value;

const VARIABLE: &str = "OIDC_PROVIDERS";
const MAX_PROVIDERS: usize = 20;
const FIELDS: [&str; 9] = [
    "name",
    "type",
    "title",
    "titleKo",
    "issuer",
    "clientId",
    "scope",
    "trustEmail",
    "responseMode",
];

/// Sign-in with providers.
#[derive(Debug)]
pub struct SignInSettings {
    pub providers: Vec<Provider>,
    /// Where people may be sent afterwards, the default first.
    pub return_urls: Vec<String>,
}

/// A provider.
pub struct Provider {
    /// In the paths of its endpoints.
    pub name: String,
    /// For people, in English and Korean.
    pub titles: [String; 2],
    pub issuer: String,
    pub client_id: String,
    pub secret: Option<String>,
    pub scope: String,
    /// Whether its word counts that an address is verified.
    pub trusts_email: bool,
    /// Whether it answers by a form of its page.
    pub posts_form: bool,
    /// OAuth 2 with a profile, instead of OpenID Connect.
    pub is_naver: bool,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.name)
    }
}

impl SignInSettings {
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        const EXPECTED: &str = "as docs/sign-in.md describes it";
        const RETURN: &str = "absolute https URLs separated by commas (http only for localhost), with OIDC_PROVIDERS";
        let text = reader.text("OIDC_PROVIDERS")?;
        let document = serde_json::from_str::<Value>(&text).unwrap_or_default();
        let items = document.as_array().map(Vec::as_slice).unwrap_or_default();
        if items.is_empty() || items.len() > MAX_PROVIDERS {
            reader.problem(VARIABLE, "a JSON array of 1 to 20 objects");
        }
        let mut providers: Vec<Provider> = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let fault = match provider(reader, item) {
                Err(field) => field,
                Ok(new) if providers.iter().any(|it| it.name == new.name) => "name",
                // Two clients of one issuer would know one person by one subject, or by two.
                Ok(new) if providers.iter().any(|it| it.issuer == new.issuer) => "issuer",
                Ok(new) => {
                    providers.push(new);
                    continue;
                }
            };
            reader.problem(format!("{VARIABLE}[{at}].{fault}"), EXPECTED);
        }
        let urls = reader.text("OIDC_RETURN_URLS").unwrap_or_default();
        let return_urls: Vec<_> = urls.split(',').map(|url| url.trim().to_owned()).collect();
        // They stand in a header.
        let is_url = |url: &String| {
            url.bytes().all(|byte| byte.is_ascii_graphic())
                && KeyServerUrl::parse(url.split('#').next().unwrap_or_default()).is_some()
        };
        if !return_urls.iter().all(is_url) {
            reader.problem("OIDC_RETURN_URLS", RETURN);
        }
        Some(Self { providers, return_urls })
    }
}

/// The error is the field that is wrong, or `*` for another field or no object.
fn provider(reader: &Reader<'_>, item: &Value) -> Result<Provider, &'static str> {
    let object = item.as_object().ok_or("*")?;
    if object.keys().any(|field| !FIELDS.contains(&field.as_str())) {
        return Err("*");
    }
    let text = |field: &'static str| match object.get(field) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(field),
    };
    let name = text("name")?.filter(|name| is_name(name)).ok_or("name")?;
    let kind = text("type")?.unwrap_or_default();
    let oidc = "openid email";
    // Issuer, titles, scope, and whether its word counts for addresses.
    let (issuer, titles, scope, trusts) = match kind {
        "" => ("", [name; 2], oidc, true),
        "google" => ("https://accounts.google.com", ["Google"; 2], oidc, true),
        "apple" => ("https://appleid.apple.com", ["Apple"; 2], oidc, true),
        "kakao" => ("https://kauth.kakao.com", ["Kakao", "카카오"], "openid account_email", false),
        "naver" => ("https://nid.naver.com", ["Naver", "네이버"], "", false),
        _ => return Err("type"),
    };
    // Without a query, because a path is added. Of a known provider only for tests.
    let is_issuer = |it: &&str| {
        KeyServerUrl::parse(it).is_some()
            && !it.contains('?')
            && (kind.is_empty() || it.starts_with("http://"))
    };
    let issuer = match text("issuer")? {
        None if kind.is_empty() => return Err("issuer"),
        None => issuer,
        given => given.filter(is_issuer).ok_or("issuer")?,
    };
    let trusts_email = match object.get("trustEmail") {
        None => trusts,
        Some(value) => value.as_bool().ok_or("trustEmail")? && trusts,
    };
    let posts_form = match text("responseMode")? {
        None => kind == "apple",
        Some("form_post") => true,
        Some("query") => false,
        Some(_) => return Err("responseMode"),
    };
    let title = text("title")?;
    Ok(Provider {
        titles: [title.unwrap_or(titles[0]), text("titleKo")?.or(title).unwrap_or(titles[1])]
            .map(str::to_owned),
        issuer: issuer.to_owned(),
        client_id: text("clientId")?.filter(|id| !id.is_empty()).ok_or("clientId")?.to_owned(),
        secret: reader.text(&format!("OIDC_SECRET_{}", name.to_ascii_uppercase())),
        scope: text("scope")?.unwrap_or(scope).to_owned(),
        trusts_email,
        posts_form,
        is_naver: kind == "naver",
        name: name.to_owned(),
    })
}

/// Whether it is the name of a provider.
pub fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (2..=12).contains(&text.len()) && text.bytes().all(allowed) && text != "link"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(providers: &'static str, urls: &'static str) -> Result<SignInSettings, Vec<String>> {
        let variables = BTreeMap::from([
            (VARIABLE, providers),
            ("OIDC_RETURN_URLS", urls),
            ("OIDC_SECRET_GOOGLE", "a-secret"),
        ]);
        let mut reader = Reader::new(&variables);
        let settings = SignInSettings::read(&mut reader);
        let problems = reader.problems.into_iter().map(|it| it.variable.into_owned());
        settings.ok_or_else(Vec::new).and_then(|settings| {
            let problems: Vec<_> = problems.collect();
            if problems.is_empty() { Ok(settings) } else { Err(problems) }
        })
    }

    const URL: &str = "https://app.example/in";

    #[test]
    fn providers_are_known_or_have_an_issuer() {
        let settings = read(
            r#"[{"name":"google","type":"google","clientId":"a"},{"name":"apple","type":"apple","clientId":"b"},
            {"name":"kakao","type":"kakao","clientId":"c","trustEmail":true},
            {"name":"work","issuer":"https://login.example","clientId":"d","title":"Work","titleKo":"회사"}]"#,
            URL,
        )
        .expect("valid");
        let [google, apple, kakao, work] = &settings.providers[..] else { panic!("four") };
        assert_eq!(google.secret.as_deref(), Some("a-secret"));
        assert!(!format!("{settings:?}").contains("a-secret"));
        assert!(apple.posts_form && !google.posts_form && !kakao.trusts_email && work.trusts_email);
        assert_eq!(kakao.titles[1], "카카오");
        assert_eq!(work.titles, ["Work", "회사"].map(str::to_owned));
    }

    #[test]
    fn every_fault_is_named() {
        let named = |field: &str| Err(vec![format!("{VARIABLE}{field}")]);
        for (providers, field) in [
            (r#"[{"name":"link","type":"google","clientId":"a"}]"#, "[0].name"),
            (r#"[{"name":"x1","type":"myspace","clientId":"a"}]"#, "[0].type"),
            (r#"[{"name":"x1","clientId":"a"}]"#, "[0].issuer"),
            (r#"[{"name":"x1","issuer":"http://login.example","clientId":"a"}]"#, "[0].issuer"),
            (
                r#"[{"name":"x1","type":"google","issuer":"https://x.example","clientId":"a"}]"#,
                "[0].issuer",
            ),
            (r#"[{"name":"x1","type":"google"}]"#, "[0].clientId"),
            (r#"[{"name":"x1","type":"google","clientId":"a","secret":"s"}]"#, "[0].*"),
            (
                r#"[{"name":"x1","type":"google","clientId":"a"},{"name":"x2","type":"google","clientId":"b"}]"#,
                "[1].issuer",
            ),
            (
                r#"[{"name":"x1","type":"google","clientId":"a","responseMode":"fragment"}]"#,
                "[0].responseMode",
            ),
        ] {
            assert_eq!(read(providers, URL).map(|_| ()), named(field), "{providers}");
        }
        let google = r#"[{"name":"google","type":"google","clientId":"a"}]"#;
        for urls in
            ["", "/in", "http://app.example/in", "https://a.example/é", "https://a.example,"]
        {
            let problems = read(google, urls).map(|_| ());
            assert_eq!(problems, Err(vec!["OIDC_RETURN_URLS".to_owned()]), "{urls}");
        }
    }
}
