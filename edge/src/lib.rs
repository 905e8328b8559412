//! The Worker at `image.the-form`. This file only receives the platform's events; the story of a
//! request begins in [`route`].

pub mod accounts;
pub mod admin;
pub mod admission;
pub mod alert;
pub mod app;
pub mod auth;
pub mod binding;
pub mod call;
pub mod config;
pub mod delivery;
pub mod error;
pub mod health;
pub mod images;
pub mod intake;
pub mod ledger;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod places;
pub mod queue;
pub mod registry;
pub mod response;
pub mod route;
pub mod stats;
pub mod storage;
#[cfg(test)]
mod story;
pub mod sweep;
pub mod tickets;
pub mod turns;
pub mod upload;

#[cfg(target_arch = "wasm32")]
mod platform;

#[cfg(target_arch = "wasm32")]
mod events {
    use worker::{Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, event};

    use crate::platform;

    #[event(start)]
    fn start() {
        platform::log_panics();
    }

    #[event(fetch)]
    async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
        platform::answer(request, env, context).await
    }

    #[event(scheduled)]
    async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
        platform::tend(env).await;
    }
}
