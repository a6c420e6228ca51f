// The viewer: what the reader chooses, drawn on the map, in the legend, in the table and on the card.
import { file, files, forget, hasToken, onHealth, place, pulse, read, Refusal, setLost, setToken, type Columns, type Indicator, type Overview, type Year } from "./api";
import { cardData, cardParts } from "./card";
import { classOf, diverging, sequential, type Classes } from "./classes";
import { comparison } from "./compare";
import { $, announce, h, replace, s } from "./dom";
import { Drawing } from "./draw";
import { saveBlob, saveImage, saveText, saveVector, type Sheet } from "./export";
import { bounds, outlineColor, themeColor, ZoneMap, type Hover, type Painting, type Picked } from "./map";
import { page } from "./pages";
import { format, initial, parse, type State } from "./state";
import { FigureTable, type Row } from "./table";
import * as w from "./words";

let overview: Overview;
let indicators: Indicator[];
let state: State;
let columns: Columns | null = null;
let classes: Classes = { bounds: [], colors: [], diverging: false };
let map: ZoneMap | null = null;
let table: FigureTable;
let drawing: Drawing;

const indicatorOf = (id: string) => indicators.find((d) => d.id === id);
const layerOf = (id: string) => overview.couches.find((l) => l.id === id);
const current = () => indicatorOf(state.indicateur)!;
const yearNow = (): Year | undefined => columns?.annees.find((y) => y.millesime === state.annee);

// ---- the address

let written = "";

