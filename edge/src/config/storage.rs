//! The variables of the object store.

use super::{Reader, Variables};
use crate::storage::s3::{Service, ServiceParts, ServiceProblem};

/// Where pictures are stored.
#[derive(Clone, Debug)]
pub enum Storage {
    /// In the R2 bucket that is bound as `IMAGES`.
    R2,
    /// In a bucket of an S3-compatible service.
    S3(Box<Service>),
}

impl<V: Variables> Reader<'_, V> {
    /// Ten seconds store the largest upload over a few megabits; a caller's patience ends soon after.
    pub(super) fn storage_timeout_ms(&mut self) -> u64 {
        self.number("STORAGE_TIMEOUT_MS", 10_000, 100..=60_000)
    }

    pub(super) fn storage(&mut self, timeout_ms: u64) -> Option<Storage> {
        match self.variables.read("STORAGE").as_deref() {
            None | Some("r2") => Some(Storage::R2),
            Some("s3") => self.service(timeout_ms).map(|service| Storage::S3(Box::new(service))),
            Some(_) => {
                self.problem("STORAGE", "r2 or s3");
                None
            }
        }
    }

    fn service(&mut self, timeout_ms: u64) -> Option<Service> {
        let endpoint = self.required("S3_ENDPOINT", ENDPOINT);
        let region = self.required("S3_REGION", REGION);
        let bucket = self.required("S3_BUCKET", BUCKET);
        let access_key_id = self.required("S3_ACCESS_KEY_ID", KEY);
        let secret_access_key = self.required("S3_SECRET_ACCESS_KEY", KEY);
        let path_style = self.path_style();
        let parts = ServiceParts {
            endpoint: endpoint?,
            region: region?,
            bucket: bucket?,
            path_style,
            access_key_id: access_key_id?,
            secret_access_key: secret_access_key?,
            session_token: self.variables.read("S3_SESSION_TOKEN"),
            timeout_ms,
        };
        match Service::new(parts) {
            Ok(service) => Some(service),
            Err(problem) => {
                let (variable, expected) = named(problem);
                self.problem(variable, expected);
                None
            }
        }
    }

    fn required(&mut self, variable: &'static str, expected: &'static str) -> Option<String> {
        let value = self.variables.read(variable);
        if value.is_none() {
            self.problem(variable, expected);
        }
        value
    }

    fn path_style(&mut self) -> bool {
        match self.variables.read("S3_PATH_STYLE").as_deref() {
            None | Some("true") => true,
            Some("false") => false,
            Some(_) => {
                self.problem("S3_PATH_STYLE", "true or false");
                true
            }
        }
    }
}

const ENDPOINT: &str = "an address such as https://s3.eu-west-1.amazonaws.com; http only on this \
     machine or to a container's plain name";
const REGION: &str = "the region that the service signs for, such as eu-west-1 or auto";
const BUCKET: &str =
    "the name of a bucket; S3_PATH_STYLE=true when it cannot be part of a host name";
const KEY: &str = "a key of the service, without spaces and line breaks";

const fn named(problem: ServiceProblem) -> (&'static str, &'static str) {
    match problem {
        ServiceProblem::Endpoint => ("S3_ENDPOINT", ENDPOINT),
        ServiceProblem::Region => ("S3_REGION", REGION),
        ServiceProblem::Bucket => ("S3_BUCKET", BUCKET),
        ServiceProblem::AccessKeyId => ("S3_ACCESS_KEY_ID", KEY),
        ServiceProblem::SecretAccessKey => ("S3_SECRET_ACCESS_KEY", KEY),
        ServiceProblem::SessionToken => ("S3_SESSION_TOKEN", KEY),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Config, ConfigProblem};

    type Map = BTreeMap<&'static str, &'static str>;

    fn variables() -> Map {
        let mut variables = crate::config::tests::variables();
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

    fn problems(variables: &Map) -> Vec<&'static str> {
        let problems = Config::read(variables).expect_err("incomplete");
        problems.into_iter().map(|ConfigProblem { variable, .. }| variable).collect()
    }

    #[test]
    fn the_store_is_r2_unless_said_otherwise() {
        let config = Config::read(&crate::config::tests::variables()).expect("complete");
        assert!(matches!(config.storage, Storage::R2));
        assert_eq!(config.storage_timeout_ms, 10_000);
        let config = Config::read(&variables()).expect("complete");
        assert!(matches!(config.storage, Storage::S3(_)));
    }

    #[test]
    fn every_missing_variable_is_named_at_once() {
        let mut variables = variables();
        let missing =
            ["S3_ENDPOINT", "S3_REGION", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"];
        for name in missing {
            variables.remove(name);
        }
        assert_eq!(problems(&variables), missing);
    }

    #[test]
    fn a_wrong_variable_is_named() {
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
            let mut variables = variables();
            variables.insert(name, value);
            assert_eq!(problems(&variables), [name]);
        }
    }

    #[test]
    fn no_secret_shows() {
        let text = format!("{:?}", Config::read(&variables()).expect("complete"));
        assert!(!text.contains("very-secret") && !text.contains("lent-token"), "{text}");
    }
}
