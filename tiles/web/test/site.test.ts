// The same map made of files alone, on a server that knows nothing but files.
import assert from "node:assert/strict";
import { createReadStream, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { join, normalize } from "node:path";
import { colors, drawn, essai, fetched, plain, text, texts, until, visit } from "./browser";

const folder = process.env["OBSERVATOIRE_SITE"] ?? "";
const types: Record<string, string> = { html: "text/html", js: "text/javascript", css: "text/css", json: "application/json" };
const asked: { path: string; status: number; bytes: number }[] = [];
let server: Server | undefined;

/** A server of files under /quartiers/, with requests of ranges or without. */
async function site(ranges = true): Promise<string> {
  server?.close();
  server = createServer((req, res) => {
    const path = decodeURIComponent(new URL(req.url!, "http://x").pathname).replace(/^\/quartiers\//, "/").replace(/\/$/, "/index.html");
    const name = join(folder, normalize(path));
    const size = statSync(name, { throwIfNoEntry: false })?.size;
    const range = /^bytes=(\d+)-(\d+)$/.exec(req.headers.range ?? "");
    const [from, to] = ranges && range && size ? [Number(range[1]), Math.min(Number(range[2]), size - 1)] : [0, (size ?? 0) - 1];
    const status = size === undefined ? 404 : ranges && range ? 206 : 200;
    asked.push({ path, status, bytes: to - from + 1 });
    res.writeHead(status, { "Content-Type": types[path.split(".").at(-1)!] ?? "application/octet-stream", ...(status === 206 ? { "Content-Range": `bytes ${from}-${to}/${size}`, ETag: `"${size}"` } : {}), "Content-Length": size === undefined ? 0 : to - from + 1 });
    if (size === undefined) res.end();
    else createReadStream(name, { start: from, end: to }).pipe(res);
  });
  await new Promise<void>((done) => server!.listen(0, "127.0.0.1", done));
  asked.length = 0;
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/quartiers/`;
}

after(() => server?.close());

const state = "#indicateur=taux_chomage&sexe=F&couche=qpv-2015&annee=2016&zone=qpv-2015/QP013063";

/** What a page says, besides what to take away and the numbers of its scale. */
const said = async (base: string, view: string, parts: string[]) => {
  const all: Record<string, string[]> = {};
  await visit(base + view, async ({ page, said }) => {
    await until("the chart", async () => (await page.locator("#fiche figure svg, #fiche .erreur, #vue-page figure svg, #bouge table, #bouge-bilan").count()) > 0);
    await page.evaluate(() => document.getElementById("emporter")?.remove());
    for (const p of parts) all[p] = (await texts(page, p)).map((t) => t.replaceAll("Alentours (tampon)", ""));
    assert.deepEqual(said, []);
  });
  return all;
};

test("a site of files says of a quarter what the service says", async () => {
  const base = await site();
  const parts = ["#titre", "#titre-carte", ".legende", "#table table", "#fiche", "#edition"];
  const own = await said(base, state, parts);
  assert.match(own["#fiche"]![0]!, /La Maille.*22,1 %/);
  assert.ok(own["#table table"]![0]!.length > 100);
  assert.deepEqual(own, await said(essai + "/", state, parts));
  assert.deepEqual(asked.filter((a) => a.status === 404), []);
});

test("a site of files draws the zones of the service, in the same colours", async () => {
  const base = await site();
  const at = (where: string) => visit(where + state.replace("couche=qpv-2015", "couche=iris-2010").replace("&annee=2016", "") + "&vue=12/43.588/5.0", async ({ page, asked }) => {
    await drawn(page);
    const found = await colors(page, 5.0, 43.588, 150);
    shades.push(Object.entries(found).filter(([, n]) => n > 500).map(([c]) => c).sort());
    if (where === base) assert.deepEqual(asked.filter((a) => !a.url.startsWith(base) && !/^(data|blob):/.test(a.url)).map((a) => a.url), []);
  }, { map: true });
  const shades: string[][] = [];
  await at(base);
  await at(essai + "/");
  assert.ok(shades[0]!.length > 2, String(shades[0]));
  assert.deepEqual(shades[0], shades[1]);
  assert.ok(asked.some((a) => a.path === "/tuiles/iris-2010.pmtiles" && a.status === 206 && a.bytes < 20_000));
});

test("a site of files has its pages of calibration, of what moved and its comparison", async () => {
  const base = await site();
  const more = [["#page=bouge", "#vue-page"], ["#page=calibration", "#vue-page"], [state + "&compare=qpv-2015/QP013063,qpv-2015/QP013061", "#comparer-table"]] as const;
  for (const [view, part] of more) {
    const read = (where: string) => {
      let t = "";
      return visit(where + view, async ({ page }) => {
        await until(part, async () => !/Chargement|en cours/.test((await text(page, part).catch(() => "Chargement")) || "Chargement"));
        t = await text(page, part);
      }).then(() => t);
    };
    const own = await read(base);
    assert.ok(own.length > 40, own);
    assert.equal(own, await read(essai + "/"), view);
  }
  assert.deepEqual(asked.filter((a) => a.status === 404), []);
});

test("a site of files lets its tables, its portraits and a drawing be taken", async () => {
  const base = await site();
  await visit(base + state, async ({ page, context }) => {
    const csv = await fetched(page, () => page.click("#series-csv"));
    assert.equal(csv.name, "series-qpv-2015.csv");
    assert.match(csv.bytes.toString(), /taux_chomage/);
    const book = await fetched(page, () => page.click("#xlsx"));
    assert.equal(book.bytes.subarray(0, 2).toString(), "PK");
    const [portrait] = await Promise.all([context.waitForEvent("page"), page.click("#emporter a")]);
    await portrait.waitForLoadState();
    assert.match(plain(await portrait.locator("h1").first().textContent()), /La Maille/);
    await portrait.close();
    await page.click("#dessiner");
    await page.focus("#carte canvas");
    for (const keys of [["ArrowRight"], ["ArrowDown"], ["ArrowLeft", "ArrowLeft"]]) {
      await page.keyboard.press("Enter");
      for (const k of keys) await page.keyboard.press(k);
      await page.waitForTimeout(500);
    }
    await page.keyboard.press("Enter");
    await page.click("#dessin-finir");
    const drawing = await fetched(page, () => page.click("#dessin-garder"));
    const shape = JSON.parse(drawing.bytes.toString()) as GeoJSON.FeatureCollection<GeoJSON.Polygon>;
    assert.ok(shape.features[0]!.geometry.coordinates[0]!.length >= 4);
  }, { map: true });
  assert.deepEqual(asked.filter((a) => a.status === 404), []);
});

test("a server of files without ranges still gives the cards", async () => {
  const base = await site(false);
  await visit(base + state, async ({ page }) => {
    await until("the value", async () => /\d/.test(await text(page, "[data-champ=valeur]")));
    assert.ok(asked.some((a) => a.path.endsWith(".pack") && a.status === 200));
  });
});
