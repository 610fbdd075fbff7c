// A board: charts side by side on canvases, and perhaps the player that steps through a run. Boards of one group share
// the present step. What the visitor chose (step, zoom) survives a rerun of the page, which calls this again.
const PLAY = "M8 5v14l11-7z", PAUSE = "M6 5h4v14H6zm8 0h4v14h-4z";
const WHOLE_RUN = 12000;  // milliseconds that playing a long run takes
const RING = 8;  // pixels that a mark reaches beyond its point: at the edge of a plot it is whole
const TOP = 8;  // pixels above a plot, as in board.py: titles are text of the page, so that they wrap
const BESIDES = 520;  // pixels of a window that a page needs above and below its planes, as in rooms.py
const shared = (window.zigzagLab ??= { steps: new Map(), zooms: new Map(), boards: new Map(), drawn: 0, speed: 1 });

function element(tag, attributes, parent) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return parent.appendChild(node);
}

/** Words with the few tags that titles use; everything else is text. */
function write(node, html) {
  node.replaceChildren();
  html.split("<br>").forEach((line, row) => {
    if (row) node.append(document.createElement("br"));
    for (const run of runsOf(line, "")) {
      const span = element(run.bold ? "b" : "span", {}, node);
      span.textContent = run.text;
      span.style.color = run.color && legible(run, getComputedStyle(node));
    }
  });
}

const ICONS = { reset: "M12 5V1L7 6l5 5V7a5 5 0 1 1-5 5H5a7 7 0 1 0 7-7z",
  menu: "M12 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4m0 2a2 2 0 1 0 0 4 2 2 0 0 0 0-4m0 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4" };

/** Tables and pictures of a chart, which few visitors ask for: fetched from beside Streamlit's own files when one does. */
const chartTools = () => import(new URL("chart_tools.js", import.meta.url));

/** Pictures grow with the page's type, which a presentation makes larger; their own units stay those of 16 px type. */
const typeScale = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
const pixelScale = () => (window.devicePixelRatio || 1) * typeScale();

class Chart {
  constructor(parent, key) {
    this.key = key;
    this.node = element("figure", { class: `chart st-key-${key}` }, parent);
    this.caption = element("figcaption", {}, this.node);
    this.stage = element("div", { class: "stage" }, this.node);
    this.base = element("canvas", { class: "base", role: "img", tabindex: "0" }, this.stage);
    this.marks = element("canvas", { class: "marks", "aria-hidden": "true" }, this.stage);
    this.tip = element("div", { class: "tip", hidden: "" }, this.stage);
    this.handles = new Handles(this);
    this.tools = element("div", { class: "tools" }, this.node);
    for (const [name, label] of [["reset", "Show everything again"], ["menu", "Data and pictures of this chart"]]) {
      const button = element("button", { type: "button", title: label, "aria-label": label, "data-tool": name }, this.tools);
      button.innerHTML = `<svg viewBox="0 0 24 24"><path d="${ICONS[name]}"/></svg>`;
    }
    [this.resetButton, this.menuButton] = this.tools.children;
    this.resetButton.onclick = () => this.zoom(null);
    this.menuButton.setAttribute("aria-expanded", "false");
    this.menuButton.onclick = () => chartTools().then(tools => tools.toggle(this)).catch(error => {
      console.error(error);
      this.say("This did not load: check the connection, and reload the page.");
    });
    this.listen();
    new ResizeObserver(() => {
      this.measure();
      if (Math.abs(this.room - this.width * typeScale()) > 0.5 || !this.width) this.draw();
    }).observe(this.stage);
  }

  update(data, board) {
    this.board = board;
    this.link = data.link ?? this.key;
    this.source = data;
    this.ready = prepared(data.figure);
    this.steps = data.marks.map(mark => ({ ...mark, ...Object.fromEntries(["x", "y", "dx", "dy"].filter(n => n in mark).map(n => [n, unpacked(mark[n])])) }));
    const { margin, height } = data.figure.layout;
    this.margin = { ...margin, t: TOP };
    this.height = height - margin.t + TOP;
    this.base.setAttribute("aria-label", data.alt);
    this.handles.update(data.handles);
  }

