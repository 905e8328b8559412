// Accessibility of the demo, the page of links in mails, the administrators' page, the API reference and the example: all rules of axe-core and a walk by Tab, in English and
// Korean, light, dark, in forced colours and at 320 pixels; the focus when a control is removed; contrast; updates that can be paused; layout shifts.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { contrast, different, focused, holdToRules, LEAST_CONTRAST, MODES, pixels, prepareAudits, setMode, standing, walk } from "./audit.mjs";
import { chooseByKeyboard, newVisitor, startBrowser } from "./browser.mjs";
import { gif, png } from "./pictures.mjs";
import { createDemoForms, startServer } from "./server.mjs";

const PASSWORD = "correct horse 배터리";
/** What is audited in each language: names and widths depend on it, colours do not. The other colours are part of the long tests. */
const LOCALES = { "en-US": process.env.EVERY_MODE ? Object.keys(MODES) : ["light", "320 pixels"], "ko-KR": ["320 pixels"] };

let server;
let browser;
let folder;
let people = 0;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "the-form-files-"));
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000 } });
  createDemoForms(server);
  browser = await startBrowser();
  // For the administrators' page: a picture, a refusal, more events than one page of the list, and the forms of the demo.
  await upload("ann", png(300, 200), "image/png");
  await upload("ann", "<svg></svg>", "image/png");
  for (let at = 0; at < 10; at++) {
    const ban = { account: `user:banned-${at}`, seconds: 3600, reason: "spam" };
    const headers = { Authorization: `Bearer ${adminToken()}`, "Content-Type": "application/json" };
    const answer = await fetch(`${server.url}/admin/api/bans`, { method: "POST", headers, body: JSON.stringify(ban) });
    assert.equal(answer.status, 201, await answer.text());
  }
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const adminToken = () => server.token({ sub: "boss", role: "ADMIN" });

async function upload(sub, body, type) {
  const headers = { Authorization: `Bearer ${server.token({ sub })}`, "Content-Type": type, "X-Filename": "summer.png" };
  const answer = await fetch(`${server.url}/images`, { method: "POST", body, headers });
  return answer.json();
}

/** A page in a context of its own. */
async function open(t, path, { locale = "en-US", width = 1000, prepare = async () => {} } = {}) {
  const context = await newVisitor(browser, { locale });
  t.after(() => context.close());
  await prepareAudits(context);
  const page = await context.newPage();
  await setMode(page, { width });
  await prepare(page);
  await page.goto(server.url + path);
  return page;
}

/** A file on this machine. */
function fileOf(name, bytes) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const PAGES = {
  demo: { path: "/", open: openDemo },
  account: { path: "/account/", open: openAccount },
  admin: { path: "/admin/", open: openAdmin },
  api: { path: "/api/", open: openApi },
  example: { path: "/examples/html/", open: openExample },
};

async function openDemo(t, options) {
  const page = await open(t, "/", options);
  await page.locator("#portrait [part=types]", { hasText: "200" }).waitFor();
  return page;
}

async function openAccount(t, options) {
  const page = await open(t, "/account/#forgotten", options);
  await page.locator("#go").waitFor();
  return page;
}

async function openAdmin(t, options) {
  const page = await open(t, "/admin/", options);
  await page.locator('#token-form [name="token"]').fill(adminToken());
  await page.keyboard.press("Enter");
  await page.locator("#uploaders button").first().waitFor();
  await page.locator("#events .more").waitFor();
  return page;
}

async function openApi(t, options) {
  const page = await open(t, "/api/", options);
  await page.locator(".operation").first().waitFor();
  return page;
}

async function openExample(t, options) {
  const page = await open(t, "/examples/html/", options);
  await page.locator("image-upload button").first().waitFor();
  return page;
}

const items = (page, state) => page.locator(`image-upload [part~=item][part~=${state}]`);

/** Signs up with the dialog. */
async function signUp(page) {
  await page.locator("#log-in").click();
  await page.locator("#entry-other").click();
  await page.locator("#entry [name=email]").fill(`person-${++people}@example.com`);
  await page.locator("#entry [name=password]").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.locator("#who").waitFor();
}

