// What the service answers, and how it is asked. Every address is relative to the page; none is outside it.

export interface Layer {
  id: string;
  niveau: string;
  annee: number;
  titre: string;
  zones: number;
  dessinees: number;
  schematique: boolean;
  derniere: boolean;
  quartier: boolean;
  bornes: [number, number, number, number] | null;
  mention: string;
}

export interface Quarter {
  couche: string;
  code: string;
  nom: string;
  lon: number;
  lat: number;
  bornes: [number, number, number, number] | null;
}

export interface Overview {
  edition: string;
  titre: string;
  schematique: boolean;
  couches: Layer[];
  quartiers: Quarter[];
  recouvrements: string[];
  themes: string[];
  fond: { tuiles: string; mention: string } | null;
  jetons: boolean;
  editions: boolean;
  choix: { indicateur: string; couche: string; sexe: string; millesime: string };
}

export interface Indicator {
  id: string;
  label: string;
  theme: string;
  unit: string;
  direction: "hausse_favorable" | "hausse_defavorable" | "neutre";
  rule: string;
  sexes: string[];
  decimals: number;
  note?: string;
  series: { couche: string; sexe: string; millesimes: (number | null)[] }[];
}

export interface Year {
  millesime: string;
  libelle: string;
  valeurs: (number | null)[];
  statuts: number[];
  fiabilites: number[];
  estimees: number[];
  ecarts: Record<string, (number | null)[]>;
}

export interface Columns {
  couche: string;
  indicateur: string;
  sexe: string;
  codes: string[];
  noms: string[];
  communes: string[];
  statuts: string[];
  fiabilites: string[];
  references: { couche: string; nom: string }[];
  millesime: string;
  annees: Year[];
}

export interface SeriesRow {
  indicateur: string;
  couche: string;
  code: string;
  nom: string;
  millesime: number | null;
  sexe: string;
  valeur: number | null;
  unite: string;
  statut: string;
  nature: string;
  methode: string;
  couverture: number | null;
  methode_min: number | null;
  methode_max: number | null;
  ic95_bas: number | null;
  ic95_haut: number | null;
  fiabilite: string;
  source: string;
  note: string;
}

export interface GapRow {
  indicateur: string;
  couche: string;
  code: string;
  millesime: number | null;
  sexe: string;
  valeur: number | null;
  reference: string;
  code_reference: string;
  nom_reference: string;
  valeur_reference: number | null;
  ecart: number | null;
  unite: string;
  rapport: number | null;
  reference_inclut: boolean;
  statut: string;
  motif: string;
}

export interface OverlapRow {
  couche_de: string;
  code_de: string;
  nom_de: string;
  couche_vers: string;
  code_vers: string;
  nom_vers: string;
  aire_m2: number;
  part_de: number;
  part_vers: number;
  marge_part: number;
  note: string;
}

export interface Zone {
  couche: string;
  code: string;
  nom: string;
  communes: string;
  type: string;
  series: SeriesRow[];
  ecarts: GapRow[];
  recouvrements: OverlapRow[];
  commentaire: { texte: string; auteur?: string; date?: string; a_relire?: string } | null;
}

export interface Evolution {
  indicateur: string;
  couche: string;
  code: string;
  nom: string;
  sexe: string;
  depuis: number;
  millesime: number;
  reference: string;
  code_reference: string;
  nom_reference: string;
  comparaison: string;
  avant: number | null;
  apres: number | null;
  evolution: number | null;
  unite: string;
  seuil: number | null;
  verdict: string;
  lecture: string;
  statut: string;
  motif: string;
  garde: string;
}

export interface Rank {
  code: string;
  couche: string;
  millesime: number;
  sexe: string;
  rang: number | null;
  ex_aequo: number | null;
  sur: number;
  statut: string;
  motif: string;
}

export interface WomenMen {
  code: string;
  millesime: number;
  femmes: number | null;
  hommes: number | null;
  ecart: number | null;
  unite: string;
  rapport: number | null;
  statut: string;
  motif: string;
}

export interface Facility {
  code: string;
  nom: string;
  theme: string;
  lon: number;
  lat: number;
  zones: { couche: string; code: string; nom: string }[];
}

export interface CalibrationRow {
  indicateur: string;
  couche: string;
  millesime: number | null;
  sexe: string;
  methode: string;
  nombre: number;
  unite: string;
  ecart_moyen: number;
  ecart_absolu_moyen: number;
  ecart_median: number;
  code_extreme: string;
  nom_extreme: string;
  ecart_extreme: number;
  rang: number | null;
}

export interface Estimation {
  aire_m2: number;
  repare: string | null;
  perimetre: GeoJSON.Geometry;
  recouvrements: OverlapRow[];
  estimations: SeriesRow[];
}

export interface Source {
  id: string;
  titre: string;
  producteur: string;
  licence: string;
  page?: string;
  fichier: string;
}

