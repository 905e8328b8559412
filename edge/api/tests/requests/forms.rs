//! Forms: their policies, what they refuse, and their limits, through whole requests.

use edge_api::jobs;
use edge_auth::testing::{NOW_MS, hs256};
use edge_registry::FormRow;
use futures_executor::block_on;
use futures_util::future::join_all;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::harness::{
    PIXEL, TestApp, TestResponse, app, app_with, ask, form_body, get, gif, guest_token, respond,
    send, upload_of,
};

const DAY_MS: u64 = 86_400_000;

fn service() -> Value {
    json!({"sub": "back-end", "role": "SERVICE"})
}

fn put(app: &TestApp, form: &str, policy: &Value) -> TestResponse {
    ask(app, Method::PUT, &format!("/forms/{form}"), &service(), policy)
}

fn policy(app: &TestApp, form: &str) -> TestResponse {
    send(app, get(&format!("/policy?formId={form}")), b"")
}

fn user(sub: &str) -> String {
    hs256(json!({"sub": sub}), 10 * 86_400)
}

fn upload(app: &TestApp, token: &str, form: &str, shades: &[u8]) -> TestResponse {
    send(app, upload_of("multipart/form-data; boundary=b", token), &form_body(form, shades))
}

/// Lets every isolate know the policies of now.
fn forget_policies(app: &TestApp) {
    app.ports.clock.advance(30_000);
}

#[test]
fn a_policy_is_written_read_published_and_closed_by_a_back_end() {
    let app = app();
    let written = put(&app, "stay", &json!({"maxFiles": 9, "minWidth": 2, "quality": 50}));
    assert_eq!(written.status, StatusCode::CREATED, "{}", written.json);
    assert_eq!(written.json["message"], "put_form_success");
    let data = &written.json["data"];
    assert_eq!((data["formId"].as_str(), data["maxFiles"].as_u64()), (Some("stay"), Some(9)));
    assert_eq!((&data["maxBytes"], &data["visibility"]), (&Value::Null, &json!("public")));
    app.ports.clock.advance(1);
    let replaced = put(&app, "stay", &json!({"maxFilesPerUser": 2, "aspectRatio": "4:3"}));
    assert_eq!(replaced.status, StatusCode::OK);
    let read = ask(&app, Method::GET, "/forms/stay", &service(), &Value::Null);
    assert_eq!(read.json["data"], replaced.json["data"]);
    assert_eq!(read.json["data"]["maxFiles"], Value::Null, "the whole policy is replaced");

    let public = policy(&app, "stay");
    assert_eq!(public.headers[header::CACHE_CONTROL], "public, max-age=30");
    assert_eq!(public.json["aspectRatio"], "4:3");
    assert_eq!((&public.json["maxFiles"], &public.json["maxEdge"]), (&json!(10), &json!(2048)));
    let form = &public.json["form"];
    assert_eq!((&form["formId"], &form["state"]), (&json!("stay"), &json!("open")));
    assert_eq!((&form["maxFiles"], &form["maxFilesPerUser"]), (&Value::Null, &json!(2)));
    for other in ["none", "%EC%84%A4%EB%AC%B8%201"] {
        let label = policy(&app, other);
        assert_eq!((&label.json["form"], &label.json["aspectRatio"]), (&Value::Null, &Value::Null));
        assert_eq!(label.json["acceptedTypes"].as_array().map(Vec::len), Some(4));
    }
    assert_eq!(policy(&app, "").code(), "MALFORMED_REQUEST");

    for wrong in ["pictures=keep", "pictures=", "picture=delete", "pictures=delete&x=1"] {
        let path = format!("/forms/stay?{wrong}");
        let ignored = ask(&app, Method::DELETE, &path, &service(), &Value::Null);
        assert_eq!(ignored.code(), "MALFORMED_REQUEST", "{wrong}");
    }
    assert_eq!(policy(&app, "stay").json["form"]["state"], "open");
    let closed = ask(&app, Method::DELETE, "/forms/stay", &service(), &Value::Null);
    assert_eq!(
        (closed.status, closed.json["message"].as_str()),
        (StatusCode::OK, Some("close_form_success"))
    );
    assert_eq!(policy(&app, "stay").json["form"]["state"], "closed");
    assert_eq!(policy(&app, "stay").json["form"]["maxFilesPerUser"], 2);
    for method in [Method::GET, Method::DELETE] {
        let missing = ask(&app, method, "/forms/none", &service(), &Value::Null);
        assert_eq!(missing.code(), "FORM_NOT_FOUND");
    }
    let path = format!("/forms/{}", "x".repeat(65));
    assert_eq!(ask(&app, Method::PUT, &path, &service(), &json!({})).code(), "NOT_FOUND");
}

