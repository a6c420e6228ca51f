// The card of a zone: the figure, how it was made, how far it may be relied on, and what it compares to.
import { files, place, read, rows, type Evolution, type Facility, type GapRow, type Indicator, type Overview, type Rank, type SeriesRow, type Source, type WomenMen, type Zone } from "./api";
import { h } from "./dom";
import * as w from "./words";

export interface CardChoice {
  layer: string;
  code: string;
  indicator: Indicator;
  sexe: string;
  year: string; // millésime; "" for the latest
}

export interface CardData {
  zone: Zone;
  evolutions: Evolution[];
  ranks: Rank[];
  womenMen: WomenMen[];
  facilities: Facility[];
  sources: Source[];
}

export async function cardData(c: CardChoice, overview: Overview): Promise<CardData> {
  const { layer, code, indicator } = c;
  const keys = { indicateur: indicator.id, couche: layer, zone: code };
  const quarter = overview.couches.find((l) => l.id === layer)?.quartier ?? false;
  const [zone, evolutions, ranks, womenMen, facilities, editions] = await Promise.all([
    read<Zone>(`api/zones/${encodeURIComponent(layer)}/${encodeURIComponent(code)}?indicateur=${encodeURIComponent(indicator.id)}`),
    rows<Evolution>("evolutions", keys),
    quarter ? rows<Rank>("rangs", keys) : Promise.resolve([]),
    rows<WomenMen>("femmes-hommes", keys),
    overview.themes.length ? rows<Facility>("equipements", { couche: layer, zone: code }, 500) : Promise.resolve([]),
    read<{ editions: { sources: Source[] }[] }>("api/editions"),
  ]);
  return { zone, evolutions, ranks, womenMen, facilities, sources: editions.editions[0]?.sources ?? [] };
}

/** The figure to show: that of the year asked for, else the latest there is for the sex. */
export function figureOf(series: SeriesRow[], sexe: string, year: string): SeriesRow | undefined {
  const own = series.filter((r) => r.sexe === sexe);
  const asked = own.find((r) => String(r.millesime ?? "inconnu") === (year.startsWith("inconnu") ? "inconnu" : year));
  if (asked) return asked;
  const known = own.filter((r) => r.valeur !== null);
  return (known.length ? known : own).sort((a, b) => (b.millesime ?? 0) - (a.millesime ?? 0))[0];
}

const the = (d: Indicator, sexe: string) => w.shortLabel(d) + (sexe === "T" ? "" : `, ${w.sex[sexe]}`);

/** Which source a figure names: "cnam/essai.csv:part_cmuc" is of "cnam/essai.csv". */
export function sourcesOf(r: SeriesRow, sources: Source[]): Source[] {
  return sources.filter((s) => r.source === s.id || r.source.split(/[;,] ?/).some((x) => x === s.id || x.startsWith(s.id + ":")) || r.source.includes(s.id));
}

function gapLine(g: GapRow, d: Indicator, evolutions: Evolution[]) {
  const decimals = w.gapDecimals(d);
  const name = g.nom_reference || w.levelText(g.reference);
  const item = h("li", { "data-reference": g.reference });
  if (g.ecart === null) {
    item.append(h("span", { class: "ref" }, name), h("span", { class: "motif" }, `pas d'écart : ${g.motif || w.statut[g.statut]!}`));
    return item;
  }
  const side = w.reading(d, g.ecart);
  const word = Math.abs(g.ecart) < 0.5 * 10 ** -decimals ? "au même niveau que" : g.ecart > 0 ? "de plus que" : "de moins que";
  const amount = word === "au même niveau que" ? w.upper(word) : w.plainGap(g.ecart, decimals, g.unite) + " " + word;
  item.append(
    h("span", { class: "ecart " + (side === "défavorable" ? "moins" : side === "favorable" ? "plus" : "") }, w.gapText(g.ecart, decimals, g.unite)),
    h("span", { class: "ref" }, `${amount} ${name}`, g.valeur_reference !== null ? ` (${w.withUnit(g.valeur_reference, w.places(d), d.unit)})` : "", h("small", {}, w.levelText(g.reference) + (g.reference_inclut ? ", quartier compris" : ""))),
  );
  const own = evolutions.filter((e) => e.reference === g.reference && e.code_reference === g.code_reference && e.comparaison !== "oui" && e.sexe === g.sexe);
  const last = own.filter((e) => e.millesime === g.millesime).sort((a, b) => a.depuis - b.depuis)[0];
  if (last) item.append(verdict(last, d));
  return item;
}