/** The states of each page; each continues from the one before. */
const STATES = {
  demo: {
    "with errors": async (page) => {
      await page.locator("#survey .primary").click();
      await page.locator("#rating-problem").waitFor();
      await page.locator('[data-try="text"]').click();
      await page.locator('[data-try="wide"]').click();
      await items(page, "refused").nth(1).waitFor();
    },
    "signing up": async (page) => {
      await page.locator("#log-in").click();
      await page.locator("#entry-other").click();
      await page.locator("#entry-go").click();
      await page.locator("#entry-problem").waitFor();
    },
    "with an album": async (page) => {
      await page.locator("#entry-close").click();
      await signUp(page);
      await page.locator('[data-try="place"]').click();
      await page.locator("#pictures li").waitFor();
      await page.locator("#stars label").nth(3).click();
      await page.locator("#survey .primary").click();
      await page.locator("#receipt").waitFor();
    },
    "before deleting": async (page) => {
      await page.locator("#pictures .remove").click();
      await page.locator("#confirm-text").waitFor();
    },
    "changing the password": async (page) => {
      await page.keyboard.press("Escape");
      await page.locator("#change-password").click();
      await page.locator("#secret-go").click();
      await page.locator("#secret-problem").waitFor();
    },
  },
  account: {
    "with an error": async (page) => {
      await page.locator("#go").click();
      await page.locator("#problem").waitFor();
    },
  },
  admin: {
    "with everything open": async (page) => {
      await page.locator("#uploaders button").first().click();
      await page.locator("#pictures li").first().waitFor();
      await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
      await page.locator("#chart").focus();
      await page.keyboard.press("End");
    },
    "before deleting": async (page) => {
      await page.locator("#pictures .quiet").first().click();
      await page.locator("#confirm-text").waitFor();
    },
    "before closing a form": async (page) => {
      await page.keyboard.press("Escape");
      await page.locator("#forms .quiet").first().click();
      await page.locator("#removal-title").waitFor();
    },
    "before erasing": async (page) => {
      await page.keyboard.press("Escape");
      await page.locator("#erase-found").click();
      await page.locator("#removal-title").waitFor();
    },
    "signing in": async (page) => {
      await page.keyboard.press("Escape");
      await page.evaluate(() => sessionStorage.clear());
      await page.reload();
      await page.locator('#token-form [name="token"]').fill("wrong");
      await page.keyboard.press("Enter");
      await page.locator("#entry-problem").waitFor();
    },
  },
  api: {
    "with operations open": async (page) => {
      for (const id of ["uploadImage", "listImages", "deliverImage"]) {
        const summary = page.locator(`#${id} > summary`);
        if (await summary.count()) await summary.click();
      }
    },
  },
  example: {
    "with a picture": async (page) => {
      await page.locator("image-upload input[multiple]").setInputFiles(fileOf("one.gif", gif(1)));
      await items(page, "uploaded").waitFor();
    },
  },
};

describe("every rule of axe-core and a walk by Tab", { concurrency: 2 }, () => {
  for (const [locale, modes] of Object.entries(LOCALES)) {
    for (const [name, { open }] of Object.entries(PAGES)) {
      test(`${name} in ${locale}: ${modes.join(", ")}`, async (t) => {
        const page = await open(t, { locale });
        // The tests beside this one change what the page would show.
        if (name === "admin") await page.locator("#pause").click();
        for (const [state, reach] of Object.entries(STATES[name])) {
          await setMode(page, MODES.light);
          await reach(page);
          for (const mode of modes) {
            const what = `${name} in ${locale}, ${state}, ${mode}`;
            await setMode(page, MODES[mode]);
            await holdToRules(page, what);
            await walk(page, what);
            assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, `${what}: wider than the window`);
          }
        }
      });
    }
  }
});

test("the title of each page is in the page's language", async (t) => {
  for (const { path } of Object.values(PAGES).filter(({ path }) => !path.startsWith("/examples"))) {
    const page = await open(t, path, { locale: "ko-KR" });
    await page.waitForFunction(() => /[가-힣]/.test(document.title));
    await page.locator('[data-language="en"]').click();
    await page.waitForFunction(() => !/[가-힣]/.test(document.title));
  }
});