/// Works on removals after a response.
fn work(app: &TestApp) {
    if let Some(after) = jobs::AfterResponse::plan(app) {
        block_on(after.run(app));
    }
}

#[test]
fn a_form_is_closed_and_its_pictures_are_deleted_in_the_background() {
    let app = app_with(&[("PENDING_ROLES", "GUEST")]);
    put(&app, "f", &json!({"maxFiles": 60}));
    for shade in 0..45 {
        upload(&app, &user(&format!("u{}", shade % 9)), "f", &[shade]);
    }
    upload(&app, &user("u1"), "other", &[1]);
    let guest = guest_token(&app);
    let pending = upload(&app, &guest, "f", &[90]).json["data"]["key"].clone();
    let delete = || ask(&app, Method::DELETE, "/forms/f?pictures=delete", &service(), &Value::Null);
    let begun = delete();
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.json);
    let data = &begun.json["data"];
    assert_eq!((&data["kind"], &data["total"]), (&json!("pictures"), &json!(45)));
    assert_eq!(begun.headers[header::LOCATION], data["url"].as_str().expect("a URL"));
    assert_eq!(policy(&app, "f").json["form"]["state"], "closed");
    work(&app);
    let url = data["url"].as_str().expect("a URL");
    let path = url.strip_prefix("https://image.the-form").expect("our URL");
    let done = ask(&app, Method::GET, path, &service(), &Value::Null);
    assert_eq!(
        (&done.json["data"]["state"], &done.json["data"]["removed"]),
        (&json!("done"), &json!(45))
    );
    let left: Vec<_> =
        app.ports.registry.rows.borrow().iter().map(|row| row.form_id.clone()).collect();
    assert_eq!(left, [Some("other".to_owned())]);

    // An isolate that has the old policy registers nothing, and a pending picture cannot be claimed any more.
    let cached = app.ports.registry.forms.borrow().get("f").cloned().expect("a form");
    let open = FormRow { policy: "{}".to_owned(), deleted_ms: None, ..cached.clone() };
    app.ports.registry.forms.borrow_mut().insert("f".to_owned(), open);
    forget_policies(&app);
    assert_eq!(policy(&app, "f").json["form"]["state"], "open");
    app.ports.registry.forms.borrow_mut().insert("f".to_owned(), cached);
    assert_eq!(upload(&app, &user("u1"), "f", &[91]).code(), "BUSY");
    let body = json!({"key": pending, "guestToken": guest});
    let claim = ask(&app, Method::POST, "/images/metadata", &json!({"sub": "ann"}), &body);
    assert_eq!((claim.status, claim.code()), (StatusCode::FORBIDDEN, "FORM_CLOSED"));
    app.ports.clock.advance(2 * 3_600_000);
    // The ledger of the form asks those of the users, which have handled their uploads by the second time.
    for _ in 0..3 {
        block_on(app.ports.ledger.run_alarms());
        app.ports.clock.advance(70_000);
    }
    assert_eq!(app.ports.stored().len(), 1);

    // To close it again changes nothing; to write its policy opens it.
    let closed = ask(&app, Method::DELETE, "/forms/f", &service(), &Value::Null);
    assert!(closed.json["data"]["picturesDeletedAt"].is_string(), "{}", closed.json);
    assert_eq!(
        put(&app, "f", &json!({"maxFiles": 1})).json["data"]["picturesDeletedAt"],
        Value::Null
    );
    assert_eq!(upload(&app, &user("u1"), "f", &[92]).status, StatusCode::CREATED);
    assert_eq!(upload(&app, &user("u2"), "f", &[93]).code(), "FORM_FULL");
}

