// Plain technical English: phrases of the old private vocabulary fail in documents and in comments, strings and names of
// code, old identifiers fail in code, and long sentences are reported. The words to write instead are in ARCHITECTURE.md
// (Glossary).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(path, "utf8");
const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" }).split("\n").filter(Boolean);
const documents = tracked.filter((path) => path.endsWith(".md"));
/** Sources, tests, scripts, styles, pages and configuration. */
const CODE = /\.(rs|ts|mjs|js|css|html|py|sh|sql|mk|toml|yml)$|^Makefile$/;

/** Phrases that name no subject or give things a will. */
const PHRASES = [
  /\b(is|are|was|were|be|been) told\b/i,
  /\btold (by|as|apart|with|how|to)\b/i,
  /\b(comes?|came) to nothing\b/i,
  /\bof its own accord\b/i,
  /\bwho(so)?ever\b/i,
  /\bits own (business|affair)\b/i,
  /\bthat (is|are) there\b/i,
  /\bthere (is|are|was|were) (not|to be)\b/i,
  /\b(is|are) no more\b/i,
  /\btakes? nothing along\b/i,
  /\bshut(s|ting)? out\b/i,
  /\blets? (\w+ )?in again\b/i,
  /\bgoes away\b|\bgo away\b/i,
  /\b(is|are) good (for|once)\b/i,
  /\bhangs? up\b/i,
  /\bas if (it|they) were\b/i,
  /\bfor ever\b/i,
  /\bin (its|their) turn\b/i,
  /\bthe rooms?\b/i,
  /\btold from\b/i,
  /\bno way in\b/i,
  /\bin the way\b/i,
  /\bthe door\b/i,
  /\bhung up\b/i,
  /\bin the midst\b/i,
];
/** Plain in a comment of code, not in a document. */
const DOCUMENT_PHRASES = [...PHRASES, /\bthere (is|are|was|were) none\b/i];

