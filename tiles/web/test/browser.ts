// A real browser on the real service. A proxy stands before it where the network has to fail.
import { createServer, request, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { after } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Download, type Page } from "playwright-core";

function from(name: string): string {
  const v = process.env[`OBSERVATOIRE_URL_${name}`];
  if (!v) throw new Error(`OBSERVATOIRE_URL_${name} is not set: go test ./cmd/observatoire -run TestViewer`);
  return v;
}

export const demo = from("DEMO");
export const essai = from("ESSAI"); // with later years, a comment, a deposit and an edition before it
export const grand = from("GRAND"); // 50 400 zones
export const reel = process.env["OBSERVATOIRE_URL_REEL"] ?? "";
export const jeton = process.env["OBSERVATOIRE_JETON"] ?? "";

let browser: Browser | undefined;

async function launch(): Promise<Browser> {
  browser ??= await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"],
  });
  return browser;
}

after(async () => browser?.close());

export interface Visit {
  page: Page;
  context: BrowserContext;
  asked: { url: string; headers: Record<string, string> }[];
  said: string[]; // errors and violations of the policy
}

/** Opens an address in a tab of its own, waits for the page, and for the map where it is asked for. */
export async function visit(address: string, work: (v: Visit) => Promise<void>, o: BrowserContextOptions & { map?: boolean; ready?: boolean; before?: (v: Visit) => Promise<void> } = {}) {
  const { map = false, ready = true, before, ...options } = o;
  const context = await (await launch()).newContext({ viewport: { width: 1400, height: 900 }, locale: "fr-FR", permissions: ["clipboard-read", "clipboard-write"], ...options });
  await context.addInitScript("globalThis.__name = (f) => f"); // what tsx writes into the functions that the page runs
  const page = await context.newPage();
  const v: Visit = { page, context, asked: [], said: [] };
  page.setDefaultTimeout(15_000);
  page.on("request", (r) => v.asked.push({ url: r.url(), headers: r.headers() }));
  page.on("pageerror", (e) => v.said.push(`error: ${e.message}`));
  page.on("console", (m) => {
    if (m.type() === "error" && !/Failed to load resource/.test(m.text())) v.said.push(m.text());
  });
  try {
    await before?.(v);
    await page.goto(address);
    if (ready) await page.waitForSelector(map ? "html[data-page=prete][data-carte=prete]" : "html[data-page=prete]", { state: "attached" });
    if (map) await drawn(page);
    await work(v);
  } catch (err) {
    const folder = process.env["OBSERVATOIRE_SHOTS"]; // where to leave a picture of what went wrong
    if (folder) await page.screenshot({ path: `${folder}/${Date.now()}.png` }).catch(() => {});
    if (err instanceof Error && v.said.length) err.message += `\nthe page said: ${v.said.join(" | ")}`;
    throw err;
  } finally {
    await context.close();
  }
}

/** Waits until nothing is left to draw. */
export const drawn = (page: Page) =>
  page.waitForFunction(() => {
    const m = (document.getElementById("carte") as unknown as { zones?: { map: { loaded(): boolean; areTilesLoaded(): boolean; isMoving(): boolean } } }).zones?.map;
    return m && m.loaded() && m.areTilesLoaded() && !m.isMoving();
  }, undefined, { polling: 50 });

/** Where a place of the territory is on the page. */
export const place = (page: Page, lon: number, lat: number) =>
  page.evaluate(([x, y]) => {
    const carte = document.getElementById("carte")!;
    const p = (carte as unknown as { zones: { map: { project(p: [number, number]): { x: number; y: number } } } }).zones.map.project([x!, y!]);
    const r = carte.getBoundingClientRect();
    return { x: p.x + r.left, y: p.y + r.top };
  }, [lon, lat]);

