import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { api, demo, essai, fr, plain, reel, text, texts, until, visit } from "./browser";
import type { Evolution, Facility, Overview, Rank, Zone } from "../src/api";

const card = (code: string, more = "") => `/#indicateur=taux_chomage&sexe=F&couche=iris-2010&zone=qpv-2015/${code}${more}`;

// The contrat de ville's table (l. 667-674): share of each quarter's surface in its IRIS.
const contrat: Record<string, [string, string][]> = {
  QP013061: [["Rassuen", "50,8"], ["Prépaou", "49,2"]],
  QP013062: [["Carraire", "78,9"], ["Mas Neuf-Monteau", "21,1"]],
  QP013063: [["La Rousse 3", "58,8"], ["La Rousse 2", "29,7"], ["La Rousse 1", "11,4"]],
};

test("the three quarters have the shares of the contrat's table", async () => {
  for (const [code, want] of Object.entries(contrat))
    await visit(demo + card(code), async ({ page }) => {
      const rows = await page.locator("#parts tbody tr").evaluateAll((list) => list.map((tr): [string, string] => [tr.querySelector("th")!.childNodes[0]!.textContent!, tr.querySelector("td")!.childNodes[0]!.textContent!]));
      assert.deepEqual(rows.map((r) => [plain(r[0]!), plain(r[1]!).replace(" %", "")]), want, code);
    });
});

test("the card gives value, method and reliability as the service does", () =>
  visit(demo + card("QP013063"), async ({ page }) => {
    const z = await api<Zone>(demo, "/api/zones/qpv-2015/QP013063?indicateur=taux_chomage&sexe=F&millesime=2010");
    const r = z.series[0]!;
    assert.equal(await text(page, "[data-champ=valeur]"), fr(r.valeur!, 1) + " %");
    assert.equal(r.methode, "iris_moyenne");
    assert.match(await text(page, "[data-champ=methode]"), /estimation : la moyenne simple des IRIS/);
    assert.ok((await text(page, "[data-champ=fiabilite]")).startsWith(r.fiabilite));
    assert.ok((await text(page, "[data-champ=fourchette]")).includes(`de ${fr(r.methode_min!, 1)} à ${fr(r.methode_max!, 1)} %`));
  }));

test("the card gives every gap, or why there is none", () =>
  visit(demo + card("QP013063"), async ({ page }) => {
    const z = await api<Zone>(demo, "/api/zones/qpv-2015/QP013063?indicateur=taux_chomage&sexe=F&millesime=2010");
    assert.ok(z.ecarts.length >= 3);
    for (const g of z.ecarts) {
      const t = await text(page, `.ecarts li[data-reference="${g.reference}"]`);
      if (g.ecart === null) assert.ok(t.includes("pas d'écart") && t.includes(plain(g.motif)), t);
      else assert.ok(t.includes(`${g.ecart > 0 ? "+" : "−"}${fr(Math.abs(g.ecart), 1)} point`) && t.includes(g.nom_reference), t);
    }
  }));

test("a figure that is not there says why, and is no zero", () =>
  visit(demo + "/#indicateur=taux_chomage&sexe=F&annee=2011&couche=qpv-2015&zone=qpv-2015/QP013061", async ({ page }) => {
    assert.equal(await text(page, "[data-champ=valeur]"), "Non disponible");
    assert.match(await text(page, ".clair"), /Aucun fichier/);
    assert.doesNotMatch(await text(page, ".chiffre"), /\b0\b/);
  }));

test("is the gap closing at La Maille: the card says so, with the figures behind", () =>
  visit(essai + card("QP013063", "&annee=2016").replace("iris-2010", "qpv-2015"), async ({ page }) => {
    const all = await api<{ evolutions: Evolution[] }>(essai, "/api/evolutions?indicateur=taux_chomage&couche=qpv-2015&zone=QP013063&sexe=F&millesime=2016");
    const e = all.evolutions.find((x) => x.reference === "commune-2015" && x.depuis === 2010)!;
    assert.equal(e.verdict, "se réduit");
    const t = await text(page, `.ecarts li[data-reference="commune-2015"] .verdict`);
    assert.ok(t.includes("l'écart se réduit") && t.includes(`−${fr(Math.abs(e.evolution!), 1)} points de 2010 à 2016`) && t.includes(`il faut ${fr(e.seuil!, 1)} point`), t);
    assert.equal(await page.locator(`.ecarts li[data-reference="commune-2015"] [data-verdict]`).getAttribute("data-verdict"), "se réduit");
  }));

test("the series has a point for each year known, and a table says the same", () =>
  visit(essai + card("QP013063", "&annee=2016").replace("iris-2010", "qpv-2015"), async ({ page }) => {
    await page.waitForSelector("#graphique svg");
    const z = await api<Zone>(essai, "/api/zones/qpv-2015/QP013063?indicateur=taux_chomage&sexe=F");
    const known = z.series.filter((r) => r.valeur !== null && r.millesime !== null);
    const label = plain(await page.locator("#graphique svg.trace").getAttribute("aria-label"));
    for (const r of known) assert.ok(label.includes(`La Maille, ${r.millesime} : ${fr(r.valeur!, 1)} %`), label);
    assert.ok((await page.locator("#graphique circle").count()) >= known.length);
    assert.equal(await page.locator("#graphique style").count(), 0);
    await page.click("#graphique summary");
    assert.equal(await page.locator("#graphique tbody tr").count(), z.series.length);
  }));

