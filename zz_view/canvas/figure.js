// Draws a Plotly figure, or rather the part of Plotly's vocabulary that this dashboard uses, on a canvas. A changed
// Plotly chart costs the browser 100 to 170 ms, this about 5, and a step of the player repaints its marks alone.
// What is not drawn here is refused aloud, so that a figure never loses a part in silence.
const ARRAYS = { f4: Float32Array, f8: Float64Array, i1: Int8Array, i2: Int16Array, i4: Int32Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array };
const MINUS = "\u2212", TICK_FONT = 13, FAINT_GRID = "rgba(127,135,145,0.18)";
const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** An array of a figure: as it is, or packed in base64 as Plotly does with NumPy's. */
function unpacked(values) {
  if (values?.bdata === undefined) return values;  // "" is an array without values
  const flat = new ARRAYS[values.dtype](bytesOf(values.bdata).buffer);
  const shape = String(values.shape ?? "").split(",").map(Number);
  if (shape.length < 2) return flat;
  return Array.from({ length: shape[0] }, (_, row) => flat.subarray(row * shape[1], (row + 1) * shape[1]));
}

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes;
}

function unpackTrace(trace) {
  const names = ["x", "y", "z", "text", "customdata"].filter(name => name in trace);
  const marker = trace.marker && { ...trace.marker, symbol: unpacked(trace.marker.symbol), angle: unpacked(trace.marker.angle) };
  return { ...trace, ...Object.fromEntries(names.map(name => [name, unpacked(trace[name])])), marker };
}

/** What d3-format calls .3g, +.2g, .0f, .0% and d. */
function formatted(value, format = "") {
  if (typeof value !== "number") return value ?? "";
  const [, plus, digits, kind] = /^(\+?),?(?:\.(\d+))?([gfd%]?)$/.exec(format) ?? [];
  const size = Math.abs(value);
  let text;
  if (kind === "%") text = `${(100 * size).toFixed(digits ?? 0)}%`;
  else if (kind === "f" || kind === "d") text = size.toFixed(digits ?? 0);
  else if (kind === "g") text = shortest(size, Number(digits ?? 6));
  else text = shortest(size, 6);
  return (value < 0 ? MINUS : plus ? "+" : "") + text;
}

function shortest(size, digits) {
  const text = size !== 0 && (size < 1e-4 || size >= 10 ** Math.max(digits, 5)) ? Number(size.toPrecision(digits)).toExponential() : String(Number(size.toPrecision(digits)));
  return text.replace("-", MINUS);
}

function makeAxis(layout, traces, name, which) {
  const log = layout.type === "log", toLinear = log ? Math.log10 : Number, fromLinear = log ? v => 10 ** v : v => v;
  const axis = { ...layout, tickvals: unpacked(layout.tickvals), ticktext: unpacked(layout.ticktext), name, which, log, toLinear, fromLinear,
    domain: layout.domain ?? [0, 1] };
  axis.full = layout.range ? [...layout.range] : autoRange(traces.filter(t => (t[`${which}axis`] ?? which) === name), axis);
  // view, start and length are arrange()'s; a y axis has a negative length, since pixels count downward
  axis.toPixel = value => axis.start + (toLinear(value) - axis.view[0]) / (axis.view[1] - axis.view[0]) * axis.length;
  axis.fromPixel = pixel => axis.view[0] + (pixel - axis.start) / axis.length * (axis.view[1] - axis.view[0]);
  return axis;
}

function autoRange(traces, axis) {
  let low = Infinity, high = -Infinity;
  for (const trace of traces) {
    for (const raw of trace[axis.which] ?? []) {
      const value = axis.toLinear(raw);
      if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
    }
  }
  if (low > high) return axis.log ? [0, 1] : [-1, 1];
  const pad = 0.06 * (high - low || Math.abs(high) || 1), lines = traces.every(t => (t.mode ?? "") === "lines");
  const range = axis.which === "x" && lines ? [low, high] : [low - pad, high + pad];
  if (axis.rangemode === "tozero" && low >= 0) range[0] = 0;
  return range;
}