#[test]
fn forms_are_listed_by_name_with_their_state_and_pictures() {
    let app = app();
    for form in ["b", "a", "c"] {
        put(&app, form, &json!({"maxFiles": 9}));
    }
    upload(&app, &user("7"), "b", &[1, 2]);
    upload(&app, &user("7"), "label", &[1]);
    ask(&app, Method::DELETE, "/forms/c", &service(), &Value::Null);
    let list =
        |query: &str| ask(&app, Method::GET, &format!("/forms{query}"), &service(), &Value::Null);
    let all = list("").json["data"].clone();
    let facts: Vec<_> = all["forms"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|form| json!([form["formId"], form["state"], form["imageCount"], form["maxFiles"]]))
        .collect();
    assert_eq!(
        json!(facts),
        json!([["a", "open", 0, 9], ["b", "open", 2, 9], ["c", "closed", 0, 9]])
    );
    assert_eq!(all["nextCursor"], Value::Null);
    let first = list("?limit=2").json["data"].clone();
    assert_eq!(
        (first["forms"].as_array().map(Vec::len), &first["nextCursor"]),
        (Some(2), &json!("b"))
    );
    let rest = list("?limit=2&cursor=b").json["data"].clone();
    assert_eq!((&rest["forms"][0]["formId"], &rest["nextCursor"]), (&json!("c"), &Value::Null));
    for wrong in ["?limit=0", "?limit=101", "?cursor=%20", "?formId=a"] {
        assert_eq!(list(wrong).code(), "MALFORMED_REQUEST", "{wrong}");
    }
    assert!(list("?formId=a").text.contains("`formId`"));
    let refused = ask(&app, Method::GET, "/forms", &json!({"sub": "7"}), &Value::Null);
    assert_eq!(refused.code(), "ROLE_NOT_ALLOWED");
}

#[test]
fn a_mistake_in_a_policy_is_named() {
    let app = app();
    for (policy, expected) in [
        (json!({"maxfiles": 1}), "There is no field `maxfiles`."),
        (json!({"quality": 0}), "The field `quality` cannot be used."),
        (json!({"visibility": "secret"}), "Expected: public or private."),
        (json!({"review": "held"}), "URL_SIGNING_KEY is not set."),
    ] {
        let refused = put(&app, "f", &policy);
        assert_eq!(refused.code(), "MALFORMED_REQUEST");
        let detail = refused.json["detail"].as_str().expect("text");
        assert!(detail.contains(expected), "{detail}");
    }
    assert_eq!(put(&app, "f", &json!([])).code(), "MALFORMED_REQUEST");
    assert!(app.ports.registry.forms.borrow().is_empty());
}

#[test]
fn a_form_refuses_what_it_does_not_ask_for() {
    let app = app();
    let before = |policy: Value, form: &str| {
        assert_eq!(put(&app, form, &policy).status, StatusCode::CREATED);
        upload(&app, &user("7"), form, &[1])
    };
    let types = before(json!({"accept": ["image/jpeg", "image/png"]}), "types");
    assert_eq!(types.code(), "INVALID_FILE_TYPE");
    assert_eq!(
        types.json["detail"],
        "GIF pictures are not accepted here. Choose a picture in JPEG or PNG."
    );
    let small = before(json!({"minWidth": 2, "minHeight": 1}), "small");
    assert_eq!(
        (small.status, small.code()),
        (StatusCode::UNPROCESSABLE_ENTITY, "IMAGE_DIMENSIONS")
    );
    assert_eq!((&small.json["width"], &small.json["minWidth"]), (&json!(1), &json!(2)));
    let ratio = before(json!({"aspectRatio": "3:1"}), "ratio");
    assert_eq!((ratio.code(), &ratio.json["aspectRatio"]), ("IMAGE_DIMENSIONS", &json!("3:1")));
    assert_eq!(
        before(json!({"aspectRatio": "1:1", "minWidth": 1}), "fits").status,
        StatusCode::CREATED
    );

    let day = |days: i64| {
        let ms = NOW_MS.saturating_add_signed(days * DAY_MS.cast_signed());
        edge_types::timestamp(ms)
    };
    let early = before(json!({"opensAt": day(1), "closesAt": day(2)}), "early");
    assert_eq!((early.status, early.code()), (StatusCode::FORBIDDEN, "FORM_CLOSED"));
    assert_eq!((&early.json["opensAt"], &early.json["closesAt"]), (&json!(day(1)), &json!(day(2))));
    let late = before(json!({"closesAt": day(-1)}), "late");
    assert_eq!((late.code(), late.json.get("opensAt")), ("FORM_CLOSED", None));
    assert!(late.json["detail"].as_str().expect("text").contains(&day(-1)));
    app.ports.clock.advance(DAY_MS);
    assert_eq!(upload(&app, &user("7"), "early", &[1]).status, StatusCode::CREATED);
    app.ports.clock.advance(DAY_MS);
    assert_eq!(upload(&app, &user("7"), "early", &[2]).code(), "FORM_CLOSED");
    assert_eq!(app.ports.stored().len(), 2);
}

