//! What the claims of a well-signed token can say that cannot be used.

use serde_json::json;

use super::{
    super::{
        NOW_MS,
        keyring::{Signer, claims},
    },
    Forgeries,
};

pub(super) fn broken_claims(forged: &mut Forgeries, signer: &Signer) {
    let head = signer.head(signer.name());
    let exp = NOW_MS / 1000 + 60;
    let mut texts: Vec<String> = [
        json!({"sub": null}),
        json!({"sub": 123}),
        json!({"sub": ["123"]}),
        json!({"sub": {"id": "123"}}),
        json!({"sub": true}),
        json!({"sub": ""}),
        json!({"sub": "../other"}),
        json!({"sub": "a/b"}),
        json!({"sub": "a b"}),
        json!({"sub": "사용자"}),
        json!({"sub": "x\u{0}"}),
        json!({"sub": "x".repeat(65)}),
        json!({"role": 3}),
        json!({"role": [["ADMIN"]]}),
        json!({"role": {"ADMIN": null}}),
        json!({"iss": 7}),
        json!({"iss": ["a"]}),
        json!({"iss": "urn:the-form:images"}),
        json!({"aud": 7}),
        json!({"aud": ["a", 7]}),
        json!({"aud": {"a": "b"}}),
    ]
    .iter()
    .map(claims)
    .collect();
    texts.extend([
        format!(r#"{{"sub":"123","sub":"123","exp":{exp}}}"#),
        format!(r#"{{"sub":"123","exp":1,"exp":{exp}}}"#),
        format!(r#"{{"sub":"123","exp":{exp},"role":"USER","role":"ADMIN"}}"#),
        format!(r#"{{"sub":"123","exp":{exp},"rol\u0065":"USER","role":"USER"}}"#),
        format!(r#"{{"sub":"123","exp":{exp},"x":[{{"y":1,"y":2}}]}}"#),
        format!(r#"{{"sub":null,"exp":{exp}}}"#),
        format!(r#"{{"sub":"123","exp":{exp},"role":null}}"#),
        format!(r#"["123",{exp}]"#),
        format!(r#"{{"sub":"123","exp":{exp}}}x"#),
        format!(r#"{{"sub":"123","exp":{exp}"#),
        "123".to_owned(),
        "{}".to_owned(),
        String::new(),
    ]);
    for text in texts {
        forged.add(format!("{} with claims {text}", signer.name()), signer.token(&head, &text));
    }
}

pub(super) fn absurd_times(forged: &mut Forgeries, signer: &Signer) {
    let head = signer.head(signer.name());
    let now = NOW_MS / 1000;
    let always_wrong = [
        r#""9999999999""#,
        "null",
        "true",
        "[9999999999]",
        "{}",
        "-1",
        "-9999999999",
        "1e400",
        "1e300",
        "-1e300",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807",
        "-9223372036854775808",
        "-8334601228800",
        "8210266876800",
        "NaN",
        "Infinity",
        "0x7fffffff",
    ];
    for member in ["exp", "nbf", "iat"] {
        for time in always_wrong {
            let rest =
                if member == "exp" { String::new() } else { format!(r#","exp":{}"#, now + 60) };
            let text = format!(r#"{{"sub":"123","{member}":{time}{rest}}}"#);
            forged
                .add(format!("{} with {member} {time}", signer.name()), signer.token(&head, &text));
        }
    }
    for changes in [
        json!({"exp": null}),
        json!({"nbf": now + 31}),
        json!({"nbf": 9_999_999_999_u64}),
        json!({"iat": now + 31}),
        json!({"iat": NOW_MS}),
        json!({"nbf": now + 60, "exp": 1}),
    ] {
        forged.add(
            format!("{} with {changes}", signer.name()),
            signer.token(&head, &claims(&changes)),
        );
    }
}
