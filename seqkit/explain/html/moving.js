// Moving: what changes, what a person does, and how it begins.

function placeCursor() {
  const [first, count] = view(), canvas = charts[0].canvas, cell = canvas.clientWidth / count;
  $("cursor").style.left = `${canvas.offsetLeft + (state.step - first) * cell - 1}px`;
  $("cursor").style.width = `${Math.max(3, cell + 2)}px`;
  const last = charts[charts.length - 1].row, top = charts[0].row.offsetTop;
  $("cursor").style.top = `${top}px`;
  $("cursor").style.height = `${last.offsetTop + last.offsetHeight - top}px`;
}
function remember() {
  const words = new URLSearchParams({ step: state.step, unit: layer().units[state.unit], layer: layer().name });
  try { history.replaceState(null, "", `#${words}`); } catch { /* not everywhere allowed for files */ }
}
function show() {
  $("step").value = state.step;
  $("at").textContent = `step ${state.step} of ${T - 1}`;
  charts.forEach(paint);
  placeCursor();
  colourText();
  tellNow();
  tellUnit();
  for (const row of $("units").tBodies[0].rows) {
    row.setAttribute("aria-current", String(row.classList.toggle("chosen", Number(row.dataset.place) === state.unit)));
  }
  remember();
}
function go(step) {
  state.step = Math.max(0, Math.min(T - 1, step));
  if (state.order === "this step") tellUnits();
  show();
}
function choose(place) {
  state.unit = place;
  show();
}
function changeLayer(number) {
  state.layer = number;
  state.unit = 0;
  build();
  state.unit = ranked()[0];
  tellUnits();
}
function nextUnit(by) {
  const order = ranked(), place = order.indexOf(state.unit) + by;
  choose(order[Math.max(0, Math.min(order.length - 1, place))]);
  $("units").querySelector(".chosen").scrollIntoView({ block: "nearest" });
}
function play(on) {
  clearInterval(state.playing);
  state.playing = on ? setInterval(() => (state.step === T - 1 ? play(false) : go(state.step + 1)), 120) : 0;
  $("play").textContent = on ? "Stop" : "Play";
  $("play").setAttribute("aria-pressed", String(Boolean(on)));
}

/** The chart and step at a place on the screen. */
function under(event) {
  const chart = charts.find((one) => one.canvas === event.target);
  if (!chart) return null;
  const box = chart.canvas.getBoundingClientRect(), [first, count] = view();
  const x = (event.clientX - box.left) / box.width;
  return { chart, step: first + Math.max(0, Math.min(count - 1, Math.floor(x * count))), y: event.clientY - box.top };
}
function tip(event, found) {
  $("tip").hidden = !found;
  if (!found) return;
  $("tip").textContent = found.chart.tell(found.step, found.y, found.chart.height);
  const wide = $("tip").offsetWidth;
  $("tip").style.left = `${Math.max(4, Math.min(innerWidth - wide - 4, event.clientX + 12))}px`;
  $("tip").style.top = `${event.clientY > 60 ? event.clientY - 40 : event.clientY + 20}px`;
}
$("charts").addEventListener("pointermove", (event) => {
  const found = under(event);
  tip(event, found);
  if (found && event.buttons && found.step !== state.step) go(found.step);
});
$("charts").addEventListener("pointerdown", (event) => {
  const found = under(event);
  if (!found) return;
  if (found.chart.pick) state.unit = found.chart.pick(found.y, found.chart.height);
  tip(event, found);
  go(found.step);
});
$("charts").addEventListener("pointerleave", () => tip(null, null));
$("step").addEventListener("input", () => go(Number($("step").value)));
$("back").addEventListener("click", () => go(state.step - 1));
$("next").addEventListener("click", () => go(state.step + 1));
$("play").addEventListener("click", () => {
  if (!state.playing && state.step === T - 1) go(0);
  play(!state.playing);
});
$("layer").addEventListener("change", () => { changeLayer(Number($("layer").value)); show(); });
$("order").addEventListener("change", () => { state.order = $("order").value; tellUnits(); show(); });
$("paint").addEventListener("change", () => { state.paint = $("paint").value; show(); });
$("span").addEventListener("change", () => { state.span = Number($("span").value); show(); });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input")) return;
  const far = event.shiftKey ? 10 : 1;
  const keys = { ArrowLeft: () => go(state.step - far), ArrowRight: () => go(state.step + far),
    ArrowUp: () => nextUnit(-1), ArrowDown: () => nextUnit(1), Home: () => go(0), End: () => go(T - 1) };
  if (event.key === " " && !event.target.matches("button")) keys[" "] = () => $("play").click();
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
window.addEventListener("resize", show);
window.addEventListener("hashchange", readAddress);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); show(); });

function readAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const found = data.layers.findIndex((one) => one.name === words.get("layer"));
  if (found >= 0 && found !== state.layer) changeLayer(found);
  const unit = layer().units.indexOf(Number(words.get("unit") ?? -1)), step = Number(words.get("step") ?? NaN);
  if (unit >= 0) state.unit = unit;
  if (Number.isInteger(step)) state.step = Math.max(0, Math.min(T - 1, step));
  $("layer").value = state.layer;
  show();
}

readColours();
$("about").textContent = data.about;
$("notes").replaceChildren(...data.notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
$("step").max = T - 1;
$("layer").replaceChildren(...data.layers.map((one, k) => new Option(`${one.name} (${one.cell})`, k)));
const spans = [T, 1000, 300, 100, 30].filter((span, k) => k === 0 || span < T);
$("span").replaceChildren(...spans.map((span) => new Option(span === T ? "all steps" : `${span} steps`, span)));
state.span = spans.find((span) => span <= 1000) ?? T;
$("span").value = state.span;
addText();
changeLayer(0);
readAddress();