function write(step: boolean) {
  const hash = format(state);
  if (hash === written) return;
  written = hash;
  const address = hash ? `#${hash}` : location.pathname;
  if (step) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

/** Changes what is looked at: step says that the browser's back button comes back here. */
async function change(next: Partial<State>, step = true) {
  const before = state;
  state = { ...state, ...next };
  await show(before, step);
}

// ---- what there is to choose

/** Completes a choice with what the edition has: an indicator on a layer for a sex, or the nearest there is. */
function settle(): string[] {
  const notes: string[] = [];
  if (!indicatorOf(state.indicateur)) {
    if (state.indicateur) notes.push(`L'édition n'a pas d'indicateur « ${state.indicateur} ».`);
    state.indicateur = overview.choix.indicateur || indicators[0]?.id || "";
    if (state.couche === "") state.sexe = overview.choix.sexe;
  }
  const d = current();
  if (state.couche && !layerOf(state.couche)) {
    notes.push(`L'édition n'a pas de couche « ${state.couche} ».`);
    state.couche = "";
  }
  if (!state.couche) state.couche = best(d);
  const sexes = [...new Set(d.series.filter((x) => x.couche === state.couche).map((x) => x.sexe))];
  if (sexes.length && !sexes.includes(state.sexe)) {
    const other = ["T", "F", "H"].find((x) => sexes.includes(x))!;
    notes.push(`Pas de chiffre pour « ${w.sex[state.sexe]} » sur cette couche : la carte montre « ${w.sex[other]} ».`);
    state.sexe = other;
  }
  for (const z of [...(state.zone ? [state.zone] : []), ...state.compare]) {
    const [layer, code] = split(z);
    if (layerOf(layer) && code) continue;
    notes.push(`Territoire inconnu : « ${z} ».`);
    if (state.zone === z) state.zone = "";
    state.compare = state.compare.filter((x) => x !== z);
  }
  if (state.theme && state.theme !== "*" && !overview.themes.includes(state.theme)) state.theme = "";
  if (state.vecus && !layerOf(state.vecus)) state.vecus = "";
  return notes;
}

/** The layer to colour for an indicator: the finest that has it. */
function best(d: Indicator): string {
  const has = (id: string) => d.series.some((x) => x.couche === id);
  if (has(overview.choix.couche)) return overview.choix.couche;
  const order = ["iris", "qpv", "veille", "commune"];
  const rank = (l: string) => (order.indexOf(w.levelOf(l)) + order.length + 1) % (order.length + 1);
  const drawn = overview.couches.filter((l) => l.dessinees && has(l.id)).sort((a, b) => rank(a.id) - rank(b.id) || b.annee - a.annee);
  return drawn[0]?.id ?? (overview.choix.couche || overview.couches.find((l) => l.dessinees)?.id || "");
}

const split = (z: string): [string, string] => {
  const i = z.indexOf("/");
  return i < 0 ? [z, ""] : [z.slice(0, i), z.slice(i + 1)];
};

// ---- the page

const element = {} as Record<"indicateur" | "couche" | "annee" | "mode" | "methode" | "classes" | "theme" | "vecus", HTMLSelectElement> & {
  sexes: HTMLElement; bornes: HTMLInputElement; avant: HTMLButtonElement; apres: HTMLButtonElement; legende: HTMLElement; titre: HTMLElement; sous: HTMLElement; notes: HTMLElement; fiche: HTMLElement; mention: HTMLElement;
  bulle: HTMLElement; comparaison: HTMLElement; dessin: HTMLElement; chercher: HTMLInputElement; pieces: HTMLInputElement; noms: HTMLInputElement; fond: HTMLInputElement; carte: HTMLElement;
};

function field(label: string, control: HTMLElement, id: string) {
  control.id = id;
  return h("div", { class: "champ" }, h("label", { for: id }, label), control);
}

function box(label: string, id: string, set: (on: boolean) => void) {
  const input = h("input", { type: "checkbox", id, change: () => set(input.checked) });
  return [h("label", { class: "case", for: id }, input, label), input] as const;
}

function build() {
  const e = element;
  document.title = overview.titre;
  $("titre").textContent = overview.titre;
  e.indicateur = h("select", { change: () => void change({ indicateur: e.indicateur.value, couche: pickLayer(e.indicateur.value), annee: "", mode: "", bornes: [], methode: state.methode === "manuel" ? "quantiles" : state.methode }) });
  const themes = new Map<string, Indicator[]>();
  for (const d of indicators) themes.set(d.theme, [...(themes.get(d.theme) ?? []), d]);
  for (const [theme, list] of themes) e.indicateur.append(h("optgroup", { label: theme || "Autres" }, list.map((d) => h("option", { value: d.id }, d.label))));
  e.couche = h("select", { change: () => void change({ couche: e.couche.value, annee: "", mode: "" }) });
  e.sexes = h("div", { class: "segments" });
  e.annee = h("select", { change: () => void change({ annee: e.annee.value }) });
  e.avant = h("button", { type: "button", class: "carre", "aria-label": "Année précédente", click: () => stepYear(-1) }, "‹");
  e.apres = h("button", { type: "button", class: "carre", "aria-label": "Année suivante", click: () => stepYear(1) }, "›");
  e.mode = h("select", { change: () => void change({ mode: e.mode.value, bornes: [], methode: state.methode === "manuel" ? "quantiles" : state.methode }) });
  e.methode = h("select", { change: () => void change({ methode: e.methode.value as State["methode"], bornes: e.methode.value === "manuel" ? classes.bounds.filter((b) => !classes.diverging || b > 0) : [] }) },
    h("option", { value: "quantiles" }, "Effectifs égaux (quantiles)"), h("option", { value: "jenks" }, "Seuils naturels (Jenks)"), h("option", { value: "manuel" }, "Bornes choisies"));
  e.classes = h("select", { change: () => void change({ classes: Number(e.classes.value) }) }, [2, 3, 4, 5, 6, 7].map((n) => h("option", { value: n }, String(n))));
  e.bornes = h("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-describedby": "bornes-aide", change: () => manualBounds() });
  e.vecus = h("select", { change: () => void change({ vecus: e.vecus.value }) }, h("option", { value: "" }, "Aucun"),
    overview.couches.filter((l) => l.dessinees && (l.niveau.startsWith("quartier_vecu") || (l.quartier && !l.derniere))).map((l) => h("option", { value: l.id }, `${w.upper(w.levelText(l.id))} (${l.annee})`)));
  e.theme = h("select", { change: () => void change({ theme: e.theme.value }) }, h("option", { value: "" }, "Aucun"), h("option", { value: "*" }, "Tous les thèmes"), overview.themes.map((t) => h("option", { value: t }, w.upper(t))));
  const [piecesLabel, pieces] = box("Parts d'IRIS des quartiers (au survol)", "pieces", (on) => void change({ pieces: on }));
  const [nomsLabel, noms] = box("Noms des quartiers", "noms", (on) => void change({ noms: on }));
  const [fondLabel, fond] = box("Fond de carte", "fond", (on) => void change({ fond: on }));
  Object.assign(e, { pieces, noms, fond });
  e.chercher = h("input", { type: "search", list: "territoires", placeholder: "Nom ou code", autocomplete: "off", change: () => search() });
  e.legende = h("ul", { class: "legende", id: "legende", "aria-label": "Légende de la carte" });
  e.titre = h("h2", { id: "titre-carte" });
  e.sous = h("p", { id: "sous-titre" });
  e.notes = h("div", { id: "notes", role: "status" });
  e.fiche = h("aside", { class: "panneau fiche", id: "fiche", "aria-label": "Fiche du territoire", tabindex: -1 });
  e.mention = h("p", { class: "mention", id: "mention" });
  e.bulle = h("div", { class: "bulle", id: "bulle", hidden: true, "aria-hidden": "true" });
  e.comparaison = h("section", { id: "comparaison", hidden: true, "aria-label": "Comparaison" });
  e.dessin = h("section", { id: "dessin", hidden: true, "aria-label": "Périmètre dessiné", tabindex: -1 });
  e.carte = h("div", { id: "carte" });
  table = new FigureTable(state.tri);
  table.onPick = (code) => choose([{ layer: state.couche, code, name: "", index: -1 }], true);
  table.onSort = (tri) => void change({ tri }, false);

  const settings = h("form", { class: "panneau reglages", id: "reglages", "aria-label": "Réglages de la carte", submit: (ev: Event) => ev.preventDefault() },
    field("Indicateur", e.indicateur, "indicateur"),
    h("fieldset", { class: "champ" }, h("legend", {}, "Population"), e.sexes),
    h("div", { class: "champ" }, h("label", { for: "annee" }, "Année des chiffres"), h("div", { class: "annees" }, e.avant, Object.assign(e.annee, { id: "annee" }), e.apres)),
    field("Territoires colorés", e.couche, "couche"),
    field("La carte montre", e.mode, "mode"),
    field("Trouver un territoire", e.chercher, "chercher"),
    h("datalist", { id: "territoires" }),
    h("details", { open: state.methode !== "quantiles" || state.classes !== 5 }, h("summary", {}, "Classes de couleur"), field("Découpage", e.methode, "methode"), field("Nombre de classes", e.classes, "classes"),
      h("div", { class: "champ", id: "champ-bornes" }, h("label", { for: "bornes" }, "Bornes"), Object.assign(e.bornes, { id: "bornes" }), h("small", { id: "bornes-aide" }, "Séparées par des points-virgules, par exemple 10 ; 15 ; 20"))),
    h("details", { open: true }, h("summary", {}, "Sur la carte"), nomsLabel, overview.recouvrements.length ? piecesLabel : null, e.vecus.options.length > 1 ? field("Quartiers vécus", e.vecus, "vecus") : null,
      overview.themes.length ? field("Équipements", e.theme, "theme") : null, overview.fond ? fondLabel : null));
  const center = h("section", { class: "centre", "aria-labelledby": "titre-carte" },
    h("div", { class: "titre-carte" }, h("div", {}, e.titre, e.sous)),
    h("div", { class: "cadre-carte" }, e.carte, h("div", { class: "mire", "aria-hidden": "true" }), e.bulle,
      h("div", { class: "outils" }, h("button", { type: "button", class: "bouton", id: "recentrer", click: () => map?.home() }, "Vue d'ensemble"),
        h("button", { type: "button", class: "bouton", id: "dessiner", click: () => drawing.start() }, "Dessiner un périmètre"))),
    e.legende, e.mention,
    h("div", { class: "boutons" }, h("button", { type: "button", class: "bouton", id: "png", click: () => void exporting(async () => saveImage(await sheet(), map!.canvas)) }, "Image PNG"),
      h("button", { type: "button", class: "bouton", id: "svg", click: () => void exporting(async () => saveVector(await sheet(), map!, state.couche, overview)) }, "Image SVG"),
      h("button", { type: "button", class: "bouton", id: "imprimer", click: () => print() }, "Imprimer"),
      h("button", { type: "button", class: "bouton", id: "lien", click: () => copy(location.href, "Lien copié : il rouvre cette vue.") }, "Copier le lien")));
  const below = h("div", { class: "bas" }, e.dessin, e.comparaison,
    h("section", { id: "table", tabindex: -1, "aria-labelledby": "titre-table" }, h("h2", { id: "titre-table" }, "Les chiffres de la carte"),
      h("div", { class: "boutons" }, h("button", { type: "button", class: "bouton", id: "copier", click: () => copy(table.text("\t"), "Table copiée : elle se colle dans un tableur.") }, "Copier la table"),
        h("button", { type: "button", class: "bouton", id: "csv", click: () => saveText(fileName("csv"), "\ufeff" + table.text(";") + csvNotes(), "text/csv;charset=utf-8") }, "Table CSV"),
        h("button", { type: "button", class: "bouton", id: "xlsx", click: () => void exporting(() => download("xlsx")) }, "Séries, classeur XLSX"),
        h("button", { type: "button", class: "bouton", id: "series-csv", click: () => void exporting(() => download("csv")) }, "Séries, CSV")),
      table.element));
  replace($("application"), overview.schematique ? h("p", { class: "avis", role: "note" }, "Contours schématiques, dessinés pour une démonstration : ils ne sont pas des périmètres officiels.") : null, e.notes,
    h("div", { id: "vue-carte" }, h("div", { class: "scene" }, settings, center, e.fiche), below), h("div", { id: "vue-page", class: "page", hidden: true }));
  replace($("navigation"), ([["", "Carte"], ["bouge", "Ce qui a bougé"], ["calibration", "Justesse des estimations"], ["methode", "Lire les chiffres"]] as const).map(([id, label]) =>
    h("button", { type: "button", "data-page": id, click: () => void change({ page: id }) }, label)), overview.jetons ? h("button", { type: "button", id: "jeton", click: () => askToken() }, "") : null);
  tellEdition();
  drawing = new Drawing(e.dessin, overview, indicators, () => map!, () => state.indicateur);
}

