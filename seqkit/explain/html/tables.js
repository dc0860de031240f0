// The text, and the numbers beside the charts.

function addText() {
  if (!data.text) return;
  const words = data.text.some((token) => [...token].length > 1);
  $("characters").hidden = $("paints").hidden = false;
  $("paint").replaceChildren(...["saliency", "memory of the unit"].map((name) => new Option(name, name)));
  $("characters").replaceChildren(...data.text.map((token, step) => {
    const span = document.createElement("span");
    span.textContent = token === "\n" ? "\u21b5\n" : token;
    span.dataset.step = step;
    if (words) span.className = "word";
    return span;
  }));
  $("characters").addEventListener("click", (event) => {
    if (event.target.dataset.step !== undefined) go(Number(event.target.dataset.step));
  });
}
function colourText() {
  if (!data.text) return;
  const l = layer(), memory = l.values[l.memory], remembered = (step) => at(memory, step, state.unit);
  const told = state.paint === "saliency" ? importance : remembered;
  const most = largest(told);
  let place = 0;
  for (const span of $("characters").children) {
    const value = told(place), [r, g, b] = colour(value, -most, most, "signed");
    span.style.backgroundColor = Math.abs(value) > 0.03 * most ? `rgb(${r} ${g} ${b} / .75)` : "";
    span.classList.toggle("here", place === state.step);
    place += 1;
  }
  const here = $("characters").children[state.step], box = $("characters");
  if (here.offsetTop < box.scrollTop || here.offsetTop + here.offsetHeight > box.scrollTop + box.clientHeight) {
    box.scrollTop = here.offsetTop - box.clientHeight / 2;
  }
}

function line(name, value, kind, series) {
  const row = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
  if (series !== undefined) {
    const key = document.createElement("span");
    key.className = "key";
    key.style.backgroundColor = ramps.series[series % ramps.series.length];
    head.append(key);
  }
  head.append(name);
  head.scope = "row";
  cell.className = "number";
  cell.textContent = value;
  cell.dataset.name = kind;
  row.append(head, cell);
  return row;
}
function group(name) {
  const row = document.createElement("tr"), head = document.createElement("th");
  row.className = "group";
  head.colSpan = 2;
  head.textContent = name;
  row.append(head);
  return row;
}
function tellNow() {
  const rows = [], step = state.step;
  if (data.text) rows.push(line("text", JSON.stringify(data.text[step]), "text"));
  if (data.input) {
    const few = data.features.length <= 6;
    const order = all(data.input).sort((a, b) => (data.features.length > 12 ? Math.abs(at(data.input, step, b)) - Math.abs(at(data.input, step, a)) : a - b));
    order.slice(0, 12).forEach((k) => rows.push(line(data.features[k], shown(at(data.input, step, k)), `input ${k}`, few ? k : undefined)));
    if (data.features.length > 12) rows.push(group(`and ${data.features.length - 12} smaller features`));
  }
  rows.push(line("saliency", shown(importance(step)), "saliency"));
  if (data.output) {
    const few = data.outputs.length <= 6, columns = all(data.output);
    rows.push(group(data.output.title));
    const order = few ? columns : columns.sort((a, b) => at(data.output, step, b) - at(data.output, step, a)).slice(0, 6);
    order.forEach((k) => rows.push(line(data.outputs[k], shown(at(data.output, step, k)), `output ${k}`, few ? k : undefined)));
    if (!few) rows.push(group(`the largest 6 of ${data.outputs.length}`));
  }
  $("now").tBodies[0].replaceChildren(...rows);
}
function tellUnit() {
  const l = layer(), place = state.unit;
  $("unit-title").textContent = `${unitName(place)[0].toUpperCase()}${unitName(place).slice(1)} of ${l.name}`;
  const told = l.follows[place];
  $("follows").textContent = told.length ? `follows ${told.join(", ")}` : "";
  const rows = Object.entries(l.values).map(([name, table]) => line(name, shown(at(table, state.step, place)), name));
  if (l.half_life) rows.push(line("half-life, steps", shown(l.half_life[place]), "half-life"));
  $("unit").tBodies[0].replaceChildren(...rows);
  const memory = `${l.memory} of ${unitName(place)} ${shown(at(l.values[l.memory], state.step, place))}`;
  $("brief").textContent = `${memory}, saliency ${shown(importance(state.step))}`;
}
function tellUnits() {
  const l = layer(), headings = ["unit", l.half_life ? "half-life" : "activity", "follows"];
  $("units").tHead.replaceChildren(document.createElement("tr"));
  $("units").tHead.rows[0].append(...headings.map((name, k) => Object.assign(document.createElement("th"), { textContent: name, className: k === 1 ? "number" : "" })));
  $("units").tBodies[0].replaceChildren(...ranked().map((place) => {
    const row = document.createElement("tr");
    const cells = [l.units[place], shown((l.half_life || l.activity)[place]), l.follows[place][0] || ""];
    row.append(...cells.map((text, k) => Object.assign(document.createElement("td"), { textContent: text, className: k === 1 ? "number" : "" })));
    row.tabIndex = 0;
    row.setAttribute("aria-label", [unitName(place), ...cells.slice(1).filter(Boolean)].join(", "));
    row.dataset.place = place;
    row.addEventListener("click", () => choose(place));
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(place); });
    return row;
  }));
}