test("a button keeps the focus while it is busy", async (t) => {
  let answer;
  const held = new Promise((resolve) => (answer = resolve));
  let asked = 0;
  const page = await openDemo(t, {
    prepare: (page) => page.route("**/auth/login", async (route) => {
      asked++;
      await held;
      await route.continue();
    }),
  });
  const chip = page.locator('[data-try="photo"]');
  const name = await chip.evaluate((element) => window.audits.name(element));
  await chip.focus();
  for (const key of ["Enter", "Enter"]) await page.keyboard.press(key);
  await items(page, "uploaded").waitFor();
  assert.equal(await focused(page), name);
  assert.equal(await page.locator("image-upload li").count(), 1, "a busy button does nothing");

  await page.locator("#log-in").click();
  await page.locator("#entry [name=email]").fill("nobody@example.com");
  await page.locator("#entry [name=password]").fill(PASSWORD);
  await page.locator("#entry-go").focus();
  for (const key of ["Enter", "Enter"]) await page.keyboard.press(key);
  // Long enough for the browser to move the focus away from a disabled button.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50))));
  assert.match(await focused(page), /^button#entry-go/);
  answer();
  await page.locator("#entry-problem", { hasText: "wrong" }).waitFor();
  assert.equal(asked, 1);
  assert.match(await focused(page), /^input/, "who is refused is at the field to mend");
  for (const field of ["email", "password"]) {
    const locator = page.locator(`#entry [name=${field}]`);
    assert.equal(await locator.getAttribute("aria-invalid"), "true");
    assert.equal(await locator.getAttribute("aria-describedby"), "entry-problem");
  }
});

test("errors are connected to their fields, and disappear when these are corrected", async (t) => {
  const page = await openDemo(t);
  await page.locator("#survey .primary").click();
  for (const [field, place] of [["#rating-question", "rating-problem"], ["#room", "room-problem"]]) {
    assert.equal(await page.locator(field).getAttribute("aria-invalid"), "true");
    assert.match(await page.locator(field).getAttribute("aria-describedby"), new RegExp(`\\b${place}$`));
    assert.notEqual(await page.locator(`#${place}`).innerText(), "");
  }
  assert.match(await focused(page), /^input/);
  await page.keyboard.press("Space");
  assert.equal(await page.locator("#rating-question").getAttribute("aria-invalid"), null);
  assert.equal(await page.locator("#rating-problem").isVisible(), false);
  await page.locator('[data-language="ko"]').click();
  await page.locator("#room-problem", { hasText: /[가-힣]/ }).waitFor();
});

test("the stars have names in both languages", async (t) => {
  const page = await openDemo(t);
  const group = page.getByRole("radiogroup", { name: "How was your stay?" });
  assert.equal(await group.getByRole("radio", { name: "1 star", exact: true }).count(), 1);
  assert.equal(await group.getByRole("radio", { name: "5 stars", exact: true }).count(), 1);
  await page.locator('[data-language="ko"]').click();
  assert.equal(await page.getByRole("radio", { name: "별 5개" }).count(), 1);
});

test("the element keeps the focus when it is full, and when a picture is tried again", async (t) => {
  const page = await openExample(t);
  await page.evaluate(() => (document.querySelector("image-upload").maxFiles = 1));
  let isBroken = true;
  let go;
  const held = new Promise((resolve) => (go = resolve));
  await page.route("**/images", async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    if (isBroken) return route.fulfill({ status: 400, body: "not ours" });
    await held;
    return route.continue();
  });
  await chooseByKeyboard(page, page.locator("image-upload [part=choose]"), fileOf("one.gif", gif(41)));
  await items(page, "failed").waitFor();
  assert.match(await focused(page), /^p#problem One picture is enough/);
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "button Try one.gif again");
  isBroken = false;
  await page.keyboard.press("Enter");
  await items(page, "sending").waitFor();
  assert.match(await focused(page), /^li one\.gif/);
  go();
  await items(page, "uploaded").waitFor();
  assert.match(await focused(page), /^li one\.gif/);
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "button Remove one.gif");
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "button Choose a picture");
});

