import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { api, demo, essai, jeton, text, until, visit } from "./browser";
import type { Overview } from "../src/api";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const run = (globalThis as unknown as { axe: { run(o: object): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } }).axe.run;
    const r = await run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return r.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)} ${n.failureSummary.slice(0, 200)}`));
  });
}

// The worker and axe are two ways to run a script: axe is evaluated in the page by the browser's own tools.
const around = { bypassCSP: true };
const full = "/#indicateur=taux_chomage&sexe=F&couche=qpv-2015&annee=2016&zone=qpv-2015/QP013063&compare=qpv-2015/QP013062,qpv-2015/QP013061&theme=*&pieces=1";

test("axe finds nothing on the map and its table", () => visit(demo, async ({ page }) => assert.deepEqual(await violations(page), []), { map: true, ...around }));

test("axe finds nothing on the card and the comparison", () =>
  visit(essai + full, async ({ page }) => {
    await page.waitForSelector("#graphique svg");
    await page.waitForSelector("#comparer-graphique svg");
    assert.deepEqual(await violations(page), []);
  }, { map: true, ...around }));

test("axe finds nothing on the other pages", async () => {
  for (const p of ["bouge", "calibration", "methode"])
    await visit(`${essai}/#page=${p}`, async ({ page }) => {
      await page.waitForSelector("#vue-page h2");
      if (p === "bouge") await page.waitForSelector("#bouge-causes");
      assert.deepEqual(await violations(page), [], p);
    }, around);
});

test("axe finds nothing on a phone", () =>
  visit(essai + full, async ({ page }) => {
    await page.waitForSelector("#graphique svg");
    assert.deepEqual(await violations(page), []);
  }, { map: true, viewport: { width: 320, height: 640 }, ...around }));

test("on a phone of 320 pixels nothing runs off to the side", async () => {
  for (const hash of ["", full, "/#page=methode", "/#page=bouge"])
    await visit(essai + hash, async ({ page }) => {
      if (hash === full) await page.waitForSelector("#comparer-graphique svg");
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= 320, `${hash}: ${wide} pixels`);
    }, { viewport: { width: 320, height: 640 } });
});

test("the map moves at once for those who ask for less motion", () =>
  visit(demo, async ({ page }) => {
    const q = (await api<Overview>(demo, "/api/visionneuse")).quartiers[0]!;
    await page.locator(`#classement li[data-zone='${q.couche}/${q.code}'] button`).click();
    await page.waitForSelector("#fiche-nom");
    const moving = await page.evaluate(() => (document.getElementById("carte") as unknown as { zones: { map: { isMoving(): boolean; getZoom(): number } } }).zones.map.isMoving());
    assert.equal(moving, false);
  }, { map: true, reducedMotion: "reduce" }));

test("the keyboard goes first to the content, then to every control", () =>
  visit(demo, async ({ page }) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("href")), "#contenu");
    const seen = new Set<string>();
    for (let i = 0; i < 45; i++) {
      await page.keyboard.press("Tab");
      seen.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName || ""));
    }
    for (const id of ["indicateur", "couche", "annee", "mode", "chercher", "CANVAS", "dessiner", "png", "copier"]) assert.ok(seen.has(id), `${id} is not reached: ${[...seen].join(" ")}`);
  }, { map: true }));

test("the map has an equivalent in text: every zone is in the table it names", () =>
  visit(demo, async ({ page }) => {
    assert.match((await page.locator("canvas").getAttribute("aria-label"))!, /flèches.*Entrée/);
    const o = await api<Overview>(demo, "/api/visionneuse");
    assert.equal(await page.locator("#chiffres tbody tr").count(), o.couches.find((l) => l.id === o.choix.couche)!.zones);
    assert.equal(await page.locator("a.evitement[href='#table']").count(), 1);
  }, { map: true }));

test("what partners gave is nowhere without their token: not on the page, not on the network", () =>
  visit(essai, async ({ page }) => {
    const bodies: Promise<string>[] = [];
    page.on("response", (r) => { if (/\/api\/|tiles\/.*json/.test(r.url())) bodies.push(r.text().catch(() => "")); });
    const open = await api<{ indicateurs: { id: string }[] }>(essai, "/api/indicateurs");
    const whole = await api<{ indicateurs: { id: string }[] }>(essai, "/api/indicateurs", { Authorization: `Bearer ${jeton}` });
    const secret = whole.indicateurs.map((d) => d.id).filter((id) => !open.indicateurs.some((d) => d.id === id));
    assert.ok(secret.length > 0, "the deposit brought nothing");
    await page.reload();
    await page.waitForSelector("html[data-page=prete]", { state: "attached" });
    await page.evaluate((id) => { location.hash = `indicateur=${id}`; }, secret[0]!);
    await until("it is not known", async () => /n'a pas d'indicateur/.test(await text(page, "#notes")));
    const seen = (await Promise.all(bodies)).join("") + (await page.content()).replaceAll(`« ${secret[0]} »`, "");
    for (const id of secret) assert.ok(!seen.includes(id), id);
  }));

test("a token shows what partners gave, in a header only, and is forgotten with the tab", () =>
  visit(essai, async ({ page, asked, context }) => {
    const open = await api<{ indicateurs: { id: string }[] }>(essai, "/api/indicateurs");
    const whole = await api<{ indicateurs: { id: string }[] }>(essai, "/api/indicateurs", { Authorization: `Bearer ${jeton}` });
    const secret = whole.indicateurs.map((d) => d.id).find((id) => !open.indicateurs.some((d) => d.id === id))!;
    await page.click("#jeton");
    await page.fill("#jeton-valeur", jeton);
    await page.keyboard.press("Enter");
    await until("the edition says so", async () => /partenaires comprises/.test(await text(page, "#edition")));
    assert.equal(await page.locator(`#indicateur option[value="${secret}"]`).count(), 1);
    await page.selectOption("#indicateur", secret);
    await until("its address", async () => page.url().includes(secret));
    assert.ok(!page.url().includes(jeton) && !asked.some((r) => r.url.includes(jeton)));
    assert.ok(asked.some((r) => r.headers["authorization"] === `Bearer ${jeton}` && r.url.startsWith(essai)));
    assert.ok(asked.every((r) => !r.headers["authorization"] || r.url.startsWith(essai)));
    assert.equal(await page.evaluate(() => JSON.stringify(localStorage)), "{}");
    assert.ok(!(await page.content()).includes(jeton));
    const other = await context.newPage();
    await other.goto(page.url());
    await other.waitForSelector("html[data-page=prete]", { state: "attached" });
    assert.equal(await other.locator(`#indicateur option[value="${secret}"]`).count(), 0);
    await page.click("#jeton");
    await until("left", async () => !/partenaires/.test(await text(page, "#edition")));
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  }, { map: true }));

test("a token that is not one is refused, and the page stays as it was", () =>
  visit(essai, async ({ page }) => {
    await page.click("#jeton");
    await page.fill("#jeton-valeur", "faux");
    await page.click("dialog button[type=submit]");
    await until("refused", async () => /n'est pas reconnu/.test(await text(page, "dialog .erreur")));
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await page.keyboard.press("Escape");
    await page.selectOption("#indicateur", "part_cmuc");
    await until("still working", async () => /CMU/.test(await text(page, "#titre-carte")));
  }));
