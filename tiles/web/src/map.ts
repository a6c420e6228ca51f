// The map: one layer of zones coloured by class, hatched where there is no figure, with the quarters over it.
import type { ExpressionSpecification, FilterSpecification, GeoJSONSource, Map as Engine, MapGeoJSONFeature, MapMouseEvent, StyleSpecification } from "maplibre-gl";
import { files, headers, setLost, type Overview } from "./api";
import { calm } from "./dom";
import { levelOf } from "./words";

export interface Picked {
  layer: string;
  code: string;
  name: string;
  index: number; // in its layer, from 0
}

export interface Piece {
  code_de: string;
  nom_de: string;
  code_vers: string;
  nom_vers: string;
  part_de: number;
  part_vers: number;
  marge_part: number;
  aire_m2: number;
}

export interface Hover {
  x: number;
  y: number;
  zones: Picked[];
  piece?: Piece;
  facility?: { nom: string; theme: string };
}

export interface Painting {
  layer: string;
  colors: string[];
  classes: Int8Array; // by zone; -1: none
  secret: number[]; // ids of the features that are hatched: withheld
  absent: number[]; // and those of which nothing is known
}

export const outlineColor = (layer: string) => (levelOf(layer) === "qpv" ? "#c2410c" : levelOf(layer) === "veille" ? "#5b21b6" : "#0f766e");

/** Themes of facilities, told apart by those who do not see all colours (Okabe and Ito). */
const okabe = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442"];
export const themeColor = (i: number) => okabe[i % okabe.length]!;

const nothing: FilterSpecification = ["==", ["id"], -1];
const among = (ids: number[]): FilterSpecification => (ids.length ? (["match", ["id"], ids, true, false] as unknown as FilterSpecification) : nothing);
const absolute = (path: string) => new URL(path, document.baseURI).href.replaceAll("%7B", "{").replaceAll("%7D", "}");

/** A hatch of slanted lines, that repeats. */
export function hatch(color: string, ground: string, width: number, rising: boolean): ImageData {
  const n = 16;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = n;
  const c = canvas.getContext("2d")!;
  c.fillStyle = ground;
  c.fillRect(0, 0, n, n);
  c.strokeStyle = color;
  c.lineWidth = width;
  for (const d of [-n, 0, n]) {
    c.beginPath();
    if (rising) {
      c.moveTo(d - 2, n + 2);
      c.lineTo(d + n + 2, -2);
    } else {
      c.moveTo(d - 2, -2);
      c.lineTo(d + n + 2, n + 2);
    }
    c.stroke();
  }
  return c.getImageData(0, 0, n, n);
}

export class ZoneMap {
  onPick: (p: Picked[], at: [number, number]) => void = () => {};
  onHover: (h: Hover | null) => void = () => {};
  onMove: (view: string) => void = () => {};
  onPoint: ((at: [number, number]) => boolean) | null = null; // takes the clicks, while a perimeter is drawn

  private painting: Painting | null = null;
  private shown: string[] = []; // layers of quarters outlined
  private pieces: string[] = [];
  readonly ready: Promise<void>;

  private constructor(
    readonly map: Engine,
    private overview: Overview,
  ) {
    this.ready = new Promise((done) => (map.isStyleLoaded() ? done() : map.once("load", () => done())));
  }

