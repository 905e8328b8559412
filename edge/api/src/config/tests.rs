//! Defaults, and the problems of wrong variables.

use std::collections::BTreeMap;

use edge_auth::testing::{HS256_SECRET, SIGNING_JWK};

use super::{alert_webhook::WebhookKind, *};

/// The variables that `make dev` writes, with fixed keys.
fn variables() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("SIGNING_JWK", SIGNING_JWK),
        ("AUTH_HS256_SECRET", HS256_SECRET),
        ("ALLOWED_ORIGINS", "*"),
    ])
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let config = Config::read(&variables()).expect("complete");
    assert_eq!((config.guest_token_s, config.guest_single_use), (300, false));
    assert_eq!(config.policy, Policy::EDGE);
    assert_eq!(config.allowed_origins, AllowedOrigins::Any);
    assert!(!config.fault_injection);
    assert_eq!((config.url_keys.is_none(), config.signed_url_max_s), (true, 604_800));
}

#[test]
fn every_invalid_variable_is_named_without_its_value() {
    let wrong = BTreeMap::from([
        ("SIGNING_JWK", "{\"kty\":\"oct\"}"),
        ("AUTH_HS256_SECRET", "short"),
        ("AUTH_JWKS", "not json"),
        ("AUTH_JWKS_URL", "http://login.example/jwks.json"),
        ("MAX_UPLOAD_BYTES", "5MB"),
        ("QUALITY", "0"),
        ("ALLOWED_ORIGINS", "https://a.example/path"),
        ("PUBLIC_BASE_URL", "image.example"),
        ("FAULT_INJECTION", "yes"),
        ("DAILY_BYTES", "0"),
        ("PENDING_ROLES", "GUEST,ROOT"),
        ("REQUIRE_TICKET", "1"),
        ("AUTH_BUILTIN", "no"),
        ("ACCESS_TOKEN_S", "0"),
        ("REFRESH_TOKEN_S", "unlimited"),
        ("SIGNING_JWK_PREVIOUS", "{}"),
        ("PLATFORM_ADMIN", "1"),
        ("SERVICE_PER_MINUTE", "0"),
        ("ALLOWED_HEADERS", "*"),
        ("UPLOADS", "false"),
        ("EVENT_DAYS", "0"),
        ("GUEST_SINGLE_USE", "1"),
        ("CHALLENGE", "captcha"),
        ("CHALLENGE_BITS", "25"),
        ("URL_SIGNING_KEY", "31 characters are too few, here"),
        ("URL_SIGNING_KEY_PREVIOUS", "short"),
        ("SIGNED_URL_MAX_S", "59"),
    ]);
    let problems = Config::read(&wrong).expect_err("all wrong");
    let mut named: Vec<_> = problems.iter().map(|problem| &*problem.variable).collect();
    named.sort_unstable();
    // These are missing, with AUTH_JWKS_URL.
    let missing = ["AUTH_ISSUER", "AUTH_AUDIENCE"];
    let mut expected: Vec<_> = wrong.keys().copied().chain(missing).collect();
    expected.sort_unstable();
    assert_eq!(named, expected);
    assert!(!format!("{problems:?}").contains("short"));
}

#[test]
fn origins_are_exact() {
    let mut variables = variables();
    variables.insert("ALLOWED_ORIGINS", "https://a.example, http://localhost:5173");
    let config = Config::read(&variables).expect("complete");
    let expected = ["https://a.example", "http://localhost:5173"].map(str::to_owned).to_vec();
    assert_eq!(config.allowed_origins, AllowedOrigins::Only(expected));
}

#[test]
fn pages_may_send_tracing_headers_and_others_that_are_configured() {
    const OWN: &str =
        "authorization, content-type, x-filename, accept-language, x-challenge-response";
    let of = |text: Option<&'static str>| {
        let mut variables = variables();
        variables.extend(text.map(|text| ("ALLOWED_HEADERS", text)));
        let config = Config::read(&variables).map_err(|problems| problems[0].variable.clone());
        config.map(|config| config.allowed_headers.to_str().expect("text").to_owned())
    };
    let usual = of(None).expect("usable");
    assert!(usual.starts_with(OWN), "{usual}");
    for name in ["traceparent", "baggage", "sentry-trace", "x-datadog-origin", "b3", "x-b3-flags"] {
        assert!(usual.split(", ").any(|allowed| allowed == name), "{name}");
    }
    assert_eq!(of(Some("NONE")).as_deref(), Ok(OWN));
    let more = of(Some("X-Tenant,, traceparent , X-Filename"));
    assert_eq!(more, Ok(format!("{OWN}, x-tenant, traceparent")));
    for wrong in ["*", "a b", "X-Tenant: 1", "a,*", "é"] {
        assert_eq!(of(Some(wrong)), Err("ALLOWED_HEADERS".into()), "{wrong}");
    }
}

