// Files made of what is on screen, with its title, its legend, its source and its edition.
import { read, type Columns, type Overview, type Year } from "./api";
import { classOf, type Classes } from "./classes";
import { h, s } from "./dom";
import { outlineColor, type ZoneMap } from "./map";

export interface Sheet {
  title: string;
  subtitle: string;
  legend: { swatch: SVGElement; text: string }[];
  caption: string;
  name: string;
  classes: Classes;
  columns: Columns;
  values: (number | null)[];
  year: Year | undefined;
}

export function saveBlob(blob: Blob, name: string) {
  const url = URL.createObjectURL(blob);
  const a = h("a", { href: url, download: name });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 30_000);
}

export const saveText = (name: string, text: string, type: string) => saveBlob(new Blob([text], { type }), name);

const font = 'system-ui, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif';

/** Cuts a text into lines of a width. */
function wrap(text: string, width: number, size: number): string[] {
  const c = document.createElement("canvas").getContext("2d")!;
  c.font = `${size}px ${font}`;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const next = line ? `${line} ${word}` : word;
    if (c.measureText(next).width > width && line) {
      lines.push(line);
      line = word;
    } else line = next;
  }
  return [...lines, line];
}

/** The sheet around a map of a size: what is above and beneath it. */
function around(sheet: Sheet, width: number, height: number, inner: SVGElement): SVGElement {
  const margin = 16;
  let y = margin + 8;
  const parts: SVGElement[] = [];
  for (const line of wrap(sheet.title, width, 21)) {
    y += 24;
    parts.push(s("text", { x: margin, y, "font-size": 21, "font-weight": 700, fill: "#161f2b" }, line));
  }
  y += 20;
  parts.push(s("text", { x: margin, y, "font-size": 13, fill: "#56616e" }, sheet.subtitle));
  y += 14;
  inner.setAttribute("transform", `translate(${margin} ${y})`);
  parts.push(inner);
  y += height + 14;
  let x = margin;
  for (const item of sheet.legend) {
    const w = wrap(item.text, 1e9, 12.5).length && measure(item.text, 12.5) + 52;
    if (x > margin && x + w > width + margin) {
      x = margin;
      y += 22;
    }
    const swatch = item.swatch.cloneNode(true) as SVGElement;
    swatch.setAttribute("x", String(x));
    swatch.setAttribute("y", String(y));
    swatch.setAttribute("width", "28");
    swatch.setAttribute("height", "17");
    parts.push(swatch, s("text", { x: x + 34, y: y + 13, "font-size": 12.5, fill: "#161f2b" }, item.text));
    x += w;
  }
  y += 38;
  for (const line of wrap(sheet.caption, width, 11.5)) {
    parts.push(s("text", { x: margin, y, "font-size": 11.5, fill: "#56616e" }, line));
    y += 15;
  }
  return s("svg", { xmlns: "http://www.w3.org/2000/svg", width: width + 2 * margin, height: y + 4, viewBox: `0 0 ${width + 2 * margin} ${y + 4}`, "font-family": font },
    s("title", {}, sheet.title), s("rect", { width: "100%", height: "100%", fill: "#ffffff" }), parts);
}

function measure(text: string, size: number): number {
  const c = document.createElement("canvas").getContext("2d")!;
  c.font = `${size}px ${font}`;
  return c.measureText(text).width;
}

/** A picture of the map as it is on screen. */
export async function saveImage(sheet: Sheet, canvas: HTMLCanvasElement) {
  const [w, hgt] = [canvas.clientWidth, canvas.clientHeight];
  const place = s("g", {}, s("image", { href: canvas.toDataURL("image/png"), width: w, height: hgt }), s("rect", { width: w, height: hgt, fill: "none", stroke: "#98a2ad" }));
  const svg = around(sheet, w, hgt, place);
  const url = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" }));
  try {
    const img = new Image();
    await new Promise<void>((done, fail) => {
      img.onload = () => done();
      img.onerror = () => fail(new Error("the picture cannot be drawn"));
      img.src = url;
    });
    const out = document.createElement("canvas");
    const scale = 2;
    out.width = Number(svg.getAttribute("width")) * scale;
    out.height = Number(svg.getAttribute("height")) * scale;
    const c = out.getContext("2d")!;
    c.scale(scale, scale);
    c.drawImage(img, 0, 0);
    const blob = await new Promise<Blob | null>((done) => out.toBlob(done, "image/png"));
    if (!blob) throw new Error("the picture cannot be written");
    saveBlob(blob, `${sheet.name}.png`);
  } finally {
    URL.revokeObjectURL(url);
  }
}

