//! The variables of the object store.

use edge_storage::s3::{Service, ServiceParts, ServiceProblem};
use edge_types::Reader;

#[derive(Clone, Debug)]
pub enum Storage {
    /// The R2 bucket that is bound as `IMAGES`.
    R2,
    /// A bucket of an S3-compatible service.
    S3(Box<Service>),
}

impl Storage {
    pub(super) fn read(reader: &mut Reader<'_>, timeout_ms: u64) -> Option<Self> {
        match reader.text("STORAGE").as_deref() {
            None | Some("r2") => Some(Self::R2),
            Some("s3") => service(reader, timeout_ms).map(|service| Self::S3(Box::new(service))),
            Some(_) => {
                reader.problem("STORAGE", "r2 or s3");
                None
            }
        }
    }
}

fn service(reader: &mut Reader<'_>, timeout_ms: u64) -> Option<Service> {
    let endpoint = reader.required("S3_ENDPOINT", ENDPOINT);
    let region = reader.required("S3_REGION", REGION);
    let bucket = reader.required("S3_BUCKET", BUCKET);
    let access_key_id = reader.required("S3_ACCESS_KEY_ID", KEY);
    let secret_access_key = reader.required("S3_SECRET_ACCESS_KEY", KEY);
    let path_style = reader.flag("S3_PATH_STYLE", true);
    let parts = ServiceParts {
        endpoint: endpoint?,
        region: region?,
        bucket: bucket?,
        path_style,
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token: reader.text("S3_SESSION_TOKEN"),
        timeout_ms,
    };
    let service = Service::new(parts);
    if let Err(problem) = &service {
        let (variable, expected) = named(*problem);
        reader.problem(variable, expected);
    }
    service.ok()
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
