// Loads a server with concurrent uploads and returns throughput and latencies. Each client keeps its connection and sends its
// next image when the last one is answered; any status but 201 ends the run.
import { Agent, request } from 'node:http';

/** Uploads for `seconds`. `next` returns `{ url, headers, body }` of the next upload. */
export async function load(next, { seconds, clients }) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const latencies = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  const client = async () => {
    for (let sent = performance.now(); sent < end;) {
      await upload(next(), agent);
      const answered = performance.now();
      latencies.push(answered - sent);
      sent = answered;
    }
  };
  try {
    await Promise.all(Array.from({ length: clients }, client));
  } finally {
    agent.destroy();
  }
  // Measured until the last response, because the uploads that are active at the end count.
  const elapsed = (performance.now() - start) / 1000;
  latencies.sort((a, b) => a - b);
  return {
    uploads: latencies.length,
    perSecond: latencies.length / elapsed,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
}

function upload({ url, headers, body }, agent) {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', agent, headers: { ...headers, 'Content-Length': body.length } };
    const sending = request(url, options, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (answer.statusCode === 201 && URL.canParse(JSON.parse(text).url)) resolve();
        else reject(new Error(`an upload was answered ${answer.statusCode}: ${text}`));
      });
    });
    sending.on('error', reject);
    sending.end(body);
  });
}

/** The percentile `part` (0 to 1) of sorted values. */
export const percentile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)];
