//! A ticket: the permission for one upload of one user, within limits.

use image_rules::{Code, Format, Limits};
use serde::{Deserialize, Serialize};

use edge_types::{FormId, Problem};

/// What was agreed on beyond who and until when; what is not said is not bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketScope {
    /// The form that the picture answers.
    pub form_id: Option<FormId>,
    pub format: Option<Format>,
    /// How many bytes it has at most.
    pub max_bytes: Option<u64>,
}

/// As it travels in the token.
#[derive(Serialize, Deserialize)]
pub(crate) struct TicketClaims {
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(rename = "max", skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u64>,
}

impl TicketClaims {
    pub(crate) fn new(id: String, scope: &TicketScope) -> Self {
        Self {
            id,
            form: scope.form_id.as_ref().map(|id| id.as_str().to_owned()),
            media_type: scope.format.map(|format| format.media_type().to_owned()),
            max_bytes: scope.max_bytes,
        }
    }

    /// Nothing when it could not have been issued here.
    pub(crate) fn scope(&self) -> Option<TicketScope> {
        let form_id = match &self.form {
            Some(form) => Some(FormId::from_text(form)?),
            None => None,
        };
        let format = match &self.media_type {
            Some(text) => Some(Format::from_media_type(text)?),
            None => None,
        };
        Some(TicketScope { form_id, format, max_bytes: self.max_bytes })
    }
}

/// A ticket that was presented and is genuine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(crate) scope: TicketScope,
}

/// Identifies what may be used once: a ticket, a guest token for one upload, a challenge. The ledger knows whether it is
/// spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleUse {
    pub id: String,
    pub expires_ms: u64,
}

impl Ticket {
    /// The limits of an upload with this ticket.
    pub(crate) fn narrow(&self, limits: Limits) -> Limits {
        let most = self.scope.max_bytes.unwrap_or(u64::MAX);
        Limits { max_bytes: limits.max_bytes.min(most), ..limits }
    }

    /// The form of an upload with this ticket: the ticket's, and the caller may say the same.
    pub(crate) fn form_id(&self, said: Option<FormId>) -> Result<Option<FormId>, Problem> {
        match (&self.scope.form_id, said) {
            (Some(bound), Some(said)) if *bound != said => Err(Problem::new(Code::TicketRequired)),
            (Some(bound), _) => Ok(Some(bound.clone())),
            (None, said) => Ok(said),
        }
    }

    /// Whether it admits an image of this type.
    pub(crate) fn allows(&self, declared: Format) -> Result<(), Problem> {
        match self.scope.format {
            Some(bound) if bound != declared => Err(Problem::new(Code::TicketRequired)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_for_one_form_is_rejected_for_another() {
        let form = |text: &str| FormId::from_text(text);
        for (bound, said, expected) in [
            (form("a"), None, Ok(form("a"))),
            (form("a"), form("a"), Ok(form("a"))),
            (form("a"), form("b"), Err(Code::TicketRequired)),
            (None, form("b"), Ok(form("b"))),
            (None, None, Ok(None)),
        ] {
            let scope = TicketScope { form_id: bound, format: None, max_bytes: None };
            let ticket = Ticket { scope };
            assert_eq!(ticket.form_id(said).map_err(|refusal| refusal.code), expected);
        }
    }
}
