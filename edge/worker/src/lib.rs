//! The Cloudflare Worker: it turns the platform's events into calls of `edge-api`, and fills the ports with
//! Workers bindings. It decides nothing.
#![cfg(target_arch = "wasm32")]

mod d1;
mod digest;
mod edge_cache;
mod fetch_guard;
mod http_client;
mod image_bytes;
mod ledger_client;
mod ledger_object;
mod ledger_storage;
mod platform;
mod r2;
mod rate_limiter;
mod request_body;
mod runtime;
mod store;

use edge_heap::{Heap, WasmMemory};
use worker::{Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, event};

#[global_allocator]
static HEAP: Heap<WasmMemory> = Heap::new(WasmMemory);

#[event(start)]
fn start() {
    runtime::log_to_console();
    runtime::log_panics();
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    platform::fetch(request, env, context).await
}

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    platform::run_scheduled(env).await;
}
