// A local siteverify that behaves as Cloudflare documents, and a replacement of api.js for pages without access to the internet.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

const LIFETIME_MS = 300_000;
export const API = "https://challenges.cloudflare.com/turnstile/v0/api.js";

/** Starts a siteverify for one widget, whose tokens are accepted once and for five minutes. With `isDown` it answers 502. */
export async function startSiteverify(secret) {
  const tokens = new Map();
  const fake = { isDown: false, asked: 0 };
  const judge = (body) => {
    const fail = (code) => ({ success: false, "error-codes": [code] });
    if (!body.secret) return fail("missing-input-secret");
    if (body.secret !== secret) return fail("invalid-input-secret");
    if (!body.response) return fail("missing-input-response");
    const token = tokens.get(body.response);
    if (!token) return fail("invalid-input-response");
    if (token.isSpent || Date.now() - token.issuedMs > LIFETIME_MS) return fail("timeout-or-duplicate");
    token.isSpent = true;
    const { hostname, action, issuedMs } = token;
    return { success: true, "error-codes": [], challenge_ts: new Date(issuedMs).toISOString(), hostname, action, cdata: "" };
  };
  const server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    fake.asked++;
    if (fake.isDown) return outgoing.writeHead(502).end("<html>Bad gateway</html>");
    outgoing.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(judge(JSON.parse(Buffer.concat(chunks)))));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  fake.url = `http://127.0.0.1:${server.address().port}/siteverify`;
  /** A token of the widget, as the visitor's browser gets it. */
  fake.issue = (hostname, action, issuedMs = Date.now()) => {
    const token = `0.${randomUUID()}`;
    tokens.set(token, { hostname, action, issuedMs, isSpent: false });
    return token;
  };
  fake.stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return fake;
}

/** A script with the part of the API that a page needs: a button in the element, which solves the widget. */
export function widgetScript(fake, hostname) {
  const tokens = Object.fromEntries(["guest_token", "sign_up", "login"].map((action) => [action, fake.issue(hostname, action)]));
  return `window.turnstile = { render(element, { sitekey, action, callback }) {
    const button = Object.assign(document.createElement("button"), { textContent: sitekey + " " + action });
    button.onclick = () => callback(${JSON.stringify(tokens)}[action]);
    element.append(button);
  } };`;
}
