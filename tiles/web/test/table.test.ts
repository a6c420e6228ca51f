import assert from "node:assert/strict";
import { test } from "node:test";
import { api, demo, essai, fetched, fr, grand, plain, text, texts, until, visit } from "./browser";
import type { Columns } from "../src/api";

const view = "/#indicateur=taux_chomage&sexe=F&couche=iris-2010&annee=2010";
const columns = () => api<Columns>(demo, "/api/carte/iris-2010?indicateur=taux_chomage&sexe=F");

test("the table has the figures of the map", () =>
  visit(demo + view, async ({ page }) => {
    const c = await columns();
    const y = c.annees.find((a) => a.millesime === "2010")!;
    for (const [i, code] of c.codes.entries()) {
      const cells = await texts(page, `tr[data-code="${code}"] td`);
      const v = y.valeurs[i]!;
      assert.ok(cells.includes(v === null ? "non disponible" : fr(v, 1) + " %"), `${code}: ${cells.join(" | ")}`);
    }
  }));

test("the table sorts both ways, and what is absent comes last", () =>
  visit(demo + view, async ({ page }) => {
    const values = async () => (await page.locator("#chiffres tbody tr").evaluateAll((list) => list.map((tr) => tr.querySelectorAll("td.n")[0]!.textContent!))).map((t) => (plain(t) === "" ? null : Number(plain(t).replace(" %", "").replace(",", "."))));
    const ordered = (list: (number | null)[], sign: number) => list.every((v, i) => i === 0 || v === null || (list[i - 1] !== null && sign * (v - list[i - 1]!) >= 0));
    assert.ok(ordered(await values(), -1));
    await page.click("[data-tri=valeur]");
    assert.ok(ordered(await values(), 1));
    assert.equal((await values()).at(-1), null);
    assert.match(page.url(), /tri=valeur/);
    await page.click("[data-tri=nom]");
    const names = await texts(page, "#chiffres tbody th");
    assert.deepEqual(names, [...names].sort(new Intl.Collator("fr", { numeric: true }).compare));
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("data-tri")), "nom");
  }));

test("a row of the table opens the card, and is marked", () =>
  visit(demo + view, async ({ page }) => {
    await page.click("tr[data-code='13047D001'] button");
    await page.waitForSelector("#fiche-nom");
    assert.equal(await text(page, "#fiche-nom"), "Prépaou");
    assert.equal(await page.locator("tr[data-code='13047D001']").getAttribute("aria-selected"), "true");
  }));

test("the table is copied as a spreadsheet takes it", () =>
  visit(demo + view, async ({ page }) => {
    await page.click("#copier");
    await until("copied", async () => /copiée/.test(await text(page, "#notes")));
    const lines = (await page.evaluate(() => navigator.clipboard.readText())).trim().split(/\r?\n/);
    const c = await columns();
    assert.equal(lines.length, c.codes.length + 1);
    const row = lines.find((l) => l.includes("13047D001"))!.split("\t");
    assert.ok(row.includes(String(c.annees.find((a) => a.millesime === "2010")!.valeurs[c.codes.indexOf("13047D001")]).replace(".", ",")), row.join("|"));
  }));

test("the table is saved as CSV, with title, source and edition", () =>
  visit(demo + view, async ({ page }) => {
    const f = await fetched(page, () => page.click("#csv"));
    assert.equal(f.name, "taux_chomage-iris-2010-2010-F.csv");
    const s = f.bytes.toString("utf8");
    assert.ok(s.startsWith("\ufeff") && s.includes(";") && s.includes("femmes, 2010") && /édition 2015-[0-9a-f]{8}/.test(s));
  }));

test("the series are saved as a workbook and as CSV, as the service gives them", () =>
  visit(demo + view, async ({ page }) => {
    const x = await fetched(page, () => page.click("#xlsx"));
    assert.deepEqual([...x.bytes.subarray(0, 2)], [0x50, 0x4b]);
    assert.match(x.name, /\.xlsx$/);
    const c = await fetched(page, () => page.click("#series-csv"));
    const own = await (await fetch(demo + "/api/series.csv?indicateur=taux_chomage&couche=iris-2010")).text();
    assert.equal(c.bytes.toString("utf8"), own);
  }));

