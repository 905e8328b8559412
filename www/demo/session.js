// The session: a guest, or a user with an account. The access token is kept in the memory of this page; the refresh token is in a cookie
// that scripts cannot read. Dispatches `session` on the document when it changes.
import { guestToken, Refusal, withChallenge } from "../preflight/index.js";
import { currentLanguage, texts } from "./page.js";

/** In localStorage: the next visit tries to resume a session. */
const HINT = "had-session";
/** An access token is renewed this long before it expires. */
const EARLY_MS = 30_000;

const guest = guestToken("/");
/** The guest tokens of this page by guest id: each claims its own pictures. */
const guests = new Map();
let session;
let renewing;

export const user = () => session?.user;

/** Sends a request to the API; throws a `Refusal`. */
export async function request(method, path, json, bearer = session?.token, more = {}) {
  const headers = { "Accept-Language": currentLanguage(), ...more };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (json) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: json && JSON.stringify(json) });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(body.detail ?? texts().offline, body.code ?? "INTERNAL", { status: answer.status });
  return body.data;
}

/** The same with the user's token, which is renewed when it has expired. */
export async function requestAsUser(method, path, json) {
  return request(method, path, json, await token());
}

/** The token source of uploads. */
export async function token({ refresh = false } = {}) {
  if (session && (refresh || Date.now() > session.untilMs)) await renewToken();
  if (session) return session.token;
  const given = await guest({ refresh: refresh || isExpired(await guest({ refresh: false })) });
  guests.set(claims(given).sub, given);
  return given;
}

/** Resumes the session of an earlier visit. */
export async function resume() {
  if (localStorage.getItem(HINT)) await renewToken();
}

function renewToken() {
  // A refresh token can be used once: concurrent requests share the renewal.
  renewing ??= request("POST", "/auth/refresh_token", {}, "")
    .then(startSession, (error) => {
      if (error instanceof Refusal && error.status === 401) endSession();
      else throw error;
    })
    .finally(() => (renewing = undefined));
  return renewing;
}

/** Sends a request without a token; `onProgress` gets how much of a challenge is solved, when the service requires one. */
function requestWithChallenge(purpose, path, json, onProgress) {
  const post = (headers) => request("POST", path, json, "", headers);
  return withChallenge("/", purpose, post, { language: currentLanguage(), onProgress });
}

/** Signs up and claims these pictures; resolves with how many were claimed. */
export async function signUp(person, keys, onProgress) {
  const [first, ...others] = keys.filter(claimToken);
  const claimed = first ? { imageKey: first, guestToken: claimToken(first) } : {};
  const send = (json) => requestWithChallenge("sign_up", "/users/signup", json, onProgress);
  const opened = await send({ ...person, ...claimed }).catch((error) => {
    // Where addresses are verified first, a sign-up takes no picture: the first login claims it.
    if (first && error.code === "MALFORMED_REQUEST") return send(person);
    throw error;
  });
  // Where addresses are verified first, there is no session yet.
  if (!opened.accessToken) return undefined;
  startSession(opened);
  return (first ? 1 : 0) + (await claim(others));
}

/** Logs in and claims the guest's pictures; resolves with how many were claimed. */
export async function logIn(person, keys, onProgress) {
  startSession(await requestWithChallenge("login", "/auth/login", person, onProgress));
  return claim(keys.filter(claimToken));
}

/** The providers that people can sign in with, with titles in the language of the page. */
export async function providers() {
  return (await request("GET", "/auth/sign-in", undefined, "")).providers;
}

/** Leaves the page for a provider, and comes back with a session. */
export function signInAt({ name }) {
  localStorage.setItem(HINT, "1");
  location.assign(`/auth/sign-in/${name}`);
}

export async function logOut() {
  await request("POST", "/auth/logout", {}, "");
  endSession();
}

/** Changes the profile. */
export async function updateProfile(profile) {
  session.user = await requestAsUser("PATCH", `/users/${session.user.id}`, profile);
  document.dispatchEvent(new Event("session"));
}

/** Changes the password; resolves with how many other sessions ended. */
export async function changePassword(oldPassword, newPassword) {
  return requestAsUser("POST", `/users/${session.user.id}/password`, { oldPassword, newPassword });
}

async function claim(keys) {
  const outcomes = await Promise.allSettled(
    keys.map((key) => request("POST", "/images/metadata", { key, guestToken: claimToken(key) })),
  );
  return outcomes.filter(({ status }) => status === "fulfilled").length;
}

/** The token of the guest who uploaded this, unless it has expired. */
function claimToken(key) {
  const given = guests.get(key.split("/")[1]);
  return given && !isExpired(given) ? given : undefined;
}

const claims = (given) => JSON.parse(atob(given.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
const isExpired = (given) => claims(given).exp * 1000 < Date.now() + 5_000;

function startSession({ accessToken, expiresIn, user }) {
  session = { token: accessToken, untilMs: Date.now() + expiresIn * 1000 - EARLY_MS, user };
  localStorage.setItem(HINT, "1");
  document.dispatchEvent(new Event("session"));
}

function endSession() {
  session = undefined;
  guests.clear();
  localStorage.removeItem(HINT);
  document.dispatchEvent(new Event("session"));
}
