import assert from "node:assert/strict";
import { test } from "node:test";
import { api, colors, demo, drawn, essai, fr, grand, place, plain, text, texts, until, visit } from "./browser";
import type { Columns, Overview, WomenMen, Zone } from "../src/api";

const unemployment = "#indicateur=taux_chomage&sexe=F&couche=iris-2010";
const later = "#indicateur=taux_chomage&sexe=F&couche=qpv-2015&annee=2016";
const quarters = async (base: string) => (await api<Overview>(base, "/api/visionneuse")).quartiers;
const centre = async (base: string, code: string) => (await quarters(base)).find((q) => q.code === code)!;
const hex = (css: string) => css.toLowerCase();

/** A place within a zone, away from the quarters' outlines. */
async function inside(base: string, layer: string, code: string): Promise<[number, number]> {
  const f = await api<GeoJSON.Feature<GeoJSON.Polygon | GeoJSON.MultiPolygon>>(base, `/collections/${layer}/items/${code}`);
  const ring = (f.geometry.type === "Polygon" ? f.geometry.coordinates[0]! : f.geometry.coordinates[0]![0]!) as [number, number][];
  const boxes = (await quarters(base)).map((q) => q.bornes!);
  const n = ring.length - 1;
  const c: [number, number] = [ring.slice(1).reduce((a, p) => a + p[0], 0) / n, ring.slice(1).reduce((a, p) => a + p[1], 0) / n];
  for (const share of [0.3, 0.5, 0.7])
    for (const v of ring) {
      const p: [number, number] = [c[0] + share * (v[0] - c[0]), c[1] + share * (v[1] - c[1])];
      if (boxes.every((b) => p[0] < b[0] - 0.001 || p[0] > b[2] + 0.001 || p[1] < b[1] - 0.001 || p[1] > b[3] + 0.001)) return p;
    }
  throw new Error(`no place in ${code} is away from the quarters`);
}

test("the page says which edition it shows, and that contours are schematic", () =>
  visit(demo, async ({ page, said }) => {
    const o = await api<Overview>(demo, "/api/visionneuse");
    assert.equal(await text(page, "h1"), plain(o.titre));
    assert.match(await text(page, "#edition"), new RegExp(o.edition));
    assert.match(await text(page, ".avis"), /schématiques/);
    assert.equal(await page.locator("html").getAttribute("lang"), "fr");
    assert.deepEqual(said, []);
  }, { map: true }));

test("a zone has the colour of its class on the map", () =>
  visit(demo + "/" + unemployment + "&noms=0", async ({ page }) => {
    const c = await api<Columns>(demo, "/api/carte/iris-2010?indicateur=taux_chomage&sexe=F");
    const y = c.annees.find((a) => a.millesime === c.millesime)!;
    const legend = await page.locator("#legende li[data-classe]").evaluateAll((list) => list.map((li) => [li.textContent!.replace(/[\u00a0\u202f]/g, " "), li.querySelector("rect")!.getAttribute("fill")!]));
    const classOf = (v: number) => legend.find(([t]) => {
      const n = [...t!.replace(/\(\d+\)$/, "").matchAll(/[\d,]+/g)].map((m) => Number(m[0].replace(",", ".")));
      return t!.startsWith("moins") ? v < n[0]! : t!.includes("et plus") ? v >= n[0]! : v >= n[0]! && v < n[1]!;
    })![1]!;
    for (const code of ["13047D001", "13047D002", "13063D001"]) {
      const v = y.valeurs[c.codes.indexOf(code)]!;
      const got = await colors(page, ...(await inside(demo, "iris-2010", code)), 1);
      assert.ok(got[hex(classOf(v))], `${code}: ${v} is ${classOf(v)}, the map has ${JSON.stringify(got)}`);
    }
  }, { map: true }));

test("a zone without figure is hatched, and the legend says why and how many", () =>
  visit(demo + "/" + unemployment + "&noms=0", async ({ page }) => {
    const c = await api<Columns>(demo, "/api/carte/iris-2010?indicateur=taux_chomage&sexe=F");
    const y = c.annees.find((a) => a.millesime === c.millesime)!;
    const missing = y.valeurs.filter((v) => v === null).length;
    assert.match(await text(page, "#legende li[data-statut=non_disponible]"), new RegExp(`Non disponible ?\\(${missing}\\)`));
    const code = c.codes.find((k, i) => y.valeurs[i] === null && k.startsWith("13063"))!;
    const got = await colors(page, ...(await inside(demo, "iris-2010", code)), 8);
    assert.ok(Object.keys(got).length > 3, `one flat colour: ${JSON.stringify(got)}`);
  }, { map: true }));

