// A local webhook receiver: records messages, and answers with a chosen status or not at all.
import { createServer } from "node:http";

/** Starts a receiver that answers with `status`, or never while `silent` is true. */
export async function startReceiver() {
  const messages = [];
  const receiver = { messages, status: 200, silent: false };
  const server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    messages.push({ path: incoming.url, type: incoming.headers["content-type"], json: JSON.parse(Buffer.concat(chunks)) });
    if (!receiver.silent) outgoing.writeHead(receiver.status).end("ok");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  receiver.url = `http://127.0.0.1:${server.address().port}`;
  receiver.stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return receiver;
}