  measure() { this.room = this.stage.clientWidth; }

  /** The title, and what stands under it. */
  head() {
    const { title } = this.source.figure.layout;
    write(this.caption, title?.text ?? "");
    if (title?.subtitle?.text) write(element("div", { class: "subtitle" }, this.caption), title.subtitle.text);
  }

  get zoomed() { return shared.zooms.get(this.link); }

  zoom(views) {
    if (views) shared.zooms.set(this.link, views); else shared.zooms.delete(this.link);
    for (const chart of this.board.charts.values()) if (chart.link === this.link) chart.draw();
  }

  draw() {
    const width = (this.room ?? 0) / typeScale();
    this.width = width;
    if (!width || !this.ready) return;  // not on the screen: the observer calls again
    const dpr = pixelScale(), { margin } = this;
    const equal = this.ready.cells.some(cell => cell.y.scaleanchor);
    const most = this.board.planes ? Math.max(this.height, window.innerHeight / typeScale() - BESIDES) : this.height;
    const height = equal ? Math.min(most, width - margin.l - margin.r + margin.t + margin.b) : this.height;
    this.stage.style.blockSize = `${height * typeScale()}px`;
    const across = Math.round(width * dpr), down = Math.round(height * dpr);
    for (const canvas of [this.base, this.marks])
      if (canvas.width !== across || canvas.height !== down) { canvas.width = across; canvas.height = down; }
    this.tall = height;
    arrange(this.ready, width, height, margin, this.zoomed);
    const context = this.base.getContext("2d");
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    context.clearRect(0, 0, width, height);
    this.paint(context, dpr);
    this.resetButton.hidden = !this.zoomed;
    this.handles.arrange();
    this.drawStep();
  }

  /** The figure without the player's marks, on the canvas or on what writes a file. */
  paint(context, dpr) {
    const style = getComputedStyle(this.node);
    Object.assign(this.ready, { style, paper: paperOf(style) });
    drawFigure(context, this.ready, style.color, style.fontFamily, dpr);
  }

  drawStep() {
    if (!this.width) return;
    const dpr = pixelScale(), context = this.marks.getContext("2d");
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    context.clearRect(0, 0, this.marks.width, this.marks.height);
    this.paintMarks(context);
    if (this.ready.cells[0]) this.handles.draw(context);
  }

  paintMarks(context) {
    const cell = this.ready.cells[0];
    if (!cell || !this.steps.length) return;
    const box = boxOf(cell), t = this.board.step;
    context.save();
    context.beginPath();
    context.rect(box.left - RING, box.top - RING, box.width + 2 * RING, box.height + 2 * RING);
    context.clip();
    this.present = this.steps.map(mark => drawMark(context, mark, t, cell)).filter(Boolean);
    context.restore();
  }

