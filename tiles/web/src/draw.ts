// A perimeter drawn by the reader, or what lies around a zone: its parts of IRIS, and what their figures say of it.
import { files, post, read, Refusal, type Estimation, type Indicator, type Overview } from "./api";
import { announce, h, replace } from "./dom";
import { saveText } from "./export";
import { bounds, type ZoneMap } from "./map";
import * as w from "./words";

type Place = [number, number];

export class Drawing {
  active = false;
  private points: Place[] = [];
  private shape: GeoJSON.Geometry | null = null;
  private name = "Périmètre dessiné";
  private count = h("p", { id: "dessin-compte", "aria-live": "polite" });
  private finish = h("button", { type: "button", class: "bouton principal", id: "dessin-finir", click: () => void this.close() }, "Terminer");

  constructor(
    private panel: HTMLElement,
    private overview: Overview,
    private indicators: Indicator[],
    private map: () => ZoneMap,
    private indicator: () => string,
  ) {
    addEventListener("keydown", (e) => {
      if (!this.active) return;
      if (e.key === "Escape") this.stop();
      if (e.key === "Backspace" && !(e.target instanceof HTMLInputElement)) {
        this.points.pop();
        this.sketch();
      }
    });
  }

  /** Takes the clicks of the map as corners. */
  start() {
    const map = this.map();
    this.active = true;
    this.points = [];
    this.shape = null;
    this.name = "Périmètre dessiné";
    map.onPoint = (at) => {
      const [first] = this.points;
      if (first && this.points.length > 2) {
        const [a, b] = [map.map.project(first), map.map.project(at)];
        if (Math.hypot(a.x - b.x, a.y - b.y) < 10) {
          void this.close();
          return true;
        }
      }
      this.points.push(at);
      this.sketch();
      return true;
    };
    this.panel.hidden = false;
    replace(this.panel, h("h2", {}, "Dessiner un périmètre"), h("p", {}, "Cliquer sur la carte pose un sommet ; cliquer le premier sommet ferme le périmètre. Au clavier : flèches pour déplacer la carte, Entrée pour poser un sommet au centre, Retour arrière pour en ôter un, Échap pour abandonner."), this.count,
      h("div", { class: "boutons" }, this.finish, h("button", { type: "button", class: "bouton", click: () => { this.points.pop(); this.sketch(); } }, "Ôter le dernier sommet"), h("button", { type: "button", class: "bouton", id: "dessin-abandon", click: () => this.stop() }, "Abandonner")));
    this.sketch();
    map.canvas.focus();
  }

  stop() {
    this.active = false;
    this.points = [];
    this.shape = null;
    this.map().onPoint = null;
    this.map().draw([]);
    this.panel.hidden = true;
  }

