//! The forms that this isolate has looked up. A changed policy takes effect within [`TRUSTED_MS`].

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use edge_registry::{FormRow, RegistryError};
use edge_types::{FormName, FormRefusal, Problem};
use serde_json::{Map, Value};

use crate::form_policy::FormPolicy;

/// A form that has a policy.
#[derive(Debug)]
pub struct Form {
    pub name: FormName,
    pub policy: FormPolicy,
    /// Since when its pictures are counted; [`None`] for a form without a limit.
    pub counted_since_ms: Option<u64>,
    /// Whether it was closed and its pictures were deleted.
    pub is_deleted: bool,
}

impl Form {
    pub fn of(name: &FormName, row: &FormRow) -> Result<Self, RegistryError> {
        let unreadable = || RegistryError(format!("the policy of form {name} cannot be read"));
        let json: Map<String, Value> =
            serde_json::from_str(&row.policy).map_err(|_| unreadable())?;
        let policy = FormPolicy::read(&json).map_err(|_| unreadable())?;
        let FormRow { counted_since_ms, deleted_ms, .. } = *row;
        let (name, is_deleted) = (name.clone(), deleted_ms.is_some());
        Ok(Self { name, policy, counted_since_ms, is_deleted })
    }

    /// Whether it takes pictures now.
    ///
    /// # Errors
    /// `FORM_CLOSED`, with the times.
    pub fn check_open(&self, now_ms: u64) -> Result<(), Problem> {
        let FormPolicy { opens_ms, closes_ms, .. } = self.policy;
        if self.state(now_ms) == FormState::Open {
            return Ok(());
        }
        Err(Problem::form(FormRefusal::Closed { now_ms, opens_ms, closes_ms }))
    }

    pub fn state(&self, now_ms: u64) -> FormState {
        if self.policy.opens_ms.is_some_and(|opens_ms| now_ms < opens_ms) {
            FormState::NotYetOpen
        } else if self.policy.closes_ms.is_some_and(|closes_ms| now_ms >= closes_ms) {
            FormState::Closed
        } else {
            FormState::Open
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum FormState {
    NotYetOpen,
    Open,
    Closed,
}

/// How long a reply of the database is used again. The count of a form that gets a limit waits for it (`POLICY_CACHE_MS`
/// in `edge-ledger`).
const TRUSTED_MS: u64 = 30_000;
/// A form takes about 300 bytes; a name that has none, 100.
const MAX_FORMS: usize = 500;

#[derive(Default)]
pub struct FormCache(RefCell<BTreeMap<FormName, CachedForm>>);

#[derive(Clone)]
pub struct CachedForm {
    /// [`None`] when there is no such form.
    pub form: Option<Rc<Form>>,
    /// When the database said so.
    at_ms: u64,
}

impl FormCache {
    /// What the database said; [`None`] when it must be asked.
    pub fn get(&self, name: &FormName, now_ms: u64) -> Option<CachedForm> {
        let cached = self.0.borrow().get(name).cloned();
        cached.filter(|cached| cached.at_ms.abs_diff(now_ms) < TRUSTED_MS)
    }

    pub fn put(&self, name: &FormName, form: Option<Rc<Form>>, at_ms: u64) {
        let mut forms = self.0.borrow_mut();
        if forms.len() >= MAX_FORMS {
            forms.clear();
        }
        forms.insert(name.clone(), CachedForm { form, at_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_763_114_400_000;

    fn name(number: usize) -> FormName {
        FormName::parse(&format!("f{number}")).expect("a name")
    }

    #[test]
    fn a_reply_is_used_for_half_a_minute_by_any_clock() {
        let cache = FormCache::default();
        cache.put(&name(1), None, NOW_MS);
        assert!(cache.get(&name(1), NOW_MS + TRUSTED_MS - 1).is_some());
        assert!(cache.get(&name(1), NOW_MS + TRUSTED_MS).is_none());
        assert!(cache.get(&name(1), NOW_MS - TRUSTED_MS).is_none(), "the clock was set back");
        assert!(cache.get(&name(2), NOW_MS).is_none());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = FormCache::default();
        for number in 0..3 * MAX_FORMS {
            cache.put(&name(number), None, NOW_MS);
            assert!(cache.0.borrow().len() <= MAX_FORMS);
            assert!(cache.get(&name(number), NOW_MS).is_some());
        }
    }
}