test("the album keeps the focus while it is updated, and asks before it deletes", async (t) => {
  // One picture per page, so that there is a second page.
  let limit = 1;
  const page = await openDemo(t, {
    prepare: (page) => page.route("**/images?limit=12*", (route) => route.continue({ url: route.request().url().replace("limit=12", `limit=${limit}`) })),
  });
  await signUp(page);
  const cards = page.locator("#pictures li");
  const add = (number) => page.evaluate((bytes) => document.querySelector("image-upload").add([new File([Uint8Array.from(bytes)], "added.gif", { type: "image/gif" })]), [...gif(number)]);
  await add(51);
  await cards.waitFor();
  await add(52);
  await page.locator("#more").waitFor();
  await page.locator("#more").press("Enter");
  await cards.nth(1).waitFor();
  await page.locator("#more").waitFor({ state: "hidden" });
  assert.match(await focused(page), /^li/, "on the picture that came");

  limit = 12;
  await cards.nth(1).locator(".face").press("Enter");
  await cards.nth(1).locator(".face", { hasText: "Your profile" }).waitFor();
  assert.equal(await focused(page), "button Your profile");
  await add(53);
  await cards.nth(2).waitFor();
  assert.equal(await focused(page), "button Your profile");

  const objects = server.objects().size;
  const remove = cards.first().locator(".remove");
  await remove.press("Enter");
  await page.locator("#confirm-text", { hasText: "added.gif" }).waitFor();
  assert.match(await focused(page), /Cancel/);
  await page.keyboard.press("Escape");
  assert.equal(await focused(page), "button Delete added.gif");
  assert.equal(server.objects().size, objects, "nothing is deleted without an answer");
  await remove.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("#announcer", { hasText: "is deleted" }).waitFor();
  assert.equal(server.objects().size, objects - 1);
  assert.equal(await focused(page), "button Delete added.gif", "on the next picture");
});

test("the focus moves to the older events when the button disappears", async (t) => {
  const page = await openAdmin(t);
  const before = await page.locator("#events .rows li").count();
  for (const more = page.locator("#events .more"); await more.isVisible(); ) {
    await more.press("Enter");
    await page.waitForFunction(() => !document.querySelector("#events .more").ariaDisabled);
  }
  assert.ok((await page.locator("#events .rows li").count()) > before);
  assert.match(await focused(page), /^li/);
  assert.equal(await page.evaluate(() => document.activeElement.parentElement.matches("#events .rows")), true);
});

test("administrators can pause the updates", async (t) => {
  let asked = 0;
  const page = await openAdmin(t, {
    prepare: async (page) => {
      await page.clock.install();
      page.on("request", (request) => request.url().endsWith("/admin/api/status") && asked++);
    },
  });
  await page.locator("#pause").press("Enter");
  await page.locator("#updated", { hasText: "paused" }).waitFor();
  const before = asked;
  await page.clock.runFor(60_000);
  assert.equal(asked, before);
  await page.locator("#pause", { hasText: "Resume" }).press("Enter");
  await page.locator("#updated", { hasNotText: "paused" }).waitFor();
  assert.equal(asked, before + 1, "at once");
  await page.waitForFunction(() => true);
  for (const deadline = Date.now() + 20_000; asked === before + 1 && Date.now() < deadline; ) await page.clock.runFor(11_000);
  assert.ok(asked > before + 1, "and on");
});

test("no table breaks within a word, and a wide one is scrolled by keyboard", async (t) => {
  /** The words that are broken over more than one line. */
  const broken = (page) => page.locator("th, td").evaluateAll((cells) => {
    const range = document.createRange();
    const lines = (cell) => (range.selectNodeContents(cell), new Set([...range.getClientRects()].map(({ bottom }) => Math.round(bottom))).size);
    return cells.filter((cell) => cell.checkVisibility() && !/\s/.test(cell.textContent) && lines(cell) > 1).map((cell) => cell.textContent);
  });
  for (const width of [1000, 320]) assert.deepEqual(await broken(await openApi(t, { width })), []);
  const page = await openAdmin(t, { width: 320 });
  await page.locator("details", { has: page.locator("#table") }).locator("summary").press("Enter");
  assert.deepEqual(await broken(page), []);
  const table = page.locator("#table");
  await table.focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector("#table").scrollLeft > 0);
});