  private sketch() {
    const n = this.points.length;
    this.count.textContent = n === 0 ? "Aucun sommet posé." : `${n} ${n > 1 ? "sommets posés" : "sommet posé"}.`;
    this.finish.disabled = n < 3;
    const features: GeoJSON.Feature[] = this.points.map((p) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: p } }));
    if (n > 1) features.push({ type: "Feature", properties: {}, geometry: n > 2 ? { type: "Polygon", coordinates: [[...this.points, this.points[0]!]] } : { type: "LineString", coordinates: this.points } });
    this.map().draw(features);
  }

  private async close() {
    if (this.points.length < 3) return;
    this.active = false;
    this.map().onPoint = null;
    const shape: GeoJSON.Polygon = { type: "Polygon", coordinates: [[...this.points, this.points[0]!]] };
    if (files) this.keep(shape);
    else await this.estimate(shape, 0);
  }

  /** What lies within a distance of a zone. */
  around(layer: string, code: string, name: string) {
    const distance = h("input", { type: "number", id: "tampon-distance", min: 0, max: 5000, step: 50, value: 300 });
    const go = async () => {
      const d = Number(distance.value);
      if (!Number.isFinite(d) || d < 0 || d > 5000) {
        announce("La distance est un nombre de mètres, de 0 à 5000.");
        return;
      }
      const f = await read<GeoJSON.Feature>(`collections/${encodeURIComponent(layer)}/items/${encodeURIComponent(code)}`);
      this.name = d ? `${name} – à ${d} m` : name;
      if (f.geometry) await this.estimate(f.geometry, d);
    };
    this.panel.hidden = false;
    replace(this.panel, h("h2", {}, `Alentours de ${name}`), h("p", { class: "petit" }, "Un quartier vécu est un périmètre d'usage : une distance n'en est qu'une approximation."),
      h("form", { class: "boutons", submit: (e: Event) => { e.preventDefault(); void go(); } }, h("label", { for: "tampon-distance" }, "Distance, en mètres"), distance, h("button", { type: "submit", class: "bouton principal", id: "tampon-calculer" }, "Calculer"), h("button", { type: "button", class: "bouton", click: () => this.stop() }, "Fermer")));
    this.panel.focus({ preventScroll: true });
    this.panel.scrollIntoView({ block: "nearest" });
  }

  private async estimate(shape: GeoJSON.Geometry, metres: number) {
    this.shape = shape;
    try {
      const params = new URLSearchParams({ ...(metres ? { tampon: String(metres) } : {}) });
      const e = await post<Estimation>(`api/estimation?${params}`, { type: "Feature", properties: {}, geometry: shape });
      this.shape = e.perimetre;
      this.map().draw([{ type: "Feature", properties: {}, geometry: e.perimetre }]);
      const b = bounds(e.perimetre);
      if (b) this.map().frame(b);
      this.result(e);
    } catch (err) {
      this.panel.hidden = false;
      replace(this.panel, h("p", { class: "erreur", role: "alert" }, err instanceof Refusal ? err.message : "Le périmètre n'a pas pu être estimé."), h("div", { class: "boutons" }, h("button", { type: "button", class: "bouton", click: () => this.start() }, "Recommencer"), h("button", { type: "button", class: "bouton", click: () => this.stop() }, "Fermer")));
    }
  }

  /** What can be done of a perimeter where nothing computes. */
  private keep(shape: GeoJSON.Geometry) {
    this.shape = shape;
    replace(this.panel, h("h2", {}, this.name), h("p", {}, "Ce site est fait de fichiers : il ne calcule pas d'estimation. Le périmètre peut être enregistré, et donné à l'observatoire."), this.keeping());
    this.panel.focus({ preventScroll: true });
    announce("Périmètre fermé : il peut être enregistré.");
  }

  private keeping(): HTMLElement[] {
    const name = h("input", { type: "text", id: "dessin-nom", value: this.name, maxlength: 80 });
    return [h("div", { class: "boutons" }, h("label", { for: "dessin-nom" }, "Nom du périmètre"), name, h("button", { type: "button", class: "bouton principal", id: "dessin-garder", click: () => this.save(name.value) }, "Enregistrer en GeoJSON"), h("button", { type: "button", class: "bouton", click: () => this.start() }, "Dessiner un autre périmètre"), h("button", { type: "button", class: "bouton", id: "dessin-fermer", click: () => this.stop() }, "Fermer")),
      h("p", { class: "petit" }, "Le fichier se place dans le dossier du projet, sous quartiers_vecus : drawn ; l'édition suivante aura ce périmètre.")];
  }

  private result(e: Estimation) {
    const iris = e.recouvrements.filter((o) => w.levelOf(o.couche_vers) === "iris");
    const of = (id: string) => this.indicators.find((d) => d.id === id)!;
    const known = e.estimations.filter((r) => r.valeur !== null);
    const first = this.indicator();
    known.sort((a, b) => Number(b.indicateur === first) - Number(a.indicateur === first) || of(a.indicateur).label.localeCompare(of(b.indicateur).label, "fr") || (b.millesime ?? 0) - (a.millesime ?? 0));
    replace(this.panel, h("h2", {}, this.name), h("p", { id: "dessin-surface" }, `Surface : ${w.surface(e.aire_m2)}.`, e.repare ? ` Le tracé se croisait : il a été réparé (${e.repare}).` : ""),
      h("h3", {}, "IRIS recouverts"),
      iris.length ? h("div", { class: "defile", tabindex: 0, role: "region", "aria-label": "IRIS recouverts par le périmètre" }, h("table", { id: "dessin-iris" }, h("thead", {}, h("tr", {}, ["IRIS", "Couche", "Part du périmètre", "Part de l'IRIS"].map((t, i) => h("th", { scope: "col", class: i > 1 ? "n" : null }, t)))),
        h("tbody", {}, [...iris].sort((a, b) => b.part_de - a.part_de).map((o) => h("tr", {}, h("th", { scope: "row" }, o.nom_vers || o.code_vers, h("small", {}, o.code_vers)), h("td", {}, o.couche_vers), h("td", { class: "n" }, w.share(o.part_de), h("small", {}, `±${w.nbsp}${w.share(o.marge_part)}`)), h("td", { class: "n" }, w.share(o.part_vers))))))) : h("p", {}, "Aucun IRIS de l'édition n'est sous ce périmètre."),
      h("h3", {}, "Ce que les chiffres des IRIS en disent"),
      known.length ? h("div", { class: "defile", tabindex: 0, role: "region", "aria-label": "Estimations du périmètre" }, h("table", { id: "dessin-estimations" }, h("thead", {}, h("tr", {}, ["Indicateur", "Année", "Population", "Estimation", "Méthode", "Fiabilité"].map((t, i) => h("th", { scope: "col", class: i === 3 ? "n" : null }, t)))),
        h("tbody", {}, known.map((r) => h("tr", { "data-indicateur": r.indicateur, "data-sexe": r.sexe, "data-annee": String(r.millesime) }, h("th", { scope: "row" }, of(r.indicateur).label), h("td", {}, w.yearText(r.millesime)), h("td", {}, w.sex[r.sexe]!),
          h("td", { class: "n estime" }, w.withUnit(r.valeur!, w.places(of(r.indicateur)), of(r.indicateur).unit), r.methode_min !== null && r.methode_max !== null && r.methode_min !== r.methode_max ? h("small", {}, `${w.number(r.methode_min, w.places(of(r.indicateur)))} à ${w.number(r.methode_max, w.places(of(r.indicateur)))}`) : null),
          h("td", {}, w.methodShort(r.methode)), h("td", {}, r.fiabilite)))))) : h("p", {}, "Aucun chiffre d'IRIS ne permet d'estimation ici."),
      this.keeping());
    this.panel.hidden = false;
    this.panel.focus({ preventScroll: true });
    announce(`Périmètre estimé : ${iris.length} IRIS recouverts, ${known.length} estimations.`);
  }

  private save(name: string) {
    const code = name.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toUpperCase().replace(/[^A-Z0-9]+/g, "-").replace(/^-|-$/g, "") || "PERIMETRE";
    saveText(`${code.toLowerCase()}.geojson`, JSON.stringify({ type: "FeatureCollection", features: [{ type: "Feature", properties: { code, nom: name, edition: this.overview.edition }, geometry: this.shape }] }, null, 1) + "\n", "application/geo+json");
  }
}