function ticksOf(axis) {
  const [a, b] = [Math.min(...axis.view), Math.max(...axis.view)];
  if (axis.tickvals) {
    return Array.from(axis.tickvals, (value, k) => ({ at: axis.toLinear(value), text: axis.ticktext?.[k] ?? tickText(value, axis) }))
      .filter(tick => tick.at >= a - 1e-9 && tick.at <= b + 1e-9);
  }
  const most = axis.nticks || Math.max(2, Math.round(Math.abs(axis.length) / (axis.which === "x" ? 70 : 55)));
  if (axis.log && b - a > 1.2) {
    const every = Math.max(1, Math.ceil((b - a) / most)), ticks = [];
    for (let power = Math.ceil(a / every) * every; power <= b + 1e-9; power += every) ticks.push({ at: power, text: powerText(power) });
    return ticks;
  }
  if (axis.log) {
    const from = 10 ** a, to = 10 ** b, marks = [];
    // even steps would leave the lower half of such an axis bare
    for (let power = Math.floor(a); power <= b; power++) marks.push(...[1, 2, 5].map(digit => Number((digit * 10 ** power).toPrecision(1))));
    const within = marks.filter(value => value >= from * 0.9999 && value <= to * 1.0001);
    if (within.length > 2) return within.map(value => ({ at: Math.log10(value), text: tickText(value, axis) }));
    return linearTicks(from, to, Math.max(most, 4)).filter(v => v > 0).map(value => ({ at: Math.log10(value), text: tickText(value, axis) }));
  }
  const whole = axis.tickformat === "d";  // between whole numbers there is nothing to count
  return linearTicks(a, b, most).filter(v => !whole || Number.isInteger(v)).map(value => ({ at: value, text: tickText(value, axis) }));
}

function linearTicks(a, b, most) {
  const rough = (b - a) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(factor => factor * power >= rough * 0.999), ticks = [];
  for (let k = Math.ceil(a / step - 1e-9); k * step <= b + 1e-9 * step; k++) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

const tickText = (value, axis) => (axis.tickformat ? formatted(value, axis.tickformat) : formatted(value));
const powerText = power => (power === 0 ? "1" : power === 1 ? "10" : `10${[...String(power)].map(c => SUPERSCRIPT[c]).join("")}`);
const axisKey = (name, which) => `${which}axis${name.slice(1)}`;

/** A figure made ready: arrays unpacked, axes with their ranges. `views` {axis name: range} is the visitor's zoom. */
function prepared(figure) {
  const layout = figure.layout, traces = figure.data.map(unpackTrace), axes = {};
  for (const which of ["x", "y"])
    for (const name of new Set(traces.map(t => t[`${which}axis`] ?? which)))
      axes[name] = makeAxis(layout[axisKey(name, which)] ?? {}, traces, name, which);
  for (const axis of Object.values(axes))
    if (axes[axis.matches]) axis.full = axes[axis.matches].full;
  const cells = [...new Set(traces.map(t => `${t.xaxis ?? "x"} ${t.yaxis ?? "y"}`))].map(pair => {
    const [x, y] = pair.split(" ");
    return { x: axes[x], y: axes[y], traces: traces.filter(t => (t.xaxis ?? "x") === x && (t.yaxis ?? "y") === y) };
  });
  return { layout, traces, axes, cells };
}

/** Give every axis its pixels in a box of width x height, equal scales where the figure asks for them. */
function arrange(ready, width, height, margin, views) {
  const inner = { left: margin.l, top: margin.t, width: width - margin.l - margin.r, height: height - margin.t - margin.b };
  for (const axis of Object.values(ready.axes)) {
    axis.view = [...(views?.[axis.name] ?? axis.full)];
    const [low, high] = axis.domain;
    if (axis.which === "x") { axis.start = inner.left + low * inner.width; axis.length = (high - low) * inner.width; }
    else { axis.start = inner.top + (1 - low) * inner.height; axis.length = -(high - low) * inner.height; }
  }
  for (const { x, y } of ready.cells) {
    if (y.scaleanchor !== x.name) continue;
    const perX = x.length / (x.view[1] - x.view[0]), perY = -y.length / (y.view[1] - y.view[0]), scale = Math.min(perX, perY);
    const dx = x.length - scale * (x.view[1] - x.view[0]), dy = -y.length - scale * (y.view[1] - y.view[0]);
    x.length -= dx;  // to the left, where the title begins
    y.start -= dy; y.length += dy;
  }
}

function drawFigure(context, ready, ink, font, dpr) {
  ready.placed = [];  // boxes of the words written so far
  for (const cell of ready.cells) {
    const contour = cell.traces.find(trace => trace.type === "contour");
    const shade = contour?.colorscale.at(-1)[1] ?? cell.traces.find(trace => trace.meta === "drawing" && trace.fillcolor)?.fillcolor;
    Object.assign(cell, { ink, ground: shade && ready.paper ? blended(shade, ready.paper) : ready.paper });
  }
  for (const cell of ready.cells) drawCell(context, ready, cell, ink, font, dpr);
  for (const annotation of ready.layout.annotations ?? []) drawAnnotation(context, ready, annotation, ink, font);
}

function boxOf({ x, y }) {
  return { left: x.start, top: y.start + y.length, width: x.length, height: -y.length };
}

function drawCell(context, ready, cell, ink, font, dpr) {
  const { x, y, traces } = cell, box = boxOf(cell);
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.width, box.height);
  context.clip();
  for (const trace of traces) if (trace.type === "contour") drawContours(context, trace, cell, box, dpr);
  drawGrid(context, cell, box);
  const shapes = (ready.layout.shapes ?? []).filter(s => matches(s.xref, x) && matches(s.yref, y));
  for (const shape of shapes) if (shape.layer === "below") drawShape(context, shape, cell, box);
  for (const trace of traces) {
    if (trace.type === "heatmap") drawHeatmap(context, trace, cell, font);
    else if (trace.type === "scatter") drawScatterLines(context, trace, cell);
    else if (trace.type !== "contour") throw new Error(`no ${trace.type} trace on a canvas`);
  }
  for (const shape of shapes) if (shape.layer !== "below") drawShape(context, shape, cell, box);
  context.restore();
  for (const trace of traces) if (trace.type === "scatter") drawScatterMarks(context, trace, cell, box, ink, font, ready);
  drawLabels(context, cell, box, ink, font);
}

