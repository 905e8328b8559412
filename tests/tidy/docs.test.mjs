// The documents match the code: every code, variable, link, anchor and file that they name.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const read = (path) => readFileSync(path, "utf8");
const documents = [...globSync("*.md"), "browser/README.md", "www/examples/README.md", ...globSync("docs/**/*.md")];
const codes = [...read("browser/js/codes.ts").matchAll(/^ {2}([A-Z_]+): \{$/gm)].map(([, code]) => code);
const description = JSON.parse(read("www/openapi.json"));

test("troubleshoot has an entry for every code and no other, in both languages", () => {
  assert.ok(codes.length > 20);
  for (const path of ["docs/troubleshoot.md", "docs/ko/troubleshoot.md"]) {
    const entries = read(path).split(/^### /m).slice(1);
    assert.deepEqual(entries.map((entry) => entry.split("\n")[0]).sort(), [...codes].sort(), path);
    // Two paragraphs: what happened, what to do.
    for (const entry of entries) assert.equal(entry.match(/^\*\*[^*]+\*\* \S.{9,}/gm)?.length, 2, `${path}: ${entry.split("\n")[0]}`);
  }
});

test("the API description has every code, and texts in both languages", async () => {
  assert.deepEqual(description.components.schemas.Code.enum, codes);
  const words = (texts) => Object.keys(texts).sort();
  const { TEXTS } = await import("../../www/api/texts.js");
  assert.deepEqual(words(TEXTS.en), words(TEXTS.ko));
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const at = `${method} ${path}`;
      for (const name of ["summary", "description"]) assert.match(operation["x-ko"][name], /[가-힣]/, at);
      for (const parameter of operation.parameters ?? []) assert.match(parameter.$ref ? "가" : parameter["x-ko"], /[가-힣]/, `${at}: ${parameter.name}`);
      assert.ok(operation["x-codeSamples"]?.[0].source.startsWith("curl "), at);
    }
  }
});

test("operation ids are unique and references resolve", () => {
  const names = Object.values(description.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
  assert.equal(new Set(names).size, names.length);
  for (const [, path] of read("www/openapi.json").matchAll(/"\$ref": "#\/([^"]+)"/g)) {
    assert.ok(path.split("/").reduce((at, name) => at?.[name], description), path);
  }
});

test("cursors are numbers, or names of forms, and every operation documents the 503 of an invalid configuration", () => {
  const resolve = (value) => (value?.$ref ? value.$ref.slice(2).split("/").reduce((at, name) => at[name], description) : value);
  const types = ["#/components/schemas/Cursor", "#/components/schemas/FormName"];
  const found = [];
  const look = (value) => {
    if (value?.name === "cursor" && value.in === "query") found.push(value.schema);
    if (value?.properties?.nextCursor) found.push(...value.properties.nextCursor.anyOf.filter(({ type }) => type !== "null"));
    if (value && typeof value === "object") Object.values(value).forEach(look);
  };
  look(description);
  assert.ok(found.length >= 5);
  for (const schema of found) assert.ok(types.includes(schema.$ref), JSON.stringify(schema));
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (path === "/healthz" || operation["x-access"].who === "asset" || method === "head") continue;
      const { schema } = resolve(operation.responses["503"]).content["application/json"];
      assert.ok([schema, ...(schema.anyOf ?? [])].some(({ $ref }) => $ref === "#/components/schemas/Misconfigured"), `${method} ${path}`);
    }
  }
});

