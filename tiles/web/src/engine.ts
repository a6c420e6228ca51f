// The map engine, loaded after the page: it is larger than all the rest together.
import "maplibre-gl/dist/maplibre-gl.css";
import { addProtocol, AttributionControl, Map, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";

setWorkerUrl(new URL(workerUrl, import.meta.url).href);

export { addProtocol, AttributionControl, Map, NavigationControl, ScaleControl };