const matches = (ref, axis) => !ref || ref === axis.name || ref === `${axis.name} domain` || (ref === "paper");

function drawGrid(context, { x, y }, box) {
  context.lineWidth = 1;
  for (const axis of [x, y]) {
    if (axis.showgrid === false) continue;
    context.strokeStyle = axis.gridcolor ?? FAINT_GRID;
    context.beginPath();
    for (const tick of ticksOf(axis)) {
      const at = Math.round(axis.toPixel(axis.fromLinear(tick.at))) + 0.5;
      if (axis === x) { context.moveTo(at, box.top); context.lineTo(at, box.top + box.height); }
      else { context.moveTo(box.left, at); context.lineTo(box.left + box.width, at); }
    }
    context.stroke();
  }
}

function drawLabels(context, { x, y }, box, ink, font) {
  context.fillStyle = ink;
  context.font = `${TICK_FONT}px ${font}`;
  if (x.showticklabels !== false) {
    context.textAlign = "center"; context.textBaseline = "top";
    let end = -Infinity;
    for (const tick of ticksOf(x)) {
      const at = x.toPixel(x.fromLinear(tick.at)), half = context.measureText(tick.text).width / 2;
      if (at - half < end + 4) continue;  // labels that would touch
      context.fillText(tick.text, at, box.top + box.height + 6);
      end = at + half;
    }
  }
  context.textAlign = "right"; context.textBaseline = "middle";
  let widest = 0;
  for (const tick of ticksOf(y)) {
    context.fillText(tick.text, box.left - 7, y.toPixel(y.fromLinear(tick.at)));
    widest = Math.max(widest, context.measureText(tick.text).width);
  }
  context.font = `14px ${font}`;
  context.textAlign = "center"; context.textBaseline = "top";
  if (x.title?.text) context.fillText(plain(x.title.text), box.left + box.width / 2, box.top + box.height + 24);
  if (y.title?.text) {
    const lines = y.title.text.split("<br>");
    context.save();
    context.translate(Math.max(9 + 8 * (lines.length - 1), box.left - Math.max(48, widest + 17) - 8 * (lines.length - 1)), box.top + box.height / 2);
    context.rotate(-Math.PI / 2);
    context.textBaseline = "middle";
    lines.forEach((line, k) => context.fillText(plain(line), 0, 16 * (k - (lines.length - 1) / 2)));
    context.restore();
  }
}