#[test]
fn forms_are_labels_unless_they_are_required() {
    let free = app();
    assert_eq!(upload(&free, &user("7"), "설문 1", &[1]).status, StatusCode::CREATED);
    assert_eq!(upload(&free, &user("7"), "", &[1]).status, StatusCode::CREATED);
    let app = app_with(&[("REQUIRE_FORM", "true")]);
    assert_eq!(upload(&app, &user("7"), "", &[1]).code(), "FORM_REQUIRED");
    for unknown in ["설문 1", "stay"] {
        let refused = upload(&app, &user("7"), unknown, &[1]);
        assert_eq!((refused.status, refused.code()), (StatusCode::NOT_FOUND, "FORM_NOT_FOUND"));
    }
    assert_eq!(policy(&app, "stay").code(), "FORM_NOT_FOUND");
    assert_eq!(send(&app, get("/policy"), b"").json["requireForm"], true);
    assert_eq!(put(&app, "stay", &json!({})).status, StatusCode::CREATED);
    assert_eq!(upload(&app, &user("7"), "stay", &[1]).status, StatusCode::CREATED);
    assert_eq!(app.ports.stored().len(), 1, "a refused upload leaves nothing");
}

#[test]
fn guests_are_refused_by_a_form_or_by_the_deployment() {
    let app = app();
    put(&app, "members", &json!({"guests": false}));
    let guest = guest_token(&app);
    let refused = upload(&app, &guest, "members", &[1]);
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "GUEST_NOT_ALLOWED"));
    assert_eq!(upload(&app, &user("7"), "members", &[1]).status, StatusCode::CREATED);
    assert_eq!(upload(&app, &guest, "open", &[1]).status, StatusCode::CREATED);
    assert_eq!(policy(&app, "members").json["guests"], false);

    let closed = app_with(&[("GUESTS", "false")]);
    assert_eq!(send(&closed, get("/auth/guest-token"), b"").code(), "GUEST_NOT_ALLOWED");
    assert_eq!(upload(&closed, &guest, "open", &[1]).code(), "GUEST_NOT_ALLOWED");
    assert_eq!(send(&closed, get("/policy"), b"").json["guests"], false);
    let role = hs256(json!({"sub": "g", "role": "GUEST"}), 3600);
    assert_eq!(upload(&closed, &role, "open", &[1]).code(), "GUEST_NOT_ALLOWED");
}

#[test]
fn pending_pictures_of_a_form_expire_as_it_says() {
    let app = app_with(&[("PENDING_ROLES", "USER,GUEST")]);
    put(&app, "quick", &json!({"pendingSeconds": 60}));
    let expires = |form: &str| {
        let stored = upload(&app, &user("7"), form, &[1]);
        stored.json["data"]["expiresAt"].as_str().map(str::to_owned)
    };
    assert_eq!(expires("quick"), Some(edge_types::timestamp(NOW_MS + 60_000)));
    assert_eq!(expires("other"), Some(edge_types::timestamp(NOW_MS + 3_600_000)));
}

#[test]
fn a_changed_policy_takes_effect_within_half_a_minute() {
    let app = app();
    upload(&app, &user("7"), "f", &[1]);
    let look_ups = app.ports.registry.form_look_ups.get();
    upload(&app, &user("7"), "f", &[2]);
    assert_eq!(app.ports.registry.form_look_ups.get(), look_ups, "known for half a minute");
    // Another isolate writes it.
    let other = app_with(&[]);
    put(&other, "f", &json!({"minWidth": 2}));
    *app.ports.registry.forms.borrow_mut() = other.ports.registry.forms.borrow().clone();
    assert_eq!(upload(&app, &user("7"), "f", &[3]).status, StatusCode::CREATED);
    forget_policies(&app);
    assert_eq!(upload(&app, &user("7"), "f", &[4]).code(), "IMAGE_DIMENSIONS");
    app.ports.registry.broken.set(true);
    forget_policies(&app);
    assert_eq!(upload(&app, &user("7"), "f", &[5]).code(), "BUSY", "it fails closed");
}