/** An answer that says no: what it says is in French, for the reader. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

// The partner's token stays in this tab, and leaves it in a header only.
const tokenKey = "observatoire.jeton";
let token = sessionStorage.getItem(tokenKey) ?? "";

export const hasToken = () => token !== "";

export function setToken(given: string) {
  token = given.trim();
  if (token) sessionStorage.setItem(tokenKey, token);
  else sessionStorage.removeItem(tokenKey);
  answers.clear();
}

export const headers = (): Record<string, string> => (token ? { Authorization: `Bearer ${token}` } : {});

/** What the page says of the server: how many answers are awaited, and whether it is out of reach. */
export interface Health {
  waiting: number;
  lost: boolean;
}

const health: Health = { waiting: 0, lost: false };
const listeners: ((h: Health, back: boolean) => void)[] = [];
export const onHealth = (f: (h: Health, back: boolean) => void) => listeners.push(f);
const tell = (back = false) => listeners.forEach((f) => f(health, back));

export function setLost(lost: boolean) {
  if (health.lost === lost) return;
  health.lost = lost;
  tell(!lost);
}

const pause = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((done, fail) => {
    const t = setTimeout(done, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(t);
      fail(signal.reason);
    });
  });

/** Whether the page is a folder of files: nothing computes an answer then. */
export const files = document.documentElement.dataset["statique"] !== undefined;
const folder = () => import("./files");

/** What says that the server is there. */
export const pulse = files ? "donnees/visionneuse.json" : "healthz";

/** Where a file that the reader may take is. */
export const place = {
  portrait: (code: string) => (files ? `portraits/${encodeURIComponent(code)}.html` : `api/portrait/${encodeURIComponent(code)}`),
  moves: (from: string, to: string) => (files ? `bouge/${encodeURIComponent(from)}.html` : `editions/diff?${new URLSearchParams({ de: from, a: to })}`),
  calibration: (indicator: string) => (files ? "tables/calibration.csv" : `api/calibration.csv?${new URLSearchParams({ indicateur: indicator })}`),
  /** The series of a layer, of one of its zones or of one indicator: a folder of files has them all together. */
  series: (ext: "csv" | "xlsx", only: Record<string, string>) => (!files ? `api/series.${ext}?${new URLSearchParams(only)}` : ext === "csv" ? `tables/series-${encodeURIComponent(only["couche"]!)}.csv` : "tables/observatoire.xlsx"),
};

/** Asks until the server answers: it may be restarting, or the network away for a while. */
export async function ask(address: string, init: RequestInit): Promise<Response> {
  health.waiting++;
  tell();
  try {
    for (let wait = 1000; ; wait = Math.min(wait * 2, 8000)) {
      let response: Response | undefined;
      try {
        response = await fetch(address, { ...init, headers: { ...init.headers, ...headers() } });
      } catch (err) {
        if (init.signal?.aborted) throw err;
      }
      if (response && ![502, 503, 504].includes(response.status)) {
        setLost(false);
        return response;
      }
      setLost(true);
      await pause(wait, init.signal ?? undefined);
    }
  } finally {
    health.waiting--;
    tell();
  }
}

async function refusal(response: Response): Promise<Refusal> {
  let text = `Le serveur a répondu ${response.status}.`;
  try {
    const problem = (await response.json()) as { detail?: string };
    if (problem.detail) text = problem.detail;
  } catch {
    // not JSON: the status says it
  }
  return new Refusal(response.status, text);
}

const answers = new Map<string, Promise<unknown>>();

/** Reads an address of the service; twice asked, once read. */
export function read<T>(address: string): Promise<T> {
  let answer = answers.get(address) as Promise<T> | undefined;
  if (!answer) {
    answer = files
      ? folder().then(async (f) => (await f.read(address)) as T)
      : ask(address, { headers: { Accept: "application/json" } }).then(async (response) => {
          if (!response.ok) throw await refusal(response);
          return (await response.json()) as T;
        });
    answers.set(address, answer);
    answer.catch(() => answers.delete(address));
    if (answers.size > 60) answers.delete(answers.keys().next().value!);
  }
  return answer;
}

export const forget = () => answers.clear();

/** Every row of a table that comes in pages. */
export async function rows<T>(name: string, params: Record<string, string>, window = 5000): Promise<T[]> {
  if (files) return (await (await folder()).rows(name, params)) as T[];
  const all: T[] = [];
  for (;;) {
    const query = new URLSearchParams({ ...params, limit: String(window), offset: String(all.length) });
    const page = await read<Record<string, unknown>>(`api/${name}?${query}`);
    all.push(...(page[name] as T[]));
    if (all.length >= (page["numberMatched"] as number) || (page["numberReturned"] as number) === 0) return all;
  }
}

export async function post<T>(address: string, body: unknown): Promise<T> {
  if (files) throw new Refusal(501, "Ce site est fait de fichiers : estimer un périmètre demande le service de l'observatoire.");
  const response = await ask(address, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/geo+json", Accept: "application/json" } });
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as T;
}

/** A file of the service, asked with the token: a link could not carry it. */
export async function file(address: string): Promise<Blob> {
  const response = await ask(address, {});
  if (!response.ok) throw await refusal(response);
  return response.blob();
}
