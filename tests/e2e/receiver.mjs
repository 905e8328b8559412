// A webhook on this machine: keeps what it is sent, and answers as it is told.
import { createServer } from "node:http";

/** One that answers at once with a status, or never with `silent`. */
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