/** The anchors of a document's headings, as GitHub makes them. */
function anchors(path) {
  const headings = read(path).replaceAll(/^```[\s\S]*?^```/gm, "").match(/^#+ .+$/gm) ?? [];
  return headings.map((heading) => heading.replace(/^#+ /, "").toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-"));
}

test("every alert links a section of the runbooks that exists", () => {
  for (const path of ["docs/monitoring/alerts.yml", "docs/monitoring/objectives.yml"]) {
    const alerts = read(path).split("- alert: ").slice(1);
    assert.ok(alerts.length >= 6);
    for (const alert of alerts) {
      const [, anchor] = /runbook_url: "https:\/\/\{\{ \$labels\.instance \}\}\/docs\/operate#([\w-]+)"/.exec(alert) ?? [];
      assert.ok(anchors("docs/operate.md").includes(anchor), `${path}: ${alert.split("\n")[0]} links ${anchor}`);
    }
  }
});

test("links, anchors and the files that documents name exist", () => {
  const missing = documents.flatMap((path) => {
    // What is in a code block is an example.
    const text = read(path).replaceAll(/^```[\s\S]*?^```/gm, "");
    const links = [...text.matchAll(/\]\(([^)#\s]*)(?:#([^)\s]*))?\)/g)].filter(([, link]) => !/^https?:/.test(link));
    const dead = links.filter(([, link, anchor]) => {
      const target = link ? join(dirname(path), link) : path;
      return !existsSync(target) || (anchor !== undefined && !anchors(target).includes(decodeURIComponent(anchor)));
    });
    const named = ["docs/security.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].includes(path) ? [...text.matchAll(/`((?:edge|shared|browser|tests)\/[\w./-]+)`/g)].map(([, file]) => file) : [];
    return [...dead.map(([link]) => `${path}: ${link}`), ...named.filter((file) => !existsSync(file)).map((file) => `${path}: ${file}`)];
  });
  assert.deepEqual(missing, []);
});

test("every variable of the configuration is documented, and no other", () => {
  const sources = [...globSync("edge/**/config/**/*.rs"), ...globSync("edge/**/config.rs")].filter((path) => !path.endsWith("tests.rs"));
  const code = sources.map((path) => read(path).split(/#\[cfg\(test\)\]\s*(?:pub\(\w+\) )?mod \w+ \{/)[0]).join("\n");
  // A variable is the first argument of the call that reads it; roles are text in such places, too.
  const named = [...code.matchAll(/\(\s*"([A-Z][A-Z0-9_]+)"/g)].map(([, name]) => name);
  const used = new Set(named.filter((name) => !["USER", "GUEST", "SERVICE", "ADMIN", "NONE"].includes(name)));
  assert.ok(used.size > 35, `${used.size} variables found in ${sources}`);
  const table = read("docs/configuration.md").split("## wrangler.toml")[0];
  const documented = new Set([...table.matchAll(/^\|([^|]+)\|/gm)].flatMap(([, cell]) => [...cell.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name]) => name)));
  assert.deepEqual([...documented, "FAULT_INJECTION"].sort(), [...used].sort());
});

test("the index of decision records lists each record, which has under 60 lines", () => {
  const index = read("docs/adr/README.md");
  for (const path of globSync("docs/adr/[0-9]*.md")) {
    const text = read(path);
    const title = /^# \d{4}: (.+)$/m.exec(text)?.[1];
    assert.ok(title && index.includes(`(${path.split("/").at(-1)}) | ${title} |`), `${path} is not in docs/adr/README.md as "${title}"`);
    assert.ok(text.split("\n").length <= 60, path);
    for (const heading of ["Context", "Decision", "Consequences"]) assert.match(text, new RegExp(`^## ${heading}$`, "m"), path);
  }
});

test("English and Korean versions of a page link to each other", () => {
  for (const path of globSync("docs/ko/*.md")) {
    const name = path.split("/").at(-1);
    assert.ok(read(path).includes(`[English](../${name})`), path);
    assert.ok(read(`docs/${name}`).includes(`[한국어](ko/${name})`), name);
  }
});

test("policies in docs/deploy are well-formed", () => {
  for (const path of globSync("docs/deploy/*.json")) {
    const { Version, Statement, rules } = JSON.parse(read(path));
    assert.ok(rules?.length > 0 || (Version === "2012-10-17" && Statement.length > 0), path);
    for (const { Effect, Action, Resource, Principal, NotPrincipal } of Statement ?? []) {
      // AWS advises against NotPrincipal: with Deny it also blocks the account of the excepted user.
      assert.equal(NotPrincipal, undefined, path);
      assert.match(Effect, /^(Allow|Deny)$/, path);
      for (const action of [Action].flat()) assert.match(action, /^s3:(\*|[A-Z]\w+)$/, path);
      for (const resource of [Resource].flat()) assert.match(resource, /^arn:aws:s3:::the-form-images(\/|$)/, path);
      // A bucket policy names a principal; a user policy does not.
      assert.equal(Boolean(Principal), path.includes("bucket-policy"), path);
      if (Effect === "Allow" && Principal === "*") {
        const folders = ["users/*/images/*", "derived/users/*/images/*"];
        assert.deepEqual([Action, Resource], ["s3:GetObject", folders.map((folder) => `arn:aws:s3:::the-form-images/${folder}`)]);
      }
    }
  }
});

/** Evaluates a policy for a request by IAM's rules: Deny wins over Allow; a negated condition holds for an anonymous caller. */
function verdict({ Statement }, { action, resource, arn, isSecure = true }) {
  const fits = (patterns, text) => [patterns].flat().some((pattern) => new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(text));
  const holds = (condition = {}) =>
    Object.entries(condition).every(([operator, keys]) =>
      Object.entries(keys).every(([key, values]) => {
        if (operator === "Bool" && key === "aws:SecureTransport") return values === String(isSecure);
        if (operator === "ArnNotEquals" && key === "aws:PrincipalArn") return ![values].flat().includes(arn);
        throw new Error(`unknown condition: ${operator} of ${key}`);
      }),
    );
  const effects = Statement.filter(({ Action, Resource, Condition }) => fits(Action, action) && fits(Resource, resource) && holds(Condition)).map(({ Effect }) => Effect);
  return effects.includes("Deny") ? "Deny" : (effects[0] ?? "nothing");
}

test("bucket policies allow writes of the Worker and the copy only, keep administrators in control, and require TLS", () => {
  const account = "arn:aws:iam::111122223333";
  const [bucket, picture] = ["arn:aws:s3:::the-form-images", "arn:aws:s3:::the-form-images/users/1/images/1-a.jpeg"];
  for (const [path, publicRead] of [["docs/deploy/bucket-policy.json", "nothing"], ["docs/deploy/bucket-policy-public.json", "Allow"]]) {
    const policy = JSON.parse(read(path));
    const of = (arn, action, resource = picture, isSecure = true) => verdict(policy, { arn: arn && `${account}:${arn}`, action, resource, isSecure });
    for (const action of ["s3:PutObject", "s3:DeleteObject"]) {
      // What the policy does not deny, the user policy in the same account allows.
      for (const arn of ["user/the-form-images-worker", "user/the-form-images-copy"]) assert.equal(of(arn, action), "nothing", `${path} ${arn}`);
      for (const arn of ["user/another", "root", undefined]) assert.equal(of(arn, action), "Deny", `${path} ${arn}`);
      assert.equal(of("user/the-form-images-worker", action, picture, false), "Deny", path);
    }
    for (const action of ["s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:ListBucket"]) {
      for (const arn of ["root", "user/administrator"]) assert.equal(of(arn, action, bucket), "nothing", `${path} ${arn}`);
    }
    assert.equal(of("user/the-form-images-copy", "s3:ListBucket", bucket), "nothing", path);
    assert.equal(of(undefined, "s3:GetObject"), publicRead, path);
    assert.equal(of(undefined, "s3:GetObject", picture, false), "Deny", path);
    for (const below of ["users/1/images/1-a.jpeg", "derived/users/1/images/1-a/w.jpeg"]) {
      const secret = `${bucket}/private/${below}`;
      for (const arn of ["user/another", "root", undefined]) {
        for (const action of ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]) assert.equal(of(arn, action, secret), "Deny", `${path} ${action} ${secret}`);
      }
      assert.equal(of("user/the-form-images-worker", "s3:GetObject", secret), "nothing", path);
    }
  }
});

test("the sums in docs/cost.md are right", () => {
  const text = read("docs/cost.md");
  const tables = text.split(/\n\n/).filter((block) => block.startsWith("|"));
  const rows = (table) => table.split("\n").slice(2).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const number = (cell) => Number(/[\d,.]*\d/.exec(cell)[0].replaceAll(",", ""));
  const near = (one, other, at) => assert.ok(Math.abs(one - other) < 0.0051, `${at}: ${one.toFixed(4)}, not ${other}`);
  // Both cost tables: a bold line is the sum of the lines above it.
  for (const table of [tables[0], tables.at(-1)]) {
    let sum = 0;
    for (const [what, , , cost] of rows(table)) {
      const amount = number(cost);
      if (what.startsWith("**")) near(sum, amount, what);
      else sum += amount;
    }
  }
  // The kinds of uploads: commands and alarms are requests; a million of them, and of rows.
  const kinds = tables.find((table) => table.startsWith("| upload |"));
  for (const [what, ...cells] of rows(kinds)) {
    const [commands, alarms, ledgerRows, registryRows, amount] = cells.map(number);
    near((commands + alarms) * 0.15 + ledgerRows + registryRows, amount, what);
  }
  const list = number(rows(tables[0]).at(-1)[3]);
  const allowances = tables.findIndex((table) => table.includes("included a month"));
  const parts = rows(tables[allowances]).map(([what, count, included, price, usedUp]) => ({ what, count: number(count), included: number(included), price: number(price), usedUp: number(usedUp) }));
  for (const { what, count, included, usedUp } of parts) near(included / count / (what.endsWith("in GB") ? 1e6 : 1), usedUp, what);
  // Counts are per upload, in millions; storage is in GB.
  const beyond = (millions, { what, count, included, price }) => Math.max(0, millions * count * (what.endsWith("in GB") ? 1e6 : 1) - included) * price;
  for (const [millions, withAllowances, byList] of rows(tables[allowances + 1]).map((row) => row.map(number))) {
    near(parts.reduce((sum, part) => sum + beyond(millions, part), 5), withAllowances, `${millions} million`);
    near(millions * list, byList, `${millions} million by the list`);
  }
});

test("the API description quotes the current error sentences", () => {
  const sentences = {};
  const collect = (node) => {
    if (typeof node !== "object" || node === null) return;
    for (const [name, value] of Object.entries(node)) {
      if (/^[A-Z_]+$/.test(name) && value?.en && value?.ko) sentences[name] = value;
      else collect(value);
    }
  };
  collect(description);
  const text = read("www/openapi.json");
  const quoted = [...text.matchAll(/`([A-Z][A-Z_]+)`: /g)];
  assert.ok(quoted.length > 30);
  for (const { 1: code, index, 0: head } of quoted) {
    const rest = text.slice(index + head.length, index + head.length + 400);
    const { en, ko } = sentences[code];
    assert.ok(rest.startsWith(en) || rest.startsWith(ko), `${code}: ${rest.slice(0, 80)}`);
  }
});
