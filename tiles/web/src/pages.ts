// The pages besides the map: how wrong estimates are, what moved since another edition, how to read the figures.
import { place, read, Refusal, rows, type CalibrationRow, type Indicator, type Overview } from "./api";
import { h, replace } from "./dom";
import * as w from "./words";

export async function page(name: "calibration" | "bouge" | "methode", view: HTMLElement, overview: Overview, indicators: Indicator[], d: Indicator, choose: (id: string) => void) {
  replace(view, h("p", {}, "Chargement…"));
  const content = name === "calibration" ? await calibration(overview, indicators, d, choose) : name === "bouge" ? await moved(overview) : guide();
  replace(view, content);
  view.querySelector<HTMLElement>("h2")?.setAttribute("tabindex", "-1");
}

async function calibration(overview: Overview, indicators: Indicator[], d: Indicator, choose: (id: string) => void): Promise<HTMLElement[]> {
  const all = (await rows<CalibrationRow>("calibration", {})).filter((c) => c.millesime === null && c.sexe === ""); // years and sexes together
  const compared = new Set(all.map((c) => c.indicateur));
  const select = h("select", { id: "calibration-indicateur", change: () => choose(select.value) }, indicators.map((x) => h("option", { value: x.id }, x.label + (compared.has(x.id) ? "" : " – non comparé"))));
  select.value = d.id;
  const out: HTMLElement[] = [h("h2", {}, "De combien les estimations se trompent-elles ?"),
    h("p", {}, "Pour certains territoires, le producteur publie lui-même la valeur. Chaque méthode y est comparée : +5 dit que la méthode donne 5 de trop, −5 qu'elle donne 5 de moins. La méthode retenue pour les quartiers est celle dont l'écart absolu moyen est le plus faible (rang 1), quand elle a pu être comparée dix fois au moins."),
    h("div", { class: "champ" }, h("label", { for: "calibration-indicateur" }, "Indicateur"), select)];
  const own = all.filter((c) => c.indicateur === d.id);
  if (!compared.size) out.push(h("p", { id: "calibration-vide" }, "Dans cette édition, aucun producteur ne publie de valeur à laquelle comparer une estimation : les méthodes suivent leur ordre par défaut, et aucune estimation n'a pu être vérifiée."));
  else if (!own.length) out.push(h("p", {}, "Nulle part un producteur et une méthode ne donnent une valeur de cet indicateur : ses méthodes suivent l'ordre par défaut."));
  if (!own.length) return out;
  const charts = await import("./charts");
  const layers = [...new Set(own.map((c) => c.couche))].sort((a, b) => Number(overview.couches.find((l) => l.id === b)?.quartier) - Number(overview.couches.find((l) => l.id === a)?.quartier) || a.localeCompare(b));
  const most = Math.max(1, ...own.map((c) => Math.abs(c.ecart_moyen)));
  for (const layer of layers) {
    const shown = own.filter((c) => c.couche === layer).sort((a, b) => a.ecart_absolu_moyen - b.ecart_absolu_moyen);
    const unit = shown[0]!.unite;
    out.push(h("section", { "data-couche": layer }, h("h3", {}, `${w.upper(w.levelText(layer))}, géographie ${layer.split("-").at(-1)} : écart moyen au producteur, en ${unit}`), h("figure", { class: "graphique" }, charts.calibrationChart(shown, most, 760)),
      h("div", { class: "defile", tabindex: 0, role: "region", "aria-label": `Écarts au producteur, ${w.levelText(layer)}` }, h("table", {}, h("thead", {}, h("tr", {}, ["Méthode", "Comparaisons", "Écart moyen", "Écart absolu moyen", "Zone la plus éloignée", "Son écart", "Rang"].map((t, i) => h("th", { scope: "col", class: [0, 4].includes(i) ? null : "n" }, t)))),
        h("tbody", {}, shown.map((c) => h("tr", {}, h("th", { scope: "row" }, w.methodShort(c.methode)), h("td", { class: "n" }, w.number(c.nombre, 0)), h("td", { class: "n" }, w.signed(c.ecart_moyen, 1)), h("td", { class: "n" }, w.number(c.ecart_absolu_moyen, 1)),
          h("td", {}, c.nom_extreme || c.code_extreme), h("td", { class: "n" }, w.signed(c.ecart_extreme, 1)), h("td", { class: "n" }, c.rang ? String(c.rang) : "—"))))))));
  }
  out.push(h("p", {}, h("a", { href: place.calibration(d.id) }, "Par millésime et par sexe (CSV)")));
  return out;
}

interface Held {
  id: string;
  titre: string;
  etat: string;
}

interface Moves {
  de: string;
  a: string;
  notes: string[];
  comparees: number;
  genres: { titre: string; nombre: number }[];
  causes: { cause: string; sens: string; nombres: number[] }[];
  mouvements: { genre: string; indicateur: string; zone: string; couche: string; annee: string; sexe: string; reference: string; avant: string; apres: string; difference: string; causes: string }[];
}

