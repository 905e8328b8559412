// Tokens for people who have not signed up: the edge issues them itself, for five minutes each.
import { Credentials, type TokenSource } from "./credentials.js";
import { dataOf } from "./answer.js";
import { addressOf } from "./edge.js";
import { exchange } from "./exchange.js";

/** A source of guest tokens. What is uploaded with one goes away after an hour unless a user claims it. */
export function guestToken(endpoint: string, language = ""): TokenSource {
  const headers = language ? { "Accept-Language": language } : {};
  const guest = async () => {
    const answer = await exchange({ method: "GET", url: addressOf(endpoint, "auth/guest-token"), headers });
    return (dataOf(answer) as { token: string }).token;
  };
  let credentials = new Credentials(guest);
  return ({ refresh }) => {
    // One guest for all pictures of a page, so that they can be claimed together.
    if (refresh) credentials = new Credentials(guest);
    return credentials.token();
  };
}