  listen() {
    const at = event => {
      const box = this.base.getBoundingClientRect(), big = typeScale();
      return [(event.clientX - box.left) / big, (event.clientY - box.top) / big];
    };
    let from = null;
    this.base.onpointerdown = event => {
      if (event.pointerType === "touch" || event.button) return;  // a finger scrolls the page
      from = at(event);
      this.base.setPointerCapture(event.pointerId);
    };
    this.base.onpointermove = event => {
      const here = at(event);
      if (from) { this.drawStep(); this.drawFrame(from, here); this.tip.hidden = true; } else this.hover(...here);
    };
    this.base.onpointerup = event => {
      if (!from) return;
      const to = at(event), first = from;
      from = null;
      if (Math.abs(to[0] - first[0]) > 8 && Math.abs(to[1] - first[1]) > 8) this.zoomTo(first, to); else this.drawStep();
    };
    this.base.onpointerleave = () => { this.tip.hidden = true; };
    this.base.ondblclick = () => this.zoom(null);
    this.base.onwheel = event => {
      if (!event.ctrlKey && !event.metaKey) return;  // the wheel alone scrolls the page
      event.preventDefault();
      this.scale(Math.exp(event.deltaY / 300), at(event));
    };
    this.base.onkeydown = event => {
      const cell = this.ready.cells[0], middle = cell && [cell.x.start + cell.x.length / 2, cell.y.start + cell.y.length / 2];
      if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "+" || event.key === "=") this.scale(0.8, middle);
      else if (event.key === "-") this.scale(1.25, middle);
      else if (event.key === "0" || event.key === "Escape") this.zoom(null);
      else if (event.key === " " && this.board.playing) this.board.playing.toggle();
      else if (event.key === "ArrowLeft") this.board.walk(-1);
      else if (event.key === "ArrowRight") this.board.walk(1);
      else return;
      event.preventDefault();
    };
  }

  drawFrame([x0, y0], [x1, y1]) {
    const context = this.marks.getContext("2d");
    context.strokeStyle = getComputedStyle(this.node).color;
    context.setLineDash([4, 3]);
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    context.setLineDash([]);
  }

  cellAt(px, py) {
    return this.ready.cells.find(cell => { const b = boxOf(cell); return px >= b.left && px <= b.left + b.width && py >= b.top && py <= b.top + b.height; });
  }

  zoomTo([x0, y0], [x1, y1]) {
    const cell = this.cellAt(x0, y0);
    if (!cell) return this.drawStep();
    const views = { ...this.zoomed };
    const low = axis => Math.sign(axis.full[1] - axis.full[0]);
    for (const [axis, a, b] of [[cell.x, x0, x1], [cell.y, y0, y1]]) {
      const ends = [axis.fromPixel(a), axis.fromPixel(b)].sort((p, q) => low(axis) * (p - q));
      views[axis.name] = ends;
    }
    this.zoom(views);
  }

  scale(factor, [px, py]) {
    const cell = this.cellAt(px, py);
    if (!cell) return;
    const views = { ...this.zoomed };
    for (const [axis, pixel] of [[cell.x, px], [cell.y, py]]) {
      const middle = axis.fromPixel(pixel), whole = Math.abs(axis.full[1] - axis.full[0]), now = Math.abs(axis.view[1] - axis.view[0]);
      const by = Math.max(1e-4 * whole / now, Math.min(whole / now, factor));
      if (by * now >= 0.999 * whole) return this.zoom(null);
      views[axis.name] = axis.view.map(end => middle + by * (end - middle));
    }
    this.zoom(views);
  }

  hover(px, py) {
    const found = hoverAt(this.ready, px, py);
    this.tip.hidden = !found;
    if (!found) return;
    write(this.tip, found.text);
    const big = typeScale(), left = Math.max(0, Math.min(found.px * big + 12, this.stage.clientWidth - this.tip.offsetWidth - 4));
    this.tip.style.translate = `${left}px ${Math.max(0, found.py * big - this.tip.offsetHeight - 10)}px`;
  }

  say(words) {
    this.tip.hidden = false;
    write(this.tip, words);
    this.tip.style.translate = "0 0";
  }
}

function drawMark(context, mark, t, cell) {
  const { kind, x, y, dx, dy } = mark, { x: xaxis, y: yaxis } = cell, color = kind === "outline" ? mark.color : visible(mark.color, 1, cell).color, px = xaxis.toPixel(x[t]), py = yaxis.toPixel(y[t]);
  if (!Number.isFinite(px) || !Number.isFinite(py)) return null;
  context.fillStyle = context.strokeStyle = color;
  if (kind === "outline") {
    const { left, top, width, height } = boxOf(cell);
    context.save();
    context.beginPath(); context.rect(left, top, width, height); context.clip();  // an area ends where the plot does
    context.globalAlpha = 0.3;
    polygon(context, Array.from(dx, (d, k) => [xaxis.toPixel(x[t] + d), yaxis.toPixel(y[t] + dy[k])]));
    context.restore();
  } else if (kind === "arrow") {
    const to = [xaxis.toPixel(x[t] + dx[t]), yaxis.toPixel(y[t] + dy[t])];
    if (!Number.isFinite(to[0]) || !Number.isFinite(to[1])) return null;
    const length = Math.hypot(to[0] - px, to[1] - py) || 1, ux = (to[0] - px) / length, uy = (to[1] - py) / length;
    const bx = to[0] - 12 * ux, by = to[1] - 12 * uy;
    context.lineWidth = 3.5;
    context.beginPath(); context.moveTo(px, py); context.lineTo(bx, by); context.stroke();
    polygon(context, [to, [bx - 6 * uy, by + 6 * ux], [bx + 6 * uy, by - 6 * ux]]);
  } else {
    context.beginPath(); context.arc(px, py, 6, 0, 2 * Math.PI);
    context.fillStyle = "white"; context.lineWidth = 3;
    context.fill(); context.stroke();
  }
  return { kind, px, py };
}