const plain = text => text.replace(/<[^>]*>/g, "");

function drawContours(context, trace, { x, y }, box, dpr) {
  const { start, end, size } = trace.contours, bands = Math.round((end - start) / size) + 1;
  const columns = Math.max(1, Math.round(box.width * dpr)), rows = Math.max(1, Math.round(box.height * dpr));
  const nx = trace.x.length, ny = trace.y.length, [x0, x1] = [trace.x[0], trace.x[nx - 1]], [y0, y1] = [trace.y[0], trace.y[ny - 1]];
  const from = rgba(trace.colorscale[0][1]), to = rgba(trace.colorscale[trace.colorscale.length - 1][1]), line = rgba(trace.line.color);
  const image = context.createImageData(columns, rows), pixels = new Uint32Array(image.data.buffer);
  const palette = Uint32Array.from({ length: bands + 1 }, (_, k) => packedColor(from.map((c, j) => c + (to[j] - c) * Math.min(1, k / bands))));
  const edge = Uint32Array.from(palette, color => over(color, line));
  const toColumn = c => (x.fromPixel(box.left + (c + 0.5) / dpr) - x0) / (x1 - x0) * (nx - 1);
  const toRow = r => (y.fromPixel(box.top + (r + 0.5) / dpr) - y0) / (y1 - y0) * (ny - 1);
  const u0 = toColumn(0), du = toColumn(1) - u0, levels = Array.from(trace.z, row => Float32Array.from(row, z => (z - start) / size + 1));
  const blended = new Float32Array(nx), band = new Int16Array(columns), previous = new Int16Array(columns).fill(-1);
  for (let r = 0; r < rows; r++) {
    const v = toRow(r), j = Math.min(ny - 2, Math.floor(v)), fv = v - j, inside = v >= 0 && v <= ny - 1;
    if (inside) for (let i = 0; i < nx; i++) blended[i] = levels[j][i] + (levels[j + 1][i] - levels[j][i]) * fv;
    for (let c = 0, u = u0; c < columns; c++, u += du) {
      if (!inside || u < 0 || u > nx - 1) { band[c] = -1; continue; }
      const i = Math.min(nx - 2, u | 0), level = blended[i] + (blended[i + 1] - blended[i]) * (u - i);
      const here = level < 0 ? 0 : level >= bands ? bands : level | 0;
      band[c] = here;
      const isEdge = (c && band[c - 1] >= 0 && here !== band[c - 1]) || (previous[c] >= 0 && here !== previous[c]);
      pixels[r * columns + c] = isEdge ? edge[here] : palette[here];
    }
    previous.set(band);
  }
  const sheet = new OffscreenCanvas(columns, rows);
  sheet.getContext("2d").putImageData(image, 0, 0);  // putImageData itself knows neither clip nor scale
  context.drawImage(sheet, box.left, box.top, box.width, box.height);
}

const rgba = color => {
  const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
  return [r, g, b, a];
};
const packedColor = ([r, g, b, a]) => ((Math.round(255 * a) << 24) | (b << 16) | (g << 8) | r) >>> 0;

function over(color, [r, g, b, a]) {
  const below = (color >>> 24) / 255, alpha = a + below * (1 - a);
  const mixed = [r, g, b].map((c, k) => (c * a + ((color >>> (8 * k)) & 255) * below * (1 - a)) / (alpha || 1));
  return packedColor([...mixed, alpha]);
}

function colorAt(scale, share) {
  let found = scale[0][1];
  for (const [stop, color] of scale) if (share >= stop - 1e-9) found = color;
  return found;
}

