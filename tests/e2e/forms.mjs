// Requests of a form's back end and of people who fill it in.
const AT_ONCE = 48;
/** Limits that the tests of forms do not reach. */
export const OPEN = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, SERVICE_PER_MINUTE: 100_000, DAILY_COUNT: 1_000_000, LOG_LEVEL: "warn" };

let requests = 0;
/** Requests to one server. */
export function client(server) {
  async function ask(method, path, { sub = "back-end", role = "SERVICE", body } = {}) {
    const at = requests++;
    const headers = { Authorization: `Bearer ${server.token({ sub, role })}`, "CF-Connecting-IP": `198.18.${(at >> 8) & 255}.${at & 255}` };
    const isJson = body !== undefined && !(body instanceof FormData);
    if (isJson) headers["Content-Type"] = "application/json";
    const answer = await fetch(server.url + path, { method, headers, body: isJson ? JSON.stringify(body) : body });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, ...(text && JSON.parse(text)) };
  }
  function upload(sub, form, bytes, role = "USER") {
    const body = new FormData();
    body.append("formId", form);
    body.append("file", new Blob([bytes], { type: "image/gif" }), "a.gif");
    return ask("POST", "/images", { sub, role, body });
  }
  return { ask, upload, put: (form, policy) => ask("PUT", `/forms/${form}`, { body: policy }), rowsOf: (form) => server.rows().filter(({ form_id }) => form_id === form) };
}

/** Runs at most AT_ONCE of them at a time. */
export async function all(count, act) {
  const results = [];
  let next = 0;
  const run = async () => {
    while (next < count) {
      const at = next++;
      results[at] = await act(at);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  return results;
}

export const tally = (answers) => Object.fromEntries(Object.entries(Object.groupBy(answers, ({ status, code }) => code ?? status)).map(([name, { length }]) => [name, length]));