test("shapes have a contrast of at least 3:1, light and dark", async (t) => {
  const demo = await openDemo(t);
  const admin = await openAdmin(t);
  const api = await openApi(t);
  await signUp(demo);
  await demo.locator("#log-out").click();
  await demo.locator("#log-in").click();
  await admin.locator("#ban-details summary").click();
  // Adds bars for refusals that have not occurred.
  await admin.evaluate(() => {
    const svg = document.querySelector("#chart svg");
    for (const name of ["repeated", "refusal-2", "refusal-3", "refusal-4", "refusal-5", "refusal-other"]) {
      svg.append(Object.assign(document.createElementNS(svg.namespaceURI, "rect")));
      svg.lastElementChild.setAttribute("class", name);
    }
  });
  const samples = [
    [demo, "#note", "borderTopColor"],
    [demo, "#entry [name=email]", "borderTopColor"],
    [demo, "#room .drop", "borderTopColor"],
    [demo, "#stars label", "color"],
    [demo, "#flight", "backgroundColor"],
    [admin, "#find input", "borderTopColor"],
    [admin, "#ban select", "borderTopColor"],
    [api, "#find", "borderTopColor"],
    ...["stored", "repeated", "refusal-1", "refusal-2", "refusal-3", "refusal-4", "refusal-5", "refusal-other"].map((name) => [admin, `#chart .${name}`, "fill"]),
  ];
  const low = [];
  for (const mode of ["light", "dark"]) {
    for (const page of [demo, admin, api]) await setMode(page, MODES[mode]);
    for (const [page, selector, property] of samples) {
      const seen = await contrast(page.locator(selector), property);
      if (seen < LEAST_CONTRAST) low.push(`${mode} ${selector} ${property}: ${seen.toFixed(2)}`);
    }
  }
  assert.deepEqual(low, []);
});

test("the states of the switch and the stars are visible, light, dark and in forced colours", async (t) => {
  const page = await openDemo(t);
  await page.locator("#stars label").nth(2).click();
  for (const mode of ["light", "dark", "forced colours"]) {
    await setMode(page, MODES[mode]);
    await page.mouse.move(0, 0);
    const flight = page.locator("#flight");
    const drawn = [];
    for (const isOn of [false, true]) {
      await flight.setChecked(isOn);
      await page.locator("#note").focus();
      await page.mouse.move(0, 0);
      drawn.push(await pixels(page, flight));
    }
    for (const all of drawn) assert.ok(standing(all) > 300, `${mode}: ${standing(all)} pixels of the switch stand out`);
    assert.ok(different(...drawn) > 150, `${mode}: on and off differ in ${different(...drawn)} pixels`);
    await flight.setChecked(false);

    const [filled, empty] = [await pixels(page, page.locator(".star").nth(1), 0), await pixels(page, page.locator(".star").nth(3), 0)];
    for (const all of [filled, empty]) assert.ok(standing(all) > 20, `${mode}: ${standing(all)} pixels of a star stand out`);
    assert.ok(different(filled, empty) > 60, `${mode}: a filled and an empty star differ in ${different(filled, empty)} pixels`);
  }
});

test("nothing moves while the pages load", async (t) => {
  for (const [name, { path }] of Object.entries(PAGES)) {
    for (const [locale, width] of [["en-US", 1280], ["ko-KR", 1280], ["en-US", 320]]) {
      const page = await open(t, path, {
        locale,
        width,
        prepare: async (page) => {
          await page.addInitScript(() => {
            window.shifts = [];
            new PerformanceObserver((list) => {
              for (const { value, hadRecentInput, sources } of list.getEntries()) if (!hadRecentInput) window.shifts.push({ value, by: sources.map(({ node }) => node?.id || node?.className || node?.nodeName) });
            }).observe({ type: "layout-shift", buffered: true });
          });
          // So late that the page is rendered without it first.
          for (const late of ["**/openapi.json", "**/policy*"]) {
            await page.route(late, async (route) => {
              await new Promise((resolve) => setTimeout(resolve, 300));
              await route.continue();
            });
          }
        },
      });
      await page.waitForLoadState("networkidle");
      const shifts = await page.evaluate(() => window.shifts);
      const sum = shifts.reduce((sum, { value }) => sum + value, 0);
      assert.ok(sum < 0.05, `${name} in ${locale} at ${width}: ${sum.toFixed(3)} ${JSON.stringify(shifts)}`);
    }
  }
});

test("the API reference shows its introduction before the description has come", async () => {
  const page = await (await fetch(`${server.url}/api/`)).text();
  const [, lead] = /<p class="lead" id="lead">([^]*?)<\/p>/.exec(page);
  const { info } = await (await fetch(`${server.url}/openapi.json`)).json();
  assert.equal(lead.replaceAll(/<\/?code>/g, "`").replaceAll(/\s+/g, " ").trim(), info.description);
});