  static async make(container: HTMLElement, overview: Overview, view: string): Promise<ZoneMap> {
    const engine = await import("./engine");
    const style: StyleSpecification = {
      version: 8,
      sources: {
        noms: { type: "geojson", data: { type: "FeatureCollection", features: [] } },
        dessin: { type: "geojson", data: { type: "FeatureCollection", features: [] } },
      },
      layers: [
        { id: "terrain", type: "background", paint: { "background-color": "#f3f4f1" } },
        { id: "noms", type: "symbol", source: "noms", layout: { "text-field": ["get", "nom"], "text-font": ["system-ui"], "text-size": 13, "text-anchor": "top", "text-offset": [0, 0.8], "text-max-width": 9, "text-padding": 4 },
          paint: { "text-color": "#14202c", "text-halo-color": "#ffffff", "text-halo-width": 1.8 } },
        { id: "dessin-aplat", type: "fill", source: "dessin", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": "#b91c1c", "fill-opacity": 0.16 } },
        { id: "dessin-trait", type: "line", source: "dessin", paint: { "line-color": "#b91c1c", "line-width": 2.5, "line-dasharray": [2, 1] } },
        { id: "dessin-points", type: "circle", source: "dessin", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-radius": 5, "circle-color": "#ffffff", "circle-stroke-color": "#b91c1c", "circle-stroke-width": 2 } },
      ],
    };
    if (overview.fond) {
      style.sources["fond"] = { type: "raster", tiles: [overview.fond.tuiles], tileSize: 256, attribution: overview.fond.mention };
      style.layers.splice(1, 0, { id: "fond", type: "raster", source: "fond", paint: { "raster-saturation": -0.7, "raster-opacity": 0.8 } });
    }
    if (files) engine.addProtocol("pmtiles", new (await import("pmtiles")).Protocol({ metadata: true }).tile);
    const own = new URL(".", document.baseURI).href;
    const [zoom, lat, lon] = view.split("/").map(Number);
    const map = new engine.Map({
      container,
      style,
      ...(view ? { center: [lon!, lat!] as [number, number], zoom: zoom! } : { bounds: ZoneMap.framing(overview), fitBoundsOptions: { padding: 40, maxZoom: 14 } }),
      canvasContextAttributes: { preserveDrawingBuffer: true },
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      rollEnabled: false,
      fadeDuration: calm() ? 0 : 200,
      maxZoom: 18,
      transformRequest: (url) => (url.startsWith(own) ? { url, headers: headers() } : { url }),
      locale: {
        "NavigationControl.ZoomIn": "Rapprocher", "NavigationControl.ZoomOut": "Éloigner", "Map.Title": "Carte", "AttributionControl.ToggleAttribution": "Mentions",
        "CooperativeGesturesHandler.WindowsHelpText": "Ctrl et molette pour zoomer", "CooperativeGesturesHandler.MacHelpText": "⌘ et molette pour zoomer",
        "CooperativeGesturesHandler.MobileHelpText": "Deux doigts pour déplacer la carte",
      },
      cooperativeGestures: matchMedia("(max-width: 900px)").matches,
    });
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    map.addControl(new engine.NavigationControl({ showCompass: false }), "top-right");
    map.addControl(new engine.ScaleControl({ unit: "metric" }), "bottom-right");
    map.addControl(new engine.AttributionControl({ compact: false }), "bottom-right");
    const own2 = new ZoneMap(map, overview);
    await own2.ready;
    own2.start();
    return own2;
  }

  private static framing(overview: Overview): [number, number, number, number] {
    const quarters = overview.quartiers.filter((q) => q.bornes && (levelOf(q.couche) === "qpv" || levelOf(q.couche) === "veille"));
    const boxes = (quarters.length ? quarters : overview.quartiers).map((q) => q.bornes).filter((b) => b !== null);
    if (!boxes.length) boxes.push(...overview.couches.map((c) => c.bornes).filter((b) => b !== null));
    if (!boxes.length) return [-5, 41, 10, 51];
    const b = boxes.reduce((a, x) => [Math.min(a[0], x[0]), Math.min(a[1], x[1]), Math.max(a[2], x[2]), Math.max(a[3], x[3])]);
    const [dx, dy] = [(b[2] - b[0]) * 0.15 + 0.003, (b[3] - b[1]) * 0.15 + 0.003];
    return [b[0] - dx, b[1] - dy, b[2] + dx, b[3] + dy];
  }

  private start() {
    const { map } = this;
    map.addImage("secret", hatch("#3f4a56", "#ffffff", 3, true), { pixelRatio: 2 });
    map.addImage("absent", hatch("#b4bcc4", "#f4f4f2", 2, false), { pixelRatio: 2 });
    map.on("moveend", () => {
      const c = map.getCenter();
      this.onMove(`${map.getZoom().toFixed(2)}/${c.lat.toFixed(5)}/${c.lng.toFixed(5)}`);
    });
    map.on("click", (e) => {
      if (this.onPoint?.([e.lngLat.lng, e.lngLat.lat])) return;
      this.onPick(this.at(e.point.x, e.point.y), [e.lngLat.lng, e.lngLat.lat]);
    });
    map.on("mousemove", (e) => this.onHover(this.hovered(e)));
    map.on("mouseout", () => this.onHover(null));
    map.on("error", (e) => {
      const status = (e.error as { status?: number }).status;
      if (e.error instanceof TypeError || /Failed to fetch|NetworkError/.test(String(e.error?.message)) || status === 502 || status === 503) setLost(true);
    });
    // Where quarters alone are coloured, the communes and the IRIS say where they are.
    for (const level of ["commune", "iris"]) {
      const l = this.overview.couches.find((c) => c.niveau === level && c.derniere && c.dessinees);
      if (!l) continue;
      const base = { source: this.source(l.id), "source-layer": l.id } as const;
      if (level === "commune") map.addLayer({ ...base, id: "contexte-terre", type: "fill", paint: { "fill-color": "#ffffff", "fill-opacity": this.overview.fond ? 0 : 1 } }, "noms");
      map.addLayer({ ...base, id: `contexte-${level}`, type: "line", minzoom: level === "iris" ? 9 : 0, paint: { "line-color": level === "iris" ? "#d3d9df" : "#98a3ae", "line-width": level === "iris" ? 0.7 : 1.2 } }, "noms");
    }
    this.setNames(true);
    this.setAccess();
  }

  /** With the keyboard: arrows move, + and - zoom, Enter chooses the zone in the middle. */
  private setAccess() {
    const canvas = this.map.getCanvas();
    canvas.setAttribute("aria-label", "Carte : flèches pour se déplacer, + et − pour zoomer, Entrée pour choisir la zone au centre");
    canvas.setAttribute("aria-roledescription", "carte");
    canvas.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" && e.key !== " ") return;
      e.preventDefault();
      const { clientWidth: w, clientHeight: h } = canvas;
      const c = this.map.getCenter();
      if (this.onPoint?.([c.lng, c.lat])) return;
      this.onPick(this.at(w / 2, h / 2), [c.lng, c.lat]);
    });
  }