test("the legend counts every zone of the layer once", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    const counts = (await texts(page, "#legende .compte")).map((t) => Number(t.replace(/[^\d]/g, "")));
    const c = await api<Columns>(demo, "/api/carte/iris-2010?indicateur=taux_chomage&sexe=F");
    assert.equal(counts.reduce((a, b) => a + b, 0), c.codes.length);
  }));

test("choosing an indicator redraws map, legend, table and address", () =>
  visit(demo, async ({ page }) => {
    await page.selectOption("#indicateur", "part_cmuc");
    await until("the title", async () => /CMU/.test(await text(page, "#titre-carte")));
    assert.match(page.url(), /indicateur=part_cmuc/);
    const c = await api<Columns>(demo, "/api/carte/iris-2010?indicateur=part_cmuc&sexe=T").catch(() => null);
    assert.equal(await page.locator("#chiffres tbody tr").count(), c!.codes.length);
  }, { map: true }));

test("women and men have their own figures", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    await page.locator(".segments label", { hasText: "Hommes" }).click();
    await until("the title", async () => /hommes/.test(await text(page, "#titre-carte")));
    const c = await api<Columns>(demo, "/api/carte/iris-2010?indicateur=taux_chomage&sexe=H");
    const i = c.codes.indexOf("13047D001");
    assert.equal(await text(page, "tr[data-code='13047D001'] td.n"), fr(c.annees.find((y) => y.millesime === "2010")!.valeurs[i]!, 1) + " %");
    assert.match(page.url(), /sexe=H/);
  }));

test("where is women's unemployment highest: the list of quarters begins with it", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    const values: { nom: string; v: number }[] = [];
    for (const layer of ["qpv-2015", "veille-2015"]) {
      const c = await api<Columns>(demo, `/api/carte/${layer}?indicateur=taux_chomage&sexe=F`);
      c.annees.find((y) => y.millesime === "2010")!.valeurs.forEach((v, i) => v !== null && values.push({ nom: c.noms[i]!, v }));
    }
    values.sort((a, b) => b.v - a.v);
    const first = await text(page, "#classement li");
    assert.ok(first.startsWith(values[0]!.nom) && first.includes(fr(values[0]!.v, 1)), `${first} against ${JSON.stringify(values[0])}`);
    assert.equal(await page.locator("#classement li").count(), values.length);
  }));

test("stepping through the years keeps the bounds of the classes", () =>
  visit(essai + "/" + later, async ({ page }) => {
    const bounds = async () => (await texts(page, "#legende li[data-classe]")).map((t) => t.replace(/ ?\(\d+\)$/, ""));
    const before = await bounds();
    assert.match(await text(page, "#titre-carte"), /2016/);
    assert.ok(await page.locator("button[aria-label='Année suivante']").isDisabled());
    await page.click("button[aria-label='Année précédente']");
    await until("an earlier year", async () => !/2016/.test(await text(page, "#titre-carte")));
    assert.deepEqual(await bounds(), before);
    assert.match(await text(page, "#mention"), /communes aux \d+ années/);
  }));

test("gaps have two colours, one on each side of the reference", () =>
  visit(essai + "/" + later + "&mode=commune-2015", async ({ page }) => {
    const legend = await texts(page, "#legende li[data-classe]");
    assert.ok(legend.some((t) => t.includes("de 0,0 à") || t.startsWith("0,0")), legend.join(" | "));
    assert.match(await text(page, "#titre-carte"), /^Écart à la référence « commune »/);
    const c = await api<Columns>(essai, "/api/carte/qpv-2015?indicateur=taux_chomage&sexe=F");
    const y = c.annees.find((a) => a.millesime === "2016")!;
    const i = c.codes.indexOf("QP013062");
    assert.ok((await text(page, "tr[data-code='QP013062']")).includes("+" + fr(y.ecarts["commune-2015"]![i]!, 1) + " points"));
  }));

test("classes may be natural, or the reader's own", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    await page.click("summary:has-text('Classes de couleur')");
    const before = await texts(page, "#legende li[data-classe]");
    await page.selectOption("#methode", "jenks");
    await until("Jenks", async () => /seuils naturels/.test(await text(page, "#mention")));
    assert.notDeepEqual(await texts(page, "#legende li[data-classe]"), before);
    await page.selectOption("#methode", "manuel");
    await page.fill("#bornes", "20 ; 25,5");
    await page.keyboard.press("Enter");
    await until("own bounds", async () => (await page.locator("#legende li[data-classe]").count()) === 3);
    assert.deepEqual((await texts(page, "#legende li[data-classe]")).map((t) => t.replace(/ ?\(\d+\)$/, "")), ["moins de 20,0 %", "de 20,0 à moins de 25,5 %", "25,5 % et plus"]);
    assert.match(page.url(), /bornes=20,25\.5/);
  }));

