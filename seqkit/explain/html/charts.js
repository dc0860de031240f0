// Charts over time: heat maps, lines, saliency.

const charts = [];
function addChart(title, remark, height, draw, tell, { pick, ramp } = {}) {
  const row = document.createElement("div"), name = document.createElement("div"), canvas = document.createElement("canvas");
  row.className = "chart";
  name.append(title);
  const small = Object.assign(document.createElement("small"), { textContent: ` ${remark}` });
  if (ramp) small.append(Object.assign(document.createElement("span"), { className: `ramp ${ramp}` }));
  if (remark || ramp) name.append(small);
  canvas.style.height = `${height}px`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${title} over time`);
  row.append(name, canvas);
  $("charts").append(row);
  charts.push({ row, canvas, height, draw, tell, pick });
}
function paint(chart) {
  const ratio = window.devicePixelRatio || 1, width = chart.canvas.clientWidth;
  chart.canvas.width = Math.max(1, Math.round(width * ratio));
  chart.canvas.height = Math.round(chart.height * ratio);
  const pen = chart.canvas.getContext("2d");
  pen.scale(ratio, ratio);
  chart.draw(pen, width, chart.height);
}
/** A picture of a table with a pixel for each number, made again only when another part or order is in view. */
function heatMap(table, places, low, high, kind) {
  let key, picture;
  return (pen, width, height) => {
    const [first, count] = view(), rows = places(), now = [first, count, rows, ramps.page].join();
    if (now !== key) [key, picture] = [now, pixels(table, rows, first, count, low, high, kind)];
    pen.imageSmoothingEnabled = count > width || rows.length > height;
    pen.drawImage(picture, 0, 0, width, height);
  };
}
function pixels(table, rows, first, count, low, high, kind) {
  const image = new ImageData(count, Math.max(1, rows.length)), picture = new OffscreenCanvas(image.width, image.height);
  rows.forEach((column, row) => {
    for (let k = 0; k < count; k++) {
      image.data.set([...colour(at(table, first + k, column), low, high, kind), 255], 4 * (row * count + k));
    }
  });
  picture.getContext("2d").putImageData(image, 0, 0);
  return picture;
}
/** Lines, each {table, column, colour}; the numbers of the scale stand at its left. */
function lines(each, low, high) {
  return (pen, width, height) => {
    const [first, count] = view(), margin = 4, y = (v) => height - margin - ((v - low) / (high - low || 1)) * (height - 2 * margin);
    pen.strokeStyle = ramps.line;
    for (const value of low < 0 && high > 0 ? [low, 0, high] : [low, high]) {
      pen.beginPath(); pen.moveTo(0, y(value)); pen.lineTo(width, y(value)); pen.stroke();
    }
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    for (const { table, column, series } of each()) {
      pen.strokeStyle = ramps.series[series % ramps.series.length];
      pen.beginPath();
      for (let k = 0; k < count; k++) {
        pen.lineTo(((k + 0.5) / count) * width, y(at(table, first + k, column)));
      }
      if (count === 1) pen.lineTo(width, y(at(table, first, column)));
      pen.stroke();
    }
    pen.fillStyle = ramps.soft;
    pen.font = "10px system-ui, sans-serif";
    pen.strokeStyle = ramps.page;
    pen.lineWidth = 3;
    for (const [value, base] of [[high, 10], [low, height - 3]]) {
      pen.strokeText(shown(value), 2, base);
      pen.fillText(shown(value), 2, base);
    }
  };
}
function range(table, columns) {
  let low = Infinity, high = -Infinity;
  const values = numbers(table);
  for (let row = 0; row * table.columns < values.length; row++) {
    for (const column of columns) {
      const value = values[row * table.columns + column];
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : [0, 1];
}
function signed(table) {
  const [low, high] = range(table, Array.from({ length: table.columns }, (_, k) => k));
  const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return low >= 0 && high <= 1 ? [0, 1, "gate"] : [-most, most, "signed"];
}
const rowAt = (rows, y, height) => rows[Math.max(0, Math.min(rows.length - 1, Math.floor((y / height) * rows.length)))];

function axis(pen, width, height) {
  const [first, count] = view(), space = Math.max(1, Math.round((count * 60) / width));
  const nice = [1, 2, 5].flatMap((k) => [k, 10 * k, 100 * k, 1000 * k, 1e4 * k, 1e5 * k]).sort((a, b) => a - b);
  const gap = nice.find((k) => k >= space) || space;
  pen.fillStyle = ramps.soft;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "center";
  for (let step = Math.ceil(first / gap) * gap; step < first + count; step += gap) {
    const x = ((step - first + 0.5) / count) * width;
    pen.fillRect(x, 0, 1, 4);
    pen.fillText(step, Math.max(16, Math.min(width - 16, x)), height - 2);
  }
}

const all = (table) => Array.from({ length: table.columns }, (_, k) => k);
/** A few columns as lines, more as a heat map. */
function addTable(title, table, names, remark) {
  const columns = all(table), [low, high] = range(table, columns);
  const tell = (step, y, height) => (columns.length > 6
    ? `${names[rowAt(columns, y, height)]}, step ${step}: ${shown(at(table, step, rowAt(columns, y, height)))}`
    : columns.map((k) => `${names[k]} ${shown(at(table, step, k))}`).join(", ") + `, step ${step}`);
  if (columns.length > 6) {
    addChart(title, remark, Math.max(60, Math.min(150, 6 * columns.length)), heatMap(table, () => columns, ...signed(table)), tell, { ramp: signed(table)[2] });
  } else {
    const each = () => columns.map((column) => ({ table, column, series: column }));
    addChart(title, remark, 76, lines(each, low, high), tell);
  }
}
/** Saliency as it is for the output of one step, or for every step's own. */
const importance = (step) => (data.saliency.columns === 1 ? at(data.saliency, step, 0) : at(data.saliency, state.step, step));
function drawSaliency(pen, width, height) {
  const [first, count] = view(), most = largest(importance);
  for (let k = 0; k < count; k++) {
    const [r, g, b] = colour(importance(first + k), -most, most, "signed");
    pen.fillStyle = `rgb(${r} ${g} ${b})`;
    pen.fillRect((k / count) * width, 0, width / count + 0.5, height);
  }
}
/** The largest magnitude of a number that every step has. */
function largest(value) {
  let most = 0;
  for (let step = 0; step < T; step++) most = Math.max(most, Math.abs(value(step)));
  return most || 1;
}
function build() {
  charts.splice(0).forEach((chart) => chart.row.remove());
  const l = layer();
  if (data.input) addTable("input", data.input, data.features, data.features.length > 6 ? "" : data.features.join(", "));
  if (data.output) addTable(data.output.title, data.output, data.outputs, data.outputs.length > 6 ? "" : data.outputs.join(", "));
  addChart("saliency", "", 26, drawSaliency, (step) => `saliency of step ${step}: ${shown(importance(step))}`, { ramp: "signed" });
  for (const [name, table] of Object.entries(l.values)) {
    const [low, high, kind] = signed(table), height = Math.max(64, Math.min(150, 8 * l.units.length));
    const remark = kind === "gate" ? "0 to 1" : `\u00b1${shown(high)}`;
    const paintMap = heatMap(table, ranked, low, high, kind);
    addChart(name, name === l.memory ? `${remark}, memory` : remark, height, (pen, width, tall) => {
      paintMap(pen, width, tall);
      const each = tall / l.units.length, row = ranked().indexOf(state.unit);
      pen.strokeStyle = ramps.accent;
      pen.strokeRect(0.5, Math.max(0.5, row * each - 0.5), width - 1, each);
    }, (step, y, tall) => {
      const place = rowAt(ranked(), y, tall);
      return `${name}, ${unitName(place)}, step ${step}: ${shown(at(table, step, place))}`;
    }, { pick: (y, tall) => rowAt(ranked(), y, tall), ramp: kind });
  }
  const memory = l.values[l.memory];
  addChart(`${l.memory} of the unit`, "", 92, (pen, width, height) => {
    const [low, high] = range(memory, [state.unit]);
    lines(() => [{ table: memory, column: state.unit, series: 1 }], low, high)(pen, width, height);
  }, (step) => `${l.memory}, ${unitName(state.unit)}, step ${step}: ${shown(at(memory, step, state.unit))}`);
  addChart("step", "", 20, axis, (step) => `step ${step}`);
  fillOrders();
}
function fillOrders() {
  const names = [...(layer().half_life ? ["half-life"] : []), "number", "activity", "this step"];
  if (!names.includes(state.order)) state.order = names[0];
  $("order").replaceChildren(...names.map((name) => new Option(name, name, false, name === state.order)));
}