  /** What is at a place of the map: quarters first, then the zone coloured. */
  at(x: number, y: number): Picked[] {
    const ids = [...this.shown.map((l) => `${l}-prise`), "zones-aplat"].filter((id) => this.map.getLayer(id));
    const found = new Map<string, Picked>();
    for (const f of this.map.queryRenderedFeatures([x, y], { layers: ids })) {
      const p = this.picked(f);
      found.set(`${p.layer}/${p.code}`, p);
    }
    return [...found.values()].sort((a, b) => this.rank(a.layer) - this.rank(b.layer));
  }

  middle(): Picked[] {
    const canvas = this.map.getCanvas();
    return this.at(canvas.clientWidth / 2, canvas.clientHeight / 2);
  }

  private rank(layer: string) {
    const l = this.overview.couches.find((c) => c.id === layer);
    return l?.quartier ? (levelOf(layer).startsWith("quartier_vecu") ? 1 : 0) : 2;
  }

  private picked(f: MapGeoJSONFeature): Picked {
    return { layer: f.sourceLayer!, code: String(f.properties["code"]), name: String(f.properties["nom"] ?? ""), index: Number(f.id) - 1 };
  }

  private hovered(e: MapMouseEvent): Hover | null {
    const { map } = this;
    const zones = this.at(e.point.x, e.point.y);
    const hover: Hover = { x: e.point.x, y: e.point.y, zones };
    const extra = [...this.pieces.map((p) => `${p}-prise`), "equipements-points"].filter((id) => map.getLayer(id));
    if (extra.length)
      for (const f of map.queryRenderedFeatures(e.point, { layers: extra })) {
        if (f.layer.id === "equipements-points") hover.facility ??= f.properties as { nom: string; theme: string };
        else hover.piece ??= f.properties as unknown as Piece;
      }
    map.getCanvas().style.cursor = this.onPoint ? "crosshair" : zones.length || hover.facility ? "pointer" : "";
    return zones.length || hover.facility || hover.piece ? hover : null;
  }