#[test]
fn a_limit_holds_for_the_form_and_for_each_user_and_a_repetition_is_free() {
    let app = app();
    put(&app, "f", &json!({"maxFiles": 3, "maxFilesPerUser": 2}));
    let (ann, bob) = (user("ann"), user("bob"));
    let first = upload(&app, &ann, "f", &[1]);
    assert_eq!(first.status, StatusCode::CREATED);
    let mixed = upload(&app, &ann, "f", &[2, 3]);
    assert_eq!(mixed.status, StatusCode::MULTI_STATUS);
    assert_eq!(mixed.json["data"][1]["code"], "FORM_FULL");
    assert_eq!(mixed.json["data"][1]["backendCode"], "FORM-003");
    let full = upload(&app, &ann, "f", &[4]);
    assert_eq!((full.status, full.code()), (StatusCode::CONFLICT, "FORM_FULL"));
    assert_eq!((&full.json["full"], &full.json["limit"]), (&json!("user"), &json!(2)));
    assert_eq!(upload(&app, &bob, "f", &[1]).status, StatusCode::CREATED);
    let full = upload(&app, &bob, "f", &[5]);
    assert_eq!((&full.json["full"], &full.json["limit"]), (&json!("form"), &json!(3)));
    let again = upload(&app, &ann, "f", &[1]);
    assert_eq!(again.status, StatusCode::OK, "{}", again.json);
    assert_eq!(again.json["data"]["key"], first.json["data"]["key"]);
    assert_eq!(app.ports.stored().len(), 3);
    assert_eq!(upload(&app, &ann, "other", &[1]).status, StatusCode::CREATED);

    let id = first.json["data"]["imageId"].as_u64().expect("a number");
    let deleted =
        ask(&app, Method::DELETE, &format!("/images/{id}"), &json!({"sub": "ann"}), &Value::Null);
    assert_eq!(deleted.status, StatusCode::OK);
    assert_eq!(upload(&app, &bob, "f", &[5]).status, StatusCode::CREATED, "its place is free");
    assert_eq!(upload(&app, &ann, "f", &[6]).code(), "FORM_FULL");
}

#[test]
fn of_racing_uploads_exactly_as_many_are_stored_as_may() {
    let app = app_with(&[("RATE_PER_MINUTE", "100000")]);
    put(&app, "f", &json!({"maxFiles": 7}));
    let requests = (0..20_u8).map(|number| {
        let token = user(&format!("u{number}"));
        let request = upload_of("multipart/form-data; boundary=b", &token)
            .header("cf-connecting-ip", format!("198.51.100.{number}"));
        let (app, body) = (&app, form_body("f", &[number]));
        async move { respond(app, request, &body).await }
    });
    let responses = block_on(join_all(requests));
    let stored = responses.iter().filter(|it| it.status == StatusCode::CREATED).count();
    // The clock of the test also lets some wait for a slot until they give up.
    let full = responses.iter().filter(|it| ["FORM_FULL", "BUSY"].contains(&it.code())).count();
    assert_eq!((stored, full), (7, 13));
    assert_eq!(app.ports.registry.rows.borrow().len(), 7);
}

#[test]
fn a_picture_that_is_not_stored_takes_no_place() {
    let app = app();
    put(&app, "f", &json!({"maxFiles": 1}));
    app.ports.store.broken.set(true);
    assert_eq!(upload(&app, &user("7"), "f", &[1]).code(), "STORAGE_UNAVAILABLE");
    app.ports.store.broken.set(false);
    assert_eq!(upload(&app, &user("8"), "f", &[1]).status, StatusCode::CREATED);
    assert_eq!(upload(&app, &user("9"), "f", &[1]).code(), "FORM_FULL");
}

