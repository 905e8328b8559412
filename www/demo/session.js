// Who is here: a guest, or somebody with an account. The access token lives in this page's memory only; the
// refresh token is in a cookie that no script can read. Says `session` to the document when that changes.
import { guestToken, Refusal } from "../preflight/index.js";
import { spoken, texts } from "./page.js";

/** Tells the next visit that it is worth to ask for a session. */
const HINT = "had-session";
/** An access token is renewed so long before its end. */
const EARLY_MS = 30_000;

const guest = guestToken("/");
/** The tokens of the guests that this page has been: each claims the pictures of its own. */
const guests = new Map();
let session;
let renewing;

export const user = () => session?.user;

/** Asks the edge; what it refuses is thrown. */
export async function ask(method, path, json, bearer = session?.token) {
  const headers = { "Accept-Language": spoken() };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (json) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: json && JSON.stringify(json) });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(body.detail ?? texts().offline, body.code ?? "INTERNAL", { status: answer.status });
  return body.data;
}

/** The same as somebody with an account, whose token is renewed when its time is over. */
export async function askAsUser(method, path, json) {
  return ask(method, path, json, await token());
}

/** Where uploads get their tokens. */
export async function token({ refresh = false } = {}) {
  if (session && (refresh || Date.now() > session.untilMs)) await renew();
  if (session) return session.token;
  const given = await guest({ refresh: refresh || isOver(await guest({ refresh: false })) });
  guests.set(claims(given).sub, given);
  return given;
}

/** Whoever was here before is here again. */
export async function resume() {
  if (localStorage.getItem(HINT)) await renew();
}

function renew() {
  // A refresh token is good once: all who need it share the one renewal.
  renewing ??= ask("POST", "/auth/refresh_token", {}, "")
    .then(enter, (error) => {
      if (error instanceof Refusal && error.status === 401) leave();
      else throw error;
    })
    .finally(() => (renewing = undefined));
  return renewing;
}

/** Makes an account that keeps these pictures; tells how many of them it could keep. */
export async function signUp(person, keys) {
  const [first, ...others] = keys.filter(claimToken);
  const adopted = first ? { imageKey: first, guestToken: claimToken(first) } : {};
  enter(await ask("POST", "/users/signup", { ...person, ...adopted }, ""));
  return (first ? 1 : 0) + (await claim(others));
}

/** Enters with an account; pictures of the guest become its own. */
export async function logIn(person, keys) {
  enter(await ask("POST", "/auth/login", person, ""));
  return claim(keys.filter(claimToken));
}

export async function logOut() {
  await ask("POST", "/auth/logout", {}, "");
  leave();
}

/** Changes the profile. */
export async function change(profile) {
  session.user = await askAsUser("PATCH", `/users/${session.user.id}`, profile);
  document.dispatchEvent(new Event("session"));
}

async function claim(keys) {
  const outcomes = await Promise.allSettled(
    keys.map((key) => ask("POST", "/images/metadata", { key, guestToken: claimToken(key), formId: "demo-survey" })),
  );
  return outcomes.filter(({ status }) => status === "fulfilled").length;
}

/** The token of the guest who uploaded this, while it is good. */
function claimToken(key) {
  const given = guests.get(key.split("/")[1]);
  return given && !isOver(given) ? given : undefined;
}

const claims = (given) => JSON.parse(atob(given.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
const isOver = (given) => claims(given).exp * 1000 < Date.now() + 5_000;

function enter({ accessToken, expiresIn, user }) {
  session = { token: accessToken, untilMs: Date.now() + expiresIn * 1000 - EARLY_MS, user };
  localStorage.setItem(HINT, "1");
  document.dispatchEvent(new Event("session"));
}

function leave() {
  session = undefined;
  guests.clear();
  localStorage.removeItem(HINT);
  document.dispatchEvent(new Event("session"));
}
