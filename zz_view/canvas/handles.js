// Handles: places on a plane (start, target) that the visitor drags, moves with the arrow keys, or clicks and then clicks
// where they should be. Only the dropped place goes to the server; until its run is drawn, the browser steps the run
// itself (follow.js), as far as that is a matter of milliseconds, or draws a line that shows the new way.
const MOST_UNDONE = 50;
const CLICK = 4;  // pixels that a hand may move in a click
const KEY_STEP = 8, FINE_STEP = 1;  // pixels
const KEYS_REST = 350;  // milliseconds without a key until the place counts as dropped
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PICTURES = { start: "M12 7a5 5 0 1 1 0 10 5 5 0 0 1 0-10z", target: "M12 3.5l2.4 5.6 6.1.5-4.6 4 1.4 6-5.3-3.2-5.3 3.2 1.4-6-4.6-4 6.1-.5z" };
const MOST_DRAWN = 2000;  // points of a path, as in zz_view/figures/trajectories.py
const MOST_BROAD = 400;  // of them in a broad line: a hairline of 2,000 is painted in 1 ms, a broad one in 15 to 40
const dropped = new Map();  // by group of boards: what stood in the sidebar before and after each drop

/** With one kind of floating numbers, or the browser could not compile the steps for it. */
const allUnpacked = parts => Object.fromEntries(Object.entries(parts).map(([name, part]) => {
  if (!part?.bdata) return [name, part?.constructor === Object ? allUnpacked(part) : part];
  const array = unpacked(part);
  return [name, array instanceof Float32Array ? Float64Array.from(array) : array];
}));

class Handles {
  constructor(chart) {
    this.chart = chart;
    this.nodes = new Map();
    this.note = element("div", { class: "note", hidden: "" }, chart.stage);
    this.moved = null;  // {name, at}: what has not been answered yet
    this.drag = this.keys = this.armed = null;
    let pressed = null;
    chart.base.addEventListener("pointerdown", event => { pressed = [event.clientX, event.clientY]; });
    chart.base.addEventListener("click", event => {
      if (!this.armed || !pressed || Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 2 * CLICK) return;
      const name = this.armed;
      this.arm(null);
      this.move(name, this.pixelOf(event));
      this.drop();
    });
  }

  update(data) {
    this.data = data;
    this.run = data?.run && allUnpacked(data.run);
    const names = (data?.places ?? []).map(place => place.name);
    for (const [name, node] of this.nodes) if (!names.includes(name)) { node.remove(); this.nodes.delete(name); }
    for (const place of data?.places ?? []) if (!this.nodes.has(place.name)) this.nodes.set(place.name, this.made(place));
    if (!this.drag && !this.keys) this.moved = null;
    const last = dropped.get(this.chart.board.group)?.at(-1);
    if (last && data) last.after ??= JSON.stringify(data.fields);
    if (this.armed && !this.nodes.has(this.armed)) this.arm(null);
  }

  made({ name, label }) {
    const node = element("div", { class: "handle", role: "slider", tabindex: "0", "aria-label": label, "data-name": name,
      "aria-valuemin": name === "start" ? "-100" : "0", "aria-valuemax": name === "start" ? "100" : "360" }, this.chart.stage);
    node.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${PICTURES[name]}"/></svg>`;
    this.chart.stage.insertBefore(node, this.note);
    node.onpointerdown = event => this.grab(name, event);
    node.onpointermove = event => this.pull(event);
    node.onpointerup = event => this.release(event);
    node.onpointercancel = node.onlostpointercapture = () => this.cancel();
    node.onkeydown = event => this.key(name, event);
    node.ondblclick = () => this.undo();
    node.onwheel = event => this.chart.base.onwheel(event);
    node.onpointerenter = node.onfocus = () => this.tell(name);
    node.onpointerleave = node.onblur = () => { if (!this.drag) this.note.hidden = true; };
    return node;
  }

  /** Where a place is now: as the server knows it, or as the visitor has just moved it. */
  at(name) { return this.moved?.name === name ? this.moved.at : this.data.places.find(place => place.name === name)?.at ?? this.data.target; }

  /** A place in the units of the picture. */
  toSpot([along, across]) {
    const [[a, b], [c, d]] = this.data.frame, size = a * d - b * c;
    return [(d * along - b * across) / size, (a * across - c * along) / size];
  }

  toPixel(place) {
    const { x, y } = this.chart.ready.cells[0], [u, v] = this.toSpot(place);
    return [x.toPixel(u), y.toPixel(v)];
  }

  /** Whether the run can be drawn from where the handles are: the labels' target does not move, and has no slopes. */
  get follows() { return Boolean(this.moved && this.run && (this.moved.name === "start" || this.run.slopes)); }

