//! The mails as text and HTML, in English and Korean. Nothing in them was written by a caller.

use image_rules::Language;

use super::Letter;

struct Texts {
    subject: &'static str,
    /// Before the link.
    lead: &'static str,
    /// On the link.
    action: &'static str,
    /// After it.
    note: &'static str,
}

/// Subject, text and HTML.
pub(super) fn write(letter: &Letter, language: Language) -> (&'static str, String, String) {
    let (Letter::SignUp { url }
    | Letter::HasAccount { url }
    | Letter::Verify { url }
    | Letter::Reset { url }
    | Letter::PasswordChanged { url }) = letter;
    let Texts { subject, lead, action, note } = texts(letter, language);
    let text = format!("{lead}\n\n{url}\n\n{note}\n\nThe-Form Images\n");
    let (url, tag) = (escape(url), language.tag());
    let html = format!(
        "<!doctype html><html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{subject}</title></head>\
         <body style=\"margin:0;padding:24px;font:16px/1.5 sans-serif;color:#1b2233;background:#fff\">\
         <div style=\"max-width:480px;margin:0 auto\"><h1 style=\"font-size:20px\">{subject}</h1><p>{lead}</p>\
         <p><a href=\"{url}\" style=\"display:inline-block;padding:12px 20px;border-radius:8px;\
         background:#2f4fd0;color:#fff;text-decoration:none\">{action}</a></p>\
         <p style=\"font-size:14px;overflow-wrap:anywhere\"><a href=\"{url}\" style=\"color:#2f4fd0\">{url}</a></p>\
         <p style=\"font-size:14px;color:#4d566b\">{note}</p>\
         <p style=\"font-size:14px;color:#4d566b\">The-Form Images</p></div></body></html>"
    );
    (subject, text, html)
}

const fn texts(letter: &Letter, language: Language) -> Texts {
    use Language::{En, Ko};
    match (letter, language) {
        (Letter::SignUp { .. }, En) => Texts {
            subject: "Confirm your e-mail address",
            lead: "Open this link within 30 minutes to choose a password and create your account.",
            action: "Create my account",
            note: "If you did not sign up, ignore this mail. Without the link there is no account.",
        },
        (Letter::SignUp { .. }, Ko) => Texts {
            subject: "이메일 주소를 확인해 주세요",
            lead: "30분 안에 아래 링크를 열어 비밀번호를 정하면 가입이 끝납니다.",
            action: "가입 마치기",
            note: "가입한 적이 없다면 이 메일을 무시하세요. 링크를 열지 않으면 계정이 만들어지지 않습니다.",
        },
        (Letter::HasAccount { .. }, En) => Texts {
            subject: "You already have an account",
            lead: "Somebody, perhaps you, has signed up with your e-mail address. You already have an account: sign in, or choose another password here.",
            action: "Go to my account",
            note: "If it was not you, ignore this mail. Nothing has changed.",
        },
        (Letter::HasAccount { .. }, Ko) => Texts {
            subject: "이미 계정이 있습니다",
            lead: "누군가 이 이메일 주소로 가입하려고 했습니다. 이미 계정이 있으니 로그인하거나 여기에서 비밀번호를 다시 정해 주세요.",
            action: "내 계정으로 가기",
            note: "본인이 아니라면 이 메일을 무시하세요. 바뀐 것은 없습니다.",
        },
        (Letter::Verify { .. }, En) => Texts {
            subject: "Verify your e-mail address",
            lead: "Open this link within 30 minutes to verify your e-mail address.",
            action: "Verify my address",
            note: "If you have no account here, ignore this mail.",
        },
        (Letter::Verify { .. }, Ko) => Texts {
            subject: "이메일 주소를 확인해 주세요",
            lead: "30분 안에 아래 링크를 열어 이메일 주소를 확인해 주세요.",
            action: "주소 확인하기",
            note: "여기에 계정이 없다면 이 메일을 무시하세요.",
        },
        (Letter::Reset { .. }, En) => Texts {
            subject: "Choose another password",
            lead: "Open this link within 30 minutes to choose another password. All your sessions end then.",
            action: "Choose a password",
            note: "If you did not ask for this, ignore this mail. Your password stays as it is.",
        },
        (Letter::Reset { .. }, Ko) => Texts {
            subject: "비밀번호를 다시 정해 주세요",
            lead: "30분 안에 아래 링크를 열어 새 비밀번호를 정해 주세요. 그러면 모든 세션이 끝납니다.",
            action: "비밀번호 정하기",
            note: "요청한 적이 없다면 이 메일을 무시하세요. 비밀번호는 그대로입니다.",
        },
        (Letter::PasswordChanged { .. }, En) => Texts {
            subject: "Your password was changed",
            lead: "The password of your account was changed. If it was not you, choose another one here at once.",
            action: "Choose a password",
            note: "If it was you, there is nothing to do.",
        },
        (Letter::PasswordChanged { .. }, Ko) => Texts {
            subject: "비밀번호가 바뀌었습니다",
            lead: "계정의 비밀번호가 바뀌었습니다. 본인이 아니라면 지금 바로 여기에서 비밀번호를 다시 정해 주세요.",
            action: "비밀번호 정하기",
            note: "본인이 바꾸었다면 아무것도 하지 않아도 됩니다.",
        },
    }
}

/// For text and attributes in double quotes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mail_has_its_link_in_text_and_html_in_both_languages() {
        let url = || "https://image.example/account/?a=1&b=\"<x>#reset=token".to_owned();
        for letter in [
            Letter::SignUp { url: url() },
            Letter::HasAccount { url: url() },
            Letter::Verify { url: url() },
            Letter::Reset { url: url() },
            Letter::PasswordChanged { url: url() },
        ] {
            for language in [Language::En, Language::Ko] {
                let (subject, text, html) = write(&letter, language);
                assert!(text.contains(&url()), "{text}");
                assert!(html.contains("b=&quot;&lt;x&gt;#reset=token"), "{html}");
                assert!(!html.contains("<x>"), "{html}");
                let is_korean = |text: &str| text.chars().any(|it| ('가'..='힣').contains(&it));
                for part in [subject, &*text, &*html] {
                    assert_eq!(is_korean(part), language == Language::Ko, "{part}");
                }
            }
        }
    }
}