test("a picture of the map is saved, with more than the map in it", () =>
  visit(demo + view, async ({ page }) => {
    const f = await fetched(page, () => page.click("#png"));
    assert.deepEqual([...f.bytes.subarray(1, 4)], [0x50, 0x4e, 0x47]);
    const [w, h] = [f.bytes.readUInt32BE(16), f.bytes.readUInt32BE(20)];
    const canvas = await page.locator("canvas").boundingBox();
    assert.ok(w >= 2 * canvas!.width && h > 2 * canvas!.height + 200, `${w} × ${h}`);
    const inks = await page.evaluate(async (b64) => {
      const img = new Image();
      img.src = "data:image/png;base64," + b64;
      await img.decode();
      const c = document.createElement("canvas");
      [c.width, c.height] = [img.width, img.height];
      const x = c.getContext("2d", { willReadFrequently: true })!;
      x.drawImage(img, 0, 0);
      const count = (y0: number, y1: number) => {
        const d = x.getImageData(0, y0, img.width, y1 - y0).data;
        let dark = 0;
        for (let i = 0; i < d.length; i += 4) if (d[i]! < 90 && d[i + 1]! < 90) dark++;
        return dark;
      };
      return [count(0, 110), count(img.height - 60, img.height), count(110, img.height - 200)];
    }, f.bytes.toString("base64"));
    assert.ok(inks[0]! > 500 && inks[2]! > 500, `title ${inks[0]}, map ${inks[2]}`);
  }, { map: true }));

test("the same is saved in lines, with title, legend, source and edition", () =>
  visit(demo + view, async ({ page }) => {
    const f = await fetched(page, () => page.click("#svg"));
    const s = plain(f.bytes.toString("utf8"));
    for (const want of [await text(page, "#titre-carte"), "Non disponible", "édition 2015-", "La Maille", "Contours schématiques"]) assert.ok(s.includes(want), want);
    assert.ok((s.match(/<path/g) ?? []).length > 10 && !/https?:\/\/(?!www\.w3\.org)/.test(s));
  }, { map: true }));

test("on paper, the settings are left out and the table is whole", () =>
  visit(demo + view, async ({ page }) => {
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator("#reglages").isVisible(), false);
    assert.equal(await page.locator("#navigation").isVisible(), false);
    assert.equal(await page.locator("#chiffres").isVisible(), true);
    assert.equal(await page.locator(".defile:has(#chiffres)").evaluate((e) => getComputedStyle(e).maxHeight), "none");
    assert.ok((await page.pdf()).length > 10_000);
  }, { map: true }));

test("a long table comes by pieces", () =>
  visit(grand, async ({ page }) => {
    const rows = () => page.locator("#chiffres tbody tr").count();
    const n = await rows();
    assert.ok(n > 0 && n < 1000);
    await page.click(".suite");
    assert.equal(await rows(), 2 * n);
    await page.click("[data-tri=valeur]");
    assert.match(await text(page, "#chiffres tbody tr td.n"), /^0,0 %$/);
  }));

test("the gap of each quarter is in the table, in points", () =>
  visit(essai + "/#indicateur=taux_chomage&sexe=F&couche=qpv-2015&annee=2016", async ({ page }) => {
    const c = await api<Columns>(essai, "/api/carte/qpv-2015?indicateur=taux_chomage&sexe=F");
    const y = c.annees.find((a) => a.millesime === "2016")!;
    for (const [i, code] of c.codes.entries()) {
      const g = y.ecarts["commune-2015"]![i]!;
      assert.ok((await texts(page, `tr[data-code="${code}"] td.n`)).includes(`${g > 0 ? "+" : "−"}${fr(Math.abs(g), 1)} ${Math.abs(g) < 2 ? "point" : "points"}`), code);
    }
  }));