  /** The run between two places, in the units of the picture: points (u, v), one after the other. */
  follow(start, target) {
    const before = [...this.data.target, ...this.data.places.find(place => place.name === "start").at];
    return followed(this.run, this.toSpot(start), [...target, ...start].map((value, k) => value - before[k]));
  }

  /** Of a long path as many points as can be told apart, the last among them. */
  drawable(path) {
    const last = path.length / 2 - 1, every = Math.ceil(last / MOST_DRAWN) || 1;
    return Array.from({ length: Math.ceil(last / every) + 1 }, (_, k) => 2 * Math.min(k * every, last)).map(at => [path[at], path[at + 1]]);
  }

  toPlace([px, py]) {
    const { x, y } = this.chart.ready.cells[0], [u, v] = [x.fromPixel(px), y.fromPixel(py)];
    return this.data.frame.map(([a, b]) => a * u + b * v);
  }

  /** How far a pixel reaches, in the units of a place. */
  get grain() {
    const { x } = this.chart.ready.cells[0], [[a, b], [c, d]] = this.data.frame;
    return Math.max(Math.hypot(a, c), Math.hypot(b, d)) * Math.abs((x.view[1] - x.view[0]) / x.length);
  }

  pixelOf(event) {
    const box = this.chart.base.getBoundingClientRect(), big = typeScale();
    return [(event.clientX - box.left) / big, (event.clientY - box.top) / big];
  }

  get twins() { return [...this.chart.board.charts.values()].map(chart => chart.handles).filter(handles => handles.data); }

  move(name, [px, py]) {
    const box = boxOf(this.chart.ready.cells[0]);
    const inside = [Math.max(box.left, Math.min(box.left + box.width, px)), Math.max(box.top, Math.min(box.top + box.height, py))];
    this.show({ name, at: this.toPlace(inside) });
    this.tell(name);
  }

  /** The same place in all pictures of the board. */
  show(moved) {
    for (const twin of this.twins) {
      twin.moved = moved;
      twin.arrange();
      twin.chart.drawStep();
    }
  }

  drop() {
    clearTimeout(this.keys);
    this.keys = null;
    const { name, at } = this.moved, group = this.chart.board.group;
    dropped.set(group, [...(dropped.get(group) ?? []), { before: this.data.fields }].slice(-MOST_UNDONE));
    this.send({ name, at, grain: this.grain });
  }

  undo() {
    const group = this.chart.board.group, last = dropped.get(group)?.pop();
    if (last?.after === JSON.stringify(this.data.fields)) this.send({ undo: last.before });
    else dropped.delete(group);  // the sidebar has changed them since, and is not to be overruled
  }

  send(what) {
    const windows = {};
    for (const { chart } of this.twins) {
      const { x, y } = chart.ready.cells[0];
      windows[chart.key] = [...x.full, ...y.full];
    }
    this.chart.board.send({ ...what, windows });
  }

  grab(name, event) {
    if (event.button || this.drag) return;
    const node = this.nodes.get(name), pixel = this.pixelOf(event), spot = this.toPixel(this.at(name));
    event.preventDefault();
    node.focus({ preventScroll: true });
    node.setPointerCapture(event.pointerId);
    this.drag = { name, id: event.pointerId, from: pixel, shift: [spot[0] - pixel[0], spot[1] - pixel[1]], far: false };
  }

  pull(event) {
    if (event.pointerId !== this.drag?.id) return;
    const [px, py] = this.pixelOf(event), { from, shift, name } = this.drag;
    if (Math.hypot(px - from[0], py - from[1]) > CLICK) this.drag.far = true;
    if (!this.drag.far) return;
    this.arm(null);
    this.nodes.get(name).classList.add("held");
    this.move(name, [px + shift[0], py + shift[1]]);
  }

  release(event) {
    if (event.pointerId !== this.drag?.id) return;
    const { name, far } = this.drag;
    this.letGo();
    if (far) this.drop(); else this.arm(this.armed === name ? null : name);
  }

  cancel() {
    if (!this.drag) return;
    this.letGo();
    this.show(null);
  }

  letGo() {
    this.nodes.get(this.drag.name)?.classList.remove("held");
    this.drag = null;
    this.note.hidden = true;
  }

  arm(name) {
    this.armed = name;
    for (const [each, node] of this.nodes) node.classList.toggle("armed", each === name);
    if (name) this.tell(name);
  }