function tellEdition() {
  $("edition").textContent = `Édition ${overview.edition}` + (hasToken() ? " – données des partenaires comprises, à ne pas diffuser" : "");
  const b = document.getElementById("jeton");
  if (b) b.textContent = hasToken() ? "Quitter l'accès partenaire" : "Accès partenaire";
}

const pickLayer = (id: string) => {
  const d = indicatorOf(id)!;
  return d.series.some((x) => x.couche === state.couche) ? state.couche : best(d);
};

function stepYear(by: number) {
  const years = columns?.annees ?? [];
  const i = years.findIndex((y) => y.millesime === state.annee);
  const next = years[i + by];
  if (!next) return;
  void change({ annee: next.millesime }, false).then(() => announce(`${element.titre.textContent}`));
}

function manualBounds() {
  const list = element.bornes.value.split(/[;\s]+/).map((x) => Number(x.replace(",", "."))).filter((x) => Number.isFinite(x));
  if (!list.length || element.bornes.value.trim() === "") {
    announce("Aucune borne lue : écrire des nombres séparés par des points-virgules.");
    return;
  }
  void change({ methode: "manuel", bornes: list.slice(0, 6) });
}

function search() {
  const text = element.chercher.value.trim().toLowerCase();
  if (!text) return;
  const code = /\(([^()]+)\)\s*$/.exec(text)?.[1] ?? text;
  const quarter = overview.quartiers.find((q) => q.code.toLowerCase() === code || q.nom.toLowerCase() === text);
  if (quarter) return choose([{ layer: quarter.couche, code: quarter.code, name: quarter.nom, index: -1 }], true);
  const i = columns ? columns.codes.findIndex((c, k) => c.toLowerCase() === code || columns!.noms[k]!.toLowerCase() === text) : -1;
  if (i >= 0) return choose([{ layer: state.couche, code: columns!.codes[i]!, name: columns!.noms[i]!, index: i }], true);
  announce(`Aucun territoire ne s'appelle « ${element.chercher.value} ».`);
  replace(element.notes, h("p", { class: "avis" }, `Aucun territoire ne s'appelle « ${element.chercher.value} ».`));
}

/** Chooses a zone: the first of those given, the others being said on the card. */
function choose(zones: Picked[], frame: boolean) {
  const z = zones[0];
  if (!z) return;
  also = zones.slice(1);
  void change({ zone: `${z.layer}/${z.code}` }).then(() => {
    if (!frame) return;
    element.fiche.focus({ preventScroll: matchMedia("(min-width: 901px)").matches });
    void framing(z.layer, z.code);
  });
}

let also: Picked[] = [];

async function framing(layer: string, code: string) {
  if (!layerOf(layer)?.dessinees) return;
  const q = overview.quartiers.find((x) => x.couche === layer && x.code === code);
  if (q?.bornes) return map?.frame(q.bornes);
  const f = await read<GeoJSON.Feature>(`collections/${encodeURIComponent(layer)}/items/${encodeURIComponent(code)}`);
  const b = bounds(f.geometry);
  if (b) map?.frame(b);
}

// ---- showing

let turn = 0;

async function show(before: State | null, step: boolean) {
  const mine = ++turn;
  const notes = settle();
  const fresh = !columns || columns.couche !== state.couche || columns.indicateur !== state.indicateur || columns.sexe !== state.sexe;
  if (fresh && state.couche && state.indicateur) {
    const next = await read<Columns>(`api/carte/${encodeURIComponent(state.couche)}?${new URLSearchParams({ indicateur: state.indicateur, sexe: state.sexe })}`);
    if (mine !== turn) return;
    columns = next;
  }
  if (columns) {
    const known = columns.annees.some((y) => y.millesime === state.annee);
    if (!known) {
      const asked = state.annee;
      const same = overview.choix.indicateur === state.indicateur && overview.choix.couche === state.couche ? overview.choix.millesime : "";
      state.annee = (columns.annees.some((y) => y.millesime === same) && same) || columns.millesime || columns.annees.at(-1)?.millesime || "";
      if (asked && state.annee) notes.push(`Aucun chiffre pour le millésime ${asked} sur cette couche : la carte montre ${yearNow()!.libelle}.`);
    }
    if (state.mode && !columns.references.some((r) => r.couche === state.mode)) {
      if (before === null) notes.push("Pas d'écart à cette référence pour ce choix : la carte montre les valeurs.");
      state.mode = "";
    }
    if (!columns.annees.length) notes.push("Cet indicateur n'a aucun chiffre sur cette couche : les zones sont hachurées.");
  }
  replace(element.notes, notes.length ? h("p", { class: "avis" }, notes.join(" ")) : null);
  write(step && before !== null);
  controls();
  const figures = !before || fresh || ["annee", "mode", "methode", "classes", "bornes", "indicateur", "couche", "sexe"].some((k) => JSON.stringify(before[k as keyof State]) !== JSON.stringify(state[k as keyof State]));
  if (figures) classify();
  paint(figures);
  if (figures) tabulate();
  table.setSort(state.tri);
  table.choose(state.zone.startsWith(state.couche + "/") ? split(state.zone)[1] : "");
  showPage();
  await Promise.all([card(mine), compare(mine)]);
}

