// Quarters side by side, on the same scales.
import { rows, type Evolution, type Indicator, type Overview } from "./api";
import { cardData, figureOf, verdict } from "./card";
import { h, s } from "./dom";
import * as w from "./words";

// ColorBrewer's Dark2, told apart by those who do not see all colours, and dashes besides.
const colors = ["#000091", "#d95f02", "#1b7837", "#7b3294"];
const dashes = [undefined, "7 3", "2 3", "8 3 2 3"];

export async function comparison(zones: [string, string][], d: Indicator, sexe: string, year: string, overview: Overview, remove: (z: string) => void, clear: () => void): Promise<HTMLElement[]> {
  const all = await Promise.all(zones.map(([layer, code]) => cardData({ layer, code, indicator: d, sexe, year }, overview)));
  const charts = await import("./charts");
  const names = all.map((x) => x.zone.nom || x.zone.code);
  const decimals = w.places(d);
  const figures = all.map((x) => figureOf(x.zone.series, sexe, year));
  const references = [...new Map(all.flatMap((x) => x.zone.ecarts.filter((g) => g.sexe === sexe).map((g) => [g.reference, `${w.levelText(g.reference)} (${g.reference.split("-").at(-1)})`] as const)))];
  const row = (label: string, cells: (HTMLElement | string)[], name?: string) => h("tr", name ? { "data-ligne": name } : {}, h("th", { scope: "row" }, label), cells.map((c) => h("td", {}, c)));
  const table = h("table", { id: "comparer-table" }, h("caption", {}, `${d.label}${sexe === "T" ? "" : `, ${w.sex[sexe]}`}`),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Mesure"), names.map((n, i) => h("th", { scope: "col" }, n, h("small", {}, w.levelText(zones[i]![0])))))),
    h("tbody", {},
      row("Valeur", figures.map((r) => (!r ? "—" : r.valeur === null ? (w.statut[r.statut] ?? r.statut) : h("span", {}, w.withUnit(r.valeur, decimals, d.unit), h("small", {}, `${w.yearText(r.millesime)} – ${w.methodShort(r.methode)}`)))), "valeur"),
      row("Fiabilité", figures.map((r) => (r?.valeur !== null && r?.fiabilite ? r.fiabilite : "—")), "fiabilite"),
      references.map(([ref, text]) => row(`Écart : ${text}`, all.map((x, i) => {
        const g = x.zone.ecarts.find((y) => y.reference === ref && y.sexe === sexe && y.millesime === (figures[i]?.millesime ?? null));
        return !g ? "—" : g.ecart === null ? h("small", {}, g.motif || "—") : h("span", {}, w.gapText(g.ecart, w.gapDecimals(d), g.unite), h("small", {}, g.nom_reference));
      }), `ecart-${ref}`)),
      row("Femmes – hommes", all.map((x, i) => {
        const wm = x.womenMen.find((y) => (figures[i]?.millesime ? y.millesime === figures[i]!.millesime : true) && y.ecart !== null);
        return wm ? w.gapText(wm.ecart!, w.gapDecimals(d), wm.unite) : "—";
      }), "femmes-hommes")));
  const versus = await Promise.all(zones.map(([layer, code]) => rows<Evolution>("evolutions", { indicateur: d.id, couche: layer, zone: code })));
  const pairs = versus.flatMap((list, i) => list.filter((e) => e.sexe === sexe && e.comparaison === "oui" && zones.some(([l, c]) => l === e.reference && c === e.code_reference)).map((e) => ({ e, name: names[i]! })));
  const lines = all.map((x, i) => ({ name: names[i]!, color: colors[i % 4]!, dash: dashes[i % 4], rows: x.zone.series.filter((r) => r.sexe === sexe), quarter: true }));
  const unique = new Set(names).size === names.length ? lines : lines.map((l, i) => ({ ...l, name: `${l.name} (${zones[i]![1]})` }));
  const svg = charts.seriesChart(unique, d, all.flatMap((x) => x.evolutions.filter((e) => e.sexe === sexe)), 640);
  const out: HTMLElement[] = [h("h2", {}, "Comparaison"),
    h("div", { class: "boutons" }, zones.map(([l, c], i) => h("button", { type: "button", class: "bouton", click: () => remove(`${l}/${c}`) }, `Retirer ${names[i]}`)), h("button", { type: "button", class: "bouton", id: "fin-comparaison", click: clear }, "Fermer la comparaison"))];
  if (zones.length === 1) out.push(h("p", { class: "petit" }, "Ouvrir la fiche d'un autre territoire, puis « Comparer », le met à côté."));
  out.push(h("div", { class: "defile", tabindex: 0, role: "region", "aria-label": "Table de comparaison" }, table));
  if (svg) out.push(h("figure", { class: "graphique", id: "comparer-graphique" }, svg,
    h("ul", { class: "cle" }, unique.map((l) => h("li", {}, s("svg", { viewBox: "0 0 24 10", "aria-hidden": "true" }, s("path", { d: "M0 5H24", stroke: l.color, "stroke-width": 2.5, "stroke-dasharray": l.dash ?? null })), l.name))), h("figcaption", {}, "Même échelle pour tous. Rond vide : estimation.")));
  if (pairs.length) out.push(h("h3", {}, "Évolution relative"), h("p", { class: "petit" }, "Ce qui sépare les deux évolutions ne dit rien de ses causes."), h("ul", { class: "simple" }, pairs.map((p) => h("li", {}, `${p.name} face à ${p.e.nom_reference} : `, verdict(p.e, d)))));
  return out;
}
