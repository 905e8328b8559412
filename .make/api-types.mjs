// Writes the types of requests and responses of @the-form/server from www/openapi.json: `node .make/api-types.mjs > server/js/api.ts`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

/** The operations that the package calls. */
const OPERATIONS = [
  "listImages", "readImage", "registerImage", "deleteImage", "deleteImageByKey", "deleteImages", "signImageUrl", "releaseImage", "refuseImage",
  "readRemoval", "issueTicket", "listForms", "putForm", "readForm", "closeForm", "eraseUser", "exportUser",
];
/** Members that say nothing about types: examples and Korean texts are several times as long as the rest. */
const DROPPED = /^(examples?|x-.*)$/;
const OPENING = `// Generated from www/openapi.json by \`make api-types\`: the requests and responses of the operations that this package calls.\n`;

const { default: openapiTS, astToString } = createRequire(resolve("tests/browser/package.json"))("openapi-typescript");
const source = JSON.parse(readFileSync("www/openapi.json", "utf8"));

const paths = {};
for (const [path, methods] of Object.entries(source.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    if (!OPERATIONS.includes(operation.operationId)) continue;
    const { operationId, summary, parameters = [], requestBody, responses } = operation;
    const successes = Object.entries(responses).filter(([status]) => Number(status) < 400).map(([status, { description, content }]) => [status, { description, content }]);
    const own = parameters.filter((parameter) => parameter.in === "query" || parameter.in === "path");
    (paths[path] ??= {})[method] = { operationId, summary, parameters: own, ...(requestBody && { requestBody }), responses: Object.fromEntries(successes) };
  }
}
const found = Object.values(paths).flatMap(Object.values).map(({ operationId }) => operationId);
const missing = OPERATIONS.filter((id) => !found.includes(id));
if (missing.length > 0) throw new Error(`www/openapi.json has no operation ${missing.join(", ")}.`);

/** The schemas that the operations use, and the codes of errors. */
const schemas = { Code: source.components.schemas.Code };
const collect = (node) => {
  const [, name] = /^#\/components\/schemas\/(\w+)$/.exec(node?.$ref ?? "") ?? [];
  if (name && !schemas[name]) collect((schemas[name] = source.components.schemas[name]));
  if (typeof node === "object" && node !== null) for (const [key, value] of Object.entries(node)) if (!DROPPED.test(key)) collect(value);
};
collect(paths);

/** "At least one of these fields", which would become a union without the other fields. */
const isCondition = (key, value) => key === "anyOf" && value.every((schema) => schema.required && !schema.type);
const withoutDropped = (node, isProperties = false) => {
  if (typeof node !== "object" || node === null) return node;
  if (Array.isArray(node)) return node.map((entry) => withoutDropped(entry));
  const members = Object.entries(node).filter(([key, value]) => isProperties || !(DROPPED.test(key) || isCondition(key, value)));
  return Object.fromEntries(members.map(([key, value]) => [key, withoutDropped(value, key === "properties")]));
};
const { openapi, info } = source;
const document = withoutDropped({ openapi, info: { title: info.title, version: info.version }, paths, components: { schemas } });
process.stdout.write(OPENING + astToString(await openapiTS(document, { silent: true })));
