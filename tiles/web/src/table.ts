// The table beneath the map: the same figures, for those who read, sort and copy.
import { announce, h, replace } from "./dom";

export interface Row {
  index: number;
  code: string;
  name: string;
  commune: string;
  value: number | null;
  text: string;
  statut: string;
  reliability: number; // 0 to 4
  reliabilityText: string;
  estimate: boolean;
  gap: number | null;
  gapText: string;
}

const step = 200; // rows added at a time: a territory may have fifty thousand

type Key = "nom" | "code" | "commune" | "valeur" | "ecart" | "statut" | "fiabilite";

export class FigureTable {
  onPick: (code: string) => void = () => {};
  onSort: (sort: string) => void = () => {};
  private rows: Row[] = [];
  private sorted: Row[] = [];
  private shown = 0;
  private chosen = "";
  private columns: { key: Key; label: string; number?: boolean }[] = [];
  private body = h("tbody");
  private head = h("tr");
  private caption = h("caption");
  private more = h("button", { type: "button", class: "suite", click: () => this.add() });
  readonly element = h("div", { class: "defile", tabindex: 0, role: "region", "aria-label": "Table des chiffres de la carte" },
    h("table", { id: "chiffres" }, this.caption, h("thead", {}, this.head), this.body), this.more);

  constructor(private sort: string) {}

  set(rows: Row[], caption: string, value: string, gap: string | null, places: boolean) {
    this.rows = rows;
    this.caption.textContent = caption;
    this.columns = [{ key: "nom", label: "Territoire" }, { key: "code", label: "Code" }];
    if (places) this.columns.push({ key: "commune", label: "Commune" });
    this.columns.push({ key: "valeur", label: value, number: true });
    if (gap) this.columns.push({ key: "ecart", label: gap, number: true });
    this.columns.push({ key: "statut", label: "Statut" }, { key: "fiabilite", label: "Fiabilité" });
    this.arrange();
  }

  choose(code: string) {
    this.chosen = code;
    for (const tr of this.body.rows) tr.setAttribute("aria-selected", String(tr.dataset["code"] === code));
  }

  setSort(sort: string) {
    if (sort === this.sort) return;
    this.sort = sort;
    this.arrange();
  }

  private arrange() {
    const down = this.sort.startsWith("-");
    const key = this.sort.replace("-", "") as Key;
    const collator = new Intl.Collator("fr", { numeric: true });
    const of = (r: Row): number | string | null =>
      ({ nom: r.name, code: r.code, commune: r.commune, valeur: r.value, ecart: r.gap, statut: r.statut, fiabilite: r.reliability || null })[key] ?? null;
    this.sorted = [...this.rows].sort((a, b) => {
      const [x, y] = [of(a), of(b)];
      if (x === null || y === null) return x === y ? collator.compare(a.name, b.name) : x === null ? 1 : -1; // what is absent comes last, both ways
      const d = typeof x === "number" && typeof y === "number" ? x - y : collator.compare(String(x), String(y));
      return (down ? -d : d) || collator.compare(a.name, b.name) || collator.compare(a.code, b.code);
    });
    replace(this.head, this.columns.map((c) => {
      const now = c.key === key;
      return h("th", { scope: "col", class: c.number ? "n" : null, "aria-sort": now ? (down ? "descending" : "ascending") : "none" },
        h("button", { type: "button", "data-tri": c.key, click: () => this.by(c.key) }, c.label, h("span", { class: "tri", "aria-hidden": "true" }, now ? (down ? " ▼" : " ▲") : " ↕")));
    }));
    this.body.replaceChildren();
    this.shown = 0;
    this.add();
  }

  private by(key: Key) {
    const first = key === "valeur" || key === "ecart" || key === "fiabilite" ? "-" : "";
    const other = first ? "" : "-";
    this.sort = this.sort === first + key ? other + key : first + key;
    this.arrange();
    this.onSort(this.sort);
    announce(`Table triée par ${this.columns.find((c) => c.key === key)!.label}, ordre ${this.sort.startsWith("-") ? "décroissant" : "croissant"}.`);
    this.head.querySelector<HTMLButtonElement>(`[data-tri="${key}"]`)?.focus();
  }

  private cell(r: Row, key: Key): HTMLTableCellElement {
    switch (key) {
      case "nom":
        return h("th", { scope: "row" }, h("button", { type: "button", class: "lien", click: () => this.onPick(r.code) }, r.name || r.code));
      case "code":
        return h("td", { class: "code" }, r.code);
      case "commune":
        return h("td", {}, r.commune);
      case "valeur":
        return h("td", { class: r.estimate ? "n estime" : "n" }, r.text);
      case "ecart":
        return h("td", { class: "n" }, r.gapText);
      case "statut":
        return h("td", { class: r.value === null ? "retenu" : null }, r.statut);
      case "fiabilite":
        return h("td", {}, r.reliabilityText && h("span", { class: `fiab f${r.reliability}`, "aria-hidden": "true" }), r.reliabilityText);
    }
  }

  private add() {
    const next = this.sorted.slice(this.shown, this.shown + step);
    this.body.append(...next.map((r) => h("tr", { "data-code": r.code, "aria-selected": String(r.code === this.chosen) }, this.columns.map((c) => this.cell(r, c.key)))));
    this.shown += next.length;
    this.more.hidden = this.shown >= this.sorted.length;
    this.more.textContent = `Afficher la suite (${this.shown} lignes sur ${this.sorted.length})`;
  }

  /** Every row, in the order shown, as a spreadsheet takes it from the clipboard or a French CSV. */
  text(separator: string): string {
    const quote = (v: string) => (/["\n;\t]/.test(v) ? `"${v.replaceAll('"', '""')}"` : /^[=+\-@]/.test(v) && !/^[+-]?[\d ,.]+$/.test(v) ? `'${v}` : v);
    const plain = (v: number | null) => (v === null ? "" : String(Math.round(v * 1e6) / 1e6).replace(".", ","));
    const lines = [this.columns.map((c) => quote(c.label)).join(separator)];
    for (const r of this.sorted)
      lines.push(this.columns.map((c) => quote({ nom: r.name, code: r.code, commune: r.commune, valeur: plain(r.value), ecart: plain(r.gap), statut: r.statut, fiabilite: r.reliabilityText }[c.key])).join(separator));
    return lines.join("\r\n") + "\r\n";
  }

  get count() {
    return this.rows.length;
  }
}
