// Requests to the API. The token is kept in this tab's session storage only.
import { currentLanguage, texts } from "./dom.js";

/** The service's own timeouts are shorter. */
const TIMEOUT_MS = 20_000;

/** A failed request: the error of the API, or no response. */
export class Problem extends Error {
  constructor(status, body, retryAfterS = 0) {
    super(body?.detail ?? texts().offline);
    Object.assign(this, { status, code: body?.code, retryAfterS });
  }
}

export const session = {
  get token() {
    return sessionStorage.getItem("admin-token");
  },
  begin(token, byLogin = false) {
    sessionStorage.setItem("admin-token", token);
    sessionStorage.setItem("admin-login", byLogin ? "yes" : "");
  },
  get byLogin() {
    return sessionStorage.getItem("admin-login") === "yes";
  },
  end() {
    sessionStorage.removeItem("admin-token");
    sessionStorage.removeItem("admin-login");
  },
  /** The name in the token, for display only. */
  get name() {
    try {
      const claims = JSON.parse(atob(this.token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
      return claims.email ?? claims.sub;
    } catch {
      return "";
    }
  },
};

async function send(method, path, { json, token } = {}) {
  const headers = { "Accept-Language": currentLanguage() };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (json) headers["Content-Type"] = "application/json";
  const body = json && JSON.stringify(json);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(path, { method, headers, body, signal, cache: "no-store" }).catch(() => undefined);
  if (!response) throw new Problem(0);
  const content = await response.json().catch(() => undefined);
  if (!response.ok) throw new Problem(response.status, content, Number(response.headers.get("retry-after")));
  return content?.data;
}

let refreshing;
/** Sends a request as the administrator. In a session that began with a password, an expired token is renewed once. */
export async function request(method, path, json) {
  try {
    return await send(method, path, { json, token: session.token });
  } catch (problem) {
    if (problem.code !== "TOKEN_EXPIRED" || !session.byLogin) throw problem;
    refreshing ??= send("POST", "/auth/refresh_token").finally(() => (refreshing = undefined));
    const renewed = await refreshing.catch(() => undefined);
    if (!renewed) throw problem;
    session.begin(renewed.accessToken, true);
    return send(method, path, { json, token: session.token });
  }
}

/** Whether this deployment has accounts of its own. */
export async function hasAccounts() {
  const answer = await fetch("/auth/login", { method: "OPTIONS" }).catch(() => undefined);
  return answer !== undefined && answer.status !== 404;
}

export const login = (email, password) => send("POST", "/auth/login", { json: { email, password } });

/** Ends the session at the service first; when that fails, the session stays and the problem is thrown. */
export async function logout() {
  if (session.byLogin) await send("POST", "/auth/logout");
  session.end();
}