#[test]
fn the_defaults_of_accounts_are_those_of_the_documentation() {
    let config = Config::read(&variables()).expect("complete");
    let expected = AccountSettings {
        built_in: true,
        access_token_s: 900,
        refresh_token_s: 1_209_600,
        refresh_absolute_days: 90,
    };
    assert_eq!(config.accounts, expected);
}

#[test]
fn accounts_can_be_left_to_the_platform() {
    let mut variables = variables();
    variables.insert("AUTH_BUILTIN", "false");
    assert!(!Config::read(&variables).expect("complete").accounts.built_in);
}

#[test]
fn the_defaults_of_limits_are_those_of_the_documentation() {
    let config = Config::read(&variables()).expect("complete");
    let user = UploadLimits { rate_per_minute: 60, daily_count: 1000, daily_bytes: 524_288_000 };
    let guest = UploadLimits { rate_per_minute: 6, daily_count: 100, daily_bytes: 52_428_800 };
    assert_eq!(config.limits.of_role(Role::User), user);
    assert_eq!(config.limits.of_role(Role::Guest), guest);
    let service = UploadLimits { rate_per_minute: 6_000, ..user };
    assert_eq!(config.limits.of_role(Role::Service), service);
    assert_eq!(config.limits.client_ip_per_minute, 120);
    assert_eq!((config.limits.strikes_to_ban, config.limits.ban_s), (10, 3600));
    let newcomers = NewcomerLimits {
        guest_tokens_per_hour: 40,
        sign_ups_per_hour: 40,
        daily_count: 600,
        daily_bytes: 1_073_741_824,
    };
    assert_eq!(config.limits.newcomers, newcomers);
    assert_eq!(config.limits.ceilings, Ceilings::default());
    let uploads = UploadSettings {
        switch: UploadSwitch::On,
        lease_s: 300,
        pending_roles: vec![Role::Guest],
        pending_s: 3600,
        ticket_s: 60,
        require_ticket: false,
        require_form: false,
    };
    assert_eq!(config.uploads, uploads);
}

#[test]
fn a_lease_lasts_longer_than_a_write_that_timed_out() {
    let problems = |intent_s, timeout_ms| {
        let mut variables = variables();
        variables.extend([("INTENT_S", intent_s), ("STORAGE_TIMEOUT_MS", timeout_ms)]);
        let problems = Config::read(&variables).err().unwrap_or_default();
        problems.into_iter().map(|problem| problem.variable).collect::<Vec<_>>()
    };
    assert_eq!(problems("300", "23999"), [""; 0]);
    assert_eq!(problems("300", "24000"), ["INTENT_S"]);
    assert_eq!(problems("15", "1199"), [""; 0]);
    assert_eq!(problems("1", "100"), ["INTENT_S"]);
}

#[test]
fn a_petabyte_a_day_is_the_largest_daily_quota() {
    let config = |bytes| {
        let mut variables = variables();
        variables.insert("DAILY_BYTES", bytes);
        Config::read(&variables)
    };
    let most = config("1125899906842624").expect("a petabyte");
    assert_eq!(most.limits.user.daily_bytes, 1_125_899_906_842_624);
    assert_eq!(config("1125899906842625").expect_err("more")[0].variable, "DAILY_BYTES");
}

#[test]
fn each_role_that_uploads_can_be_pending_and_no_other_name_can() {
    let pending = |names| {
        let mut variables = variables();
        variables.insert("PENDING_ROLES", names);
        Config::read(&variables).map(|config| config.uploads.pending_roles)
    };
    assert_eq!(pending("SERVICE").expect("a role"), [Role::Service]);
    assert_eq!(pending("GUEST,,USER,").expect("roles"), [Role::Guest, Role::User]);
    for wrong in ["ADMIN", "guest", "GUEST USER", "NONE,USER"] {
        assert_eq!(pending(wrong).expect_err(wrong)[0].variable, "PENDING_ROLES");
    }
}

