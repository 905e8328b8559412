//! Reads variables and secrets. Each layer parses its own settings; a variable that cannot be used is named,
//! its value never: it may be a secret.

use core::{ops::RangeInclusive, str::FromStr};
use std::borrow::Cow;

/// Where variables come from.
pub trait Variables {
    /// The value of a variable or secret that is set and not empty.
    fn read(&self, name: &str) -> Option<String>;
}

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Its name, or a field in it, such as `AUTH_ISSUERS[0].roles`.
    pub variable: Cow<'static, str>,
    /// What its value should be.
    pub expected: &'static str,
}

/// Collects the problems while variables are read, so that all of them are reported at once.
pub struct Reader<'a> {
    variables: &'a dyn Variables,
    pub problems: Vec<ConfigProblem>,
}

impl<'a> Reader<'a> {
    pub const fn new(variables: &'a dyn Variables) -> Self {
        Self { variables, problems: Vec::new() }
    }

    pub fn problem(&mut self, variable: impl Into<Cow<'static, str>>, expected: &'static str) {
        self.problems.push(ConfigProblem { variable: variable.into(), expected });
    }

    pub fn text(&self, variable: &str) -> Option<String> {
        self.variables.read(variable)
    }

    pub fn required(&mut self, variable: &'static str, expected: &'static str) -> Option<String> {
        let value = self.text(variable);
        if value.is_none() {
            self.problem(variable, expected);
        }
        value
    }

    /// A value that a parser takes; [`None`] when it is not set or refused.
    pub fn parsed<T>(
        &mut self,
        variable: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = parse(&self.text(variable)?);
        if value.is_none() {
            self.problem(variable, expected);
        }
        value
    }

    pub fn number<N>(&mut self, variable: &'static str, default: N, range: RangeInclusive<N>) -> N
    where
        N: FromStr + PartialOrd + Copy,
    {
        const EXPECTED: &str = "a whole number in the range of the documentation";
        let parse = |text: &str| text.parse().ok().filter(|number| range.contains(number));
        self.parsed(variable, EXPECTED, parse).unwrap_or(default)
    }

    pub fn flag(&mut self, variable: &'static str, default: bool) -> bool {
        self.parsed(variable, "true or false", |text| text.parse().ok()).unwrap_or(default)
    }
}

#[cfg(any(test, feature = "testing"))]
impl Variables for std::collections::BTreeMap<&'static str, &'static str> {
    fn read(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| (*value).to_owned())
    }
}