test("an address brings the whole view back", () =>
  visit(essai + "/" + later + "&mode=commune-2015&classes=4&zone=qpv-2015/QP013062&compare=qpv-2015/QP013061,qpv-2015/QP013063&theme=gymnase&noms=0&tri=nom&vue=12.50/43.55000/5.00000", async ({ page }) => {
    for (const [id, want] of Object.entries({ indicateur: "taux_chomage", couche: "qpv-2015", annee: "2016", mode: "commune-2015", classes: "4", theme: "gymnase" })) assert.equal(await page.locator(`#${id}`).inputValue(), want, id);
    assert.equal(await text(page, "#fiche-nom"), "La Carraire");
    assert.equal(await page.locator("#comparer-table thead th").count(), 3);
    assert.equal(await page.locator("#noms").isChecked(), false);
    assert.equal(await page.locator("th[aria-sort=ascending]").textContent().then(plain), "Territoire ▲");
    const zoom = await page.evaluate(() => (document.getElementById("carte") as unknown as { zones: { map: { getZoom(): number } } }).zones.map.getZoom());
    assert.equal(Math.round(zoom * 100) / 100, 12.5);
  }, { map: true }));

test("an odd address is said, and shows what there is", async () => {
  for (const hash of ["#indicateur=rien", "#couche=mars-2030&zone=a/b", "#annee=1789&indicateur=taux_chomage&sexe=F", "#vue=abc&classes=99&sexe=X&bornes=;;&tri=zzz", "#zone=%00%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "?indicateur=taux_chomage&sexe=F&millesime=2010", "#zone=qpv-2015/QP999999", "#" + "x=".repeat(2000)])
    await visit(demo + "/" + hash, async ({ page, said }) => {
      assert.ok((await page.locator("#chiffres tbody tr").count()) > 0, hash);
      assert.deepEqual(said, [], hash);
      if (/rien|mars|1789|zone=%00/.test(hash)) assert.ok((await text(page, "#notes")).length > 10, hash);
      if (hash.includes("QP999999")) assert.match(await text(page, "#fiche"), /Zone inconnue/);
    });
});

test("the browser's back button goes back one choice", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    await page.click("#classement button >> nth=0");
    await page.waitForSelector("#fiche-nom");
    await page.goBack();
    await page.waitForSelector("#classement");
    assert.doesNotMatch(page.url(), /zone=/);
  }));

test("a click on a quarter opens its card, and names the IRIS beneath", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    const q = await centre(demo, "QP013063");
    const p = await place(page, q.lon, q.lat);
    await page.mouse.click(p.x, p.y);
    await page.waitForSelector("#fiche-nom");
    assert.equal(await text(page, "#fiche-nom"), "La Maille");
    assert.match(await text(page, "#fiche"), /Au même endroit : IRIS La Rousse/);
    assert.match(page.url(), /zone=qpv-2015\/QP013063/);
  }, { map: true }));

test("the pointer shows the figure of the zone, with its reliability", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    const p = await place(page, ...(await inside(demo, "iris-2010", "13047D001")));
    await page.mouse.move(p.x, p.y);
    await page.waitForSelector("#bulle:not([hidden])");
    const c = await api<Columns>(demo, "/api/carte/iris-2010?indicateur=taux_chomage&sexe=F");
    const y = c.annees.find((a) => a.millesime === c.millesime)!;
    const i = c.codes.indexOf("13047D001");
    const t = await text(page, "#bulle");
    assert.ok(t.includes(fr(y.valeurs[i]!, 1) + " %") && t.includes(c.fiabilites[y.fiabilites[i]!]!), t);
  }, { map: true }));

test("the pointer shows the share of a piece, and its margin", () =>
  visit(demo + "/" + unemployment + "&pieces=1", async ({ page }) => {
    const z = await api<Zone>(demo, "/api/zones/qpv-2015/QP013063?indicateur=taux_chomage");
    const q = await centre(demo, "QP013063");
    const p = await place(page, q.lon, q.lat);
    await page.mouse.move(p.x - 1, p.y);
    await page.mouse.move(p.x, p.y);
    await until("a piece", async () => /du quartier/.test(await text(page, "#bulle")));
    const t = await text(page, "#bulle");
    const o = z.recouvrements.find((r) => r.couche_vers === "iris-2010" && t.includes(`La Maille dans ${r.nom_vers}`));
    assert.ok(o && t.includes(`${fr(100 * o.part_de, 1)} % du quartier (± ${fr(100 * o.marge_part, 1)} %`), t);
  }, { map: true }));

