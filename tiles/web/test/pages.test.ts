import assert from "node:assert/strict";
import { test } from "node:test";
import { api, demo, essai, reel, text, texts, until, visit } from "./browser";
import type { CalibrationRow } from "../src/api";

test("what moved since the last edition, and why", () =>
  visit(essai, async ({ page }) => {
    await page.click("[data-page=bouge]");
    await page.waitForSelector("#bouge-causes");
    assert.match(await text(page, "#bouge-causes"), /données/);
    const rows = await texts(page, "table[data-genre=Valeurs] tbody tr");
    assert.ok(rows.some((r) => r.includes("3 100") && r.includes("3 200") && r.includes("+100") && r.includes("Le Prépaou")), rows.join("\n"));
    const href = await page.locator("a:has-text('Tous les mouvements')").getAttribute("href");
    const whole = await (await fetch(new URL(href!, essai + "/"))).text();
    assert.ok(whole.includes("Le Prépaou"));
    assert.match(page.url(), /page=bouge/);
  }));

test("a first edition has nothing to be compared to, and says so", () =>
  visit(demo + "/#page=bouge", async ({ page }) => {
    await page.waitForSelector("#bouge-vide");
    assert.match(await text(page, "#bouge-vide"), /première publiée/);
  }));

test("the page of the calibration says when nothing could be compared", async () => {
  const all = await api<{ calibration: CalibrationRow[] }>(demo, "/api/calibration");
  assert.equal(all.calibration.length, 0);
  await visit(demo + "/#page=calibration", async ({ page }) => {
    await page.waitForSelector("#calibration-vide");
    assert.match(await text(page, "#calibration-vide"), /aucune estimation n'a pu être vérifiée/);
  });
});

test("how wrong estimates are, as the service measures it", { skip: reel ? false : "OBSERVATOIRE_REAL is not set" }, async () => {
  const all = await api<{ calibration: CalibrationRow[] }>(reel, "/api/calibration?indicateur=niveau_de_vie_median&couche=qpv&limit=5000");
  const c = all.calibration.filter((x) => x.millesime === null && x.sexe === "" && x.couche.startsWith("qpv")).sort((a, b) => b.nombre - a.nombre)[0]!;
  await visit(`${reel}/#page=calibration&indicateur=${c.indicateur}`, async ({ page, said }) => {
    await page.waitForSelector(`section[data-couche="${c.couche}"] svg.trace`);
    const rows = await texts(page, `section[data-couche="${c.couche}"] tbody tr`);
    const shown = c.ecart_moyen.toFixed(1).replace(".", ",").replace("-", "−");
    assert.ok(rows.some((r) => r.includes(shown)), `${shown} in ${rows.join("\n")}`);
    assert.deepEqual(said, []);
  });
});

test("how to read the figures, in plain words", () =>
  visit(demo, async ({ page }) => {
    await page.click("[data-page=methode]");
    await page.waitForSelector("#vue-page h2");
    assert.match(await text(page, "#vue-page"), /se réduit.*Ce n'est jamais un zéro/);
    await page.click("[data-page='']");
    await until("the map", async () => page.locator("#vue-carte").isVisible());
  }));
