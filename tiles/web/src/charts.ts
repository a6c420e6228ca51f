// Charts, in SVG. What Plot would put in a style sheet of its own is in the page's: the policy of the service lets in no other.
import * as Plot from "@observablehq/plot";
import type { CalibrationRow, Evolution, Indicator, SeriesRow } from "./api";
import { methodShort, number, places, signed, withUnit } from "./words";

export interface Line {
  name: string;
  color: string;
  dash?: string;
  rows: SeriesRow[];
  quarter: boolean; // its points are drawn, and the range of its methods
}

interface Point {
  name: string;
  year: number;
  v: number;
  low: number | null;
  high: number | null;
  estimate: boolean;
  title: string;
}

function tame(svg: Element, label: string): SVGSVGElement {
  for (const style of svg.querySelectorAll("style")) style.remove();
  const chart = (svg.tagName.toLowerCase() === "svg" ? svg : svg.querySelector("svg")) as SVGSVGElement;
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", label);
  chart.removeAttribute("fill");
  for (const g of chart.querySelectorAll("[aria-label], [aria-description]")) {
    g.removeAttribute("aria-label"); // the names of its marks, which say nothing
    g.removeAttribute("aria-description");
  }
  return chart;
}

/** Years between which a guard says that figures do not compare. */
export function breaks(evolutions: Evolution[]): Map<string, Evolution> {
  const out = new Map<string, Evolution>();
  for (const e of evolutions) if (!e.reference && e.garde && e.evolution === null) out.set(`${e.depuis}-${e.millesime}`, e);
  return out;
}

/** Series over the years: each line, the range of methods behind its estimates, dashes where years do not compare. */
export function seriesChart(lines: Line[], d: Indicator, evolutions: Evolution[], width: number): SVGSVGElement | null {
  const decimals = places(d);
  const points: Point[] = lines.flatMap((l) =>
    l.rows.flatMap((r) => {
      if (r.valeur === null || r.millesime === null) return [];
      const low = r.ic95_bas ?? r.methode_min;
      const high = r.ic95_haut ?? r.methode_max;
      const range = low !== null && high !== null && low !== high ? ` (de ${number(low, decimals)} à ${number(high, decimals)})` : "";
      return [{ name: l.name, year: r.millesime, v: r.valeur, low, high, estimate: r.nature === "estimation", title: `${l.name}, ${r.millesime} : ${withUnit(r.valeur, decimals, d.unit)}${range}` }];
    }),
  );
  const years = [...new Set(points.map((p) => p.year))].sort((a, b) => a - b);
  if (years.length === 0) return null;
  const refused = breaks(evolutions);
  const segments: { x1: number; y1: number; x2: number; y2: number; color: string; broken: boolean; dash: string }[] = [];
  for (const l of lines) {
    const own = points.filter((p) => p.name === l.name).sort((a, b) => a.year - b.year);
    own.slice(1).forEach((p, i) => {
      const q = own[i]!;
      segments.push({ x1: q.year, y1: q.v, x2: p.year, y2: p.v, color: l.color, broken: refused.has(`${q.year}-${p.year}`), dash: l.dash ?? "" });
    });
  }
  const colors = new Map(lines.map((l) => [l.name, l.color]));
  const quarters = new Set(lines.filter((l) => l.quarter).map((l) => l.name));
  const marked = points.filter((p) => quarters.has(p.name));
  const all = points.flatMap((p) => [p.v, quarters.has(p.name) ? p.low : null, quarters.has(p.name) ? p.high : null]).filter((v) => v !== null);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const margin = (most - least || Math.abs(most) || 1) * 0.12;
  const bottom = least >= 0 ? Math.max(0, least - margin) : least - margin;
  const svg = Plot.plot({
    className: "trace",
    width,
    height: 230,
    marginLeft: 52,
    marginRight: 18,
    marginBottom: 28,
    x: { domain: years.length === 1 ? [years[0]! - 1, years[0]! + 1] : [years[0]!, years.at(-1)!], ticks: years.length === 1 ? years : undefined, tickFormat: (y: number) => (Number.isInteger(y) ? String(y) : ""), label: null, inset: 12 },
    y: { domain: [bottom, most + margin], grid: true, label: null, ticks: 5, tickFormat: (v: number) => number(v, most - least < 5 && most < 1000 ? 1 : 0) },
    marks: [
      Plot.link(marked.filter((p) => p.low !== null && p.high !== null && p.low !== p.high), { x: "year", y1: "low", y2: "high", stroke: (p: Point) => colors.get(p.name)!, strokeWidth: 7, strokeOpacity: 0.25 }),
      Plot.link(segments.filter((s) => !s.broken && !s.dash), { x1: "x1", y1: "y1", x2: "x2", y2: "y2", stroke: "color", strokeWidth: 2.2 }),
      Plot.link(segments.filter((s) => !s.broken && s.dash), { x1: "x1", y1: "y1", x2: "x2", y2: "y2", stroke: "color", strokeWidth: 1.6, strokeDasharray: "5 3" }),
      Plot.link(segments.filter((s) => s.broken), { x1: "x1", y1: "y1", x2: "x2", y2: "y2", stroke: "color", strokeWidth: 1.4, strokeDasharray: "1.5 4" }),
      Plot.dot(points.filter((p) => !p.estimate), { x: "year", y: "v", r: (p: Point) => (quarters.has(p.name) ? 4 : 2.5), fill: (p: Point) => colors.get(p.name)!, stroke: "#ffffff", title: "title" }),
      Plot.dot(points.filter((p) => p.estimate), { x: "year", y: "v", r: (p: Point) => (quarters.has(p.name) ? 4 : 2.5), fill: "#ffffff", stroke: (p: Point) => colors.get(p.name)!, strokeWidth: 2, title: "title" }),
    ],
  });
  return tame(svg, `${d.label} : ${points.map((p) => p.title).join(" ; ")}`);
}

/** How far each method is from the producers, on average; most is the largest error that the page shows. */
export function calibrationChart(list: CalibrationRow[], most: number, width: number): SVGSVGElement {
  const method = (c: CalibrationRow) => methodShort(c.methode);
  const label = (c: CalibrationRow) => signed(c.ecart_moyen, 1);
  const svg = Plot.plot({
    className: "trace",
    width,
    height: list.length * 32 + 40,
    marginTop: 4,
    marginLeft: 190,
    marginRight: 12,
    x: { label: null, grid: true, domain: [-most * 1.2, most * 1.2], ticks: 7, tickFormat: (v: number) => signed(v, most < 4 ? 1 : 0) },
    y: { label: null, tickSize: 0, domain: list.map(method) },
    marks: [
      Plot.barX(list, { x: "ecart_moyen", y: method, fill: (c: CalibrationRow) => (c.rang === 1 ? "#08519c" : "#6baed6"), insetTop: 4, insetBottom: 4 }),
      Plot.text(list, { x: "ecart_moyen", y: method, text: label, textAnchor: "start", dx: 6, filter: (c: CalibrationRow) => c.ecart_moyen >= 0 }),
      Plot.text(list, { x: "ecart_moyen", y: method, text: label, textAnchor: "end", dx: -6, filter: (c: CalibrationRow) => c.ecart_moyen < 0 }),
      Plot.ruleX([0], { stroke: "#1d2733" }),
    ],
  });
  return tame(svg, list.map((c) => `${method(c)} : ${label(c)} ${c.unite} en moyenne`).join(" ; "));
}