  private source(layer: string) {
    const id = `t-${layer}`;
    if (!this.map.getSource(id)) this.map.addSource(id, { type: "vector", url: files ? `pmtiles://${absolute(`tuiles/${layer}.pmtiles`)}` : absolute(`tiles/${layer}.json`) });
    return id;
  }

  /** Colours a layer. */
  paint(p: Painting) {
    const { map } = this;
    if (this.painting?.layer !== p.layer) {
      for (const id of ["zones-choisie", "zones-limite", "zones-secret", "zones-absent", "zones-aplat"]) if (map.getLayer(id)) map.removeLayer(id);
      const source = this.source(p.layer);
      const base = { source, "source-layer": p.layer } as const;
      const before = map.getStyle().layers.find((l) => l.id !== "terrain" && l.id !== "fond" && !l.id.startsWith("contexte-"))?.id;
      map.addLayer({ ...base, id: "zones-aplat", type: "fill", paint: { "fill-opacity": this.overview.fond ? 0.75 : 1, "fill-antialias": true } }, before);
      map.addLayer({ ...base, id: "zones-absent", type: "fill", filter: nothing, paint: { "fill-pattern": "absent", "fill-opacity": this.overview.fond ? 0.6 : 1 } }, before);
      map.addLayer({ ...base, id: "zones-secret", type: "fill", filter: nothing, paint: { "fill-pattern": "secret" } }, before);
      map.addLayer({ ...base, id: "zones-limite", type: "line", paint: { "line-color": "#5f6b77", "line-width": ["interpolate", ["linear"], ["zoom"], 7, 0.2, 10, 0.5, 14, 1.1], "line-opacity": 0.85 } }, before);
    }
    const source = `t-${p.layer}`;
    map.removeFeatureState({ source, sourceLayer: p.layer });
    for (let i = 0; i < p.classes.length; i++) if (p.classes[i]! >= 0) map.setFeatureState({ source, sourceLayer: p.layer, id: i + 1 }, { k: p.classes[i]! });
    const colors = p.colors.flatMap((c, k) => [k, c]);
    map.setPaintProperty("zones-aplat", "fill-color", colors.length ? (["match", ["coalesce", ["feature-state", "k"], -1], ...colors, "rgba(233,236,239,0.6)"] as unknown as ExpressionSpecification) : "rgba(233,236,239,0.6)");
    map.setFilter("zones-secret", among(p.secret));
    map.setFilter("zones-absent", among(p.absent));
    this.painting = p;
  }

  /** Outlines layers of quarters over the rest. */
  outline(layers: string[]) {
    const { map } = this;
    for (const l of this.shown)
      if (!layers.includes(l)) for (const id of [`${l}-prise`, `${l}-halo`, `${l}-contour`]) if (map.getLayer(id)) map.removeLayer(id);
    for (const l of layers) {
      if (map.getLayer(`${l}-contour`)) continue;
      const base = { source: this.source(l), "source-layer": l } as const;
      const dashed = levelOf(l) !== "qpv";
      map.addLayer({ ...base, id: `${l}-prise`, type: "fill", paint: { "fill-color": "rgba(0,0,0,0)" } }, "noms");
      map.addLayer({ ...base, id: `${l}-halo`, type: "line", paint: { "line-color": "#ffffff", "line-width": ["interpolate", ["linear"], ["zoom"], 10, 2.6, 13, 5.5] } }, "noms");
      map.addLayer({ ...base, id: `${l}-contour`, type: "line", paint: { "line-color": outlineColor(l), "line-width": ["interpolate", ["linear"], ["zoom"], 10, 1.6, 13, 2.8], ...(dashed ? { "line-dasharray": [3, 1.4] } : {}) } }, "noms");
    }
    this.shown = layers;
  }

  /** Shows the pieces into which other layers cut the quarters. */
  setPieces(names: string[]) {
    const { map } = this;
    for (const n of this.pieces) if (!names.includes(n)) for (const id of [`${n}-prise`, `${n}-trait`]) if (map.getLayer(id)) map.removeLayer(id);
    for (const n of names) {
      if (map.getLayer(`${n}-trait`)) continue;
      const base = { source: this.source(n), "source-layer": n } as const;
      map.addLayer({ ...base, id: `${n}-prise`, type: "fill", paint: { "fill-color": "#f59e0b", "fill-opacity": 0.28 } }, "noms");
      map.addLayer({ ...base, id: `${n}-trait`, type: "line", paint: { "line-color": "#92400e", "line-width": 1.4 } }, "noms");
    }
    this.pieces = names;
  }

