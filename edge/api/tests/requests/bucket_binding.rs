//! Whether the bucket belongs to the database, and what the sweep may do when it does and when it does not.

use edge_api::{
    jobs::{self, Findings, sweep},
    telemetry::{Metric, SweepStop},
};
use edge_auth::testing::{NOW_MS, hs256};
use edge_storage::BucketBinding;
use futures_executor::block_on;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{
    PIXEL, TestApp, TestResponse, app, app_with, get, gif, send, upload, upload_as, upload_of,
    user_token,
};

const REMOVE: (&str, &str) = ("SWEEP_REPAIR", "remove");
const REGISTER: (&str, &str) = ("SWEEP_REPAIR", "register");

/// Stores images; afterwards all leases have ended.
fn stored(app: &TestApp, images: u8) -> Vec<String> {
    let keys = (0..images).map(|shade| {
        let response = send(app, upload(), &gif(shade));
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.json);
        response.json["data"]["key"].as_str().expect("stored").to_owned()
    });
    let keys = keys.collect();
    app.ports.clock.advance(301_000);
    keys
}

fn run(app: &TestApp) -> Findings {
    block_on(sweep(app)).expect("nothing fails")
}

fn stops(app: &TestApp, stop: SweepStop) -> u64 {
    block_on(jobs::flush(&app.ports, &app.isolate));
    let metric = Metric::SweepStop(stop);
    let snapshot = app.ports.registry.metrics.borrow();
    let same = snapshot.totals.iter().find(|it| {
        (it.name.as_str(), it.labels.as_str()) == (metric.family().name, metric.labels().as_str())
    });
    same.map_or(0, |total| total.total)
}

fn ready(app: &TestApp) -> (StatusCode, Value) {
    let response = send(app, get("/readyz"), b"");
    (response.status, response.json["bucket"].clone())
}

fn bind(app: &TestApp) -> TestResponse {
    let token = hs256(json!({"sub": "boss", "role": "ADMIN"}), 30 * 86_400);
    let request = get("/admin/api/bucket").method(Method::POST);
    send(app, request.header("authorization", format!("Bearer {token}")), b"")
}

#[test]
fn a_new_deployment_is_bound_before_its_first_image() {
    let app = app();
    stored(&app, 1);
    let id = app.ports.store.deployment_id.borrow().clone();
    assert!(id.is_some());
    assert_eq!(*app.ports.registry.deployment_id.borrow(), id);
    assert_eq!(ready(&app), (StatusCode::OK, json!("bound")));
    stored(&app, 0);
    assert_eq!(run(&app).stopped, None);
    // The health check binds a deployment without an image as well.
    let empty = app_with(&[]);
    assert_eq!(ready(&empty), (StatusCode::OK, json!("bound")));
}

#[test]
fn in_the_bucket_of_another_deployment_nothing_is_repaired() {
    for (variables, id, expected) in [
        (REMOVE, None, BucketBinding::Missing),
        (REMOVE, Some("another"), BucketBinding::Different),
        (REGISTER, None, BucketBinding::Missing),
        (REGISTER, Some("another"), BucketBinding::Different),
    ] {
        let app = app_with(&[variables]);
        stored(&app, 3);
        let rows = app.ports.registry.keys();
        // The same database with another bucket.
        app.ports.store.objects.borrow_mut().clear();
        let orphan = "users/9/images/1-00000000-0000-4000-8000-000000000000.gif".to_owned();
        app.ports.store.objects.borrow_mut().insert(orphan.clone(), PIXEL.to_vec());
        app.ports.store.deployment_id.replace(id.map(str::to_owned));
        let findings = run(&app);
        assert_eq!((findings.bucket, findings.stopped), (expected, Some(expected.into_str())));
        assert_eq!(findings.rows_without_object, rows);
        assert_eq!(app.ports.registry.keys(), rows, "{variables:?}");
        assert_eq!(app.ports.stored(), [orphan]);
        assert_eq!(stops(&app, SweepStop::Bucket(expected)), 1);
        assert_eq!(app.ports.registry.events.borrow()[0].reason, "stopped");
        let unready = (StatusCode::SERVICE_UNAVAILABLE, json!(expected.into_str()));
        assert_eq!(ready(&app), unready);
    }
}

