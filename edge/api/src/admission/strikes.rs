//! Counts as strikes what no honest caller sends.

use edge_auth::Permit;
use edge_ledger::{AbuseKind, LedgerClient, Strike};
use edge_types::{ClientIp, Role, Subject, hex, log};
use http::header;
use image_rules::ImageError;
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    context::RequestContext,
    ports::Ports,
    request::text_header,
    telemetry::{BanReason, Metric},
};

/// Records a file that no honest caller sends.
pub async fn record_image_incident<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    permit: &Permit,
    error: &ImageError,
    file: &[u8],
) {
    if let Some(kind) = abuse_kind(error, file.len() as u64) {
        strike_uploader(app, context, permit, kind, file).await;
    }
}

/// A guest's strike also counts against the client IP, because a new guest token costs nothing.
pub(super) async fn strike_uploader<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    permit: &Permit,
    kind: AbuseKind,
    incident: &[u8],
) {
    strike(app, &Subject::User(permit.owner().clone()), 1, kind, incident).await;
    if permit.role() == Role::Guest {
        strike_client_ip(app, &context.client_ip(), kind, incident).await;
    }
}

pub(super) async fn strike_for_forged_token<P: Ports>(app: &App<P>, context: &RequestContext<'_>) {
    let token = text_header(context.head, header::AUTHORIZATION).unwrap_or_default();
    let kind = AbuseKind::ForgedToken;
    strike_client_ip(app, &context.client_ip(), kind, token.as_bytes()).await;
}

async fn strike_client_ip<P: Ports>(
    app: &App<P>,
    client_ip: &ClientIp,
    kind: AbuseKind,
    incident: &[u8],
) {
    for (subject, factor) in client_ip.subjects() {
        if !subject.is_never_banned() {
            strike(app, subject, factor, kind, incident).await;
        }
    }
}

/// What an error of the image rules says about the caller. An unaccepted type, an image with the type of another
/// one, a corrupt and a large image are honest mistakes.
const fn abuse_kind(error: &ImageError, size_bytes: u64) -> Option<AbuseKind> {
    /// Photos have some 4 pixels a byte and screenshots 100; deflate reaches 1,000 only with an empty image.
    const BOMB_PIXELS_PER_BYTE: u64 = 1000;
    match error {
        ImageError::Disguised { .. } | ImageError::Unrecognised => Some(AbuseKind::Disguise),
        ImageError::TooManyPixels { pixels, .. } if *pixels / BOMB_PIXELS_PER_BYTE > size_bytes => {
            Some(AbuseKind::Bomb)
        }
        _ => None,
    }
}

async fn strike<P: Ports>(
    app: &App<P>,
    subject: &Subject,
    factor: u32,
    kind: AbuseKind,
    incident: &[u8],
) {
    let limits = &app.config.limits;
    let command = Strike {
        kind,
        fingerprint: fingerprint(incident),
        strikes_to_ban: limits.strikes_to_ban.saturating_mul(factor),
        ban_s: limits.ban_s,
    };
    match app.ports.ledger().send(subject, command).await {
        Ok(status) if status.newly_banned => {
            app.isolate.counters.count(Metric::Ban(BanReason::Strikes(kind)), 1);
        }
        Ok(_) => {}
        // The request is refused in any case, so a lost strike does little harm.
        Err(error) => log::error("strike_uncounted", &[("cause", &error.to_string())]),
    }
}

/// Identifies an incident without storing it: 64 bits of its digest.
fn fingerprint(incident: &[u8]) -> String {
    format!("{:.16}", hex::encode(&Sha256::digest(incident)))
}

#[cfg(test)]
mod tests {
    use image_rules::Format;

    use super::*;

    fn huge(pixels: u64) -> ImageError {
        ImageError::TooManyPixels { pixels, limit: 50_000_000 }
    }

    #[test]
    fn a_bomb_has_more_than_a_thousand_pixels_for_each_of_its_bytes() {
        assert_eq!(abuse_kind(&huge(100_000_000), 3_000_000), None, "a large photo");
        assert_eq!(abuse_kind(&huge(100_000_000), 100_000), None, "a thousand exactly");
        assert_eq!(abuse_kind(&huge(100_001_000), 100_000), Some(AbuseKind::Bomb));
        assert_eq!(abuse_kind(&huge(4_000_000_000_000), 67), Some(AbuseKind::Bomb));
    }

    #[test]
    fn a_file_that_is_no_image_is_a_disguise_and_a_wrong_type_is_not() {
        assert_eq!(abuse_kind(&ImageError::Unrecognised, 10), Some(AbuseKind::Disguise));
        let misnamed = ImageError::DeclaredMismatch { declared: Format::Png, actual: Format::Jpeg };
        assert_eq!(abuse_kind(&misnamed, 10), None);
        assert_eq!(abuse_kind(&ImageError::Empty, 0), None);
    }

    #[test]
    fn a_fingerprint_is_sixteen_digits_of_the_digest() {
        // SHA-256 of "abc" (FIPS 180-2, appendix B.1) begins so.
        assert_eq!(fingerprint(b"abc"), "ba7816bf8f01cfea");
    }
}