function drawHeatmap(context, trace, { x, y, ink }, font) {
  const gapX = trace.xgap ?? 0, gapY = trace.ygap ?? 0, span = trace.zmax - trace.zmin;
  // cells end on whole pixels, or their blurred edges would draw stripes
  const edge = (axis, value) => Math.round(axis.toPixel(value));
  const columns = Array.from({ length: (trace.z[0]?.length ?? 0) + 1 }, (_, i) => edge(x, trace.x0 + (i - 0.5) * trace.dx));
  context.font = `${trace.textfont?.size ?? 14}px ${font}`;
  context.textAlign = "center"; context.textBaseline = "middle";
  trace.z.forEach((row, j) => {
    const ends = [edge(y, trace.y0 + (j - 0.5) * trace.dy), edge(y, trace.y0 + (j + 0.5) * trace.dy)], top = Math.min(...ends), height = Math.abs(ends[1] - ends[0]);
    for (let i = 0; i < row.length; i++) {
      const left = columns[i], width = columns[i + 1] - left;
      const color = Number.isNaN(row[i]) ? null : colorAt(trace.colorscale, (row[i] - trace.zmin) / span);
      if (color) {  // else a gap
        context.fillStyle = color;
        context.fillRect(left, top, Math.max(1, width - gapX), Math.max(1, height - gapY));
      }
      if (trace.texttemplate && trace.text) {
        context.fillStyle = !color ? ink : contrast(color, "#ffffff") >= 4.5 ? "#ffffff" : "#000000";
        context.fillText(trace.text[j][i], left + width / 2, top + height / 2);
      }
    }
  });
}

function drawScatterLines(context, trace, cell) {
  const { x, y } = cell;
  if (!(trace.mode ?? "lines").includes("lines")) return;
  context.save();
  const pen = visible(trace.line?.color ?? "#7f8791", trace.opacity ?? 1, cell);
  context.globalAlpha = pen.alpha;
  context.lineJoin = "round";
  context.beginPath();
  let drawing = false;
  for (let k = 0; k < trace.x.length; k++) {
    const px = x.toPixel(trace.x[k]), py = y.toPixel(trace.y[k]);
    if (!Number.isFinite(px) || !Number.isFinite(py)) { drawing = false; continue; }
    // far outside the canvas a coordinate is only rounding error to the painter
    const cx = Math.max(-1e5, Math.min(1e5, px)), cy = Math.max(-1e5, Math.min(1e5, py));
    if (drawing) context.lineTo(cx, cy); else context.moveTo(cx, cy);
    drawing = true;
  }
  if (trace.fill === "toself") { context.fillStyle = trace.fillcolor; context.fill(); }
  if ((trace.line?.width ?? 2) > 0) {
    context.strokeStyle = pen.color;
    context.lineWidth = trace.line?.width ?? 2;
    context.setLineDash(dashOf(trace.line));
    context.stroke();
  }
  context.restore();
}

const dashOf = line => ({ dash: [9, 6], dot: [2, 4], dashdot: [9, 4, 2, 4], longdash: [16, 6], longdashdot: [16, 5, 2, 5] })[line?.dash] ?? [];
const each = (value, k) => (Array.isArray(value) || ArrayBuffer.isView(value) ? value[k] : value);

function drawScatterMarks(context, trace, cell, box, ink, font, ready) {
  const { x, y } = cell;
  const mode = trace.mode ?? "lines";
  if (!mode.includes("markers") && !mode.includes("text")) return;
  for (let k = 0; k < trace.x.length; k++) {
    const px = x.toPixel(trace.x[k]), py = y.toPixel(trace.y[k]);
    if (!(px >= box.left - 1 && px <= box.left + box.width + 1 && py >= box.top - 1 && py <= box.top + box.height + 1)) continue;
    if (mode.includes("markers")) drawMarker(context, trace, k, px, py, cell);
    if (mode.includes("text")) drawBesides(context, each(trace.text, k), each(trace.textposition, k), px, py, ink, `${trace.textfont?.size ?? 14}px ${font}`, ready);
  }
}

function drawBesides(context, text, position, px, py, ink, font, ready) {
  context.font = font;
  context.fillStyle = ink;
  context.textBaseline = "middle";
  context.textAlign = position?.includes("left") ? "right" : position?.includes("right") ? "left" : "center";
  const aside = context.textAlign === "center" ? 0 : context.textAlign === "left" ? 5 : -5;
  const lift = position?.includes("top") ? -16 : position?.includes("bottom") ? 16 : 0;
  const { width } = context.measureText(text), start = px + aside - ({ right: width, center: width / 2 }[context.textAlign] ?? 0);
  ready.placed.push({ left: start, top: py + lift - 8, right: start + width, bottom: py + lift + 8 });
  writeOver(context, text, px + aside, py + lift, ready.paper);
}