async function moved(overview: Overview): Promise<HTMLElement[]> {
  const head = h("h2", {}, "Ce qui a bougé depuis l'édition précédente");
  if (!overview.editions) return [head, h("p", {}, "Ce service n'a pas accès aux autres éditions.")];
  let list: Held[];
  try {
    list = (await read<{ editions: Held[] }>("editions/liste")).editions;
  } catch (err) {
    return [head, h("p", { class: "erreur" }, err instanceof Refusal ? err.message : "La liste des éditions n'a pas pu être lue.")];
  }
  const others = list.filter((e) => e.id !== overview.edition);
  if (!others.length) return [head, h("p", { id: "bouge-vide" }, `L'édition ${overview.edition} est la première publiée ici : il n'y en a pas d'autre à laquelle la comparer.`)];
  const result = h("div", { id: "bouge" });
  const from = h("select", { id: "bouge-de" }, others.map((e) => h("option", { value: e.id }, e.id + (e.titre && e.titre !== overview.titre ? ` – ${e.titre}` : ""))));
  const go = async () => {
    replace(result, h("p", {}, "Comparaison en cours…"));
    try {
      replace(result, moves(await read<Moves>(`editions/diff?${new URLSearchParams({ de: from.value, a: overview.edition, f: "json" })}`)));
    } catch (err) {
      replace(result, h("p", { class: "erreur" }, err instanceof Refusal ? err.message : "Les deux éditions n'ont pas pu être comparées."));
    }
  };
  from.addEventListener("change", () => void go());
  void go();
  return [head, h("div", { class: "champ" }, h("label", { for: "bouge-de" }, `Édition comparée à celle qui est servie (${overview.edition})`), from), result];
}

function moves(m: Moves): HTMLElement[] {
  const kinds = m.genres.map((g) => `${g.titre.toLowerCase()}${w.nbsp}: ${w.number(g.nombre, 0)}`).join(", ");
  const out: HTMLElement[] = [h("p", { id: "bouge-bilan" }, m.mouvements.length ? `${w.number(m.comparees, 0)} chiffres comparés. Ont changé – ${kinds}.` : "Aucun chiffre n'a changé."), ...m.notes.map((n) => h("p", { class: "avis" }, n))];
  if (m.causes.length)
    out.push(h("h3", {}, "Pourquoi"), h("div", { class: "defile", tabindex: 0, role: "region", "aria-label": "Raisons des mouvements" }, h("table", { id: "bouge-causes" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Raison"), m.genres.map((g) => h("th", { scope: "col", class: "n" }, g.titre)))),
      h("tbody", {}, m.causes.map((c) => h("tr", {}, h("th", { scope: "row" }, c.cause, h("small", {}, c.sens)), c.nombres.map((n) => h("td", { class: "n" }, w.number(n, 0)))))))));
  for (const g of m.genres) {
    const list = m.mouvements.filter((x) => x.genre === g.titre);
    if (!list.length) continue;
    out.push(h("h3", {}, list.length < g.nombre ? `${g.titre} : les ${list.length} plus grands mouvements` : g.titre), h("div", { class: "defile", tabindex: 0, role: "region", "aria-label": `Mouvements, ${g.titre}` }, h("table", { "data-genre": g.titre }, h("thead", {}, h("tr", {}, ["Territoire", "Indicateur", "Année", "Avant", "Après", "Différence", "Raison"].map((t, i) => h("th", { scope: "col", class: i > 2 && i < 6 ? "n" : null }, t)))),
      h("tbody", {}, list.map((x) => h("tr", {}, h("th", { scope: "row" }, x.zone, h("small", {}, x.couche + (x.reference ? ` – référence : ${x.reference}` : ""))), h("td", {}, `${x.indicateur}${x.sexe && x.sexe !== "ensemble" ? `, ${x.sexe}` : ""}`), h("td", {}, x.annee), h("td", { class: "n" }, x.avant), h("td", { class: "n" }, x.apres), h("td", { class: "n" }, x.difference), h("td", {}, x.causes)))))));
  }
  out.push(h("p", {}, h("a", { href: place.moves(m.de, m.a) }, "Tous les mouvements, sur une page à imprimer")));
  return out;
}

function guide(): HTMLElement[] {
  const item = (t: string, d: string) => [h("dt", {}, h("b", {}, t)), h("dd", {}, d)];
  return [h("h2", {}, "Lire les chiffres"),
    h("h3", {}, "Où est-ce le plus haut ?"), h("p", {}, "Choisir l'indicateur, la population (ensemble, femmes, hommes) et l'année. La liste à droite range les quartiers du plus haut au plus bas ; la carte colore les zones, plus foncées quand la valeur est plus haute."),
    h("h3", {}, "L'écart se réduit-il ?"), h("p", {}, "Ouvrir la fiche d'un quartier : chaque écart dit de combien le quartier diffère de sa commune ou d'une autre référence, puis, quand deux années se comparent, si l'écart « se réduit », « se creuse », est « stable », ou si « on ne peut pas conclure » parce que le mouvement est plus petit que l'incertitude."),
    h("h3", {}, "Est-ce sûr ?"), h("dl", {}, item("Producteur ou estimation", "Un chiffre du producteur est celui qu'il publie pour le territoire. Une estimation, en italique, est calculée à partir des IRIS ; la fiche dit par quelle méthode, et de combien les méthodes diffèrent."),
      item("Fiabilité", Object.values(w.reliability).map(w.upper).join(". ") + "."), item("Hachures serrées", w.statutWhy["secret"]!), item("Hachures pâles", "Chiffre non disponible, non significatif ou sans objet. Ce n'est jamais un zéro.")),
    h("h3", {}, "Années"), h("p", {}, "L'année est celle des chiffres, non du fichier. Les classes de couleur sont les mêmes pour toutes les années : une zone qui change de couleur a changé de valeur. Un trait pointillé relie deux années que leurs sources ne permettent pas de comparer."),
    h("h3", {}, "Clavier"), h("p", {}, "Tabulation mène aux réglages, à la carte, à la fiche et à la table. Sur la carte : flèches, + et −, puis Entrée pour ouvrir la zone sous la mire. Échap ferme la fiche. Le champ « Trouver un territoire » et la table ouvrent toute zone.")];
}
