//! How many wrong passwords are checked: for one e-mail address from one client IP, for one e-mail address from all
//! of them, and from one client IP for all addresses. A browser that has logged in before is counted alone.
//!
//! Attempts with a solved challenge have a limit of their own for the e-mail address, so that strangers who use up the
//! other one do not keep the owner out.
//!
//! One client IP spends at most half of what all of them together may, so it cannot keep the owner of the address
//! out. `docs/security.md` states the bounds.

use edge_auth::Purpose;
use edge_ledger::{CountLoginAttempt, LedgerClient, LoginLimit, RefundLoginAttempt};
use edge_types::{Email, Problem, Subject, log};
use image_rules::Code;

use super::device_cookie::DeviceId;
use crate::{app::App, challenge, context::RequestContext, error::ApiError, ports::Ports};

/// For one e-mail address from one client IP, and for a browser that has logged in before: 58 in any 24 hours. People
/// mistype, and try several of their passwords.
const ONE_CALLER: LoginLimit = LoginLimit { burst: 10, interval_s: 1800 };
/// For one e-mail address from all client IPs, known browsers left out: 20 + 86,400 / 900 = 116 in any 24 hours.
const ALL_CALLERS: LoginLimit = LoginLimit { burst: 20, interval_s: 900 };
/// For one e-mail address from all client IPs, with solved challenges: 120 + 86,400 / 120 = 840 in any 24 hours, which with
/// those above is below the thousand most common passwords. Somebody needs 15 client IPs to use them up.
const ALL_CHALLENGED_CALLERS: LoginLimit = LoginLimit { burst: 120, interval_s: 120 };
/// From one client IP for all e-mail addresses: 1,500 in any 24 hours. Schools and offices share a client IP.
const ALL_ADDRESSES: LoginLimit = LoginLimit { burst: 60, interval_s: 60 };

/// An attempt that is counted as failed.
pub(super) struct LoginAttempt {
    counted: Vec<(Subject, LoginLimit)>,
}

impl LoginAttempt {
    /// Counts an attempt as failed. Whether the address has an account changes nothing.
    ///
    /// # Errors
    /// `RATE_LIMITED` before the password is checked, or `CHALLENGE_REQUIRED` where a solved challenge may help; nothing is
    /// counted then. Those of [`challenge::spend_solution`].
    pub(super) async fn count<P: Ports>(
        app: &App<P>,
        context: &RequestContext<'_>,
        email: &Email,
        device: Option<&DeviceId>,
    ) -> Result<Self, ApiError> {
        let mut attempt = Self { counted: Vec::new() };
        let is_solved =
            device.is_none() && challenge::spend_solution(app, context, Purpose::Login).await?;
        for (subject, limit) in throttles(context, email, device, is_solved) {
            let command = CountLoginAttempt { limit };
            match app.ports.ledger().send(&subject, command).await? {
                None => attempt.counted.push((subject, limit)),
                Some(wait_s) => {
                    attempt.refund(app).await;
                    let refusal = Problem::retry(Code::RateLimited, wait_s);
                    let may_help = matches!(subject, Subject::Email(_));
                    return Err(challenge::required_instead(app, may_help, refusal).into());
                }
            }
        }
        Ok(attempt)
    }

    /// The password was right, or was not checked. A refund that fails only makes the throttle stricter.
    pub(super) async fn refund<P: Ports>(self, app: &App<P>) {
        for (subject, limit) in self.counted {
            let command = RefundLoginAttempt { limit };
            if let Err(error) = app.ports.ledger().send(&subject, command).await {
                log::error("login_attempt_unrefunded", &[("cause", &error.to_string())]);
            }
        }
    }
}

/// The throttles of an attempt, the narrowest first.
fn throttles(
    context: &RequestContext<'_>,
    email: &Email,
    device: Option<&DeviceId>,
    is_solved: bool,
) -> Vec<(Subject, LoginLimit)> {
    if let Some(device) = device {
        return vec![(Subject::Device(device.to_string()), ONE_CALLER)];
    }
    let client_ip = context.client_ip();
    // An IPv6 customer has up to 65,536 /64, so only the /48 is one caller.
    let network = client_ip.site().unwrap_or_else(|| client_ip.subject());
    let mut throttles = vec![(Subject::login(email, network), ONE_CALLER)];
    throttles.extend(
        client_ip
            .subjects()
            .map(|(subject, factor)| (subject.clone(), ALL_ADDRESSES.times(factor))),
    );
    throttles.push(if is_solved {
        (Subject::ChallengedLogin(email.digest()), ALL_CHALLENGED_CALLERS)
    } else {
        (Subject::Email(email.digest()), ALL_CALLERS)
    });
    throttles
}