/** Words with the paper's color around them: a line that they cover does not strike them out. */
function writeOver(context, text, x, y, paper) {
  if (paper) {
    context.save();
    Object.assign(context, { strokeStyle: paper, lineWidth: 3, lineJoin: "round", globalAlpha: 0.8 });
    context.strokeText(text, x, y);
    context.restore();
  }
  context.fillText(text, x, y);
}

const paperOf = style => style.getPropertyValue("--st-background-color").trim();

/** A line's hue as words are written in it, which need 4.5:1 (WCAG 2, 1.4.3); a glyph keeps the hue of what it stands for. */
const legible = ({ text, color }, style) => (/[\p{L}\d]/u.test(text) ? reaching(4.5, color, 1, paperOf(style), style.color) : color);

/** Color and opacity of a line or a marker, which need 3:1 (WCAG 2, 1.4.11) on what is behind: stronger first, and only
 * then another hue. What is meant to be faint stays so, and a ring in black and white is seen on anything. */
function visible(color, alpha, { ground, ink }) {
  if (alpha < 0.5 || !ground || /^#(0{6}|f{6})$/i.test(color)) return { color, alpha };
  const strong = [alpha, (alpha + 1) / 2, 1].find(one => one === 1 || reaching(3, color, one, ground, ink) === color);
  return { color: reaching(3, color, strong, ground, ink), alpha: strong };
}

function drawMarker(context, trace, k, px, py, cell) {
  const marker = trace.marker ?? {}, color = each(marker.color, k) ?? trace.line?.color ?? "#7f8791", symbol = each(marker.symbol, k) ?? "circle";
  const radius = (each(marker.size, k) ?? 6) / 2;
  context.save();
  const pen = visible(color, trace.opacity ?? 1, cell);
  context.globalAlpha = pen.alpha;
  context.translate(px, py);
  context.rotate((each(marker.angle, k) ?? 0) * Math.PI / 180);
  context.beginPath();
  if (symbol.startsWith("circle")) context.arc(0, 0, radius, 0, 2 * Math.PI);
  else outlineOf(symbol.replace("-open", ""), radius).forEach(([a, b], n) => (n ? context.lineTo(a, b) : context.moveTo(a, b)));
  context.closePath();
  context.strokeStyle = context.fillStyle = pen.color;
  context.lineWidth = marker.line?.width || 1.6;
  if (symbol.endsWith("-open")) context.stroke(); else context.fill();
  context.restore();
}

function outlineOf(symbol, r) {
  if (symbol === "square") return [[-r, -r], [r, -r], [r, r], [-r, r]];
  if (symbol === "diamond") return [[0, -1.3 * r], [1.3 * r, 0], [0, 1.3 * r], [-1.3 * r, 0]];
  if (symbol === "arrow") return [[0, 0], [0.8 * r, 2 * r], [0, 1.5 * r], [-0.8 * r, 2 * r]];
  if (symbol === "triangle-up") return [[0, -1.2 * r], [1.1 * r, 0.9 * r], [-1.1 * r, 0.9 * r]];
  if (symbol === "cross") return [[-r, -0.4 * r], [-0.4 * r, -0.4 * r], [-0.4 * r, -r], [0.4 * r, -r], [0.4 * r, -0.4 * r], [r, -0.4 * r],
    [r, 0.4 * r], [0.4 * r, 0.4 * r], [0.4 * r, r], [-0.4 * r, r], [-0.4 * r, 0.4 * r], [-r, 0.4 * r]];
  if (symbol === "x") return [[-r, -r], [0, -0.4 * r], [r, -r], [0.4 * r, 0], [r, r], [0, 0.4 * r], [-r, r], [-0.4 * r, 0]];
  if (symbol === "star") return Array.from({ length: 10 }, (_, k) => {
    const size = 1.4 * (k % 2 ? 0.45 * r : r), angle = k * Math.PI / 5;
    return [size * Math.sin(angle), -size * Math.cos(angle)];
  });
  throw new Error(`no ${symbol} marker on a canvas`);
}

function drawShape(context, shape, { x, y }, box) {
  const across = ref => ref === "paper" || String(ref).endsWith("domain");
  const [x0, x1] = across(shape.xref) ? [box.left, box.left + box.width] : [x.toPixel(shape.x0), x.toPixel(shape.x1)];
  const [y0, y1] = across(shape.yref) ? [box.top, box.top + box.height] : [y.toPixel(shape.y0), y.toPixel(shape.y1)];
  context.save();
  context.globalAlpha = shape.opacity ?? 1;
  if (shape.fillcolor && shape.type === "rect") { context.fillStyle = shape.fillcolor; context.fillRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)); }
  if (shape.line?.width !== 0) {
    context.strokeStyle = shape.line?.color ?? "grey";
    context.lineWidth = shape.line?.width ?? 2;
    context.setLineDash(dashOf(shape.line));
    context.beginPath(); context.moveTo(x0, y0); context.lineTo(x1, y1); context.stroke();
  }
  context.restore();
}