test("with the keyboard alone, Enter opens the zone in the middle of the map", () =>
  visit(demo + "/" + unemployment + "&vue=15/43.5222/4.9720", async ({ page }) => {
    const q = await centre(demo, "QP013061");
    await page.evaluate(([x, y]) => (document.getElementById("carte") as unknown as { zones: { map: { jumpTo(o: object): void } } }).zones.map.jumpTo({ center: [x, y] }), [q.lon, q.lat]);
    await drawn(page);
    await page.locator("canvas").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#fiche-nom");
    assert.equal(await text(page, "#fiche-nom"), "Le Prépaou");
  }, { map: true }));

test("arrows move the map, and what is in the middle is said", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    const before = page.url();
    await page.locator("canvas").focus();
    await page.keyboard.press("ArrowDown");
    await until("the map has moved", async () => page.url() !== before);
    await until("the zone is said", async () => /Au centre : /.test(await text(page, "#annonce")));
  }, { map: true }));

test("a territory is found by its name or its code", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    await page.fill("#chercher", "La Carraire (QP013062)");
    await page.keyboard.press("Enter");
    await until("the card", async () => (await page.locator("#fiche-nom").count()) === 1 && (await text(page, "#fiche-nom")) === "La Carraire");
    await page.fill("#chercher", "13047d001");
    await page.keyboard.press("Enter");
    await until("the IRIS", async () => (await text(page, "#fiche")).includes("13047D001"));
    await page.fill("#chercher", "nulle part");
    await page.keyboard.press("Enter");
    await until("nothing of that name", async () => /Aucun territoire/.test(await text(page, "#notes")));
  }));

test("facilities are shown by theme", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    const shown = () => page.evaluate(() => {
      const m = (document.getElementById("carte") as unknown as { zones: { map: { getLayer(id: string): unknown; queryRenderedFeatures(o: object): { properties: { theme: string; code: string } }[] } } }).zones.map;
      return m.getLayer("equipements-points") ? [...new Set(m.queryRenderedFeatures({ layers: ["equipements-points"] }).map((f) => f.properties.theme))].sort() : [];
    });
    assert.deepEqual(await shown(), []);
    await page.selectOption("#theme", "gymnase");
    await until("one theme", async () => JSON.stringify(await shown()) === '["gymnase"]');
    assert.equal(await page.locator("#legende li[data-theme]").count(), 1);
    await page.selectOption("#theme", "*");
    await until("all themes", async () => (await shown()).length > 2);
  }, { map: true }));

test("quartiers vécus are outlined on request", () =>
  visit(demo + "/" + unemployment, async ({ page }) => {
    await page.selectOption("#vecus", "quartier_vecu_300m-2015");
    await drawn(page);
    const n = () => page.evaluate(() => new Set((document.getElementById("carte") as unknown as { zones: { map: { queryRenderedFeatures(o: object): { properties: { code: string } }[] } } }).zones.map.queryRenderedFeatures({ layers: ["quartier_vecu_300m-2015-contour"] }).map((f) => f.properties.code)).size);
    await until("three perimeters", async () => (await n()) === 3);
    assert.match(page.url(), /vecus=quartier_vecu_300m-2015/);
  }, { map: true }));

test("50 400 zones load, hatch what is secret, and answer a click", () =>
  visit(grand + "/#vue=9.3/43.10000/4.90000", async ({ page, said }) => {
    assert.match(await text(page, "#table caption"), /sur 50 400/);
    assert.match(await text(page, "#legende li[data-statut=secret]"), /Secret statistique ?\(490\)/);
    const q = (await quarters(grand))[0]!;
    const p = await place(page, q.lon + 0.05, q.lat - 0.03);
    const start = Date.now();
    await page.mouse.click(p.x, p.y);
    await page.waitForSelector("#fiche-nom");
    assert.ok(Date.now() - start < 4000, "the card takes more than 4 s");
    assert.match(await text(page, "#fiche-nom"), /^Carré \d+$/);
    const code = /· (\d{9})/.exec(await text(page, "#fiche"))![1]!;
    const z = await api<Zone>(grand, `/api/zones/iris-2016/${code}?indicateur=part_essai`);
    const v = z.series.find((s) => s.millesime === 2016)!;
    assert.equal(await text(page, "[data-champ=valeur]"), v.valeur === null ? "Secret statistique" : fr(v.valeur, 1) + " %");
    assert.deepEqual(said, []);
  }, { map: true }));

test("women and men are side by side on the card", () =>
  visit(demo + "/" + unemployment + "&zone=qpv-2015/QP013063", async ({ page }) => {
    const all = await api<{ "femmes-hommes": WomenMen[] }>(demo, "/api/femmes-hommes?indicateur=taux_chomage&couche=qpv-2015&zone=QP013063");
    const x = all["femmes-hommes"].find((r) => r.ecart !== null)!;
    const bars = await texts(page, ".barre b");
    assert.deepEqual(bars, [fr(x.femmes!, 1) + " %", fr(x.hommes!, 1) + " %"]);
  }));