  /** Shows the facilities of a theme, "*" for all of them, "" for none. */
  setFacilities(theme: string) {
    const { map, overview } = this;
    if (!theme) {
      if (map.getLayer("equipements-points")) map.removeLayer("equipements-points");
      return;
    }
    if (!map.getLayer("equipements-points")) {
      const colors = overview.themes.flatMap((t, i) => [t, themeColor(i)]);
      map.addLayer({ id: "equipements-points", type: "circle", source: this.source("equipements"), "source-layer": "equipements",
        paint: { "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 2.5, 14, 6], "circle-color": ["match", ["get", "theme"], ...colors, "#000000"] as unknown as ExpressionSpecification, "circle-stroke-color": "#ffffff", "circle-stroke-width": 1.5 } }, "noms");
    }
    map.setFilter("equipements-points", theme === "*" ? null : ["==", ["get", "theme"], theme]);
  }

  setNames(shown: boolean) {
    const features = shown
      ? this.overview.quartiers.filter((q) => q.bornes).map((q) => ({ type: "Feature" as const, properties: { nom: q.nom }, geometry: { type: "Point" as const, coordinates: [q.lon, q.lat] } }))
      : [];
    (this.map.getSource("noms") as GeoJSONSource).setData({ type: "FeatureCollection", features });
  }

  setBackground(shown: boolean) {
    if (this.map.getLayer("fond")) this.map.setLayoutProperty("fond", "visibility", shown ? "visible" : "none");
  }

  /** Rings the zones chosen. */
  choose(zones: { layer: string; code: string }[]) {
    const { map } = this;
    for (const l of map.getStyle().layers) if (l.id.startsWith("choisie-")) map.removeLayer(l.id);
    for (const layer of new Set(zones.map((z) => z.layer))) {
      if (!this.overview.couches.some((c) => c.id === layer && c.dessinees)) continue;
      const filter: FilterSpecification = ["in", ["get", "code"], ["literal", zones.filter((z) => z.layer === layer).map((z) => z.code)]];
      const base = { source: this.source(layer), "source-layer": layer, filter } as const;
      map.addLayer({ ...base, id: `choisie-halo-${layer}`, type: "line", paint: { "line-color": "#ffffff", "line-width": 8 } }, "noms");
      map.addLayer({ ...base, id: `choisie-${layer}`, type: "line", paint: { "line-color": "#000091", "line-width": 4 } }, "noms");
    }
  }

  frame(b: [number, number, number, number], maxZoom = 14.5) {
    this.map.fitBounds(b, { padding: 60, maxZoom, animate: !calm() });
  }

  home() {
    this.frame(ZoneMap.framing(this.overview), 14);
  }

  /** What the reader draws. */
  draw(features: GeoJSON.Feature[]) {
    (this.map.getSource("dessin") as GeoJSONSource).setData({ type: "FeatureCollection", features });
  }

  /** Asks again for what did not come. */
  refresh() {
    for (const id of Object.keys(this.map.getStyle().sources)) {
      if (!id.startsWith("t-")) continue;
      const source = this.map.getSource(id) as { setUrl?: (u: string) => void; url?: string } | undefined;
      source?.setUrl?.(source.url!);
    }
    if (this.painting) this.paint(this.painting);
  }

  get canvas() {
    return this.map.getCanvas();
  }
}

export function bounds(g: GeoJSON.Geometry | null): [number, number, number, number] | null {
  const b: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  const walk = (c: unknown): void => {
    if (!Array.isArray(c)) return;
    if (typeof c[0] === "number") {
      const [x, y] = c as [number, number];
      b[0] = Math.min(b[0], x);
      b[1] = Math.min(b[1], y);
      b[2] = Math.max(b[2], x);
      b[3] = Math.max(b[3], y);
    } else c.forEach(walk);
  };
  if (g && "coordinates" in g) walk(g.coordinates);
  return Number.isFinite(b[0]) ? b : null;
}

