// Elements made by hand: text is always text.

type Child = Node | string | number | null | undefined | false | Child[];
type Attributes = Record<string, string | number | boolean | null | undefined | ((e: never) => void)>;

function fill(e: Element, attributes: Attributes, children: Child[]) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") e.addEventListener(name, value as EventListener);
    else if (value === true) e.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) e.setAttribute(name, String(value));
  }
  append(e, children);
}

function append(e: Element, children: Child[]) {
  for (const c of children) {
    if (Array.isArray(c)) append(e, c);
    else if (c !== null && c !== undefined && c !== false) e.append(typeof c === "number" ? String(c) : c);
  }
}

/** An element of HTML. Attributes that are functions listen to the event of their name. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  fill(e, attributes, children);
  return e;
}

/** An element of SVG. */
export function s(tag: string, attributes: Attributes = {}, ...children: Child[]): SVGElement {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(e, attributes, children);
  return e;
}

export function $<T extends HTMLElement>(id: string): T {
  const e = document.getElementById(id);
  if (!e) throw new Error(`no element ${id}`);
  return e as T;
}

export function replace(e: Element, ...children: Child[]) {
  e.replaceChildren();
  append(e, children);
}

/** Says something to those who hear the page. */
export function announce(text: string) {
  const live = $("annonce");
  live.textContent = "";
  requestAnimationFrame(() => (live.textContent = text));
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
