//! Forms: the endpoints of a back end, and what a form's policy means for an upload.

mod list;
mod places;

pub use list::list;
pub use places::{confirm, place_of, release, reserve};

use std::rc::Rc;

use edge_auth::Principal;
use edge_registry::{FormRow, FormStore, NewForm, RegistryError};
use edge_types::{FormId, FormName, Problem, Role, timestamp};
use http::StatusCode;
use image_rules::{Code, Policy};
use serde_json::{Map, Value};

use crate::{
    app::App,
    body::{BodyStream, read_json_of},
    context::RequestContext,
    error::{ApiError, InternalError},
    form_cache::Form,
    form_policy::FormPolicy,
    ports::Ports,
    response::{self, HandlerResult},
};

/// The rules of one upload: the deployment's, narrowed by the form's.
pub struct UploadRules {
    pub policy: Policy,
    pub form: Option<Rc<Form>>,
}

impl UploadRules {
    /// The rules of a form, or of pictures without one.
    ///
    /// # Errors
    /// `FORM_REQUIRED` and `FORM_NOT_FOUND` with `REQUIRE_FORM`.
    pub async fn of<P: Ports>(app: &App<P>, form_id: Option<&FormId>) -> Result<Self, ApiError> {
        let form = find(app, form_id).await?;
        let policy = match &form {
            Some(form) => form.policy.narrow(&app.config.policy),
            None => app.config.policy,
        };
        Ok(Self { policy, form })
    }

    /// Checks whether the form takes a picture from this role now.
    ///
    /// # Errors
    /// `FORM_CLOSED`, `GUEST_NOT_ALLOWED`.
    pub fn admit(&self, role: Role, now_ms: u64) -> Result<(), Problem> {
        let Some(form) = &self.form else { return Ok(()) };
        form.check_open(now_ms)?;
        if role == Role::Guest && !form.policy.guests {
            return Err(Problem::new(Code::GuestNotAllowed));
        }
        Ok(())
    }

    /// Whether only signed URLs may read the picture.
    pub fn is_private(&self) -> bool {
        self.form.as_ref().is_some_and(|form| form.policy.is_private)
    }

    /// Whether the picture is held until somebody releases it.
    pub fn is_reviewed(&self) -> bool {
        self.form.as_ref().is_some_and(|form| form.policy.is_reviewed)
    }

    /// Whether an upload waits for the answer of the back end.
    pub fn waits_for_back_end(&self) -> bool {
        self.form.as_deref().is_some_and(|form| form.policy.waits_for_back_end)
    }

    /// The form whose pictures are counted.
    pub fn counted(&self) -> Option<&Form> {
        self.form.as_deref().filter(|form| form.counted_since_ms.is_some())
    }
}

/// The form of an upload, if it has a policy.
///
/// # Errors
/// `FORM_REQUIRED` and `FORM_NOT_FOUND` with `REQUIRE_FORM`.
pub async fn find<P: Ports>(
    app: &App<P>,
    form_id: Option<&FormId>,
) -> Result<Option<Rc<Form>>, ApiError> {
    let is_required = app.config.uploads.require_form;
    let Some(form_id) = form_id else {
        return if is_required { Err(Code::FormRequired.into()) } else { Ok(None) };
    };
    let form = match form_id.name() {
        Some(name) => find_named(app, &name).await?,
        None => None,
    };
    if is_required && form.is_none() {
        return Err(Code::FormNotFound.into());
    }
    Ok(form)
}

/// The form of this name, as this isolate knows it or as the database says.
///
/// # Errors
/// A database that fails.
pub async fn find_named<P: Ports>(
    app: &App<P>,
    name: &FormName,
) -> Result<Option<Rc<Form>>, ApiError> {
    match app.isolate.forms.get(name, app.ports.now_ms()) {
        Some(cached) => Ok(cached.form),
        None => Ok(look_up(app, name).await?),
    }
}

/// Asks the database.
async fn look_up<P: Ports>(
    app: &App<P>,
    name: &FormName,
) -> Result<Option<Rc<Form>>, InternalError> {
    let now_ms = app.ports.now_ms();
    let row = app.ports.registry().form(name).await?;
    let form = row.map(|row| Form::of(name, &row)).transpose()?.map(Rc::new);
    app.isolate.forms.put(name, form.clone(), now_ms);
    Ok(form)
}

