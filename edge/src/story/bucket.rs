//! Whether the bucket is the database's own, and what the sweep may do when it is and when it is not.

use serde_json::json;

use super::*;
use crate::{
    binding::StoreBinding,
    stats::{Series, SweepStop},
    sweep::{Findings, sweep},
};

const REMOVE: (&str, &str) = ("SWEEP_REPAIR", "remove");
const REGISTER: (&str, &str) = ("SWEEP_REPAIR", "register");

fn stored(app: &App<World>, pictures: u8) -> Vec<String> {
    let keys = (0..pictures).map(|shade| {
        let outcome = send(app, upload(), &picture(shade));
        assert_eq!(outcome.status, StatusCode::CREATED, "{}", outcome.json);
        outcome.json["data"]["key"].as_str().expect("stored").to_owned()
    });
    let keys = keys.collect();
    // All leases are over.
    app.ports.clock_ms.set(app.ports.clock_ms.get() + 301_000);
    keys
}

fn run(app: &App<World>) -> Findings {
    block_on(sweep(app)).expect("all answer")
}

fn stops(app: &App<World>, stop: SweepStop) -> u64 {
    block_on(stats::flush(&app.ports, &app.isolate));
    let series = Series::SweepStop(stop);
    let readings = app.ports.registry.readings.borrow();
    let same = readings.totals.iter().find(|it| {
        (it.name.as_str(), it.labels.as_str()) == (series.family().name, series.labels().as_str())
    });
    same.map_or(0, |total| total.total)
}

fn ready(app: &App<World>) -> (StatusCode, Value) {
    let outcome = send(app, get("/readyz"), b"");
    (outcome.status, outcome.json["bucket"].clone())
}

fn bind(app: &App<World>) -> Outcome {
    let token = hs256(json!({"sub": "boss", "role": "ADMIN"}), 30 * 86_400);
    let request = get("/admin/api/bucket").method(Method::POST);
    send(app, request.header("authorization", format!("Bearer {token}")), b"")
}

#[test]
fn a_new_deployment_gets_its_id_before_its_first_picture() {
    let app = app();
    stored(&app, 1);
    let id = app.ports.store.deployment_id.borrow().clone();
    assert!(id.is_some());
    assert_eq!(*app.ports.registry.deployment_id.borrow(), id);
    assert_eq!(ready(&app), (StatusCode::OK, json!("bound")));
    stored(&app, 0);
    assert_eq!(run(&app).stopped, None);
    // Asked whether it is ready, a deployment without a picture gets one as well.
    let empty = super::app();
    assert_eq!(ready(&empty), (StatusCode::OK, json!("bound")));
}

#[test]
fn in_a_bucket_that_is_not_this_deployments_nothing_is_repaired() {
    for (variables, id, expected) in [
        (REMOVE, None, StoreBinding::Missing),
        (REMOVE, Some("another"), StoreBinding::Different),
        (REGISTER, None, StoreBinding::Missing),
        (REGISTER, Some("another"), StoreBinding::Different),
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
        assert_eq!((findings.bucket, findings.stopped), (expected, Some(expected.name())));
        assert_eq!(findings.rows_without_object, rows);
        assert_eq!(app.ports.registry.keys(), rows, "{variables:?}");
        assert_eq!(app.ports.stored(), [orphan]);
        assert_eq!(stops(&app, SweepStop::Bucket(expected)), 1);
        assert_eq!(app.ports.registry.events.borrow()[0].reason, "stopped");
        let unready = (StatusCode::SERVICE_UNAVAILABLE, json!(expected.name()));
        assert_eq!(ready(&app), unready);
    }
}

#[test]
fn an_administrator_binds_the_bucket_and_it_is_on_record() {
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
    let event = app.ports.registry.events.borrow().last().cloned().expect("on record");
    assert_eq!((&*event.kind, &*event.reason), ("bind", "different"));
    assert_eq!(event.detail.as_deref(), Some("by boss"));
    assert_eq!(bind(&app).json["data"]["before"], "bound");
    assert_eq!(app.ports.registry.events.borrow().len(), 2, "once");
    assert_eq!(run(&app).stopped, None);
    assert_eq!(app.ports.registry.keys(), keys[1..]);
}