#[test]
fn an_administrator_binds_the_bucket_with_an_audit_event() {
    let app = app_with(&[REMOVE]);
    let keys = stored(&app, 3);
    app.ports.store.objects.borrow_mut().remove(&keys[0]);
    let own = app.ports.registry.deployment_id.borrow().clone();
    app.ports.store.deployment_id.replace(Some("another".to_owned()));
    run(&app);
    assert_eq!(app.ports.registry.keys().len(), 3);
    let bound = bind(&app);
    assert_eq!(bound.json["data"], json!({"before": "different", "bucket": "bound"}));
    assert_eq!(*app.ports.store.deployment_id.borrow(), own);
    let event = app.ports.registry.events.borrow().last().cloned().expect("an event");
    assert_eq!((&*event.kind, &*event.reason), ("bind", "different"));
    assert_eq!(event.detail.as_deref(), Some("by boss"));
    assert_eq!(bind(&app).json["data"]["before"], "bound");
    assert_eq!(app.ports.registry.events.borrow().len(), 2, "once");
    assert_eq!(run(&app).stopped, None);
    assert_eq!(app.ports.registry.keys(), keys[1..]);
}

#[test]
fn an_old_deployment_without_id_works_and_repairs_nothing_until_it_is_bound() {
    let app = app_with(&[REMOVE]);
    let keys = stored(&app, 2);
    app.ports.registry.deployment_id.take();
    app.ports.store.deployment_id.take();
    app.ports.store.objects.borrow_mut().remove(&keys[0]);
    assert_eq!(run(&app).stopped, Some("unbound"));
    assert_eq!(app.ports.registry.keys(), keys);
    assert_eq!(ready(&app), (StatusCode::OK, json!("unbound")));
    // A lost database: no rows, but images.
    app.ports.registry.rows.borrow_mut().clear();
    assert_eq!(run(&app).stopped, Some("unbound"));
    assert_eq!(app.ports.stored(), keys[1..]);
    forget_ledgers(&app);
    assert_eq!(bind(&app).json["data"], json!({"before": "unbound", "bucket": "bound"}));
    assert!(run(&app).repaired);
}

#[test]
fn an_unreadable_id_stops_repairs_only() {
    let app = app_with(&[REMOVE]);
    let keys = stored(&app, 1);
    app.ports.store.objects.borrow_mut().clear();
    app.ports.store.denies_id.set(true);
    assert_eq!(run(&app).stopped, Some("unreadable"));
    assert_eq!(app.ports.registry.keys(), keys);
    assert_eq!(ready(&app), (StatusCode::OK, json!("unreadable")));
}

#[test]
fn when_more_than_a_tenth_of_the_objects_is_missing_no_row_is_removed() {
    let app = app_with(&[REMOVE]);
    let keys = stored(&app, 25);
    // An incomplete copy of a bucket: the id exists, every other image does not.
    for key in keys.iter().step_by(2) {
        app.ports.store.objects.borrow_mut().remove(key);
    }
    // One run checks twenty rows, the next the last five.
    for _ in 0..2 {
        assert_eq!(run(&app).stopped, Some("too_much_missing"));
        assert_eq!(app.ports.registry.keys(), keys);
    }
    assert_eq!(stops(&app, SweepStop::TooMuch), 2);
    assert_eq!(ready(&app), (StatusCode::OK, json!("bound")));
}

#[test]
fn checking_few_rows_repeatedly_does_not_make_them_many() {
    let app = app();
    let keys = stored(&app, 5);
    app.ports.store.objects.borrow_mut().remove(&keys[0]);
    for _ in 0..6 {
        assert_eq!(run(&app).stopped, None, "one of five");
    }
}

#[test]
fn when_more_than_a_tenth_of_the_objects_is_unknown_none_is_removed() {
    let app = app_with(&[REMOVE]);
    let keys = stored(&app, 25);
    // A database that was restored from an old backup.
    app.ports.registry.rows.borrow_mut().truncate(20);
    forget_ledgers(&app);
    assert_eq!(run(&app).stopped, Some("too_much_missing"));
    assert_eq!(app.ports.stored(), keys);
}

/// Ledgers forget after a day what they registered.
fn forget_ledgers(app: &TestApp) {
    app.ports.clock.advance(2 * 86_400_000);
    block_on(app.ports.ledger.run_alarms());
}