test("the rank of a quarter is said", () =>
  visit(essai + card("QP013062", "&annee=2016").replace("iris-2010", "qpv-2015"), async ({ page }) => {
    const all = await api<{ rangs: Rank[] }>(essai, "/api/rangs?indicateur=taux_chomage&couche=qpv-2015&zone=QP013062&sexe=F&millesime=2016");
    const r = all.rangs[0]!;
    assert.equal(r.rang, 1);
    assert.match(await text(page, "[data-champ=rang]"), new RegExp(`^1er sur ${r.sur} quartiers`));
  }));

test("a comment of the technical committee is on the card, with its author", () =>
  visit(essai + card("QP013063"), async ({ page }) => {
    assert.match(await text(page, "#commentaire"), /chantier d'insertion.*Comité technique/);
    await page.click(".fermer");
    await page.waitForSelector("#classement");
    await page.click("#classement li[data-zone='qpv-2015/QP013061'] button");
    await until("another card", async () => (await page.locator("#fiche-nom").count()) === 1 && (await text(page, "#fiche-nom")) === "Le Prépaou");
    assert.equal(await page.locator("#commentaire").count(), 0);
  }));

test("the card names the facilities within the perimeter", () =>
  visit(demo + card("QP013061"), async ({ page }) => {
    const all = await api<{ equipements: Facility[] }>(demo, "/api/equipements?couche=qpv-2015&zone=QP013061");
    assert.ok(all.equipements.length > 0);
    const t = await text(page, "#equipements");
    for (const f of all.equipements) assert.ok(t.includes(f.nom), `${f.nom} in ${t}`);
  }));

test("the card leads to the quarter's portrait and to its series", () =>
  visit(demo + card("QP013063"), async ({ page }) => {
    const [portrait] = await Promise.all([page.waitForEvent("popup"), page.click("#emporter a:has-text('portrait')")]);
    await portrait.waitForLoadState();
    assert.match(await portrait.title(), /La Maille/);
    await portrait.close();
    const [series] = await Promise.all([page.waitForEvent("download"), page.click("#emporter a:has-text('CSV')")]);
    assert.match(await readFile((await series.path())!, "utf8"), /^indicateur,couche,code[^]*qpv-2015,QP013063,La Maille/);
  }));

test("an IRIS has no portrait", () =>
  visit(demo + "/#indicateur=taux_chomage&couche=iris-2010&zone=iris-2010/13047D001", async ({ page }) => {
    await page.waitForSelector("#emporter");
    assert.equal(await page.locator("#emporter a:has-text('portrait')").count(), 0);
  }));

test("the card names its sources", () =>
  visit(demo + card("QP013063"), async ({ page }) => {
    await page.click("#fiche summary:has-text('Sources')");
    assert.match(await text(page, "#fiche details:has(summary:has-text('Sources'))"), /contrat de ville.*IRIS/i);
  }));

test("two quarters are compared, figure by figure, on one scale", () =>
  visit(essai + "/#indicateur=taux_chomage&sexe=F&couche=qpv-2015&annee=2016&zone=qpv-2015/QP013061", async ({ page }) => {
    await page.click("#comparer");
    await page.waitForSelector("#comparer-table");
    await page.fill("#chercher", "La Carraire (QP013062)");
    await page.keyboard.press("Enter");
    await until("the other card", async () => (await text(page, "#fiche-nom")) === "La Carraire");
    await page.click("#comparer");
    await until("two columns", async () => (await page.locator("#comparer-table thead th").count()) === 3);
    const cells = await texts(page, "#comparer-table tr[data-ligne=valeur] td");
    for (const [i, code] of (["QP013061", "QP013062"] as const).entries()) {
      const z = await api<Zone>(essai, `/api/zones/qpv-2015/${code}?indicateur=taux_chomage&sexe=F&millesime=2016`);
      assert.ok(cells[i]!.startsWith(fr(z.series[0]!.valeur!, 1) + " %"), cells[i]!);
    }
    assert.equal(await page.locator("#comparer-graphique svg.trace").count(), 1);
    assert.match(page.url(), /compare=qpv-2015\/QP013061,qpv-2015\/QP013062/);
    await page.click("#fin-comparaison");
    await until("closed", async () => page.locator("#comparaison").isHidden());
  }));

test("Escape closes the card", () =>
  visit(demo + card("QP013061"), async ({ page }) => {
    await page.locator("#fiche").focus();
    await page.keyboard.press("Escape");
    await page.waitForSelector("#classement");
  }));

test("the real quarters: years that do not compare are dashed, and the sentence is there", { skip: reel ? false : "OBSERVATOIRE_REAL is not set" }, async () => {
  const o = await api<Overview>(reel, "/api/visionneuse");
  const layer = o.couches.find((l) => l.niveau === "qpv")!.id;
  const all = await api<{ evolutions: Evolution[] }>(reel, `/api/evolutions?couche=${layer}&zone=QP013063&limit=5000`);
  const e = all.evolutions.find((x) => x.garde && !x.reference && x.evolution === null && x.sexe === "T")!;
  assert.ok(e, "no guard at La Maille");
  await visit(`${reel}/#indicateur=${e.indicateur}&sexe=T&zone=${layer}/QP013063&couche=${layer}&annee=${e.millesime}`, async ({ page, said }) => {
    await page.waitForSelector("#graphique svg");
    assert.ok((await text(page, "#fiche")).includes(plain(e.motif)), e.motif);
    assert.deepEqual(said, []);
  });
});
