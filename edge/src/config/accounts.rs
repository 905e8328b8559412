//! The variables of the built-in accounts.

use super::{Reader, Variables};

/// How accounts are kept here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRules {
    /// Whether there are any; a platform with its own sign-in needs none.
    pub built_in: bool,
    /// How long an access token lives.
    pub access_token_s: u32,
    /// How long a refresh token lives; each has this time anew.
    pub refresh_token_s: u32,
}

impl<V: Variables> Reader<'_, V> {
    pub(super) fn account_rules(&mut self) -> AccountRules {
        AccountRules {
            built_in: self.flag_or("AUTH_BUILTIN", true),
            access_token_s: self.number("ACCESS_TOKEN_S", 900, 1..=86_400),
            refresh_token_s: self.number("REFRESH_TOKEN_S", 1_209_600, 1..=31_536_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, tests::variables};

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let config = Config::read(&variables()).expect("complete");
        let expected =
            AccountRules { built_in: true, access_token_s: 900, refresh_token_s: 1_209_600 };
        assert_eq!(config.accounts, expected);
    }

    #[test]
    fn accounts_can_be_left_to_the_platform() {
        let mut variables = variables();
        variables.insert("AUTH_BUILTIN", "false");
        assert!(!Config::read(&variables).expect("complete").accounts.built_in);
    }
}