function polygon(context, points) {
  context.beginPath();
  points.forEach(([a, b], k) => (k ? context.lineTo(a, b) : context.moveTo(a, b)));
  context.closePath();
  context.fill();
}

class Board {
  constructor(root) {
    this.root = root;
    this.charts = new Map();
    this.area = root.querySelector(".charts");
    this.area.replaceChildren();  // what kept the room
    this.player = root.querySelector(".player");
    this.range = root.querySelector("input");
    this.words = root.querySelector(".words");
    this.speed = root.querySelector("select");
    this.playButton = root.querySelector('[data-do="play"]');
    this.timer = null;
    this.wire();
    new ResizeObserver(() => this.share(this.area.clientWidth)).observe(this.area);
    // Streamlit's colors come as properties that are inherited: the transition tells that the theme has changed
    root.ontransitionend = event => { if (event.target === root && event.propertyName === "color") this.charts.forEach(chart => { chart.head(); chart.draw(); }); };
  }

  get step() { return Math.min(shared.steps.get(this.group) ?? 0, this.last); }

  update(data) {
    this.group = data.group;
    this.last = data.last;
    this.sentences = data.words;
    const together = shared.boards.get(this.group) ?? new Set();
    shared.boards.set(this.group, together.add(this));
    this.narrowest = data.narrowest;
    this.count = data.charts.length;
    // planes alone grow with the window; beside another chart they keep its height
    this.planes = data.charts.every(chart => Object.values(chart.figure.layout).some(part => part?.scaleanchor));
    this.player.hidden = !data.words;
    const wanted = new Set(data.charts.map(chart => chart.key));
    for (const [key, chart] of this.charts) if (!wanted.has(key)) { chart.node.remove(); this.charts.delete(key); }
    for (const chart of data.charts) {
      if (!this.charts.has(chart.key)) this.charts.set(chart.key, new Chart(this.area, chart.key));
      this.charts.get(chart.key).update(chart, this);
    }
    this.range.max = this.last;
    this.speed.value = shared.speed;
    this.tell();
  }

  draw() {
    for (const chart of this.charts.values()) chart.draw();
    shared.drawn += 1;
  }

  /** As many charts in a row as have room, so that all rows are full: of four charts never three and one. */
  share(room) {
    let across = this.count ?? 1;
    while (across > 1 && (this.count % across || room < across * this.narrowest * typeScale())) across -= 1;
    this.area.style.gridTemplateColumns = `repeat(${across}, minmax(0, 1fr))`;
  }

  show() {
    for (const chart of this.charts.values()) if (chart.steps.length) chart.drawStep();  // to wipe a canvas costs, too
    this.tell();
  }

  tell() {
    if (!this.sentences || this.words.textContent === this.sentences[this.step]) return;
    this.range.value = this.step;
    this.range.setAttribute("aria-valuetext", this.sentences[this.step]);
    this.words.textContent = this.sentences[this.step];
  }

  /** The board of this group that has the player; undefined where there is none. */
  get playing() { return [...shared.boards.get(this.group)].find(board => board.sentences && board.root.isConnected); }