#[test]
fn the_smallest_limit_of_guests_is_one_and_pending_roles_are_named() {
    let mut variables = variables();
    variables.extend([("RATE_PER_MINUTE", "3"), ("PENDING_ROLES", "GUEST, USER")]);
    let config = Config::read(&variables).expect("complete");
    assert_eq!(config.limits.of_role(Role::Guest).rate_per_minute, 1);
    assert_eq!(config.uploads.pending_roles, [Role::Guest, Role::User]);
    variables.insert("PENDING_ROLES", "NONE");
    let config = Config::read(&variables).expect("complete");
    assert!(config.uploads.pending_roles.is_empty());
}

const SLACK: &str = "https://hooks.slack.com/services/T0/B0/very-secret";

fn problems(set: &[(&'static str, &'static str)]) -> Vec<String> {
    let mut variables = variables();
    variables.extend(set.iter().copied());
    let problems = Config::read(&variables).expect_err("wrong");
    problems.into_iter().map(|problem| problem.variable.into_owned()).collect()
}

#[test]
fn the_kind_of_a_webhook_is_known_by_its_host_or_its_variable() {
    let mut variables = variables();
    assert_eq!(Config::read(&variables).expect("complete").alert_webhook, None);
    variables.insert("ALERT_WEBHOOK_URL", SLACK);
    let slack = AlertWebhook::new(SLACK.to_owned(), WebhookKind::Slack);
    assert_eq!(Config::read(&variables).expect("complete").alert_webhook, Some(slack));
    variables.insert("ALERT_WEBHOOK_KIND", "discord");
    let config = Config::read(&variables).expect("complete");
    assert_eq!(
        config.alert_webhook,
        Some(AlertWebhook::new(SLACK.to_owned(), WebhookKind::Discord))
    );
    assert!(!format!("{config:?}").contains("very-secret"));
}

#[test]
fn an_invalid_monitoring_variable_is_named() {
    let elsewhere = ("ALERT_WEBHOOK_URL", "https://chat.example/hook");
    assert_eq!(problems(&[elsewhere]), ["ALERT_WEBHOOK_KIND"]);
    assert_eq!(problems(&[("ALERT_WEBHOOK_KIND", "pager")]), ["ALERT_WEBHOOK_KIND"]);
    let plain = ("ALERT_WEBHOOK_URL", "http://hooks.slack.com/services/x");
    assert_eq!(problems(&[plain]), ["ALERT_WEBHOOK_URL"]);
    assert_eq!(problems(&[("METRICS_TOKEN", "short")]), ["METRICS_TOKEN"]);
    assert_eq!(problems(&[("LOG_LEVEL", "loud")]), ["LOG_LEVEL"]);
    assert_eq!(problems(&[("SWEEP_REPAIR", "yes")]), ["SWEEP_REPAIR"]);
}

#[test]
fn the_sweep_repairs_only_if_configured() {
    for (value, expected) in [
        ("", SweepRepair::Off),
        ("false", SweepRepair::Off),
        ("off", SweepRepair::Off),
        ("true", SweepRepair::Remove),
        ("remove", SweepRepair::Remove),
        ("register", SweepRepair::Register),
    ] {
        let mut variables = variables();
        if !value.is_empty() {
            variables.insert("SWEEP_REPAIR", value);
        }
        let config = Config::read(&variables).expect("complete");
        assert_eq!(config.sweep_repair, expected, "{value:?}");
    }
}

