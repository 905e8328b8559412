//! The built-in accounts: signing up, logging in, sessions, profiles, passwords, withdrawal; guest tokens; and the export of what is
//! kept about a user.

mod change_password;
mod cookie;
mod device_cookie;
mod export;
mod login;
mod login_throttle;
mod mail_links;
mod origin_check;
mod password;
mod profile;
mod refresh;
mod session;
mod sessions;
mod sign_in;
mod sign_up;
mod tokens;
mod transfer;
mod withdrawal;

pub use change_password::change_password;
pub use export::export_user;
pub use login::login;
pub use mail_links::{forget_password, reset_password, send_verification, verify_email};
pub use profile::{change_user, read_user};
pub use refresh::{logout, refresh};
pub use sessions::{
    end as end_sessions_of, end_other_sessions, end_session, list_of as list_sessions_of,
    list_sessions,
};
pub use sign_in::{begin_sign_in, failure, finish_sign_in, link_identity, list_providers};
pub use sign_up::sign_up;
pub use tokens::{issue_guest_token, public_keys};
pub use withdrawal::withdraw;