function controls() {
  const e = element;
  const d = current();
  e.indicateur.value = state.indicateur;
  const layers = overview.couches.filter((l) => l.dessinees);
  replace(e.couche, layers.map((l) => h("option", { value: l.id, disabled: !d.series.some((x) => x.couche === l.id) }, `${w.upper(w.levelText(l.id))} (${l.annee})${d.series.some((x) => x.couche === l.id) ? "" : " – sans chiffre"}`)));
  e.couche.value = state.couche;
  const sexes = new Set(d.series.filter((x) => x.couche === state.couche).map((x) => x.sexe));
  const focused = document.activeElement instanceof HTMLInputElement && document.activeElement.name === "sexe";
  replace(e.sexes, ["T", "F", "H"].map((x) => {
    const input = h("input", { type: "radio", name: "sexe", value: x, disabled: !sexes.has(x), change: () => void change({ sexe: x, annee: state.annee }) });
    input.checked = x === state.sexe;
    return h("label", {}, input, w.upper(w.sex[x]!));
  }));
  if (focused) e.sexes.querySelector<HTMLInputElement>(":checked")?.focus();
  const years = columns?.annees ?? [];
  replace(e.annee, years.length ? years.map((y) => h("option", { value: y.millesime }, w.upper(y.libelle))) : h("option", { value: "" }, "—"));
  e.annee.value = state.annee;
  const i = years.findIndex((y) => y.millesime === state.annee);
  e.avant.disabled = i <= 0;
  e.apres.disabled = i < 0 || i >= years.length - 1;
  replace(e.mode, h("option", { value: "" }, "Les valeurs"), (columns?.references ?? []).map((r) => h("option", { value: r.couche }, `L'écart : ${r.nom}`)));
  e.mode.value = state.mode;
  e.methode.value = state.methode;
  e.classes.value = String(state.classes);
  $("champ-bornes").hidden = state.methode !== "manuel";
  if (document.activeElement !== e.bornes) e.bornes.value = state.bornes.map((b) => String(b).replace(".", ",")).join(" ; ");
  e.theme.value = state.theme;
  e.vecus.value = state.vecus;
  e.pieces.checked = state.pieces;
  e.noms.checked = state.noms;
  e.fond.checked = state.fond;
  const list = $("territoires");
  const key = state.couche;
  if (columns && list.dataset["couche"] !== key) {
    list.dataset["couche"] = key;
    replace(list, overview.quartiers.slice(0, 500).map((q) => h("option", { value: `${q.nom} (${q.code})` })), columns.codes.length <= 2000 && !layerOf(key)?.quartier ? columns.codes.map((c, k) => h("option", { value: `${columns!.noms[k]} (${c})` })) : null);
  }
  for (const b of $("navigation").querySelectorAll<HTMLElement>("[data-page]")) {
    if (b.dataset["page"] === state.page) b.setAttribute("aria-current", "page");
    else b.removeAttribute("aria-current");
  }
}

const shownOf = (y: Year | undefined): (number | null)[] => (!y ? [] : state.mode ? (y.ecarts[state.mode] ?? []) : y.valeurs);

/** Classes are those of all the years together: a colour means the same from one to the next. */
function classify() {
  const d = current();
  const values: number[] = [];
  for (const y of columns?.annees ?? []) for (const v of shownOf(y)) if (v !== null && v !== undefined) values.push(v);
  const decimals = state.mode ? w.gapDecimals(d) : d.unit === "%" ? 1 : d.decimals;
  classes = (state.mode ? diverging : sequential)(values, state.methode, state.classes, state.bornes, decimals);
}

let painting: Painting | null = null;

function paint(figures: boolean) {
  if (figures && columns) {
    const y = yearNow();
    const values = shownOf(y);
    const n = columns.codes.length;
    const k = new Int8Array(n).fill(-1);
    const secret: number[] = [];
    const absent: number[] = [];
    const hidden = columns.statuts.indexOf("secret");
    for (let i = 0; i < n; i++) {
      const v = values[i];
      if (v !== null && v !== undefined) k[i] = classOf(classes, v);
      else if (y && y.statuts[i] === hidden) secret.push(i + 1);
      else absent.push(i + 1);
    }
    painting = { layer: state.couche, colors: classes.colors, classes: k, secret, absent };
    map?.paint(painting);
  }
  if (painting) legend(painting.classes, yearNow());
  if (!map) return;
  const quarters = [...new Set(overview.quartiers.map((q) => q.couche))].filter((l) => layerOf(l)?.dessinees);
  const order = [...(state.vecus ? [state.vecus] : []), ...quarters.filter((l) => l !== state.vecus)];
  map.outline(order);
  map.setPieces(state.pieces ? overview.recouvrements.filter((p) => quarters.some((q) => p.startsWith(`recouvrement_${q}_`)) && /_iris-\d+$/.test(p)) : []);
  map.setFacilities(state.theme);
  map.setNames(state.noms);
  map.setBackground(state.fond);
  map.choose([state.zone, ...state.compare].filter(Boolean).map((z) => ({ layer: split(z)[0], code: split(z)[1] })));
}

function swatch(fill: string, extra?: SVGElement) {
  return s("svg", { viewBox: "0 0 28 17", "aria-hidden": "true" }, extra ?? null, s("rect", { x: 0.5, y: 0.5, width: 27, height: 16, fill, stroke: "#5f6b77" }));
}