const most = 3000; // zones drawn in a picture of lines

/** The same in lines, to be retouched: the zones that the map shows, in web Mercator as there. */
export async function saveVector(sheet: Sheet, map: ZoneMap, layer: string, overview: Overview) {
  const view = map.map.getBounds();
  const box = [view.getWest(), view.getSouth(), view.getEast(), view.getNorth()].map((v) => v.toFixed(6)).join(",");
  const [w, hgt] = [map.canvas.clientWidth, map.canvas.clientHeight];
  const path = (g: GeoJSON.Geometry | null): string => {
    if (!g || !("coordinates" in g)) return "";
    const rings = (g.type === "Polygon" ? [g.coordinates] : g.type === "MultiPolygon" ? g.coordinates : []).flat();
    return rings.map((ring) => "M" + ring.map((p) => { const q = map.map.project(p as [number, number]); return `${q.x.toFixed(1)} ${q.y.toFixed(1)}`; }).join("L") + "Z").join("");
  };
  const features = async (l: string) => {
    const all: GeoJSON.Feature[] = [];
    let address = `collections/${encodeURIComponent(l)}/items?limit=1000&bbox=${box}`;
    while (address && all.length < most) {
      const c = await read<GeoJSON.FeatureCollection & { links: { rel: string; href: string }[] }>(address);
      all.push(...c.features);
      const next = c.links.find((x) => x.rel === "next")?.href ?? "";
      address = next ? new URL(next).pathname.replace(/^.*\/collections/, "collections") + new URL(next).search : "";
    }
    return all;
  };
  const index = new Map(sheet.columns.codes.map((c, i) => [c, i]));
  const hidden = sheet.columns.statuts.indexOf("secret");
  const pattern = (id: string, ground: string, color: string, angle: number) => s("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: `rotate(${angle})` }, s("rect", { width: 6, height: 6, fill: ground }), s("path", { d: "M1.5 0V6", stroke: color, "stroke-width": 1.5 }));
  const zones = (await features(layer)).map((f) => {
    const i = index.get(String(f.id)) ?? -1;
    const v = sheet.values[i];
    const fill = v !== null && v !== undefined ? sheet.classes.colors[classOf(sheet.classes, v)]! : sheet.year && sheet.year.statuts[i] === hidden ? "url(#e-secret)" : "url(#e-absent)";
    return s("path", { d: path(f.geometry), fill, stroke: "#5f6b77", "stroke-width": 0.6, "fill-rule": "evenodd" }, s("title", {}, String(f.properties?.["nom"] ?? f.id)));
  });
  const outlines: SVGElement[] = [];
  for (const l of new Set(overview.quartiers.map((q) => q.couche)))
    for (const f of await features(l)) {
      const d = path(f.geometry);
      outlines.push(s("path", { d, fill: "none", stroke: "#ffffff", "stroke-width": 5 }), s("path", { d, fill: "none", stroke: outlineColor(l), "stroke-width": 2.6, "stroke-dasharray": l.startsWith("qpv") ? null : "7 3" }));
    }
  const names = overview.quartiers.filter((q) => q.bornes).map((q) => {
    const p = map.map.project([q.lon, q.lat]);
    return s("text", { x: p.x.toFixed(1), y: (p.y + 22).toFixed(1), "text-anchor": "middle", "font-size": 13, "font-weight": 600, fill: "#14202c", stroke: "#ffffff", "stroke-width": 3, "paint-order": "stroke" }, q.nom);
  });
  const inner = s("g", {}, s("defs", {}, pattern("e-secret", "#ffffff", "#3f4a56", 45), pattern("e-absent", "#f4f4f2", "#9aa4ae", -45), s("clipPath", { id: "cadre" }, s("rect", { width: w, height: hgt }))),
    s("rect", { width: w, height: hgt, fill: "#f3f4f1" }), s("g", { "clip-path": "url(#cadre)" }, zones, outlines, names), s("rect", { width: w, height: hgt, fill: "none", stroke: "#98a2ad" }));
  saveText(`${sheet.name}.svg`, new XMLSerializer().serializeToString(around(sheet, w, hgt, inner)), "image/svg+xml");
}
