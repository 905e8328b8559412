// Kills the server during uploads to a form with a limit: the form then has exactly as many places as pictures.
import assert from "node:assert/strict";
import { test } from "node:test";

import { OPEN, all, client, tally } from "../e2e/forms.mjs";
import { gif } from "../e2e/pictures.mjs";
import { startServer } from "../e2e/server.mjs";
import { sleep } from "./trial.mjs";

/** The shortest intent lease that the configuration accepts for this storage timeout. */
const INTENT_S = 15;

test("after kills the form has exactly as many places as pictures", { timeout: 900_000 }, async (t) => {
  const worker = await startServer({ vars: { ...OPEN, INTENT_S, STORAGE_TIMEOUT_MS: 1_150 } });
  t.after(() => worker.stop());
  const { upload, put, rowsOf } = client(worker);
  const [form, most, cycles] = ["killed", 60, 3];
  await put(form, { maxFiles: most });
  let sent = 0;
  const send = (count) => all(count, () => upload(`user-${sent % 7}`, form, gif(50_000 + sent++)).catch(() => ({ status: "lost" })));
  const outcomes = [];
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    const sending = send(30);
    // While uploads are under way, however slow the machine is.
    const enough = Date.now() + 30_000;
    while (rowsOf(form).length < 8 * (cycle + 1) && Date.now() < enough) await sleep(20);
    await worker.restart();
    outcomes.push(...(await sending));
  }
  // Places of uploads that were interrupted are free again when their leases have ended.
  const deadline = Date.now() + (INTENT_S + 60 + 60 + 90) * 1000;
  let answers = [];
  while (rowsOf(form).length < most && Date.now() < deadline) {
    answers = await send(most - rowsOf(form).length);
    assert.ok(rowsOf(form).length <= most, `${rowsOf(form).length} of ${most}`);
    await sleep(2_000);
  }
  t.diagnostic(`killed: ${JSON.stringify(tally(outcomes))}, then ${JSON.stringify(tally(answers))}`);
  assert.equal(rowsOf(form).length, most);
  assert.equal((await upload("late", form, gif(3))).code, "FORM_FULL");
});