const hatched = (id: string, color: string, ground: string, rising: boolean) =>
  swatch(`url(#${id})`, s("defs", {}, s("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: `rotate(${rising ? 45 : -45})` }, s("rect", { width: 6, height: 6, fill: ground }), s("path", { d: "M1.5 0V6", stroke: color, "stroke-width": 1.5 }))));

/** The words of a class. */
function classText(k: number): string {
  const d = current();
  const decimals = state.mode ? w.gapDecimals(d) : w.places(d);
  const one = (v: number) => (state.mode ? w.signed(v, decimals) : w.number(v, decimals));
  const unit = state.mode ? (d.unit === "%" ? "points" : "%") : d.unit === "ratio" ? "" : d.unit;
  const tail = unit ? w.nbsp + unit : "";
  const [low, high] = [classes.bounds[k - 1], classes.bounds[k]];
  if (low === undefined && high === undefined) return "toutes les valeurs";
  if (low === undefined) return `moins de ${one(high!)}${tail}`;
  if (high === undefined) return `${one(low)}${tail} et plus`;
  return `de ${one(low)} à moins de ${one(high)}${tail}`;
}

function legend(k: Int8Array, y: Year | undefined) {
  const counts = classes.colors.map(() => 0);
  for (const x of k) if (x >= 0) counts[x]!++;
  const reasons = new Map<string, number>();
  for (let i = 0; i < k.length; i++) if (k[i]! < 0) {
    const word = y ? columns!.statuts[y.statuts[i]!]! : "non_disponible";
    const name = word === "disponible" ? "sans_ecart" : word;
    reasons.set(name, (reasons.get(name) ?? 0) + 1);
  }
  const count = (n: number) => h("span", { class: "compte" }, `(${w.number(n, 0)})`);
  const items = classes.colors.map((c, i) => h("li", { "data-classe": i }, swatch(c), classText(i), count(counts[i]!)));
  const words: Record<string, string> = { ...w.statut, sans_ecart: "pas d'écart" };
  for (const [word, n] of [...reasons].sort()) items.push(h("li", { "data-statut": word }, word === "secret" ? hatched("l-secret", "#3f4a56", "#fff", true) : hatched("l-absent", "#9aa4ae", "#f4f4f2", false), w.upper(words[word] ?? word), count(n)));
  for (const l of new Set(overview.quartiers.map((q) => q.couche))) if (layerOf(l)?.dessinees)
    items.push(h("li", {}, s("svg", { viewBox: "0 0 28 17", "aria-hidden": "true" }, s("path", { d: "M2 8.5H26", stroke: outlineColor(l), "stroke-width": 3.5, "stroke-dasharray": w.levelOf(l) === "qpv" ? null : "7 3" })), w.upper(w.levelText(l))));
  if (state.theme) for (const [i, t] of overview.themes.entries()) if (state.theme === "*" || state.theme === t)
    items.push(h("li", { "data-theme": t }, s("svg", { viewBox: "0 0 28 17", "aria-hidden": "true" }, s("circle", { cx: 14, cy: 8.5, r: 6, fill: themeColor(i), stroke: "#fff" })), w.upper(t)));
  replace(element.legende, items);
  const d = current();
  const ref = columns?.references.find((r) => r.couche === state.mode);
  const sexe = state.sexe === "T" ? "" : ` – ${w.sex[state.sexe]}`;
  element.titre.textContent = (ref ? `Écart à la référence « ${ref.nom} » : ` : "") + w.shortLabel(d) + sexe + (y ? `, ${y.libelle}` : "");
  const baseText = /\(([^()]*)\)$/.exec(d.label)?.[1];
  element.sous.textContent = [baseText ? w.upper(baseText) : "", ref ? (d.unit === "%" ? "en points" : "en %") : d.unit === "ratio" ? "rapport" : `en ${d.unit}`, `par ${w.levelText(state.couche)}, géographie ${layerOf(state.couche)?.annee ?? ""}`].filter(Boolean).join(" · ");
  const years = columns?.annees.length ?? 0;
  element.mention.textContent = `${{ quantiles: "Classes d'effectifs égaux", jenks: "Classes par seuils naturels", manuel: "Classes choisies" }[state.methode]}${years > 1 ? `, communes aux ${years} années` : ""}. ${source()}`;
}

function source(): string {
  const l = layerOf(state.couche);
  return `Source : chiffres et contours de l'édition ${overview.edition}${l?.mention ? ` – ${l.mention}` : ""} – calculs ${overview.titre}.`;
}

function tabulate() {
  if (!columns) return;
  const d = current();
  const y = yearNow();
  const ref = columns.references.find((r) => r.couche === state.mode) ?? columns.references[0];
  const decimals = w.places(d);
  const gapUnit = d.unit === "%" ? "points" : "%";
  const out: Row[] = columns.codes.map((code, index) => {
    const v = y?.valeurs[index] ?? null;
    const gap = ref ? (y?.ecarts[ref.couche]?.[index] ?? null) : null;
    const statut = y ? columns!.statuts[y.statuts[index]!]! : "non_disponible";
    const f = y?.fiabilites[index] ?? 0;
    return {
      index, code, name: columns!.noms[index]!, commune: columns!.communes[index]!, value: v, text: v === null ? "" : w.withUnit(v, decimals, d.unit), statut: w.statut[statut] ?? statut, reliability: v === null ? 0 : f,
      reliabilityText: v === null ? "" : (columns!.fiabilites[f] ?? ""), estimate: y?.estimees[index] === 1, gap, gapText: gap === null ? "" : w.gapText(gap, w.gapDecimals(d), gapUnit),
    };
  });
  const n = out.filter((r) => r.value !== null).length;
  table.set(out, `${element.titre.textContent ?? d.label}. ${n} ${n > 1 ? "territoires ont" : "territoire a"} un chiffre, sur ${w.number(out.length, 0)}. Les estimations sont en italique.`, y ? `Valeur, ${y.libelle}` : "Valeur", ref ? `Écart : ${ref.nom}` : null, columns.communes.some(Boolean));
  $("titre-table").textContent = `Les chiffres de la carte : ${w.levelText(state.couche)}`;
}

// ---- the card

async function card(mine: number) {
  const e = element.fiche;
  if (!state.zone) return ranking(mine);
  const [layer, code] = split(state.zone);
  const choice = { layer, code, indicator: current(), sexe: state.sexe, year: state.annee };
  let data;
  try {
    data = await cardData(choice, overview);
  } catch (err) {
    if (mine !== turn) return;
    replace(e, h("div", { class: "tete" }, closeButton(), h("h2", {}, code)), h("p", { class: "erreur" }, err instanceof Refusal ? err.message : "La fiche n'a pas pu être lue."));
    return;
  }
  if (mine !== turn) return;
  const { parts, extras } = cardParts(choice, data, overview);
  const chart = h("figure", { class: "graphique", id: "graphique" });
  const inCompare = state.compare.includes(state.zone);
  const quarter = layerOf(layer)?.quartier ?? false;
  const partners = [...new Set(data.evolutions.filter((x) => x.comparaison === "oui").map((x) => `${x.reference}/${x.code_reference}`))];
  replace(e, h("div", { class: "tete" }, closeButton(), h("p", { class: "niveau" }, `${w.upper(w.levelText(layer))} · ${code}`), h("h2", { id: "fiche-nom" }, data.zone.nom || code)),
    also.length ? h("p", { class: "petit" }, "Au même endroit : ", also.map((z, i) => [i ? ", " : "", h("button", { type: "button", class: "lien", click: () => choose([z, ...also.filter((x) => x !== z)], false) }, `${w.levelText(z.layer)} ${z.name || z.code}`)])) : null,
    parts, chart, extras(),
    h("div", { class: "boutons" },
      h("button", { type: "button", class: "bouton", id: "comparer", click: () => void change({ compare: inCompare ? state.compare.filter((z) => z !== state.zone) : [...state.compare, state.zone].slice(-4) }) }, inCompare ? "Retirer de la comparaison" : "Comparer"),
      partners.length ? h("button", { type: "button", class: "bouton", click: () => void change({ compare: [state.zone, ...partners].slice(0, 4) }) }, "Comparer à ses territoires de comparaison") : null,
      layerOf(layer)?.dessinees && !files ? h("button", { type: "button", class: "bouton", id: "tampon", click: () => drawing.around(layer, code, data.zone.nom || code) }, "Alentours (tampon)") : null,
      h("button", { type: "button", class: "bouton", id: "zone-csv", click: () => void exporting(async () => saveBlob(await file(place.series("csv", { couche: layer, zone: code })), `series-${files ? layer : code}.csv`)) }, "Ses séries (CSV)")));
  e.scrollTop = 0;
  const charts = await import("./charts");
  if (mine !== turn) return;
  const own = data.zone.series.filter((r) => r.sexe === state.sexe);
  const gaps = data.zone.ecarts.filter((g) => g.sexe === state.sexe && g.valeur_reference !== null && g.millesime !== null);
  const first = quarter || gaps.length ? gaps[0]?.reference : undefined;
  const refRows = gaps.filter((g) => g.reference === first).map((g) => ({ ...own[0]!, code: g.code_reference, nom: g.nom_reference, millesime: g.millesime, valeur: g.valeur_reference, nature: "producteur", methode_min: null, methode_max: null, ic95_bas: null, ic95_haut: null }));
  const refName = refRows[0]?.nom ?? "";
  const name = data.zone.nom || code;
  const lines = [{ name, color: "#000091", rows: own, quarter: true }, ...(refRows.length && refName !== name ? [{ name: refName, color: "#56616e", dash: "5 3", rows: refRows, quarter: false }] : [])];
  const moves = data.evolutions.filter((x) => x.sexe === state.sexe);
  const svg = own.filter((r) => r.valeur !== null && r.millesime !== null).length ? charts.seriesChart(lines, current(), moves, Math.max(250, Math.min(360, e.clientWidth - 34))) : null;
  if (svg) {
    const refused = [...charts.breaks(moves).values()];
    replace(chart, h("h3", {}, "D'une année à l'autre"), svg, key(lines),
      h("figcaption", {}, "Rond vide : estimation. Barre claire : fourchette des méthodes, ou marge du sondage.", refused.length ? ` Pointillé : ${refused[0]!.motif}` : ""), seriesTable(own, name));
  }
}

const key = (lines: { name: string; color: string; dash?: string }[]) =>
  h("ul", { class: "cle" }, lines.map((l) => h("li", {}, s("svg", { viewBox: "0 0 24 10", "aria-hidden": "true" }, s("path", { d: "M0 5H24", stroke: l.color, "stroke-width": 2.5, "stroke-dasharray": l.dash ?? null })), l.name)));

function seriesTable(list: { millesime: number | null; valeur: number | null; statut: string; methode: string; fiabilite: string }[], name: string) {
  const d = current();
  return h("details", {}, h("summary", {}, "Les chiffres du graphique"), h("table", { class: "serree" }, h("caption", { class: "invisible" }, `${d.label}, ${name}`),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Année"), h("th", { scope: "col", class: "n" }, "Valeur"), h("th", { scope: "col" }, "Méthode"))),
    h("tbody", {}, [...list].sort((a, b) => (a.millesime ?? 0) - (b.millesime ?? 0)).map((r) => h("tr", {}, h("th", { scope: "row" }, w.yearText(r.millesime)), h("td", { class: "n" }, r.valeur === null ? w.statut[r.statut]! : w.withUnit(r.valeur, w.places(d), d.unit)), h("td", {}, w.methodShort(r.methode)))))));
}

const closeButton = () => h("button", { type: "button", class: "fermer", "aria-label": "Fermer la fiche", click: () => void change({ zone: "" }) }, "×");

/** Before a zone is chosen: the quarters, from the highest figure to the lowest. */
async function ranking(mine: number) {
  const layers = [...new Set(overview.quartiers.map((q) => q.couche))];
  const d = current();
  const list: { layer: string; code: string; name: string; v: number | null; statut: string; estimate: boolean; year: string }[] = [];
  for (const layer of layers) {
    if (!d.series.some((x) => x.couche === layer && x.sexe === state.sexe)) continue;
    const c = columns?.couche === layer ? columns : await read<Columns>(`api/carte/${encodeURIComponent(layer)}?${new URLSearchParams({ indicateur: state.indicateur, sexe: state.sexe })}`);
    if (mine !== turn) return;
    const y = c.annees.find((x) => x.millesime === state.annee);
    c.codes.forEach((code, i) => list.push({ layer, code, name: c.noms[i] || code, v: y?.valeurs[i] ?? null, statut: y ? c.statuts[y.statuts[i]!]! : "non_disponible", estimate: y?.estimees[i] === 1, year: y?.libelle ?? "" }));
  }
  const known = list.filter((x) => x.v !== null).sort((a, b) => b.v! - a.v! || a.name.localeCompare(b.name, "fr"));
  const others = list.filter((x) => x.v === null);
  const most = Math.max(...known.map((x) => Math.abs(x.v!)), 0) || 1;
  const item = (x: (typeof list)[number]) =>
    h("li", { "data-zone": `${x.layer}/${x.code}` }, h("button", { type: "button", class: "lien", click: () => choose([{ layer: x.layer, code: x.code, name: x.name, index: -1 }], true) }, x.name, h("small", {}, w.levelText(x.layer))),
      h("span", { class: x.estimate ? "n estime" : "n" }, x.v === null ? w.statut[x.statut]! : w.withUnit(x.v, w.places(d), d.unit)), x.v === null ? null : h("meter", { min: 0, max: most, value: Math.max(0, x.v), "aria-hidden": "true" }));
  replace(element.fiche, h("h2", {}, "Les quartiers, du plus haut au plus bas"), h("p", { class: "petit" }, known.length ? `${w.upper(w.shortLabel(d))}${state.sexe === "T" ? "" : `, ${w.sex[state.sexe]}`}, ${yearNow()?.libelle ?? ""}. Cliquer un quartier, ici ou sur la carte, ouvre sa fiche.` : "Aucun quartier n'a de chiffre pour ce choix. Cliquer une zone de la carte ouvre sa fiche."),
    h("ol", { class: "classement", id: "classement" }, known.slice(0, 60).map(item)),
    others.length && known.length ? h("details", {}, h("summary", {}, `${others.length} sans chiffre`), h("ul", { class: "classement" }, others.slice(0, 60).map(item))) : h("ul", { class: "classement" }, known.length ? null : others.slice(0, 60).map(item)));
}

// ---- comparing

async function compare(mine: number) {
  const e = element.comparaison;
  e.hidden = state.compare.length === 0;
  if (e.hidden) return;
  const content = await comparison(state.compare.map(split), current(), state.sexe, state.annee, overview, (z) => void change({ compare: state.compare.filter((x) => x !== z) }), () => void change({ compare: [] }));
  if (mine === turn) replace(e, content);
}

// ---- the other pages

function showPage() {
  const on = state.page !== "";
  $("vue-carte").hidden = on;
  const view = $("vue-page");
  view.hidden = !on;
  if (!on) {
    delete view.dataset["page"];
    map?.map.resize();
    return;
  }
  if (view.dataset["page"] === state.page + state.indicateur) return;
  view.dataset["page"] = state.page + state.indicateur;
  void page(state.page as "bouge", view, overview, indicators, current(), (id) => void change({ indicateur: id, couche: "", annee: "" })).catch(failed);
}

// ---- the pointer

function bubble(hover: Hover | null) {
  const b = element.bulle;
  b.hidden = hover === null;
  if (!hover) return;
  const lines: (HTMLElement | string)[] = [];
  if (hover.facility) lines.push(h("b", {}, hover.facility.nom), h("div", {}, w.upper(hover.facility.theme)));
  if (hover.piece) lines.push(h("b", {}, `${hover.piece.nom_de} dans ${hover.piece.nom_vers}`), h("div", {}, `${w.share(hover.piece.part_de)} du quartier (±${w.nbsp}${w.share(hover.piece.marge_part)} si les limites bougent de 10 m)`), h("div", {}, `${w.share(hover.piece.part_vers)} de l'IRIS`));
  else if (!hover.facility) {
    const d = current();
    for (const z of hover.zones) {
      lines.push(h("b", {}, z.name || z.code));
      if (z.layer !== state.couche || !columns) {
        lines.push(h("div", {}, w.upper(w.levelText(z.layer))));
        continue;
      }
      const y = yearNow();
      const v = y?.valeurs[z.index] ?? null;
      const statut = y ? columns.statuts[y.statuts[z.index]!]! : "non_disponible";
      lines.push(h("div", {}, v === null ? w.upper(w.statut[statut]!) : w.withUnit(v, w.places(d), d.unit) + (y!.estimees[z.index] ? ", estimation" : "") + (y!.fiabilites[z.index] ? ` – fiabilité ${columns.fiabilites[y!.fiabilites[z.index]!]}` : "")));
    }
  }
  replace(b, lines);
  const frame = element.carte.getBoundingClientRect();
  b.style.left = `${Math.max(4, Math.min(hover.x + 14, frame.width - b.offsetWidth - 6))}px`;
  b.style.top = `${Math.max(4, hover.y + b.offsetHeight + 20 > frame.height ? hover.y - b.offsetHeight - 12 : hover.y + 16)}px`;
}

// ---- files

const fileName = (ext: string) => `${state.indicateur}-${state.couche}-${state.annee || "toutes"}${state.sexe === "T" ? "" : "-" + state.sexe}.${ext}`;

function csvNotes() {
  return `\r\n"${element.titre.textContent!.replaceAll('"', "'")}"\r\n"${source().replaceAll('"', "'")}"\r\n`;
}

async function download(ext: "csv" | "xlsx") {
  saveBlob(await file(place.series(ext, { indicateur: state.indicateur, couche: state.couche })), files ? `${ext === "csv" ? `series-${state.couche}` : "observatoire"}.${ext}` : `series-${state.indicateur}-${state.couche}.${ext}`);
}

async function exporting(work: () => Promise<void> | void) {
  try {
    await work();
    announce("Fichier prêt.");
  } catch (err) {
    failed(err);
  }
}

async function sheet(): Promise<Sheet> {
  const items: Sheet["legend"] = [];
  for (const li of element.legende.querySelectorAll("li")) {
    const swatchSVG = li.querySelector("svg")!.cloneNode(true) as SVGElement;
    items.push({ swatch: swatchSVG, text: li.textContent ?? "" });
  }
  return { title: element.titre.textContent!, subtitle: element.sous.textContent!, legend: items, caption: `${source()} ${overview.schematique ? "Contours schématiques." : ""}`, name: fileName("png").replace(/\.png$/, ""), classes, columns: columns!, values: shownOf(yearNow()), year: yearNow() };
}

async function copy(text: string, said: string) {
  try {
    await navigator.clipboard.writeText(text);
    announce(said);
    replace(element.notes, h("p", { class: "avis" }, said));
    setTimeout(() => replace(element.notes), 4000);
  } catch {
    const area = h("textarea", { readonly: true, rows: 6, class: "invisible" }, text);
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy"); // where the page is not served over https
    area.remove();
    replace(element.notes, h("p", { class: "avis" }, done ? said : "Le navigateur refuse la copie : utiliser « Table CSV »."));
  }
}

// ---- partners

function askToken() {
  if (hasToken()) {
    setToken("");
    void restart();
    return;
  }
  const input = h("input", { type: "password", id: "jeton-valeur", autocomplete: "off", spellcheck: false, "aria-describedby": "jeton-aide" });
  const problem = h("p", { class: "erreur", role: "alert", hidden: true });
  const dialog = h("dialog", { "aria-labelledby": "jeton-titre" },
    h("form", { submit: (ev: SubmitEvent) => {
      ev.preventDefault();
      if (!input.value.trim()) return;
      setToken(input.value);
      read<Overview>("api/visionneuse").then(() => { dialog.close(); return restart(); }).catch((err) => {
        setToken("");
        problem.hidden = false;
        problem.textContent = err instanceof Refusal ? err.message : "Le jeton n'a pas pu être vérifié.";
      });
    } }, h("h2", { id: "jeton-titre" }, "Accès partenaire"), h("p", { id: "jeton-aide" }, "Le jeton remis par l'observatoire montre ce que les partenaires ont confié. Il reste dans cet onglet, n'est jamais écrit dans l'adresse, et s'oublie à sa fermeture."),
      field("Jeton", input, "jeton-valeur"), problem,
      h("div", { class: "boutons" }, h("button", { type: "submit", class: "bouton principal" }, "Entrer"), h("button", { type: "button", class: "bouton", click: () => dialog.close() }, "Annuler"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Reads everything again: who asks has changed, or what is published. */
async function restart() {
  forget();
  columns = null;
  [overview, indicators] = await first();
  const shownMap = map;
  const held = element.carte;
  build();
  element.carte.replaceWith(held);
  element.carte = held;
  map = shownMap;
  map?.refresh();
  await show(null, false);
  tellEdition();
}

// ---- start

const first = async (): Promise<[Overview, Indicator[]]> => {
  const [o, i] = await Promise.all([read<Overview>("api/visionneuse"), read<{ indicateurs: Indicator[] }>("api/indicateurs")]);
  return [o, i.indicateurs];
};

function failed(err: unknown) {
  console.error(err);
  const text = err instanceof Refusal ? err.message : "La page n'a pas pu se mettre à jour. La recharger ; si cela dure, prévenir l'observatoire.";
  const target = document.getElementById("notes") ?? $("application");
  replace(target, h("p", { class: "erreur", role: "alert" }, text));
}

function health() {
  let slow: ReturnType<typeof setTimeout> | undefined;
  onHealth((x, back) => {
    clearTimeout(slow);
    const line = $("etat");
    if (x.lost) replace(line, h("p", { class: "panne" }, "Le serveur ne répond pas. La page réessaie d'elle-même ; ce qui est affiché reste valable."));
    else if (!x.waiting || back) replace(line);
    if (x.waiting && !x.lost) slow = setTimeout(() => replace(line, h("p", { class: "attente" }, "Chargement en cours…")), 700);
    if (back) map?.refresh();
  });
  // While out of reach, the server is asked whether it is back: nothing else may be waiting for it.
  let asking: ReturnType<typeof setInterval> | undefined;
  onHealth((x) => {
    if (x.lost && !asking) asking = setInterval(() => void fetch(pulse).then((r) => { if (r.ok) setLost(false); }).catch(() => {}), 2000);
    if (!x.lost && asking) {
      clearInterval(asking);
      asking = undefined;
    }
  });
}

async function start() {
  health();
  replace($("application"), h("p", { class: "page" }, "Chargement…"));
  [overview, indicators] = await first();
  state = { ...initial, ...parse(location.search), ...parse(location.hash) };
  if (!indicators.length || !overview.couches.length) {
    replace($("application"), h("p", { class: "page" }, "L'édition publiée n'a aucun indicateur, ou aucune couche : il n'y a rien à montrer."));
    return;
  }
  if (!state.indicateur && !state.couche) Object.assign(state, { indicateur: overview.choix.indicateur, couche: overview.choix.couche, sexe: parse(location.hash).sexe ?? overview.choix.sexe, annee: state.annee || overview.choix.millesime });
  build();
  const engine = ZoneMap.make(element.carte, overview, state.vue).then((m) => {
    map = m;
    m.onPick = (zones) => choose(zones, false);
    m.onHover = bubble;
    m.onMove = (vue) => {
      state.vue = vue;
      write(false);
      if (document.activeElement === m.canvas) {
        const z = m.middle()[0];
        if (z) announce(`Au centre : ${w.levelText(z.layer)} ${z.name || z.code}`);
      }
    };
    paint(true);
    document.documentElement.dataset["carte"] = "prete";
    (element.carte as HTMLElement & { zones?: ZoneMap }).zones = m; // for the tests and the console
  }).catch((err) => {
    console.error(err);
    replace(element.carte, h("p", { class: "erreur" }, "La carte ne peut être dessinée ici : le navigateur n'a pas WebGL, ou l'a désactivé. La table et les fiches ont les mêmes chiffres."));
  });
  await show(null, false);
  document.documentElement.dataset["page"] = "prete";
  addEventListener("popstate", () => {
    const before = state;
    state = { ...initial, noms: before.noms, fond: before.fond, ...parse(location.hash), vue: before.vue };
    also = [];
    void show(before, false).catch(failed);
  });
  addEventListener("unhandledrejection", (ev) => failed(ev.reason));
  addEventListener("keydown", (ev) => {
    if (ev.key === "Escape" && !document.querySelector("dialog[open]") && !drawing.active && state.zone && !(ev.target instanceof HTMLInputElement)) void change({ zone: "" });
  });
  await engine;
}

start().catch(failed);