#[test]
fn a_claim_moves_the_place_of_a_guest_to_one_who_may_have_it() {
    let app = app();
    put(&app, "f", &json!({"maxFilesPerUser": 1}));
    let guest = guest_token(&app);
    let key = upload(&app, &guest, "f", &[1]).json["data"]["key"].clone();
    let claim = |sub: &str, form: Option<&str>| {
        let body = json!({"key": key, "guestToken": guest, "formId": form});
        ask(&app, Method::POST, "/images/metadata", &json!({"sub": sub}), &body)
    };
    assert_eq!(upload(&app, &user("ann"), "f", &[2]).status, StatusCode::CREATED);
    let full = claim("ann", None);
    assert_eq!((full.code(), &full.json["full"]), ("FORM_FULL", &json!("user")));
    assert_eq!(claim("bob", Some("other")).code(), "FORM_REQUIRED");
    let claimed = claim("bob", Some("f"));
    assert_eq!(claimed.status, StatusCode::CREATED, "{}", claimed.json);
    assert_eq!(claim("bob", None).status, StatusCode::OK);
    assert_eq!(upload(&app, &user("bob"), "f", &[3]).code(), "FORM_FULL");
    let token = guest_token(&app);
    assert_eq!(upload(&app, &token, "f", &[4]).status, StatusCode::CREATED);
}

#[test]
fn a_limit_that_is_set_later_counts_what_exists() {
    let app = app();
    put(&app, "f", &json!({}));
    upload(&app, &user("7"), "f", &[1]);
    upload(&app, &user("8"), "f", &[1]);
    put(&app, "f", &json!({"maxFiles": 3, "maxFilesPerUser": 1}));
    assert_eq!(upload(&app, &user("7"), "f", &[2]).json["full"], "user");
    assert_eq!(upload(&app, &user("9"), "f", &[1]).status, StatusCode::CREATED);
    assert_eq!(upload(&app, &user("10"), "f", &[1]).json["full"], "form");
    // More than there are now: nothing is deleted.
    put(&app, "f", &json!({"maxFiles": 1}));
    assert_eq!(upload(&app, &user("10"), "f", &[1]).code(), "FORM_FULL");
    assert_eq!(app.ports.stored().len(), 3);
}

#[test]
fn a_form_without_a_limit_costs_nothing_more() {
    let app = app();
    let cost = |form: &str, shade| {
        let (rows, commands) = (app.ports.ledger.rows_written(), app.ports.ledger.commands.get());
        assert_eq!(upload(&app, &user("7"), form, &[shade]).status, StatusCode::CREATED);
        (app.ports.ledger.rows_written() - rows, app.ports.ledger.commands.get() - commands)
    };
    put(&app, "f", &json!({"quality": 70}));
    put(&app, "counted", &json!({"maxFiles": 100}));
    cost("", 1);
    let label = cost("label", 2);
    assert_eq!(cost("f", 3), label);
    cost("counted", 4);
    let counted = cost("counted", 5);
    assert_eq!(counted, (label.0 + 2, label.1 + 2), "reserved and confirmed");
    assert_eq!(PIXEL.len(), gif(1).len());
}

#[test]
fn the_busiest_forms_have_a_metric_and_all_others_share_one() {
    let app = app_with(&[("RATE_PER_MINUTE", "1000")]);
    for form in 0..25_u8 {
        upload(&app, &user("7"), &format!("f{form}"), &[1]);
        for shade in 2..=form.min(6) {
            upload(&app, &user("7"), &format!("f{form}"), &[shade]);
        }
    }
    upload(&app, &user("7"), "a\"b", &[1]);
    let token = hs256(json!({"sub": "root", "role": "ADMIN"}), 86_400);
    let scraped =
        || send(&app, get("/metrics").header("authorization", format!("Bearer {token}")), b"").text;
    let text = scraped();
    let series: Vec<_> =
        text.lines().filter(|line| line.starts_with("image_edge_form_pictures{")).collect();
    assert!(series.len() <= 21, "{series:?}");
    assert!(series.contains(&"image_edge_form_pictures{form=\"f24\"} 6"), "{series:?}");
    let sum: u64 = series.iter().filter_map(|it| it.rsplit(' ').next()?.parse::<u64>().ok()).sum();
    assert_eq!(sum, app.ports.registry.rows.borrow().len() as u64);
    app.ports.clock.advance(3_600_001);
    assert!(scraped().contains("image_edge_form_pictures{form=\"all others\"} 0"));
}