  key(name, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow && !this.drag) {
      const step = event.shiftKey ? FINE_STEP : KEY_STEP, [px, py] = this.toPixel(this.at(name));
      this.move(name, [px + step * arrow[0], py + step * arrow[1]]);
      clearTimeout(this.keys);
      this.keys = setTimeout(() => this.drop(), KEYS_REST);
    } else if (event.key === "Enter" && this.keys) this.drop();
    else if (event.key === "Enter" || event.key === " ") this.arm(this.armed === name ? null : name);
    else if (event.key === "Escape") this.escape();
    else return;
    event.preventDefault();
  }

  escape() {
    if (this.drag) this.cancel();
    else if (this.keys) { clearTimeout(this.keys); this.keys = null; this.show(null); }
    else if (this.armed) this.arm(null);
    else this.undo();
    this.note.hidden = true;
  }

  /** Where a place is, in words. */
  words(name) {
    const two = value => formatted(Number(value.toPrecision(3))), start = this.at("start"), at = this.at(name);
    if (name === "start") return `along the mean ${two(at[0])}, across it ${two(at[1])}`;
    const way = [at[0] - start[0], at[1] - start[1]], angle = (Math.atan2(way[1], way[0]) * 180 / Math.PI + 360) % 360;
    return `${two(Math.round(angle))}° from the mean, ${two(Math.hypot(...way))} from the start`;
  }

  tell(name) {
    const label = this.nodes.get(name).getAttribute("aria-label"), big = typeScale(), spot = this.toPixel(this.at(name));
    const many = value => value.toLocaleString("en-US"), { steps, of } = this.run ?? {};
    const part = this.follows && steps < of ? `\nFirst ${many(steps)} of ${many(of)} steps` : "";
    this.note.textContent = this.armed === name ? `Click where the ${label.toLowerCase()} should be` : `${label}: ${this.words(name)}${part}`;
    this.note.hidden = false;
    const left = spot[0] * big + 22 > this.chart.stage.clientWidth - this.note.offsetWidth ? spot[0] * big - 22 - this.note.offsetWidth : spot[0] * big + 22;
    this.note.style.translate = `${Math.max(0, left)}px ${Math.max(0, spot[1] * big - this.note.offsetHeight - 14)}px`;
  }

  /** Put the handles where their places are drawn; out of sight what the visitor has zoomed away from. */
  arrange() {
    this.chart.stage.classList.toggle("following", this.follows);
    if (!this.data || !this.chart.width) return;
    const box = boxOf(this.chart.ready.cells[0]), big = typeScale();
    for (const [name, node] of this.nodes) {
      const [px, py] = this.toPixel(this.at(name));
      node.hidden = !(px >= box.left - 1 && px <= box.left + box.width + 1 && py >= box.top - 1 && py <= box.top + box.height + 1);
      node.style.translate = `calc(${px * big}px - 50%) calc(${py * big}px - 50%)`;
      node.classList.toggle("moved", this.moved?.name === name);
      const start = this.at("start"), at = this.at(name);
      const now = name === "start" ? at[0] : (Math.atan2(at[1] - start[1], at[0] - start[0]) * 180 / Math.PI + 360) % 360;
      node.setAttribute("aria-valuenow", String(Math.round(100 * now) / 100));
      node.setAttribute("aria-valuetext", this.words(name));
    }
  }

  /** The run that would be, or the straight way from the start to the target, as long as no run has answered. */
  draw(context) {
    if (!this.follows && !(this.moved && this.nodes.has(this.moved.name) && this.nodes.has("target"))) return;
    const cell = this.chart.ready.cells[0], box = boxOf(cell), ends = [this.at("start"), this.at("target")];
    const far = pixel => Math.max(-1e5, Math.min(1e5, pixel));  // outside, it is only rounding error to the painter
    context.save();
    context.beginPath(); context.rect(box.left, box.top, box.width, box.height); context.clip();
    context.beginPath();
    if (this.follows) {
      const path = this.chart.source.figure.data.findLast(trace => trace.mode === "lines" && trace.opacity && !trace.line.dash);
      const points = this.drawable(this.follow(...ends)).map(([u, v]) => [far(cell.x.toPixel(u)), far(cell.y.toPixel(v))]);
      context.strokeStyle = path?.line.color ?? getComputedStyle(this.chart.node).color;
      context.lineJoin = "round";
      context.lineWidth = points.length > MOST_BROAD ? 1 / pixelScale() : 1.8;
      for (const point of points) context.lineTo(...point);
    } else {
      context.strokeStyle = getComputedStyle(this.chart.node).color;
      context.lineWidth = 1.5;
      context.setLineDash([2, 5]);
      for (const place of ends) context.lineTo(...this.toPixel(place));
    }
    context.stroke();
    context.restore();
  }
}
