// The page as a folder of files: what would be asked of the service was answered beforehand, and is read there.
import { ask, Refusal } from "./api";

type Row = Record<string, unknown>;
type Places = Record<string, [first: number, bytes: number]>;

interface Card {
  zone: { series: Row[]; ecarts: Row[] } & Row;
  geometrie: GeoJSON.Geometry | null;
  [table: string]: unknown;
}

const gone = () => new Refusal(404, "Ce fichier n'est pas sur le serveur : le dossier de l'observatoire y a été déposé incomplet.");

const seen = new Map<string, Promise<unknown>>();

/** Reads something once. */
function once<T>(name: string, work: () => Promise<T>): Promise<T> {
  let answer = seen.get(name) as Promise<T> | undefined;
  if (!answer) {
    answer = work();
    seen.set(name, answer);
    answer.catch(() => seen.delete(name));
    if (seen.size > 80) seen.delete(seen.keys().next().value!);
  }
  return answer;
}

const json = <T>(path: string) => once<T>(path, async () => {
  const response = await ask(path, {});
  if (!response.ok) throw gone();
  return (await response.json()) as T;
});

/** One member of a bundle: the bytes that its index names. A server that knows no range sends all of it. */
const member = <T>(name: string, key: string) => once<T>(`${name}#${key}`, async () => {
  const at = (await json<Places>(`${name}.json`))[key];
  if (!at) throw new Refusal(404, "Ce territoire ou cet indicateur n'est pas dans l'édition.");
  const [first, bytes] = at;
  const response = await ask(`${name}.pack`, { headers: { Range: `bytes=${first}-${first + bytes - 1}` } });
  if (!response.ok) throw gone();
  const body = await response.blob();
  const own = response.status === 206 ? body : body.slice(first, first + bytes);
  return (await new Response(own.stream().pipeThrough(new DecompressionStream("gzip"))).json()) as T;
});

const file = (name: string) => `donnees/${name}`;
const card = (layer: string, code: string) => member<Card>(file(`fiches/${layer}`), code);

/** What the service would answer to an address. */
export async function read(address: string): Promise<unknown> {
  const url = new URL(address, "http://x/");
  const [, ...path] = url.pathname.split("/").map(decodeURIComponent);
  const q = url.searchParams;
  switch (path[0] === "api" ? path[1] : path[0]) {
    case "carte":
      return member(file(`carte/${path[2]}`), `${q.get("indicateur")}/${q.get("sexe")}`);
    case "zones": {
      const { zone } = await card(path[2]!, path[3]!);
      const of = (r: Row) => r["indicateur"] === q.get("indicateur");
      return { ...zone, series: zone.series.filter(of), ecarts: zone.ecarts.filter(of) };
    }
    case "collections":
      if (path[3]) return { type: "Feature", id: path[3], properties: {}, geometry: (await card(path[1]!, path[3])).geometrie };
      return { ...(await json<object>(file(`couches/${path[1]}.geojson`))), links: [] };
    case "editions":
      return json(path[1] === "liste" ? file("liste.json") : path[1] === "diff" ? file(`bouge/${q.get("de")}.json`) : file("editions.json"));
    default:
      return json(file(`${path[1]}.json`));
  }
}

/** The rows of a table that have the values given. */
export async function rows(name: string, params: Record<string, string>): Promise<unknown[]> {
  const { couche, zone } = params;
  const all = (couche && zone ? (await card(couche, zone))[name] : await json<Row[]>(file(`${name}.json`))) as Row[];
  return all.filter((r) => ["indicateur", "couche", "millesime", "sexe"].every((k) => params[k] === undefined || r[k] === undefined || String(r[k] ?? "") === params[k]));
}
