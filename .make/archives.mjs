// Writes what a release consists of to target/dist: the source, the built Worker with its pages, both npm packages, the bills of materials, and the
// checksums of all of them. The same commit gives the same bytes.
//
// The archive of the Worker is a folder that Cloudflare's button can deploy, and everybody without Rust.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const OUT = "target/dist";
const PREBUILT = "target/prebuilt";
const { version } = JSON.parse(readFileSync("server/package.json", "utf8"));
const { devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
/** The secrets of the built Worker, and how to make them. */
const random = (what) => `${what}. Make it with: openssl rand -hex 32`;
const BINDINGS = {
  SIGNING_JWK: `Signs tokens of guests and accounts. Make it with: node -p 'JSON.stringify(crypto.generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }))'`,
  URL_SIGNING_KEY: random("Signs the addresses of private pictures"),
  METRICS_TOKEN: random("Prometheus reads /metrics with it"),
  AUTH_HS256_SECRET: random("Your back end signs the tokens of its users with it"),
};
const git = (...words) => execFileSync("git", words, { maxBuffer: 1 << 30 });

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });

// Node's compression has no time in its header.
writeFileSync(join(OUT, `the-form-images-${version}.tar.gz`), gzipSync(git("archive", "--format=tar", `--prefix=the-form-images-${version}/`, "HEAD"), { level: 9 }));
prebuild(PREBUILT);
// `npm pack` sorts the files and gives all of them the same time.
const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", OUT, `./${PREBUILT}`], { encoding: "utf8" }).trim().split("\n").at(-1);
renameSync(join(OUT, packed), join(OUT, `the-form-images-worker-${version}.tgz`));
copyFileSync("target/the-form-preflight.tgz", join(OUT, `the-form-preflight-${version}.tgz`));
copyFileSync("target/the-form-server.tgz", join(OUT, `the-form-server-${version}.tgz`));
for (const name of ["worker", "package"]) copyFileSync(`target/sbom/${name}.cdx.json`, join(OUT, `the-form-images-${name}-${version}.cdx.json`));

const sums = readdirSync(OUT).sort().map((name) => `${createHash("sha256").update(readFileSync(join(OUT, name))).digest("hex")}  ${name}\n`).join("");
writeFileSync(join(OUT, "SHA256SUMS"), sums);
process.stdout.write(sums);

/** Writes the folder of the built Worker. */
function prebuild(to) {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  cpSync("target/edge", join(to, "edge"), { recursive: true, filter: (path) => !path.endsWith(".gitignore") && !path.endsWith("package.json") });
  cpSync("target/www", join(to, "www"), { recursive: true });
  cpSync("edge/migrations", join(to, "migrations"), { recursive: true });
  for (const licence of ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(licence, join(to, licence));
  writeFileSync(join(to, "wrangler.toml"), configuration(readFileSync("wrangler.toml", "utf8")));
  writeFileSync(join(to, "package.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
  // The button asks for the values of these secrets.
  writeFileSync(join(to, ".dev.vars.example"), Object.keys(BINDINGS).map((name) => `${name}=\n`).join(""));
  writeFileSync(join(to, "README.md"), `# The-Form Images ${version}, built\n\n${button()}Deploy it with \`npm install && npm run deploy\`. Set the secrets of \`.dev.vars.example\` before, with \`npx wrangler secret put\`; \`package.json\`\ndescribes them. The source and its documents are in the archive \`the-form-images-${version}.tar.gz\`.\n`);
}

/** The configuration of development, without its build and its local id, for one deployment. */
function configuration(text) {
  const [development] = text.split("# --- staging");
  const changes = [
    [/^[\s\S]*?^name = .*\n/m, "# The configuration of the built Worker.\nname = \"the-form-images\"\n"],
    ['main = "target/edge/index.js"', 'main = "edge/index.js"'],
    [/^\[build\]\n[\s\S]*?\n\n/m, ""],
    ['directory = "target/www"', 'directory = "www"'],
    [/^.*\ndatabase_id = .*\n/m, ""],
    ['migrations_dir = "edge/migrations"', 'migrations_dir = "migrations"'],
    [/the-form-images-dev/g, "the-form-images"],
  ];
  return changes.reduce((changed, [from, to]) => {
    const next = changed.replace(from, to);
    if (next === changed) throw new Error(`wrangler.toml has no ${from}.`);
    return next;
  }, development);
}

function manifest() {
  return {
    name: "the-form-images",
    version,
    private: true,
    license: "MIT OR Apache-2.0",
    scripts: { deploy: "wrangler d1 migrations apply REGISTRY --remote && wrangler deploy" },
    devDependencies: { wrangler: devDependencies.wrangler },
    cloudflare: { bindings: Object.fromEntries(Object.entries(BINDINGS).map(([name, description]) => [name, { description }])) },
  };
}

/** Cloudflare's button, in the repository that publishes the release: it deploys the branch `prebuilt`. */
function button({ GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env) {
  if (!name) return "";
  return `[![Deploy to Cloudflare](https://deploy.workers.cloudflare.com/button)](https://deploy.workers.cloudflare.com/?url=${server}/${name}/tree/prebuilt)\n\n`;
}
