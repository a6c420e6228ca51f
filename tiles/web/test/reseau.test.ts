import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { demo, drawn, essai, Network, text, until, visit } from "./browser";

test("the server goes away and comes back: the page says so, and goes on by itself", async () => {
  const net = new Network(demo);
  const url = await net.open();
  await visit(url + "/#indicateur=taux_chomage&sexe=F&couche=iris-2010", async ({ page }) => {
    await net.cut();
    await page.selectOption("#indicateur", "part_cmuc");
    await until("it says so", async () => /ne répond pas/.test(await text(page, "#etat")));
    assert.ok((await page.locator("#chiffres tbody tr").count()) > 0, "what was shown is gone");
    await net.open();
    await until("back", async () => (await text(page, "#etat")) === "" && /CMU/.test(await text(page, "#titre-carte")), 20_000);
    await drawn(page);
  }, { map: true });
  await net.cut();
});

test("on a slow network the page says that it is loading, then shows", async () => {
  const net = new Network(demo);
  const url = await net.open();
  net.delay = 900;
  await visit(url, async ({ page }) => {
    await until("loading", async () => /Chargement/.test(await text(page, "body")));
    await page.waitForSelector("html[data-page=prete]", { state: "attached", timeout: 25_000 });
    assert.ok((await page.locator("#chiffres tbody tr").count()) > 0);
    await until("done", async () => (await text(page, "#etat")) === "");
  }, { ready: false });
  await net.cut();
});

test("choosing quickly shows the last choice, whatever answers first", async () => {
  const net = new Network(demo);
  const url = await net.open();
  await visit(url + "/#indicateur=taux_chomage&sexe=F&couche=iris-2010", async ({ page }) => {
    net.delay = 700;
    await page.selectOption("#indicateur", "part_cmuc");
    net.delay = 0;
    await page.selectOption("#indicateur", "part_familles_monoparentales");
    await until("the last", async () => /monoparentales/.test(await text(page, "#titre-carte")));
    await page.waitForTimeout(1200);
    assert.match(await text(page, "#titre-carte"), /monoparentales/);
    assert.equal(await page.locator("#indicateur").inputValue(), "part_familles_monoparentales");
  });
  await net.cut();
});

test("no other host is asked, and the policy of the page forbids it", () =>
  visit(essai + "/#indicateur=taux_chomage&sexe=F&couche=qpv-2015&annee=2016&zone=qpv-2015/QP013063&theme=*&pieces=1", async ({ page, asked, said }) => {
    await page.waitForSelector("#graphique svg");
    const outside = asked.map((r) => r.url).filter((u) => !u.startsWith(essai) && !u.startsWith("blob:") && !u.startsWith("data:"));
    assert.deepEqual(outside, []);
    const r = await fetch(essai + "/", { headers: { Accept: "text/html" } });
    const policy = r.headers.get("content-security-policy")!;
    assert.ok(!/unsafe|\*|https?:/.test(policy) && policy.includes("default-src 'none'"), policy);
    assert.deepEqual(said, []);
    assert.deepEqual(await page.context().cookies(), []);
  }, { map: true }));

test("the first load is at most 350 kB packed, besides the map engine", () => {
  const folder = new URL("../dist/viewer/", import.meta.url);
  const files = readdirSync(new URL("assets/", folder)).filter((f) => !/^(engine|maplibre)/.test(f));
  assert.ok(files.some((f) => f.endsWith(".js")) && files.some((f) => f.endsWith(".css")));
  const total = [...files.map((f) => `assets/${f}`), "index.html"].reduce((n, f) => n + gzipSync(readFileSync(new URL(f, folder)), { level: 9 }).length, 0);
  assert.ok(total <= 350_000, `${total} bytes`);
});

test("where there is no WebGL, the table and the cards are there all the same", () =>
  visit(demo + "/#indicateur=taux_chomage&sexe=F&couche=iris-2010", async ({ page }) => {
    await until("said", async () => /WebGL/.test(await text(page, "#carte")));
    await page.click("#classement button >> nth=0");
    await page.waitForSelector("#fiche-nom");
  }, { before: async ({ page }) => { await page.addInitScript(() => { HTMLCanvasElement.prototype.getContext = () => null; }); } }));

test("without script, the simple page has the same figures", () =>
  visit(demo, async ({ page }) => {
    await page.click("noscript a");
    await page.waitForSelector("#valeurs");
    assert.match(await text(page, "#recouvrements"), /La Maille/);
  }, { javaScriptEnabled: false, ready: false }));