/** Colours on the map's canvas, in a square of some pixels around a place: "#rrggbb" and how many times. */
export const colors = (page: Page, lon: number, lat: number, half = 2) =>
  page.evaluate(([x, y, n]) => {
    const zones = (document.getElementById("carte") as unknown as { zones: { map: { project(p: [number, number]): { x: number; y: number }; getCanvas(): HTMLCanvasElement; redraw(): void } } }).zones;
    zones.map.redraw();
    const canvas = zones.map.getCanvas();
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const c = copy.getContext("2d")!;
    c.drawImage(canvas, 0, 0);
    const p = zones.map.project([x!, y!]);
    const k = canvas.width / canvas.clientWidth;
    const data = c.getImageData(Math.round(p.x * k) - n!, Math.round(p.y * k) - n!, 2 * n! + 1, 2 * n! + 1).data;
    const out: Record<string, number> = {};
    for (let i = 0; i < data.length; i += 4) {
      const hex = "#" + [data[i]!, data[i + 1]!, data[i + 2]!].map((b) => b.toString(16).padStart(2, "0")).join("");
      out[hex] = (out[hex] ?? 0) + 1;
    }
    return out;
  }, [lon, lat, half]);

export const plain = (text: string | null) => (text ?? "").replace(/[\u00a0\u202f]/g, " ").replace(/\s+/g, " ").trim();
export const text = async (page: Page, selector: string) => plain(await page.locator(selector).first().textContent());
export const texts = async (page: Page, selector: string) => (await page.locator(selector).allTextContents()).map(plain);

export async function api<T>(base: string, path: string, headers: Record<string, string> = {}): Promise<T> {
  const r = await fetch(base + path, { headers: { Accept: "application/json", ...headers } });
  if (!r.ok) throw new Error(`${path}: ${r.status} ${await r.text()}`);
  return (await r.json()) as T;
}

export async function fetched(page: Page, work: () => Promise<void>): Promise<{ name: string; bytes: Buffer }> {
  const [d] = (await Promise.all([page.waitForEvent("download"), work()])) as [Download, void];
  const chunks: Buffer[] = [];
  for await (const c of await d.createReadStream()) chunks.push(c as Buffer);
  return { name: d.suggestedFilename(), bytes: Buffer.concat(chunks) };
}

/** A French number, as the page writes it. */
export const fr = (v: number, decimals: number) => v.toFixed(decimals).replace(".", ",").replace(/^-/, "−").replace(/\B(?=(\d{3})+(?!\d))(?=[^,]*(,|$))/g, (_, __, i: number, s: string) => (s.indexOf(",") >= 0 && i > s.indexOf(",") ? "" : " "));

/** Waits until something holds. */
export async function until(what: string, holds: () => Promise<boolean>, ms = 12_000) {
  for (const end = Date.now() + ms; Date.now() < end; await pause(60)) if (await holds()) return;
  throw new Error(`never: ${what}`);
}

/** A way to the service that can be cut, or slowed. */
export class Network {
  delay = 0;
  private server: Server | null = null;
  private sockets = new Set<Socket>();
  private port = 0;

  constructor(private target: string) {}

  async open(): Promise<string> {
    this.server = createServer((req, res) => {
      setTimeout(() => {
        const up = request(this.target + req.url, { method: req.method, headers: { ...req.headers, host: new URL(this.url).host } }, (r) => {
          res.writeHead(r.statusCode!, r.headers);
          r.pipe(res);
        });
        up.on("error", () => res.destroy());
        req.pipe(up);
      }, this.delay);
    });
    this.server.on("connection", (s: Socket) => {
      this.sockets.add(s);
      s.on("close", () => this.sockets.delete(s));
    });
    await new Promise<void>((done) => this.server!.listen(this.port, "127.0.0.1", done));
    this.port = (this.server.address() as AddressInfo).port;
    return this.url;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async cut() {
    const closed = new Promise((done) => this.server!.close(done));
    for (const s of this.sockets) s.destroy();
    await closed;
  }
}
