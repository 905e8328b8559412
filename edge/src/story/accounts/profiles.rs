//! Profiles: one's own, and those of others.

use super::*;

fn ask(app: &App<World>, method: Method, path: &str, bearer: &str, body: &Value) -> Outcome {
    let request = get(path)
        .method(method)
        .header("authorization", bearer)
        .header("content-type", "application/json");
    send(app, request, body.to_string().as_bytes())
}

#[test]
fn nickname_and_picture_are_changed_and_removed() {
    let app = app();
    let signed = sign_up(&app, "ann@example.org");
    let (bearer, id) = (bearer(&signed), signed.json["data"]["user"]["id"].clone());
    let path = format!("/users/{}", id.as_str().expect("text"));
    let change = |body: Value| ask(&app, Method::PATCH, &path, &bearer, &body);
    let mut request = upload();
    request.headers_mut().expect("valid").insert("authorization", bearer.parse().expect("text"));
    let picture = send(&app, request, PIXEL).json["data"].clone();

    let named = change(json!({"nickname": "  앤 "}));
    assert_eq!(named.json["message"], "update_user_success", "{}", named.json);
    assert_eq!(named.json["data"]["nickname"], "앤");
    let shown = change(json!({"profileImageId": picture["imageId"]}));
    assert_eq!(shown.json["data"]["profileImageUrl"], picture["imageUrl"]);
    assert_eq!(shown.json["data"]["nickname"], "앤", "what is not said stays");
    assert_eq!(
        change(json!({"profileImageId": null})).json["data"]["profileImageKey"],
        Value::Null
    );
    let by_key = change(json!({"profileImageKey": picture["key"], "nickname": null}));
    assert_eq!(by_key.json["data"]["profileImageKey"], picture["key"]);
    assert_eq!(by_key.json["data"]["nickname"], Value::Null);
    let read = ask(&app, Method::GET, &path, &bearer, &Value::Null);
    assert_eq!(read.json["data"], by_key.json["data"]);
}

#[test]
fn only_a_registered_picture_of_ones_own_is_taken() {
    let app = app();
    let signed = sign_up(&app, "ann@example.org");
    let path = format!("/users/{}", signed.json["data"]["user"]["id"].as_str().expect("text"));
    let others = send(&app, upload(), PIXEL).json["data"].clone();
    for (body, code) in [
        (json!({"profileImageId": others["imageId"]}), "USER_MISMATCH"),
        (json!({"profileImageKey": others["key"]}), "USER_MISMATCH"),
        (json!({"profileImageId": 99}), "IMAGE_NOT_FOUND"),
        (json!({"profileImageKey": "x"}), "INVALID_IMAGE_URL"),
        (json!({"profileImageId": 1, "profileImageKey": "x"}), "MALFORMED_REQUEST"),
        (json!({"profileImageId": "1; DROP TABLE users"}), "MALFORMED_REQUEST"),
        (json!({"nickname": ""}), "MALFORMED_REQUEST"),
    ] {
        let outcome = ask(&app, Method::PATCH, &path, &bearer(&signed), &body);
        assert_eq!(outcome.code(), code, "{body}");
    }
    let read = ask(&app, Method::GET, &path, &bearer(&signed), &Value::Null);
    assert_eq!(read.json["data"]["profileImageKey"], Value::Null);
}

#[test]
fn another_users_profile_is_an_administrators_affair() {
    let app = app();
    let (ann, bob) = (sign_up(&app, "ann@example.org"), sign_up(&app, "bob@example.org"));
    let path = format!("/users/{}", ann.json["data"]["user"]["id"].as_str().expect("text"));
    let admin = format!("Bearer {}", hs256(json!({"sub": "root", "role": "ADMIN"}), 60));
    for method in [Method::GET, Method::PATCH] {
        let body = json!({"nickname": "x"});
        let other = ask(&app, method.clone(), &path, &bearer(&bob), &body);
        assert_eq!(other.code(), "USER_MISMATCH");
        let nobody = ask(&app, method.clone(), "/users/unknown", &bearer(&bob), &body);
        assert_eq!(nobody.code(), "USER_MISMATCH", "not told whether there is one");
        let admins = ask(&app, method.clone(), &path, &admin, &body);
        assert_eq!(admins.status, StatusCode::OK, "{}", admins.json);
        let missing = ask(&app, method, "/users/unknown", &admin, &body);
        assert_eq!(missing.code(), "NOT_FOUND");
    }
}
