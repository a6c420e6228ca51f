// What the reader looks at, as it is written in the address after the "#": the whole of it, and nothing of who reads.
import type { Method } from "./classes";

export interface State {
  indicateur: string;
  couche: string;
  sexe: string;
  annee: string; // millésime as the service writes it
  mode: string; // "" for values; a layer for gaps to it
  methode: Method;
  classes: number;
  bornes: number[]; // of the reader's own classes
  zone: string; // "couche/code"
  compare: string[]; // the same
  pieces: boolean;
  theme: string; // of facilities: "" none, "*" all
  vecus: string; // layer of quartiers vécus outlined
  noms: boolean;
  fond: boolean;
  page: "" | "calibration" | "bouge" | "methode";
  vue: string; // zoom/latitude/longitude
  tri: string; // column of the table, "-" before it for descending
}

export const initial: State = {
  indicateur: "", couche: "", sexe: "T", annee: "", mode: "", methode: "quantiles", classes: 5, bornes: [], zone: "", compare: [],
  pieces: false, theme: "", vecus: "", noms: true, fond: true, page: "", vue: "", tri: "-valeur",
};

const pages = ["", "calibration", "bouge", "methode"];

/** Reads an address, whoever wrote it: what makes no sense is left as it was. */
export function parse(text: string): Partial<State> {
  const q = new URLSearchParams(text.replace(/^[#?]/, ""));
  const out: Partial<State> = {};
  const word = (name: string) => {
    const v = q.get(name);
    return v !== null && v.length <= 200 ? v : null;
  };
  for (const name of ["indicateur", "couche", "annee", "mode", "zone", "theme", "vecus"] as const) {
    const v = word(name);
    if (v !== null) out[name] = v;
  }
  const year = word("millesime"); // as the page without script writes it
  if (year !== null && out.annee === undefined) out.annee = year;
  const sexe = word("sexe");
  if (sexe === "T" || sexe === "F" || sexe === "H") out.sexe = sexe;
  const methode = word("methode");
  if (methode === "quantiles" || methode === "jenks" || methode === "manuel") out.methode = methode;
  const classes = Number(word("classes") ?? NaN);
  if (Number.isInteger(classes) && classes >= 2 && classes <= 7) out.classes = classes;
  const bornes = word("bornes");
  if (bornes !== null) out.bornes = bornes.split(",").filter(Boolean).map(Number).filter(Number.isFinite).slice(0, 6);
  const compare = q.get("compare");
  if (compare !== null && compare.length < 1000) out.compare = compare.split(",").filter((z) => z.includes("/")).slice(0, 4);
  for (const name of ["pieces", "noms", "fond"] as const) {
    const v = word(name);
    if (v === "1" || v === "0") out[name] = v === "1";
  }
  const page = word("page");
  if (page !== null && pages.includes(page)) out.page = page as State["page"];
  const vue = word("vue");
  if (vue !== null && /^\d+(\.\d+)?\/-?\d+(\.\d+)?\/-?\d+(\.\d+)?$/.test(vue)) {
    const [z, lat, lon] = vue.split("/").map(Number) as [number, number, number];
    if (z <= 22 && Math.abs(lat) <= 85 && Math.abs(lon) <= 180) out.vue = vue;
  }
  const tri = word("tri");
  if (tri !== null && /^-?(nom|code|commune|valeur|statut|fiabilite|ecart)$/.test(tri)) out.tri = tri;
  return out;
}

/** Writes what differs from the initial state. */
export function format(s: State): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(s)) {
    const start = initial[name as keyof State];
    if (JSON.stringify(value) === JSON.stringify(start)) continue;
    q.set(name, typeof value === "boolean" ? (value ? "1" : "0") : String(value));
  }
  return q.toString().replaceAll("%2F", "/").replaceAll("%2C", ",");
}
