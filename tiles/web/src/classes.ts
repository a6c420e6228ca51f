// Classes of values: the bounds between them, and their colours. ColorBrewer's Blues and PuOr are told apart by those who
// do not see all colours.

export type Method = "quantiles" | "jenks" | "manuel";

const blues: Record<number, string[]> = {
  2: ["#deebf7", "#3182bd"],
  3: ["#deebf7", "#9ecae1", "#3182bd"],
  4: ["#eff3ff", "#bdd7e7", "#6baed6", "#2171b5"],
  5: ["#eff3ff", "#bdd7e7", "#6baed6", "#3182bd", "#08519c"],
  6: ["#eff3ff", "#c6dbef", "#9ecae1", "#6baed6", "#3182bd", "#08519c"],
  7: ["#eff3ff", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#084594"],
};
blues[1] = ["#6baed6"];

// Below the reference, above it: from the nearest to the furthest.
const below: Record<number, string[]> = { 1: ["#998ec3"], 2: ["#b2abd2", "#5e3c99"], 3: ["#d8daeb", "#998ec3", "#542788"] };
const above: Record<number, string[]> = { 1: ["#f1a340"], 2: ["#fdb863", "#e66101"], 3: ["#fee0b6", "#f1a340", "#b35806"] };

export interface Classes {
  /** Bounds between classes, ascending: a value equal to one is in the class above it. */
  bounds: number[];
  colors: string[];
  diverging: boolean;
}

export function classOf(c: Classes, v: number): number {
  let low = 0;
  let high = c.bounds.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (v >= c.bounds[mid]!) low = mid + 1;
    else high = mid;
  }
  return low;
}

function quantile(sorted: number[], q: number): number {
  const at = q * (sorted.length - 1);
  const i = Math.floor(at);
  return sorted[i]! + (at - i) * ((sorted[i + 1] ?? sorted[i]!) - sorted[i]!);
}

function quantiles(sorted: number[], n: number): number[] {
  return Array.from({ length: n - 1 }, (_, i) => quantile(sorted, (i + 1) / n));
}

/** The bounds that leave least variance within classes (Fisher), over a sample of the values where they are many. */
function jenks(sorted: number[], n: number): number[] {
  const most = 800;
  const x = sorted.length <= most ? sorted : Array.from({ length: most }, (_, i) => quantile(sorted, i / (most - 1)));
  const m = x.length;
  const sum = new Float64Array(m + 1);
  const squares = new Float64Array(m + 1);
  for (let i = 0; i < m; i++) {
    sum[i + 1] = sum[i]! + x[i]!;
    squares[i + 1] = squares[i]! + x[i]! * x[i]!;
  }
  const spread = (i: number, j: number) => squares[j]! - squares[i]! - (sum[j]! - sum[i]!) ** 2 / (j - i); // of x[i:j]
  let best = Float64Array.from({ length: m + 1 }, (_, j) => (j ? spread(0, j) : 0));
  const cuts: Int32Array[] = [];
  for (let k = 2; k <= n; k++) {
    const next = new Float64Array(m + 1).fill(Infinity);
    const cut = new Int32Array(m + 1);
    for (let j = k; j <= m; j++)
      for (let i = k - 1; i < j; i++) {
        const v = best[i]! + spread(i, j);
        if (v < next[j]!) {
          next[j] = v;
          cut[j] = i;
        }
      }
    cuts.push(cut);
    best = next;
  }
  const bounds: number[] = [];
  for (let k = cuts.length - 1, j = m; k >= 0; k--) {
    j = cuts[k]![j]!;
    bounds.unshift(x[j]!);
  }
  return bounds;
}

/** Bounds as they are written in the legend, each once, and none that leaves the class below it empty. */
function tidy(bounds: number[], decimals: number, least: number): number[] {
  const unit = 10 ** decimals;
  const rounded = bounds.map((v) => Math.round(v * unit) / unit);
  return [...new Set(rounded)].sort((a, b) => a - b).filter((v) => v > least);
}

export function sequential(values: number[], method: Method, n: number, manual: number[], decimals: number): Classes {
  const sorted = Float64Array.from(values).sort();
  const list = Array.from(sorted);
  let bounds: number[];
  if (method === "manuel" && manual.length) bounds = [...new Set(manual)].sort((a, b) => a - b).slice(0, 6);
  else if (list.length === 0) bounds = [];
  else {
    const distinct = new Set(list).size;
    bounds = tidy((method === "jenks" ? jenks : quantiles)(list, Math.max(1, Math.min(n, distinct))), decimals, list[0]!);
  }
  return { bounds, colors: blues[Math.min(7, bounds.length + 1)]!, diverging: false };
}

/** Classes of gaps, the same on both sides of the reference. */
export function diverging(values: number[], method: Method, n: number, manual: number[], decimals: number): Classes {
  const sizes = Array.from(Float64Array.from(values.map(Math.abs).filter((v) => v > 0)).sort());
  const half = Math.max(1, Math.min(3, Math.floor(n / 2)));
  let steps: number[];
  if (method === "manuel" && manual.length) steps = [...new Set(manual.map(Math.abs))].filter((v) => v > 0).sort((a, b) => a - b).slice(0, 2);
  else if (sizes.length === 0) steps = [];
  else steps = tidy((method === "jenks" ? jenks : quantiles)(sizes, Math.max(1, Math.min(half, new Set(sizes).size))), decimals, 0);
  const k = Math.min(3, steps.length + 1);
  return { bounds: [...steps.map((v) => -v).reverse(), 0, ...steps], colors: [...below[k]!].reverse().concat(above[k]!), diverging: true };
}
