import assert from "node:assert/strict";
import { test } from "node:test";
import { api, demo, drawn, fetched, fr, place, text, texts, until, visit } from "./browser";
import type { Estimation, Overview } from "../src/api";

const view = "/#indicateur=taux_chomage&sexe=F&couche=iris-2010&annee=2010";
const around = async () => (await api<Overview>(demo, "/api/visionneuse")).quartiers.find((q) => q.code === "QP013063")!;

async function estimate(shape: GeoJSON.Geometry, params = ""): Promise<Estimation> {
  const r = await fetch(`${demo}/api/estimation${params}`, { method: "POST", body: JSON.stringify(shape) });
  assert.equal(r.status, 200);
  return (await r.json()) as Estimation;
}

test("a perimeter drawn on the map is measured and estimated, and saved", () =>
  visit(demo + view, async ({ page, said }) => {
    const q = await around();
    const d = 0.008;
    await page.click("#dessiner");
    for (const [dx, dy] of [[-d, -d], [d, -d], [d, d], [-d, d]] as const) {
      const p = await place(page, q.lon + dx, q.lat + dy);
      await page.mouse.click(p.x, p.y);
    }
    assert.match(await text(page, "#dessin-compte"), /^4 sommets/);
    await page.click("#dessin-finir");
    await page.waitForSelector("#dessin-iris");
    await drawn(page);
    const f = await fetched(page, () => page.click("#dessin-garder"));
    assert.match(f.name, /\.geojson$/);
    const saved = JSON.parse(f.bytes.toString("utf8")) as GeoJSON.FeatureCollection;
    const e = await estimate(saved.features[0]!.geometry);
    assert.ok(saved.features[0]!.properties!["code"] && saved.features[0]!.properties!["nom"]);
    const ha = e.aire_m2 >= 1e6 ? fr(e.aire_m2 / 1e6, 2) + " km²" : fr(e.aire_m2 / 1e4, 1) + " ha";
    assert.ok((await text(page, "#dessin-surface")).includes(ha), ha);
    const iris = e.recouvrements.filter((o) => o.couche_vers === "iris-2010");
    assert.equal(await page.locator("#dessin-iris tbody tr").count(), iris.length);
    const first = [...iris].sort((a, b) => b.part_de - a.part_de)[0]!;
    assert.ok((await text(page, "#dessin-iris tbody tr")).includes(fr(100 * first.part_de, 1) + " %"));
    const v = e.estimations.find((r) => r.indicateur === "taux_chomage" && r.sexe === "F" && r.millesime === 2010)!;
    assert.ok((await text(page, "#dessin-estimations tr[data-indicateur=taux_chomage][data-sexe=F][data-annee='2010'] td.n")).startsWith(fr(v.valeur!, 1) + " %"));
    assert.deepEqual(said, []);
  }, { map: true }));

test("a perimeter is drawn with the keyboard alone", () =>
  visit(demo + view, async ({ page }) => {
    await page.locator("#dessiner").focus();
    await page.keyboard.press("Enter");
    await until("on the map", () => page.evaluate(() => document.activeElement?.tagName === "CANVAS"));
    for (const keys of [["ArrowUp"], ["ArrowRight"], ["ArrowDown", "ArrowDown"]]) {
      await page.keyboard.press("Enter");
      for (const k of keys) {
        await page.keyboard.press(k);
        await page.waitForTimeout(450);
      }
    }
    assert.match(await text(page, "#dessin-compte"), /^3 sommets/);
    await page.keyboard.press("Backspace");
    assert.match(await text(page, "#dessin-compte"), /^2 sommets/);
    await page.keyboard.press("Enter");
    await page.locator("#dessin-finir").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#dessin-surface");
  }, { map: true }));

test("what lies 300 m around a quarter is that of the service", () =>
  visit(demo + view + "&zone=qpv-2015/QP013063", async ({ page }) => {
    const f = await api<GeoJSON.Feature>(demo, "/collections/qpv-2015/items/QP013063");
    const e = await estimate(f.geometry, "?tampon=300");
    await page.click("#tampon");
    await page.fill("#tampon-distance", "300");
    await page.click("#tampon-calculer");
    await page.waitForSelector("#dessin-iris");
    assert.ok((await text(page, "#dessin-surface")).includes(e.aire_m2 >= 1e6 ? fr(e.aire_m2 / 1e6, 2) : fr(e.aire_m2 / 1e4, 1)));
    assert.equal((await texts(page, "#dessin-iris tbody tr")).length, e.recouvrements.filter((o) => o.couche_vers === "iris-2010").length);
  }, { map: true }));

test("a drawing is given up with Escape", () =>
  visit(demo + view, async ({ page }) => {
    await page.click("#dessiner");
    await page.keyboard.press("Escape");
    await until("gone", async () => page.locator("#dessin").isHidden());
    const q = await around();
    const p = await place(page, q.lon, q.lat);
    await page.mouse.click(p.x, p.y);
    await page.waitForSelector("#fiche-nom");
  }, { map: true }));