const verdicts: Record<string, string> = {
  "se réduit": "l'écart se réduit", "se creuse": "l'écart se creuse", stable: "écart stable", "non concluant": "on ne peut pas conclure", "non qualifiée": "évolution non qualifiée", hausse: "en hausse", baisse: "en baisse",
};

/** What became of a value or a gap between two years, with the word for it and why. */
export function verdict(e: Evolution, d: Indicator): HTMLElement {
  const decimals = w.gapDecimals(d);
  const word = e.evolution === null ? "non comparable" : (verdicts[e.verdict] ?? e.verdict);
  const tone = e.lecture === "favorable" ? " plus" : e.lecture === "défavorable" ? " moins" : "";
  const how = e.evolution === null ? e.motif : `${w.gapText(e.evolution, decimals, e.unite)} de ${e.depuis} à ${e.millesime}` + (e.seuil !== null ? ` ; il faut ${w.plainGap(e.seuil, decimals, e.unite)} pour conclure` : "");
  return h("span", { class: "verdict" }, h("b", { class: "mot" + tone, "data-verdict": e.verdict || "aucun" }, word), ` ${how}`, e.evolution !== null && e.motif ? h("small", {}, e.motif) : null);
}

/** The parts of the card, but for the chart. */
export function cardParts(c: CardChoice, data: CardData, overview: Overview) {
  const d = c.indicator;
  const decimals = w.places(d);
  const { zone } = data;
  const r = figureOf(zone.series, c.sexe, c.year);
  const parts: HTMLElement[] = [];
  const year = r ? w.yearText(r.millesime) : "";
  if (!r) {
    parts.push(h("p", { class: "chiffre" }, h("span", { class: "grand" }, "—")), h("p", {}, `L'édition n'a pas de chiffre de « ${d.label} » pour ce territoire${c.sexe === "T" ? "" : `, ${w.sex[c.sexe]}`}.`));
  } else if (r.valeur === null) {
    parts.push(
      h("p", { class: "chiffre" }, h("span", { class: "grand hachure", "data-champ": "valeur" }, w.upper(w.statut[r.statut] ?? r.statut)), h("span", { class: "quand" }, year)),
      h("p", { class: "clair" }, w.statutWhy[r.statut] ?? "", r.note ? ` ${w.upper(r.note)}.` : ""),
    );
  } else {
    parts.push(
      h("p", { class: "chiffre" }, h("span", { class: r.nature === "estimation" ? "grand estime" : "grand", "data-champ": "valeur" }, w.withUnit(r.valeur, decimals, d.unit)), h("span", { class: "quand" }, `${the(d, c.sexe)}, ${year}`)),
      h("div", { class: "confiance" },
        h("p", {}, h("b", {}, "Comment ? "), h("span", { "data-champ": "methode" }, w.methodPlain(r.methode) || w.methodShort(r.methode)),
          r.couverture !== null && r.couverture < 0.995 && r.couverture > 0 ? ` Il repose sur ${w.share(r.couverture)} du territoire.` : ""),
        h("p", {}, h("b", {}, "Fiabilité "), h("span", { class: `fiab f${w.reliabilityRank[r.fiabilite] ?? 0}`, "aria-hidden": "true" }), h("span", { "data-champ": "fiabilite" }, w.reliability[r.fiabilite] ?? "non évaluée"), "."),
        r.methode_min !== null && r.methode_max !== null && r.methode_min !== r.methode_max
          ? h("p", { "data-champ": "fourchette" }, `Selon la méthode, de ${w.number(r.methode_min, decimals)} à ${w.withUnit(r.methode_max, decimals, d.unit)}.`) : "",
        r.ic95_bas !== null && r.ic95_haut !== null ? h("p", {}, `Marge du sondage : de ${w.number(r.ic95_bas, decimals)} à ${w.withUnit(r.ic95_haut, decimals, d.unit)} (19 chances sur 20).`) : "",
        r.note ? h("p", { class: "petit" }, w.upper(r.note)) : ""),
    );
  }
  if (r) {
    const gaps = zone.ecarts.filter((g) => g.sexe === c.sexe && g.millesime === r.millesime);
    if (gaps.length)
      parts.push(h("section", { "aria-labelledby": "carte-ecarts" }, h("h3", { id: "carte-ecarts" }, "Par rapport à…"),
        gaps.every((g) => g.ecart === null) && new Set(gaps.map((g) => g.motif)).size === 1
          ? h("p", { class: "motif" }, `Pas d'écart : ${gaps[0]!.motif || w.statut[gaps[0]!.statut]!}.`)
          : h("ul", { class: "ecarts" }, gaps.map((g) => gapLine(g, d, data.evolutions)))));
  }
  const moves = data.evolutions.filter((e) => !e.reference && e.sexe === c.sexe && (!r?.millesime || e.millesime === r.millesime)).sort((a, b) => a.depuis - b.depuis);
  if (moves.length)
    parts.push(h("section", { "aria-labelledby": "carte-evolutions" }, h("h3", { id: "carte-evolutions" }, "Évolution"), h("ul", { class: "simple" }, moves.map((e) => h("li", {}, h("span", {}, `Depuis ${e.depuis} : `), verdict(e, d))))));
  const versus = data.evolutions.filter((e) => e.comparaison === "oui" && e.sexe === c.sexe && (!r?.millesime || e.millesime === r.millesime));
  if (versus.length)
    parts.push(h("section", {}, h("h3", {}, "Face aux territoires de comparaison"), h("p", { class: "petit" }, "L'évolution relative ne dit rien de ses causes."),
      h("ul", { class: "simple" }, versus.map((e) => h("li", {}, h("span", {}, `${e.nom_reference} : `), verdict(e, d))))));
  const wm = data.womenMen.filter((x) => (r?.millesime ? x.millesime === r.millesime : true) && x.ecart !== null).sort((a, b) => b.millesime - a.millesime)[0];
  if (wm && wm.femmes !== null && wm.hommes !== null)
    parts.push(h("section", { "aria-labelledby": "carte-fh" }, h("h3", { id: "carte-fh" }, `Femmes et hommes, ${w.yearText(wm.millesime || null)}`), bars(wm, d, decimals),
      h("p", {}, wm.ecart === 0 ? "Femmes et hommes sont au même niveau." : `Chez les femmes, ${w.plainGap(wm.ecart!, w.gapDecimals(d), wm.unite)} de ${wm.ecart! > 0 ? "plus" : "moins"} que chez les hommes.`)));
  const rank = data.ranks.filter((x) => x.sexe === c.sexe && (!r?.millesime || x.millesime === r.millesime)).sort((a, b) => b.millesime - a.millesime)[0];
  if (rank?.rang && rank.sur > 1)
    parts.push(h("p", { class: "rang", "data-champ": "rang" }, `${rank.rang}${rank.rang === 1 ? "er" : "e"} sur ${rank.sur} quartiers, du plus haut au plus bas${(rank.ex_aequo ?? 1) > 1 ? ", à égalité ou indiscernable d'un autre" : ""}.`));
  if (zone.commentaire) {
    const n = zone.commentaire;
    parts.push(h("section", { class: "commentaire", id: "commentaire" }, h("h3", {}, "Commentaire"), n.texte.split(/\n\s*\n/).map((t) => h("p", {}, t.replace(/^#+ /gm, "").replaceAll("**", ""))),
      n.auteur || n.date ? h("p", { class: "petit" }, [n.auteur, n.date].filter(Boolean).join(", ")) : null, n.a_relire ? h("p", { class: "avis" }, `À relire : ${n.a_relire}`) : null));
  }
  return { parts, figure: r, extras: () => extras(c, data, overview, r) };
}

function bars(x: WomenMen, d: Indicator, decimals: number): HTMLElement {
  const most = Math.max(Math.abs(x.femmes!), Math.abs(x.hommes!)) || 1;
  const one = (name: string, v: number, kind: string) =>
    h("div", { class: `barre ${kind}` }, h("span", {}, name), h("meter", { min: 0, max: most, value: Math.max(0, v), "aria-hidden": "true" }), h("b", {}, w.withUnit(v, decimals, d.unit)));
  return h("div", { class: "barres" }, one("Femmes", x.femmes!, "femmes"), one("Hommes", x.hommes!, "hommes"));
}

/** What the card says further down: the IRIS beneath, the facilities, the sources. */
function extras(c: CardChoice, data: CardData, overview: Overview, r?: SeriesRow): HTMLElement[] {
  const out: HTMLElement[] = [];
  const { zone } = data;
  const cut = zone.recouvrements.filter((o) => o.couche_de === c.layer && o.code_de === c.code && w.levelOf(o.couche_vers) === "iris");
  if (cut.length)
    out.push(h("details", { open: true }, h("summary", {}, "Les IRIS que ce quartier traverse"),
      h("table", { class: "serree", id: "parts" }, h("caption", { class: "invisible" }, "Part de la surface du quartier située dans chaque IRIS"),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "IRIS"), h("th", { scope: "col", class: "n" }, "Part du quartier"), h("th", { scope: "col", class: "n" }, "Part de l'IRIS"))),
        h("tbody", {}, [...cut].sort((a, b) => b.part_de - a.part_de).map((o) => h("tr", {}, h("th", { scope: "row" }, o.nom_vers || o.code_vers, h("small", {}, o.note ? `${o.code_vers} – ${o.note}` : o.code_vers)),
          h("td", { class: "n" }, w.share(o.part_de), h("small", {}, `±${w.nbsp}${w.share(o.marge_part)}`)), h("td", { class: "n" }, w.share(o.part_vers)))))),
      h("p", { class: "petit" }, "La marge dit de combien la part bouge si les limites sont décalées de 10 mètres.")));
  if (data.facilities.length) {
    const themes = new Map<string, string[]>();
    for (const f of data.facilities) themes.set(f.theme, [...(themes.get(f.theme) ?? []), f.nom || f.code]);
    out.push(h("details", {}, h("summary", {}, `Équipements dans le périmètre (${data.facilities.length})`),
      h("ul", { class: "simple", id: "equipements" }, [...themes].map(([t, names]) => h("li", {}, h("b", {}, w.upper(t) + w.nbsp + ": "), names.join(", "))))));
  }
  if (overview.themes.length && !data.facilities.length) out.push(h("p", { class: "petit" }, "Aucun équipement connu dans ce périmètre : un fichier manque, ou il n'y en a pas."));
  if (r) {
    const list = sourcesOf(r, data.sources);
    out.push(h("details", {}, h("summary", {}, "Sources"), list.length
      ? h("ul", { class: "simple" }, list.map((s) => h("li", {}, s.page ? h("a", { href: s.page, rel: "noreferrer" }, s.titre) : s.titre, ` – ${s.producteur}. ${s.licence}. Fichier ${s.fichier}.`)))
      : h("p", {}, r.source || "Calcul de l'observatoire.")));
  }
  const quarter = overview.couches.find((l) => l.id === c.layer)?.quartier ?? false;
  out.push(h("section", { class: "emporter", id: "emporter" }, h("h3", {}, "Emporter"), h("ul", { class: "simple" },
    quarter ? h("li", {}, h("a", { href: place.portrait(c.code), target: "_blank", rel: "noopener" }, "Le portrait du quartier"), ", deux pages à imprimer") : null,
    h("li", {}, files ? "Toutes les séries, dont les siennes : " : "Toutes ses séries : ", h("a", { href: place.series("xlsx", { couche: c.layer, zone: c.code }), download: "" }, "classeur XLSX"), ", ",
      h("a", { href: place.series("csv", { couche: c.layer, zone: c.code }), download: "" }, "CSV")))));
  return out;
}
