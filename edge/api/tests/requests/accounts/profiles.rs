//! Profiles: of the caller, and of others.

use edge_auth::testing::hs256;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{access_token, bearer, sign_up};
use crate::{
    harness::{self, PIXEL, TestApp, TestResponse, app, app_with, get, send, upload, upload_with},
    private::{self, KEY, path, put_form, read, text},
};

fn ask(app: &TestApp, method: Method, path: &str, bearer: &str, body: &Value) -> TestResponse {
    let request = get(path)
        .method(method)
        .header("authorization", bearer)
        .header("content-type", "application/json");
    send(app, request, body.to_string().as_bytes())
}

#[test]
fn nickname_and_image_are_changed_and_removed() {
    let app = app();
    let signed_up = sign_up(&app, "ann@example.org");
    let (bearer, id) = (bearer(&signed_up), signed_up.json["data"]["user"]["id"].clone());
    let path = format!("/users/{}", id.as_str().expect("text"));
    let change = |body: Value| ask(&app, Method::PATCH, &path, &bearer, &body);
    let upload = upload_with(access_token(&signed_up));
    let image = send(&app, upload, PIXEL).json["data"].clone();

    let named = change(json!({"nickname": "  앤 "}));
    assert_eq!(named.json["message"], "update_user_success", "{}", named.json);
    assert_eq!(named.json["data"]["nickname"], "앤");
    let shown = change(json!({"imageId": image["imageId"]}));
    assert_eq!(shown.json["data"]["profileImageUrl"], image["imageUrl"]);
    assert_eq!(shown.json["data"]["nickname"], "앤", "an absent field stays");
    assert_eq!(change(json!({"imageId": null})).json["data"]["profileImageKey"], Value::Null);
    let by_key = change(json!({"imageKey": image["key"], "nickname": null}));
    assert_eq!(by_key.json["data"]["profileImageKey"], image["key"]);
    assert_eq!(by_key.json["data"]["nickname"], Value::Null);
    assert_eq!(change(json!({"imageKey": null})).json["data"]["profileImageKey"], Value::Null);
    let by_url = change(json!({"imageUrl": image["imageUrl"]}));
    assert_eq!(by_url.json["data"]["profileImageKey"], image["key"]);
    let read = ask(&app, Method::GET, &path, &bearer, &Value::Null);
    assert_eq!(read.json["data"], by_url.json["data"]);
}

#[test]
fn only_an_own_registered_image_is_accepted() {
    let app = app();
    let signed_up = sign_up(&app, "ann@example.org");
    let path = format!("/users/{}", signed_up.json["data"]["user"]["id"].as_str().expect("text"));
    let others = send(&app, upload(), PIXEL).json["data"].clone();
    for (body, code) in [
        (json!({"imageId": others["imageId"]}), "USER_MISMATCH"),
        (json!({"imageKey": others["key"]}), "USER_MISMATCH"),
        (json!({"imageId": 99}), "IMAGE_NOT_FOUND"),
        (json!({"imageKey": "x"}), "INVALID_IMAGE_URL"),
        (json!({"imageId": 1, "imageKey": "x"}), "MALFORMED_REQUEST"),
        (json!({"imageId": "1; DROP TABLE users"}), "MALFORMED_REQUEST"),
        (json!({"imageUrl": others["imageUrl"]}), "USER_MISMATCH"),
        (json!({"imageUrl": "https://evil.example/x"}), "INVALID_IMAGE_URL"),
        (json!({"imageUrl": null, "imageKey": "x"}), "MALFORMED_REQUEST"),
        (json!({"profileImageId": 1}), "MALFORMED_REQUEST"),
        (json!({"nickname": ""}), "MALFORMED_REQUEST"),
    ] {
        let response = ask(&app, Method::PATCH, &path, &bearer(&signed_up), &body);
        assert_eq!(response.code(), code, "{body}");
    }
    let read = ask(&app, Method::GET, &path, &bearer(&signed_up), &Value::Null);
    assert_eq!(read.json["data"]["profileImageKey"], Value::Null);
}

#[test]
fn a_private_profile_image_has_a_signed_url() {
    let app = app_with(&[("URL_SIGNING_KEY", KEY)]);
    let signed_up = sign_up(&app, "ann@example.org");
    let (bearer, token) = (bearer(&signed_up), access_token(&signed_up).to_owned());
    let id = signed_up.json["data"]["user"]["id"].clone();
    let profile = format!("/users/{}", id.as_str().expect("text"));
    let show = |image: &Value| {
        let body = json!({"imageId": image["imageId"]});
        let shown = ask(&app, Method::PATCH, &profile, &bearer, &body);
        assert_eq!(shown.json["data"]["profileImageKey"], image["key"], "{}", shown.json);
        shown.json["data"]["profileImageUrl"].clone()
    };
    put_form(&app, &json!({"visibility": "private"}));
    let image = private::upload(&app, &token, 0);
    assert_eq!(show(&image), image["signedUrl"]);
    assert_eq!(read(&app, path(text(&show(&image)))).status, StatusCode::OK);
    // A held one has no public object before the decision, and none after a refusal.
    put_form(&app, &json!({"review": "held"}));
    let image = private::upload(&app, &token, 1);
    let url = show(&image);
    assert_eq!(read(&app, path(text(&url))).status, StatusCode::OK, "{url}");
    let refusal = format!("/images/{}/refuse", image["imageId"]);
    let service = json!({"sub": "back-end", "role": "SERVICE"});
    let refused = harness::ask(&app, Method::POST, &refusal, &service, &json!({"reason": "no"}));
    assert_eq!(refused.status, StatusCode::OK, "{}", refused.json);
    let user = ask(&app, Method::GET, &profile, &bearer, &Value::Null);
    assert_eq!(user.json["data"]["profileImageUrl"], Value::Null);
}

#[test]
fn only_administrators_access_profiles_of_others() {
    let app = app();
    let (ann, bob) = (sign_up(&app, "ann@example.org"), sign_up(&app, "bob@example.org"));
    let path = format!("/users/{}", ann.json["data"]["user"]["id"].as_str().expect("text"));
    let admin = format!("Bearer {}", hs256(json!({"sub": "root", "role": "ADMIN"}), 60));
    for method in [Method::GET, Method::PATCH] {
        let body = json!({"nickname": "x"});
        let other = ask(&app, method.clone(), &path, &bearer(&bob), &body);
        assert_eq!(other.code(), "USER_MISMATCH");
        let nobody = ask(&app, method.clone(), "/users/unknown", &bearer(&bob), &body);
        assert_eq!(nobody.code(), "USER_MISMATCH", "whether there is one is not shown");
        let admins = ask(&app, method.clone(), &path, &admin, &body);
        assert_eq!(admins.status, StatusCode::OK, "{}", admins.json);
        let missing = ask(&app, method, "/users/unknown", &admin, &body);
        assert_eq!(missing.code(), "NOT_FOUND");
    }
}