/// `PUT /forms/{formId}`: writes the whole policy.
///
/// # Errors
/// `MALFORMED_REQUEST`, with the field; also for one that needs signed URLs when no key is configured.
pub async fn put<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    name: &FormName,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let json: Map<String, Value> = read_json_of(caller, context.head, body).await?;
    let policy = FormPolicy::read(&json)?;
    if let Some(field) = policy.needs_signed_urls()
        && app.config.url_keys.is_none()
    {
        const EXPECTED: &str = "the default, because URL_SIGNING_KEY is not set";
        return Err(Problem::field(field, Some(EXPECTED)).into());
    }
    let row = write(app, name, &policy, None).await?;
    let is_new = row.created_ms == row.updated_ms;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    respond(app, status, "put_form_success", &row)
}

/// `GET /forms/{formId}`
///
/// # Errors
/// `FORM_NOT_FOUND`.
pub async fn get<P: Ports>(app: &App<P>, name: &FormName) -> HandlerResult<P> {
    let row = app.ports.registry().form(name).await?.ok_or(Code::FormNotFound)?;
    respond(app, StatusCode::OK, "get_form_success", &row)
}

/// Closes the form now. Its policy stays, and so do its pictures, unless they are to be deleted: then no picture is added
/// from now on, not even one that is on its way or is claimed later.
///
/// # Errors
/// `FORM_NOT_FOUND`.
pub async fn close<P: Ports>(
    app: &App<P>,
    name: &FormName,
    deletes_pictures: bool,
) -> Result<FormRow, ApiError> {
    let row = app.ports.registry().form(name).await?.ok_or(Code::FormNotFound)?;
    let Form { mut policy, .. } = Form::of(name, &row)?;
    let now_ms = app.ports.now_ms();
    policy.closes_ms = Some(policy.closes_ms.unwrap_or(now_ms).min(now_ms));
    // A form that was to open later never opens.
    policy.opens_ms = policy.opens_ms.filter(|opens_ms| *opens_ms < now_ms);
    let deleted_ms = if deletes_pictures { Some(now_ms) } else { row.deleted_ms };
    write(app, name, &policy, deleted_ms).await
}

/// Checks that pictures may be added to a form, as the database says now.
///
/// # Errors
/// `FORM_CLOSED` when its pictures were deleted.
pub async fn check_not_deleted<P: Ports>(
    app: &App<P>,
    form_id: Option<&str>,
) -> Result<(), ApiError> {
    let name = form_id.and_then(FormId::from_text).and_then(|id| id.name());
    let Some(name) = name else { return Ok(()) };
    match look_up(app, &name).await? {
        Some(form) if form.is_deleted => Ok(form.check_open(app.ports.now_ms())?),
        _ => Ok(()),
    }
}

async fn write<P: Ports>(
    app: &App<P>,
    name: &FormName,
    policy: &FormPolicy,
    deleted_ms: Option<u64>,
) -> Result<FormRow, ApiError> {
    let (json, now_ms) = (Value::from(policy.to_json()).to_string(), app.ports.now_ms());
    let has_limit = policy.has_limit();
    let form = NewForm { name, policy: &json, has_limit, deleted_ms, now_ms };
    let row = app.ports.registry().put_form(form).await?;
    app.isolate.forms.put(name, Some(Rc::new(Form::of(name, &row)?)), now_ms);
    Ok(row)
}

/// A response with the form.
///
/// # Errors
/// A policy that cannot be read.
pub fn respond<P: Ports>(
    app: &App<P>,
    status: StatusCode,
    message: &str,
    row: &FormRow,
) -> HandlerResult<P> {
    let now_ms = app.ports.now_ms();
    let data = to_json(row, now_ms)?;
    Ok(response::success(status, message, &data, now_ms))
}

/// A form in the shape of the contract.
fn to_json(row: &FormRow, now_ms: u64) -> Result<Map<String, Value>, InternalError> {
    let name = FormName::parse(&row.name);
    let name = name.ok_or_else(|| RegistryError(format!("{} is no form id", row.name)))?;
    let form = Form::of(&name, row)?;
    let mut data = form.policy.to_json();
    data.insert("formId".to_owned(), row.name.as_str().into());
    data.insert("state".to_owned(), form.state(now_ms).into_str().into());
    data.insert("picturesDeletedAt".to_owned(), row.deleted_ms.map(timestamp).into());
    data.insert("createdAt".to_owned(), timestamp(row.created_ms).into());
    data.insert("updatedAt".to_owned(), timestamp(row.updated_ms).into());
    Ok(data)
}
