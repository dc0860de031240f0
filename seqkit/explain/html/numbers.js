// Numbers, colours, and which steps are in view.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const T = data.steps;
const state = { step: T - 1, unit: 0, layer: 0, order: "", span: T, paint: "saliency", playing: 0 };

const decoded = new Map();
/** The numbers of a table {data, columns}: float32, base64, row after row. */
function numbers(table) {
  if (!decoded.has(table)) {
    const bytes = Uint8Array.from(atob(table.data), (c) => c.charCodeAt(0));
    decoded.set(table, new Float32Array(bytes.buffer));
  }
  return decoded.get(table);
}
const at = (table, row, column) => numbers(table)[row * table.columns + column];
function shown(value) {
  if (value === null || value === undefined) return "\u221e";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "\u221e" : "\u2212\u221e";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(3) : value.toPrecision(4);
  return text.replaceAll("-", "\u2212");
}
const layer = () => data.layers[state.layer];
const unitName = (place) => `unit ${layer().units[place]}`;

let ramps;
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const rgb = (name) => {
    const hex = style.getPropertyValue(name).trim();
    return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  };
  const ramp = (stops) => Array.from({ length: 256 }, (_, k) => {
    const place = (k / 255) * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2);
    return stops[low].map((c, n) => Math.round(c + (place - low) * (stops[low + 1][n] - c)));
  });
  ramps = {
    gate: ramp(["--low", "--half", "--high"].map(rgb)),
    signed: ramp(["--minus", "--zero", "--plus"].map(rgb)),
    series: style.getPropertyValue("--series").trim().split(/\s+/),
    line: style.getPropertyValue("--line").trim(),
    soft: style.getPropertyValue("--soft").trim(),
    accent: style.getPropertyValue("--accent").trim(),
    page: style.getPropertyValue("--page").trim(),
  };
}
function colour(value, low, high, kind) {
  const share = high > low ? (value - low) / (high - low) : 0.5;
  return ramps[kind][Math.max(0, Math.min(255, Math.round(255 * share) || 0))];
}

/** First step shown, and how many: pages of `span` steps. */
function view() {
  const count = Math.min(state.span, T), first = Math.min(Math.floor(state.step / count) * count, T - count);
  return [first, count];
}
function ranked() {
  const l = layer(), places = l.units.map((_, k) => k);
  const by = { "half-life": (k) => -(l.half_life[k] ?? Infinity), number: (k) => l.units[k],
    activity: (k) => -l.activity[k], "this step": (k) => -at(l.values[l.memory], state.step, k) };
  return places.sort((a, b) => by[state.order](a) - by[state.order](b) || a - b);
}
