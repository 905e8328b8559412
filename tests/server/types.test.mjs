// The types of the package for back ends, in strict projects that have installed it: for Node and for bundlers.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

/** The compiler of this project, and the one before, which most projects use. */
const COMPILERS = { current: resolve("node_modules/.bin/tsc"), previous: resolve("tests/browser/node_modules/.bin/tsc") };

let project;
before(() => {
  project = mkdtempSync(join(tmpdir(), "the-form-server-types-"));
  const installed = join(project, "node_modules/@the-form/server");
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", resolve("target/the-form-server.tgz"), "-C", installed, "--strip-components=1"]);
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
});
after(() => rmSync(project, { recursive: true, force: true }));

function check(source, compiler, [module, moduleResolution]) {
  writeFileSync(join(project, "source.ts"), source);
  const options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "es2022", "--module", module, "--moduleResolution", moduleResolution, "--lib", "es2022,dom,dom.iterable"];
  try {
    return execFileSync(COMPILERS[compiler], [...options, "source.ts"], { cwd: project, encoding: "utf8", stdio: "pipe" });
  } catch ({ stdout }) {
    return stdout;
  }
}

const RIGHT = `
import { type Form, type Image, ImageService, type Removal, ServiceError, signToken, signUrl, userIdOf, verifyWebhook } from "@the-form/server";

const service = new ImageService({ endpoint: "https://image.the-form", signingKey: { kty: "OKP", crv: "Ed25519", x: "", d: "" }, fetch: (url, init) => fetch(url, init) });
export const token: Promise<string> = service.tokenFor("7", { role: "SERVICE", lifetimeS: 60 });
export const ticket: string = await service.ticketFor("7", { formId: "stay", contentType: "image/png", maxBytes: 5 });
export const form: Form = await service.putForm("stay", { accept: ["image/jpeg"], visibility: "private", closesAt: null });
export const closed: Form = await service.closeForm("stay");
export const deleted: Removal = await service.closeForm("stay", { pictures: "delete" });
for await (const image of service.images({ review: "held" })) image satisfies Image;
for await (const { formId, imageCount } of service.forms()) [formId, imageCount] satisfies [string, number];
export const found: Image | undefined = (await service.imagesByKey(["k"])).get("k");
export const done: Removal = await service.finished(await service.eraseUser("7"), { onProgress: ({ removed, total }) => removed / total });
export const ids: number[] = (await service.claimAll(["k"], "7", { guestToken: null })).map(({ imageId }) => imageId);
export const review: "released" | "refused" = (await service.refuseImage(1, "why")).review;
export const urls: Promise<string>[] = [service.signedUrl("k", { size: "thumb" }), signUrl({ origin: "", urlSigningKey: "" }, "k"), signToken("", "7"), userIdOf({ name: "shop", issuer: "" }, "7")];
try {
  const event = await verifyWebhook("", new Headers(), ["whsec_"]);
  if (event.type === "user.banned") event.data.bannedUntil satisfies string | null;
  else if (event.type === "image.refused") event.data.reason satisfies string;
} catch (error) {
  if (error instanceof ServiceError && error.code === "FORM_CLOSED") error.retryAfter satisfies number | undefined;
}
`;

test("right calls compile, for Node and for bundlers", () => {
  assert.equal(check(RIGHT, "previous", ["nodenext", "nodenext"]), "");
  assert.equal(check(RIGHT, "current", ["esnext", "bundler"]), "");
});

/** One a line, with what the compiler says about it. */
const WRONG = [
  ["new ImageService({});", /'endpoint' is missing/],
  ['service.putForm("stay", { maxFile: 1 });', /'maxFile' does not exist/],
  ['service.putForm("stay", { accept: ["image/bmp"] });', /"image\/bmp"' is not assignable/],
  ["service.deleteImages({});", /not assignable/],
  ['service.tokenFor("7", { role: "ROOT" });', /"ROOT"' is not assignable/],
  ['if (error.code === "FORM_SHUT") throw error;', /no overlap/],
  ['if (event.type === "image.stored") event.data.nothing;', /'nothing' does not exist/],
];

test("wrong calls do not compile", () => {
  const head = `import { ImageService, type ServiceError, type WebhookEvent } from "@the-form/server"; declare const service: ImageService, error: ServiceError, event: WebhookEvent;`;
  const output = check([head, ...WRONG.map(([call]) => call)].join("\n"), "current", ["nodenext", "nodenext"]);
  const found = new Map([...output.matchAll(/^source\.ts\((\d+),.*$/gm)].map(({ 0: text, 1: line }) => [Number(line), text]));
  for (const [at, [call, expected]] of WRONG.entries()) assert.match(found.get(at + 2) ?? "compiles", expected, call);
  assert.equal(found.size, WRONG.length, output);
});
