// Providers of sign-in on this machine.
import { createServer } from "node:http";

/** Serves requests until it is stopped. */
export async function listen(handle) {
  const http = createServer(handle);
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  const stop = () => (http.closeAllConnections(), new Promise((resolve) => http.close(resolve)));
  return { url: `http://127.0.0.1:${http.address().port}`, stop };
}

/** Naver as its documentation describes it. Without asking, it says that the person is `name`, whose code is the name. */
export function startNaver(name, secret = "secret of naver") {
  return listen(async (request, answer) => {
    const { pathname, searchParams } = new URL(request.url, "http://naver.test");
    const json = (value) => answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (pathname === "/oauth2.0/authorize") {
      const back = new URL(searchParams.get("redirect_uri"));
      back.search = new URLSearchParams({ code: name, state: searchParams.get("state") });
      return answer.writeHead(302, { location: back.href }).end();
    }
    if (pathname === "/oauth2.0/token") {
      const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
      if (form.get("client_secret") !== secret) return answer.writeHead(400).end();
      return json({ access_token: `token-of-${form.get("code")}`, token_type: "bearer" });
    }
    const [, who] = /^Bearer token-of-(.+)$/.exec(request.headers.authorization ?? "") ?? [];
    if (pathname !== "/v1/nid/me" || !who) return answer.writeHead(401).end();
    return json({ resultcode: "00", message: "success", response: { id: `${who}-at-naver`, email: `${who}@example.org` } });
  });
}
