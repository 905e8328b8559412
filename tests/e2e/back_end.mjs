// A back end that gets events: it verifies each with the package `standardwebhooks`, records it, and answers as a test wants.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const { Webhook } = createRequire(resolve("tests/browser/package.json"))("standardwebhooks");

export const newSecret = () => `whsec_${randomBytes(32).toString("base64")}`;

/**
 * Starts a back end. `answer` decides about each event: a status, `{ status, headers, body }`, or `"hang"`. An event that does
 * not verify is recorded in `forged`.
 */
export async function startBackEnd({ secret = newSecret(), answer = () => 204 } = {}) {
  const webhook = new Webhook(secret);
  const backEnd = { secret, answer, attempts: [], forged: [] };
  const server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk);
    } catch {
      // The sender was killed.
      return;
    }
    const body = Buffer.concat(chunks).toString();
    let event;
    try {
      event = webhook.verify(body, incoming.headers);
    } catch (error) {
      backEnd.forged.push({ body, headers: incoming.headers, error });
      return outgoing.writeHead(401).end();
    }
    const attempt = { id: incoming.headers["webhook-id"], type: event.type, data: event.data, body, atMs: Date.now() };
    const decided = backEnd.answer(attempt);
    if (decided === "hang") return backEnd.attempts.push({ ...attempt, taken: false });
    const { status, headers = {}, body: text = "" } = typeof decided === "number" ? { status: decided } : decided;
    backEnd.attempts.push({ ...attempt, taken: status >= 200 && status < 300 });
    outgoing.writeHead(status, headers).end(text);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  backEnd.url = `http://127.0.0.1:${server.address().port}/webhooks`;
  backEnd.taken = () => backEnd.attempts.filter(({ taken }) => taken);
  backEnd.stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return backEnd;
}