#[test]
fn a_deployment_from_before_there_were_ids_works_and_repairs_nothing_until_it_is_bound() {
    let app = app_with(&[REMOVE]);
    let keys = stored(&app, 2);
    app.ports.registry.deployment_id.take();
    app.ports.store.deployment_id.take();
    app.ports.store.objects.borrow_mut().remove(&keys[0]);
    assert_eq!(run(&app).stopped, Some("unbound"));
    assert_eq!(app.ports.registry.keys(), keys);
    assert_eq!(ready(&app), (StatusCode::OK, json!("unbound")));
    // A lost database: there is no row any more, but there are pictures.
    app.ports.registry.rows.borrow_mut().clear();
    assert_eq!(run(&app).stopped, Some("unbound"));
    assert_eq!(app.ports.stored(), keys[1..]);
    forget_ledgers(&app);
    assert_eq!(bind(&app).json["data"], json!({"before": "unbound", "bucket": "bound"}));
    assert!(run(&app).repaired);
}

#[test]
fn an_id_that_may_not_be_read_stops_repairs_only() {
    let app = app_with(&[REMOVE]);
    let keys = stored(&app, 1);
    app.ports.store.objects.borrow_mut().clear();
    app.ports.store.denies_id.set(true);
    assert_eq!(run(&app).stopped, Some("unreadable"));
    assert_eq!(app.ports.registry.keys(), keys);
    assert_eq!(ready(&app), (StatusCode::OK, json!("unreadable")));
}

#[test]
fn when_more_than_a_tenth_is_missing_nothing_is_removed() {
    let app = app_with(&[REMOVE]);
    let keys = stored(&app, 25);
    // A copy that is not complete: the id is there, every other picture is not.
    for key in keys.iter().step_by(2) {
        app.ports.store.objects.borrow_mut().remove(key);
    }
    // Twenty rows, then the last five.
    for _ in 0..2 {
        assert_eq!(run(&app).stopped, Some("too_much_missing"));
        assert_eq!(app.ports.registry.keys(), keys);
    }
    assert_eq!(stops(&app, SweepStop::TooMuch), 2);
    assert_eq!(ready(&app), (StatusCode::OK, json!("bound")));
}

#[test]
fn few_rows_are_not_made_many_by_looking_at_them_again() {
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
    // A database that was restored from before.
    app.ports.registry.rows.borrow_mut().truncate(20);
    forget_ledgers(&app);
    assert_eq!(run(&app).stopped, Some("too_much_missing"));
    assert_eq!(app.ports.stored(), keys);
}

/// Ledgers remember what they registered for a day.
fn forget_ledgers(app: &App<World>) {
    app.ports.clock_ms.set(app.ports.clock_ms.get() + 2 * 86_400_000);
    block_on(app.ports.ledger.ring());
}

#[test]
fn lost_rows_are_registered_again_from_what_lies_beside_the_objects() {
    let app = app_with(&[REGISTER]);
    let form = "form-data; name=\"formId\"\r\n\r\n설문-7\r\n--x\r\nContent-Disposition: form-data; \
         name=\"image\"; filename=\"고양이.gif\"\r\nContent-Type: image/gif\r\n\r\n";
    let mut body = format!("--x\r\nContent-Disposition: {form}").into_bytes();
    body.extend_from_slice(&[PIXEL, b"\r\n--x--\r\n"].concat());
    let mut request = upload();
    let multipart = "multipart/form-data; boundary=x".parse().expect("text");
    request.headers_mut().expect("valid").insert("content-type", multipart);
    assert_eq!(send(&app, request, &body).status, StatusCode::CREATED);
    stored(&app, 24);
    let before = app.ports.registry.rows.borrow().clone();
    assert_eq!(before[0].original_name.as_deref(), Some("고양이.gif"));
    // All rows are lost; one object is from before there was metadata, one is no picture.
    let (old, broken) = (&before[3].key, &before[4].key);
    app.ports.store.metadata.borrow_mut().remove(old);
    app.ports.store.metadata.borrow_mut().remove(broken);
    app.ports.store.objects.borrow_mut().insert(broken.clone(), b"no picture".to_vec());
    app.ports.registry.rows.borrow_mut().clear();
    forget_ledgers(&app);
    // Twenty at once, the rest of the page by the next.
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
        // The time in the key, which is that of admission.
        assert!(row.created_ms.abs_diff(again.created_ms) < 1000);
        (again.id, again.created_ms) = (row.id, row.created_ms);
        assert_eq!(again, *row);
    }
    assert!(after.iter().all(|row| row.key != *broken));
    let events = app.ports.registry.events.borrow();
    assert!(events.iter().any(|event| event.reason == "registered"));
}

#[test]
fn what_a_ledger_knows_is_not_registered() {
    let app = app_with(&[REGISTER]);
    let guest = json!({"sub": "g", "role": "GUEST"});
    assert_eq!(send(&app, upload_as(&guest), PIXEL).status, StatusCode::CREATED);
    app.ports.clock_ms.set(NOW_MS + 301_000);
    assert_eq!(run(&app).registered, 0, "it is pending");
    assert!(app.ports.registry.keys().is_empty());
}