  toggle() { if (this.timer) this.pause(); else this.play(); }

  walk(steps) {
    this.playing?.pause();
    this.go(this.step + steps);
  }

  go(step) {
    shared.steps.set(this.group, Math.max(0, Math.min(this.last, step)));
    this.tell();
    this.wanted ??= requestAnimationFrame(() => {
      this.wanted = null;
      for (const board of shared.boards.get(this.group)) if (board.root.isConnected) board.show();
    });
  }

  pause() {
    cancelAnimationFrame(this.timer);
    this.timer = null;
    this.playButton.querySelector("path").setAttribute("d", PLAY);
    this.playButton.setAttribute("aria-label", "Play");
  }

  play() {
    if (this.step === this.last) this.go(0);
    const start = this.step === this.last ? 0 : this.step, wait = Math.min(250, WHOLE_RUN / Math.max(1, this.last)) / shared.speed;
    let began = null;
    const frame = now => {
      began ??= now;
      const step = start + Math.floor((now - began) / wait);
      if (step !== this.step) this.go(step);
      if (step >= this.last) this.pause(); else this.timer = requestAnimationFrame(frame);
    };
    this.timer = requestAnimationFrame(frame);
    this.playButton.querySelector("path").setAttribute("d", PAUSE);
    this.playButton.setAttribute("aria-label", "Pause");
  }

  wire() {
    const actions = { first: () => 0, back: () => this.step - 1, forward: () => this.step + 1, last: () => this.last };
    for (const button of this.player.querySelectorAll("button")) {
      button.onclick = () => {
        if (button.dataset.do === "play") return this.toggle();
        this.pause();
        this.go(actions[button.dataset.do]());
      };
    }
    this.speed.onchange = () => {
      shared.speed = Number(this.speed.value);
      if (this.timer) { this.pause(); this.play(); }
    };
    this.range.oninput = () => { this.pause(); this.go(Number(this.range.value)); };
    this.range.onkeydown = event => {
      if (event.key === " ") { event.preventDefault(); this.toggle(); }
    };
  }

  remove() {
    this.pause();
    shared.boards.get(this.group)?.delete(this);
  }
}

/** Do something with a board; where that fails, it says so: Streamlit would show the visitor a stack trace. */
function attempt(board, act) {
  try {
    act();
  } catch (error) {
    console.error(error);
    board.root.querySelector(".failed").hidden = false;
  }
}

const waiting = new Set();  // boards that are to be drawn

/** Draw a board when all that comes with it is in place. Whoever asks for a width has the browser lay out the whole page,
 *  10 ms after each change: here all ask before any is drawn, so that it does so once. */
function drawSoon(board) {
  if (!waiting.size) queueMicrotask(() => {
    const boards = [...waiting];
    waiting.clear();
    for (const each of boards) attempt(each, () => each.charts.forEach(chart => chart.head()));
    const rooms = boards.map(each => each.area.clientWidth);
    boards.forEach((each, k) => each.share(rooms[k]));
    for (const each of boards) each.charts.forEach(chart => chart.measure());
    for (const each of boards) {
      attempt(each, () => each.draw());
      each.root.getRootNode().host.dataset.drawn = "";  // its room need not be kept any longer (zz_view/rooms.py)
    }
  });
  waiting.add(board);
}

/** Every rerun brings new bytes, also where nothing on this board has changed: then it is neither drawn nor paused. */
const same = (one, other) => one?.length === other.length && one.every((byte, k) => byte === other[k]);

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".board");
  const board = root.zigzagBoard ??= new Board(root);
  board.send = place => setTriggerValue("place", place);
  const again = board.bytes !== data && same(board.bytes, data);
  board.bytes = data;
  if (again) return () => board.remove();
  board.pause();
  root.querySelector(".failed").hidden = true;
  attempt(board, () => board.update(JSON.parse(new TextDecoder().decode(data))));
  drawSoon(board);
  setTimeout(() => document.getElementById("zz-rooms")?.remove(), 3000);
  return () => board.remove();
}