fn s3_variables() -> BTreeMap<&'static str, &'static str> {
    let mut variables = variables();
    variables.extend([
        ("STORAGE", "s3"),
        ("S3_ENDPOINT", "https://s3.example"),
        ("S3_REGION", "auto"),
        ("S3_BUCKET", "pictures"),
        ("S3_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("S3_SECRET_ACCESS_KEY", "very-secret"),
        ("S3_SESSION_TOKEN", "lent-token"),
    ]);
    variables
}

fn problems_of(variables: &BTreeMap<&'static str, &'static str>) -> Vec<String> {
    let problems = Config::read(variables).expect_err("incomplete");
    problems.into_iter().map(|problem| problem.variable.into_owned()).collect()
}

#[test]
fn the_store_is_r2_by_default() {
    let config = Config::read(&variables()).expect("complete");
    assert!(matches!(config.storage, Storage::R2));
    assert_eq!(config.storage_timeout_ms, 10_000);
    let config = Config::read(&s3_variables()).expect("complete");
    assert!(matches!(config.storage, Storage::S3(_)));
}

#[test]
fn every_missing_variable_is_named_at_once() {
    let mut variables = s3_variables();
    let missing =
        ["S3_ENDPOINT", "S3_REGION", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"];
    for name in missing {
        variables.remove(name);
    }
    assert_eq!(problems_of(&variables), missing);
}

#[test]
fn an_invalid_variable_is_named() {
    for (name, value) in [
        ("STORAGE", "azure"),
        ("STORAGE_TIMEOUT_MS", "1"),
        ("S3_ENDPOINT", "http://s3.example"),
        ("S3_REGION", "eu west"),
        ("S3_BUCKET", "a/b"),
        ("S3_PATH_STYLE", "yes"),
        ("S3_ACCESS_KEY_ID", "a b"),
        ("S3_SECRET_ACCESS_KEY", "a\n"),
        ("S3_SESSION_TOKEN", "a b"),
    ] {
        let mut variables = s3_variables();
        variables.insert(name, value);
        assert_eq!(problems_of(&variables), [name]);
    }
}

#[test]
fn debug_output_contains_no_secret() {
    let text = format!("{:?}", Config::read(&s3_variables()).expect("complete"));
    assert!(!text.contains("very-secret") && !text.contains("lent-token"), "{text}");
}

#[test]
fn only_the_whole_metrics_token_matches_and_it_is_not_shown() {
    let text = "0123456789abcdef0123456789abcdef";
    assert!(MetricsToken::new(&text[1..]).is_none());
    let token = MetricsToken::new(text).expect("long enough");
    assert!(token.is(text));
    for other in ["", &text[1..], "0123456789abcdef0123456789abcdeg"] {
        assert!(!token.is(other), "{other}");
    }
    assert_eq!(format!("{token:?}"), "MetricsToken");
}

#[test]
fn a_turnstile_widget_needs_both_keys_and_a_test_secret_accepts_nobody_elsewhere() {
    let read = |changed: &[(&'static str, &'static str)]| {
        let mut variables = variables();
        variables.extend([
            ("CHALLENGE", "turnstile"),
            ("TURNSTILE_SITE_KEY", "0x4AAAAAAAexample"),
            ("TURNSTILE_SECRET", "0x4AAAAAAAsecret"),
        ]);
        variables.extend(changed.iter().copied());
        variables.retain(|_, value| !value.is_empty());
        let named = |problems: Vec<ConfigProblem>| {
            problems.into_iter().map(|it| it.variable.into_owned()).collect::<Vec<_>>()
        };
        Config::read(&variables).map_err(named)
    };
    let config = read(&[]).expect("complete");
    let Some(ChallengeSettings::Turnstile(turnstile)) = &config.challenge else {
        panic!("Turnstile")
    };
    assert_eq!(turnstile.verify_url, "https://challenges.cloudflare.com/turnstile/v0/siteverify");
    assert!(!format!("{config:?}").contains("secret"), "debug output contains no secret");
    let always = "1x0000000000000000000000000000000AA";
    for (changed, problem) in [
        (&[("TURNSTILE_SITE_KEY", "")][..], "TURNSTILE_SITE_KEY"),
        (&[("TURNSTILE_SITE_KEY", "a\"b")], "TURNSTILE_SITE_KEY"),
        (&[("TURNSTILE_SECRET", "")], "TURNSTILE_SECRET"),
        (
            &[("TURNSTILE_SECRET", always), ("ALLOWED_ORIGINS", "https://a.example")],
            "TURNSTILE_SECRET",
        ),
        (&[("TURNSTILE_VERIFY_URL", "https://verify.example/")], "TURNSTILE_VERIFY_URL"),
        (&[("TURNSTILE_VERIFY_URL", "http://localhost.example/")], "TURNSTILE_VERIFY_URL"),
    ] {
        assert_eq!(read(changed).expect_err("refused"), [problem], "{changed:?}");
    }
    assert!(read(&[("TURNSTILE_SECRET", always)]).is_ok(), "in development");
    assert!(read(&[("TURNSTILE_VERIFY_URL", "http://127.0.0.1:9/siteverify")]).is_ok());
    let off = [("CHALLENGE", "off"), ("TURNSTILE_SECRET", "")];
    assert!(read(&off).expect("complete").challenge.is_none());
}