/** Old phrases in a document, outside of code. */
export function oldPhrases(text) {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, (block) => block.replaceAll(/[^\n]/g, "")).replaceAll(/`[^`\n]*`/g, "");
  return prose.split("\n").flatMap((line, index) => DOCUMENT_PHRASES.filter((phrase) => phrase.test(line)).map((phrase) => `${index + 1}: "${line.match(phrase)[0]}"`));
}

/** A space in a phrase also matches a line break with the comment mark of the next line. */
const GAP = String.raw`(?: |\n[ \t]*(?://[/!]?|\*|#|--)?[ \t]*)`;
const CODE_PHRASES = new RegExp(PHRASES.map(({ source }) => source.replaceAll(" ", GAP)).join("|"), "gi");

/** Old phrases in the comments, strings and names of code. */
export function oldPhrasesInCode(code) {
  const found = code.replaceAll("_", " ").matchAll(CODE_PHRASES);
  return [...found].map(({ 0: text, index }) => `${code.slice(0, index).split("\n").length}: "${text.replaceAll(/\s+/g, " ")}"`);
}

/** Sentences of `text` with more than `most` words. A table cell and a list entry end a sentence. */
export function longSentences(text, most = 40) {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/^(#.*|<!--.*|<img.*)$/gm, "").replaceAll(/^\s*([-*]|\d+\.) /gm, "\n");
  const cells = prose.split(/\n\s*\n|\|/).flatMap((part) => part.replaceAll(/\s+/g, " ").split(/(?<=[.!?])\s+(?=[A-Z`*[(0-9])/));
  return cells.map((sentence) => sentence.trim()).filter((sentence) => sentence.split(" ").length > most);
}

/** Identifiers of the old vocabulary, by the field term that replaced them. */
const IDENTIFIERS = {
  // The edge.
  World: "TestHarness", Desk: "LedgerService", Shelf: "LedgerStorage", SqlShelf: "SqlLedgerStorage", Book: "LedgerAccount",
  Sheet: "AccountState", Reach: "LedgerDeps", Outside: "HttpClient", Question: "Command", Envelope: "LedgerRequest", Leave: "UploadGrant",
  Stem: "UploadKey", Lot: "UploadContext", Intake: "ParsedUpload", Draft: "RawFile", Doing: "SlotState", Turn: "CpuLock",
  Turns: "CpuLock", PATIENCE: "MAX_WAIT_MS", Patience: "RetryPolicy", Watched: "InstrumentedStore", StoreFault: "StoreError",
  pass_gate: "check_flood_limit", Gate: "RateLimiter", Gauge: "LimitStatus", Gauges: "LimitStatus", Barrier: "LimitKind", Terms: "Limits",
  Conduct: "AbuseRecord", Offence: "AbuseKind", Deed: "Incident", Guesses: "LoginThrottle", Sight: "AccountSnapshot",
  Adoption: "ClaimOutcome", hand_over: "transfer_ownership", disown: "schedule_removal", Messenger: "AlertSink", twins: "find_duplicates",
  Copies: "EdgeCache", Catalogue: "ImageStore", Annals: "AuditStore", Meters: "MetricsStore", Tallies: "Counters", Series: "Metric",
  Untold: "Unreported", Matter: "AlertKind", Doubt: "InvalidReply", Beside: "UnexpectedReply", workshop: "queue",
  // The image rules.
  IS_SOUGHT: "hidden_data", Bookmark: "ReadPosition",
  // The browser package and the pages.
  Hand: "Runner", hire: "startRunner", Journey: "UploadTask", stepBack: "yieldSlot", lineUp: "keepOrder", Twins: "findDuplicate",
  Keeper: "ResumeQueue", patiently: "retry", isOfThePicture: "isAboutPicture", complain: "showError", spoken: "currentLanguage",
};

/** Lines of code that use one of `names` as an identifier. */
export function oldIdentifiers(code, names = Object.keys(IDENTIFIERS)) {
  if (names.length === 0) return [];
  const pattern = new RegExp(`\\b(${names.join("|")})\\b`);
  const bare = (line) => line.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').replace(/\/\/.*$/, "").replace(/^\s*(\*|\/\*).*$/, "");
  return code.split("\n").flatMap((line, index) => (pattern.test(bare(line)) ? [`${index + 1}: ${bare(line).match(pattern)[1]}`] : []));
}

test("the checks find what they are for", () => {
  assert.equal(oldPhrases("Whoever is too many is told BUSY.").length, 2);
  assert.deepEqual(oldPhrases("```\nwhoever\n```\nthe code `whoever`"), []);
  assert.deepEqual(oldPhrasesInCode('// Callers are\n// told.\ntest("whoever hangs up", f);'), ['1: "are // told"', '3: "whoever"', '3: "hangs up"']);
  assert.deepEqual(oldPhrasesInCode("fn it_is_told() {} /* nothing\n * comes to nothing */"), ['1: "is told"', '2: "comes to nothing"']);
  assert.deepEqual(oldPhrasesInCode("// There is none.\nconst title = `a broken one is rejected`;"), []);
  assert.equal(longSentences(`${"word ".repeat(41)}.`).length, 1);
  assert.deepEqual(longSentences(`${"word ".repeat(39)}.`), []);
  assert.deepEqual(oldIdentifiers('let desk = Desk::new(); // Desk\nlet text = "Desk";', ["Desk"]), ["1: Desk"]);
});

test("documents use no phrase of the old vocabulary", () => {
  const texts = [...documents, "www/openapi.json", ...globSync("docs/monitoring/*.yml")];
  assert.deepEqual(texts.flatMap((path) => oldPhrases(read(path)).map((found) => `${path}:${found}`)), []);
});

test("comments, strings and names use no phrase of the old vocabulary", () => {
  const own = "tests/tidy/words.test.mjs";
  const code = tracked.filter((path) => CODE.test(path) && path !== own);
  assert.deepEqual(code.flatMap((path) => oldPhrasesInCode(read(path)).map((found) => `${path}:${found}`)), []);
});

test("code uses no identifier of the old vocabulary", () => {
  const code = tracked.filter((path) => /^(shared|edge|browser|www)\/.*\.(rs|ts|js|sql)$/.test(path));
  assert.deepEqual(code.flatMap((path) => oldIdentifiers(read(path)).map((found) => `${path}:${found}`)), []);
});

test("long sentences are reported", (t) => {
  for (const path of documents.filter((path) => !path.includes("/ko/"))) {
    for (const sentence of longSentences(read(path))) t.diagnostic(`warning: ${path}: ${sentence.split(" ").length} words: ${sentence.slice(0, 90)}…`);
  }
});