/** The text of an annotation in runs of one color: `<span style='color:...'>` and `<b>` are understood. */
function runsOf(text, ink) {
  const runs = [];
  let color = ink, bold = false;
  for (const piece of text.split(/(<[^>]*>)/)) {
    if (piece.startsWith("<span")) color = /color:\s*([^;'"]+)/.exec(piece)?.[1] ?? ink;
    else if (piece === "</span>") color = ink;
    else if (piece === "<b>" || piece === "</b>") bold = piece === "<b>";
    else if (piece) runs.push({ text: piece, color, bold });
  }
  return runs;
}

function drawAnnotation(context, ready, annotation, ink, font) {
  const x = ready.axes[String(annotation.xref ?? "x").split(" ")[0]] ?? ready.cells[0]?.x, y = ready.axes[String(annotation.yref ?? "y").split(" ")[0]] ?? ready.cells[0]?.y;
  if (!x || !y) return;
  const box = boxOf({ x, y });
  const share = ref => ref === "paper" || String(ref).endsWith("domain");
  // an annotation on a logarithmic axis is given by its exponent
  const px = share(annotation.xref) ? box.left + annotation.x * box.width : x.toPixel(x.fromLinear(annotation.x));
  const py = share(annotation.yref) ? box.top + (1 - annotation.y) * box.height : y.toPixel(y.fromLinear(annotation.y));
  if (!(px >= box.left - 30 && px <= box.left + box.width + 30 && py >= box.top - 30 && py <= box.top + box.height + 30)) return;
  const size = annotation.font?.size ?? 14, runs = runsOf(annotation.text, annotation.font?.color ?? ink);
  const widths = runs.map(run => { context.font = `${run.bold ? "bold " : ""}${size}px ${font}`; return context.measureText(run.text).width; });
  const total = widths.reduce((a, b) => a + b, 0);
  const at = px + (annotation.xshift ?? 0), beside = { left: [at, at - total], right: [at - total, at] }[annotation.xanchor] ?? [at - total / 2];
  const wanted = py - (annotation.yshift ?? 0) + (annotation.yanchor === "top" ? 0.6 * size : annotation.yanchor === "bottom" ? -0.6 * size : 0);
  const { left, middle } = freePlace(ready, { x, y }, beside, total, py, wanted, size + 3, box);
  context.textAlign = "left"; context.textBaseline = "middle";
  let start = left;
  runs.forEach((run, k) => {
    context.font = `${run.bold ? "bold " : ""}${size}px ${font}`;
    context.fillStyle = legible(run, ready.style);
    writeOver(context, run.text, start, middle, ready.paper);
    start += widths[k];
  });
}

const APART = 5;  // pixels from one name to the next in a row, or two would read as one

/** Where words of this width and height hide none that stand already and are struck out by no line: as wanted; on the
 * other side of the point (height `py`) or under it; a row or two away, or farther beside it. Of places that are as bad, the first. */
function freePlace(ready, { x, y }, beside, width, py, wanted, height, box) {
  const at = (start, middle) => {
    const left = Math.max(2, Math.min(start, box.left + box.width + 14 - width));
    return { left, middle, right: left + width, top: middle - height / 2, bottom: middle + height / 2 };
  };
  const lines = ready.traces.filter(trace => isLine(trace) && ready.axes[trace.xaxis ?? "x"] === x && ready.axes[trace.yaxis ?? "y"] === y);
  const wordsAt = place => ready.placed.filter(other => place.left < other.right + APART && place.right > other.left - APART && place.top < other.bottom && place.bottom > other.top).length;
  const [side, other = side] = beside, under = 2 * py - wanted, first = at(side, wanted);
  const turned = wordsAt(first) ? [] : [at(other, under), at(other, wanted), at(side, under)];
  const aside = other < side ? 1 : -1;  // away from the point
  const moved = [...turned, ...[-1, 1, -2, 2].map(row => at(side, wanted + row * height)), ...[12, 24, 48].map(by => at(side + aside * by, wanted))];
  // no farther out than the plot, or than where the words begin anyway: beside it are the ticks, above it the title
  const inside = ({ left, top, bottom }) => left >= Math.min(box.left, first.left) && top >= Math.min(box.top, first.top) && bottom <= box.top + box.height;
  let best, least = Infinity;
  for (const place of [first, ...moved.filter(inside)]) {
    const bad = 100 * wordsAt(place) + lines.filter(trace => crosses(trace, x, y, place)).length;
    if (bad < least) [best, least] = [place, bad];
    if (!bad) break;
  }
  ready.placed.push(best);
  return best;
}

const isLine = trace => trace.type === "scatter" && (trace.mode ?? "lines").includes("lines") && (trace.line?.width ?? 2) > 0 && (trace.opacity ?? 1) >= 0.5;

/** Whether a line runs through the middle of words, where it would strike them out. */
function crosses(trace, x, y, { left, right, middle }) {
  let [fromX, fromY] = [NaN, NaN];
  for (let k = 0; k < trace.x.length; k++) {
    const [toX, toY] = [x.toPixel(trace.x[k]), y.toPixel(trace.y[k])], [low, high] = [Math.max(left, Math.min(fromX, toX)), Math.min(right, Math.max(fromX, toX))];
    if (low <= high) {  // false beside a gap
      const ends = fromX === toX ? [fromY, toY] : [low, high].map(px => fromY + (px - fromX) / (toX - fromX) * (toY - fromY));
      if (Math.min(...ends) < middle + 6 && Math.max(...ends) > middle - 6) return true;
    }
    [fromX, fromY] = [toX, toY];
  }
  return false;
}

/** The hover text nearest to a pixel, and where it belongs; null where nothing is near. */
function hoverAt(ready, px, py) {
  let best = null, bestDistance = 22 ** 2;
  for (const cell of ready.cells) {
    const box = boxOf(cell), { x, y } = cell;
    if (px < box.left || px > box.left + box.width || py < box.top || py > box.top + box.height) continue;
    for (const trace of cell.traces) {
      if (trace.hoverinfo === "skip" || !trace.hovertemplate) continue;
      if (trace.type === "heatmap") {
        const i = Math.round((x.fromPixel(px) - trace.x0) / trace.dx), j = Math.round((y.fromPixel(py) - trace.y0) / trace.dy);
        if (trace.z[j]?.[i] === undefined) continue;
        const values = { x: wordAt(x, trace.x0 + i * trace.dx), y: wordAt(y, trace.y0 + j * trace.dy), z: trace.z[j][i], text: trace.text?.[j]?.[i], customdata: trace.customdata?.[j]?.[i] };
        return { px, py, text: filled(trace.hovertemplate, values) };
      }
      if (trace.type !== "scatter") continue;
      for (let k = 0; k < trace.x.length; k++) {
        const dx = x.toPixel(trace.x[k]) - px, dy = y.toPixel(trace.y[k]) - py, distance = dx * dx + dy * dy;
        if (distance < bestDistance) {
          bestDistance = distance;
          best = { px: px + dx, py: py + dy, trace, k };
        }
      }
    }
  }
  if (!best) return null;
  const { trace, k } = best;
  const { x, y } = ready.cells.find(cell => cell.traces.includes(trace));
  const values = { x: wordAt(x, trace.x[k]), y: trace.y[k], text: each(trace.text, k), customdata: trace.customdata?.[k] };
  return { px: best.px, py: best.py, text: filled(trace.hovertemplate, values) };
}

/** What stands at the axis for this value, where that is a word. */
const wordAt = (axis, value) => (axis.ticktext && axis.tickvals ? axis.ticktext[axis.tickvals.indexOf(value)] || value : value);

function filled(template, values) {
  return template.replace(/<extra>.*<\/extra>/, "").replace(/%\{(\w+)(?:\[(\d+)\])?(?::([^}]*))?\}/g, (_, name, index, format) =>
    String(formatted(index === undefined ? values[name] : values[name]?.[Number(index)], format)).trim());
}
