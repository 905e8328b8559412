//! A service that answers by heart, for tests: it keeps what it was asked, and its clock moves only
//! by pauses and by answers that do not come.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use edge_types::{Clock, Random};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::s3::{
    HttpBody, HttpClient, HttpError, HttpRequest, HttpResponse, S3Store, Service, ServiceParts,
};

pub(crate) const PICTURE: &[u8] = b"the bytes of a picture";

pub(crate) const NOW_MS: u64 = 1_763_114_400_000;

pub(crate) fn parts() -> ServiceParts {
    ServiceParts {
        endpoint: "https://s3.example".to_owned(),
        region: "eu-west-1".to_owned(),
        bucket: "pictures".to_owned(),
        path_style: true,
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        session_token: None,
        timeout_ms: 10_000,
    }
}

/// What the service does with one request.
pub(crate) enum Reply {
    Response { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8>, after_ms: u64 },
    InternalError(HttpError),
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Response { status, headers: Vec::new(), body: Vec::new(), after_ms: 0 }
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>").into_bytes();
        Self::status(status).holding(&body)
    }

    pub(crate) fn stored() -> Self {
        Self::status(200).with("etag", "\"e1\"")
    }

    pub(crate) fn object(bytes: &[u8]) -> Self {
        let size = bytes.len().to_string();
        Self::stored().with("content-length", size).holding(bytes)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Response { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    pub(crate) fn after_ms(mut self, ms: u64) -> Self {
        if let Self::Response { after_ms, .. } = &mut self {
            *after_ms = ms;
        }
        self
    }

    pub(crate) fn holding(mut self, bytes: &[u8]) -> Self {
        if let Self::Response { body, .. } = &mut self {
            *body = bytes.to_vec();
        }
        self
    }
}

#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) timeout_ms: u64,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Scripted {
    pub(crate) replies: RefCell<VecDeque<Reply>>,
    pub(crate) seen: RefCell<Vec<Seen>>,
    pub(crate) pauses: RefCell<Vec<u64>>,
    now_ms: Cell<u64>,
}

pub(crate) fn store(replies: impl IntoIterator<Item = Reply>) -> S3Store<Scripted> {
    store_of(parts(), replies)
}

pub(crate) fn store_of(
    parts: ServiceParts,
    replies: impl IntoIterator<Item = Reply>,
) -> S3Store<Scripted> {
    let http_client = Scripted {
        replies: RefCell::new(replies.into_iter().collect()),
        seen: RefCell::default(),
        pauses: RefCell::default(),
        now_ms: Cell::new(NOW_MS),
    };
    S3Store::new(Service::new(parts).expect("complete"), http_client)
}

impl S3Store<Scripted> {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.http_client.seen.borrow().clone()
    }

    pub(crate) fn methods(&self) -> Vec<&'static str> {
        self.http_client.seen.borrow().iter().map(|seen| seen.method).collect()
    }

    pub(crate) fn spent_ms(&self) -> u64 {
        self.http_client.now_ms() - NOW_MS
    }
}

impl HttpBody for Vec<u8> {
    async fn read(mut self, most: usize) -> Result<Vec<u8>, HttpError> {
        self.truncate(most);
        Ok(self)
    }
}

impl HttpClient for Scripted {
    type Body = Vec<u8>;

    async fn send(&self, request: HttpRequest<'_>) -> Result<HttpResponse<Vec<u8>>, HttpError> {
        let HttpRequest { method, url, headers, body, timeout_ms } = request;
        let body = body.map(<[u8]>::to_vec);
        self.seen.borrow_mut().push(Seen { method, url, headers, body, timeout_ms });
        let reply = self.replies.borrow_mut().pop_front().expect("no more requests than replies");
        match reply {
            Reply::InternalError(error) => {
                let took_ms = if error == HttpError::Timeout { timeout_ms } else { 0 };
                self.now_ms.set(self.now_ms.get() + took_ms);
                Err(error)
            }
            Reply::Response { status, headers, body, after_ms } => {
                self.now_ms.set(self.now_ms.get() + after_ms);
                let pairs = headers.into_iter().map(|(name, value)| {
                    let value = HeaderValue::from_str(&value).expect("a header");
                    (HeaderName::from_static(name), value)
                });
                Ok(HttpResponse { status, headers: pairs.collect::<HeaderMap>(), body })
            }
        }
    }
}

impl Clock for Scripted {
    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    async fn sleep(&self, ms: u64) {
        self.pauses.borrow_mut().push(ms);
        self.now_ms.set(self.now_ms.get() + ms);
    }
}

impl Random for Scripted {
    /// Leads to the longest pause of each bound, so that the bounds can be seen.
    fn random(&self) -> [u8; 16] {
        let pauses = u32::try_from(self.pauses.borrow().len()).expect("few");
        (200_u128 << pauses).to_le_bytes()
    }
}