#[test]
fn lost_rows_are_registered_again_from_the_metadata_of_the_objects() {
    let app = app_with(&[REGISTER]);
    let form = "form-data; name=\"formId\"\r\n\r\n설문-7\r\n--x\r\nContent-Disposition: form-data; \
         name=\"image\"; filename=\"고양이.gif\"\r\nContent-Type: image/gif\r\n\r\n";
    let mut body = format!("--x\r\nContent-Disposition: {form}").into_bytes();
    body.extend_from_slice(&[PIXEL, b"\r\n--x--\r\n"].concat());
    let request = upload_of("multipart/form-data; boundary=x", &user_token());
    assert_eq!(send(&app, request, &body).status, StatusCode::CREATED);
    stored(&app, 24);
    let before = app.ports.registry.rows.borrow().clone();
    assert_eq!(before[0].original_name.as_deref(), Some("고양이.gif"));
    // All rows are lost; one object has no metadata, and one is no image.
    let (old, broken) = (&before[3].key, &before[4].key);
    app.ports.store.metadata.borrow_mut().remove(old);
    app.ports.store.metadata.borrow_mut().remove(broken);
    app.ports.store.objects.borrow_mut().insert(broken.clone(), b"no image".to_vec());
    app.ports.registry.rows.borrow_mut().clear();
    forget_ledgers(&app);
    // One run registers up to twenty; the next ones register the rest.
    let runs = [0, 1, 2].map(|_| run(&app).registered);
    assert_eq!(runs.iter().sum::<usize>(), 24);
    assert!(runs[0] <= 20, "{runs:?}");
    assert_eq!(app.ports.stored().len(), 25, "nothing was removed");
    let after = app.ports.registry.rows.borrow().clone();
    for row in before.iter().filter(|row| row.key != *broken) {
        let mut again = after.iter().find(|it| it.key == row.key).cloned().expect("registered");
        if row.key == *old {
            assert_eq!((again.form_id.take(), again.original_name.take()), (None, None));
            again.original_name.clone_from(&row.original_name);
        }
        // The time in the key is that of the admission.
        assert!(row.created_ms.abs_diff(again.created_ms) < 1000);
        (again.id, again.created_ms) = (row.id, row.created_ms);
        // The object does not have it.
        assert_eq!(again.placeholder, None);
        again.placeholder.clone_from(&row.placeholder);
        assert_eq!(again, *row);
    }
    assert!(after.iter().all(|row| row.key != *broken));
    let events = app.ports.registry.events.borrow();
    assert!(events.iter().any(|event| event.reason == "registered"));
}

#[test]
fn an_upload_that_a_ledger_knows_is_not_registered() {
    let app = app_with(&[REGISTER]);
    let guest = json!({"sub": "g", "role": "GUEST"});
    assert_eq!(send(&app, upload_as(&guest), PIXEL).status, StatusCode::CREATED);
    app.ports.set_time(NOW_MS + 301_000);
    assert_eq!(run(&app).registered, 0, "it is pending");
    assert!(app.ports.registry.keys().is_empty());
}

#[test]
fn a_sweep_finds_inconsistencies_and_repairs_them_if_configured() {
    for (variables, repaired) in [(&[][..], false), (&[("SWEEP_REPAIR", "true")][..], true)] {
        let app = app_with(variables);
        let lost = send(&app, upload(), &gif(1)).json["data"]["key"].clone();
        send(&app, upload(), &gif(2));
        let guest = json!({"sub": "g", "role": "GUEST"});
        send(&app, upload_as(&guest), &gif(3));
        let lost = lost.as_str().expect("stored").to_owned();
        app.ports.store.objects.borrow_mut().remove(&lost);
        let orphan = "users/9/images/1-00000000-0000-4000-8000-000000000000.gif".to_owned();
        app.ports.store.objects.borrow_mut().insert(orphan.clone(), PIXEL.to_vec());
        app.ports.store.objects.borrow_mut().insert("another/thing".to_owned(), vec![]);
        app.ports.set_time(NOW_MS + 301_000);

        let findings = run(&app);
        assert_eq!(findings.rows_without_object, std::slice::from_ref(&lost));
        assert_eq!(findings.objects_without_row, std::slice::from_ref(&orphan));
        assert_eq!(app.ports.registry.events.borrow().len(), 1);
        assert_eq!(app.ports.registry.keys().contains(&lost), !repaired);
        assert_eq!(app.ports.stored().contains(&orphan), !repaired);
        assert_eq!(app.ports.stored().len(), if repaired { 3 } else { 4 });
        let second = run(&app);
        assert_eq!(second.objects_without_row.is_empty(), repaired);
    }
}
