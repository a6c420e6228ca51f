// How figures are said to readers: French numbers, statuts, methods and reliability in plain words.
import type { Indicator } from "./api";

export const nbsp = "\u00a0";

export function number(v: number, decimals: number): string {
  return new Intl.NumberFormat("fr-FR", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(v).replace(/[\u202f\u00a0]/g, nbsp).replace(/^-/, "−");
}

export function signed(v: number, decimals: number): string {
  const text = number(Math.abs(v), decimals);
  if (Number(text.replace(/[^\d]/g, "")) === 0) return text;
  return (v > 0 ? "+" : "−") + text;
}

const units: Record<string, string> = { ratio: "" };
const unitOf = (unit: string) => units[unit] ?? unit;

export const withUnit = (v: number, decimals: number, unit: string) => number(v, decimals) + (unitOf(unit) ? nbsp + unitOf(unit) : "");

/** The decimals of a rate are those of its indicator; what is said of it in points has one at least. */
export const gapDecimals = (d: Indicator) => (d.unit === "%" || d.unit === "ratio" ? Math.max(1, d.decimals) : d.decimals);
/** Decimals enough for what is estimated: a tenth of a point for a rate. */
export const places = (d: Indicator) => (d.unit === "%" ? Math.max(1, d.decimals) : d.decimals);

/** A gap with its unit: "1 point", "2 points", "3 %". */
export function gapText(v: number, decimals: number, unit: string): string {
  const u = unit === "points" ? (Math.abs(v) < 2 ? "point" : "points") : unit;
  return signed(v, decimals) + (u ? nbsp + u : "");
}

export function plainGap(v: number, decimals: number, unit: string): string {
  const u = unit === "points" ? (Math.abs(v) < 2 ? "point" : "points") : unit;
  return number(Math.abs(v), decimals) + (u ? nbsp + u : "");
}

export const share = (v: number) => (v > 0 && v < 0.0005 ? `<${nbsp}0,1${nbsp}%` : number(100 * v, 1) + nbsp + "%");

export const surface = (m2: number) => (m2 >= 1e6 ? number(m2 / 1e6, 2) + nbsp + "km²" : number(m2 / 1e4, 1) + nbsp + "ha");

export const statut: Record<string, string> = {
  disponible: "disponible",
  secret: "secret statistique",
  non_significatif: "non significatif",
  non_disponible: "non disponible",
  sans_objet: "sans objet",
};

export const statutWhy: Record<string, string> = {
  secret: "Le producteur ne le publie pas : trop peu de personnes sont concernées pour que le secret statistique soit tenu.",
  non_significatif: "Trop peu de réponses pour que le chiffre ait un sens.",
  non_disponible: "Aucun fichier de l'édition ne le donne, et aucune méthode ne permet de l'estimer.",
  sans_objet: "La question ne se pose pas ici.",
};

export const sex: Record<string, string> = { T: "ensemble", F: "femmes", H: "hommes" };

const methods: Record<string, [short: string, plain: string]> = {
  producteur: ["chiffre du producteur", "C'est le chiffre que le producteur publie pour ce territoire."],
  agregation: ["somme exacte", "C'est la somme des zones qui composent exactement ce territoire."],
  passage: ["table de passage", "Le chiffre vient d'un autre découpage ; une table de passage l'a porté jusqu'ici."],
  population: ["estimation par la population", "C'est une estimation : les IRIS que le quartier traverse comptent pour la part de leurs habitants qui vivent dans le quartier."],
  calage: ["estimation calée", "C'est une estimation : les IRIS comptent pour leur surface commune avec le quartier, ramenée à sa population connue."],
  surface: ["estimation par la surface", "C'est une estimation : les IRIS comptent pour la part de leur surface située dans le quartier."],
  iris_consolides: ["IRIS entiers réunis", "C'est une estimation : les IRIS que le quartier traverse sont pris en entier et mis en commun."],
  iris_moyenne: ["moyenne des IRIS", "C'est une estimation : la moyenne simple des IRIS que le quartier traverse, comme le fait le contrat de ville."],
  iris_principal: ["IRIS principal", "C'est une estimation : le chiffre de l'IRIS qui couvre la plus grande part du quartier."],
  mediane_par_deciles: ["médiane par déciles", "C'est une estimation : la médiane d'un mélange des revenus des IRIS traversés."],
  mediane_ponderee: ["médiane pondérée", "C'est une estimation : la moyenne des médianes des IRIS, selon leur population."],
};

export const methodShort = (id: string) => methods[id]?.[0] ?? id.replaceAll("_", " ");
export const methodPlain = (id: string) => methods[id]?.[1] ?? "";

export const reliability: Record<string, string> = {
  bonne: "bonne : le chiffre peut être cité",
  moyenne: "moyenne : un ordre de grandeur",
  fragile: "fragile : à lire avec prudence, sans commenter de petites différences",
  insuffisante: "insuffisante : trop incertain pour être cité",
};

/** 0: unknown; 1 to 4, from insufficient to good. */
export const reliabilityRank: Record<string, number> = { insuffisante: 1, fragile: 2, moyenne: 3, bonne: 4 };

export const yearText = (y: number | null) => (y === null ? "année non précisée" : String(y));

const levels: [RegExp, string][] = [
  [/^qpv$/, "quartier prioritaire"],
  [/^veille$/, "quartier de veille"],
  [/^quartier_vecu$/, "quartier vécu"],
  [/^quartier_vecu_(\d+)m$/, "quartier vécu, à $1 m"],
  [/^iris$/, "IRIS"],
  [/^commune$/, "commune"],
  [/^epci$/, "intercommunalité"],
  [/^perimetre_contrat$/, "périmètre du contrat"],
  [/^departement$/, "département"],
  [/^region$/, "région"],
];

/** The level of a layer such as "qpv-2015". */
export const levelOf = (layer: string) => layer.replace(/-\d+$/, "");

export function levelText(layer: string): string {
  const level = levelOf(layer);
  for (const [pattern, text] of levels) if (pattern.test(level)) return level.replace(pattern, text);
  return level.replaceAll("_", " ");
}

export const upper = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** The label of an indicator without its base, for titles. */
export const shortLabel = (d: Indicator) => d.label.replace(/\s*\([^()]*\)$/, "");

/** Which side of a gap is worse for the quarter. */
export function reading(d: Indicator, gap: number): "" | "favorable" | "défavorable" {
  if (d.direction === "neutre" || gap === 0) return "";
  return gap > 0 === (d.direction === "hausse_favorable") ? "favorable" : "défavorable";
}
