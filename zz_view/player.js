// Draws the present step of a run over the charts beside it. The charts are found by the class that Streamlit gives to
// keyed elements; the marks live in an SVG of our own above the plot, so that a step costs no redraw of the chart.
const PLAY = "M8 5v14l11-7z", PAUSE = "M6 5h4v14H6zm8 0h4v14h-4z";
const WHOLE_RUN = 12000;  // milliseconds that playing a long run takes
const SVG = "http://www.w3.org/2000/svg";
const positions = new Map();  // the place in the run survives a rerun of the page

function chartOf(key) {
  const chart = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  return chart?._fullLayout?.xaxis?._length ? chart : null;
}

const unpacked = text => new Float32Array(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);

function unpack(mark) {
  const arrays = ["x", "y", "dx", "dy"].filter(name => name in mark).map(name => [name, unpacked(mark[name])]);
  return { ...mark, ...Object.fromEntries(arrays) };
}

function make(tag, attributes, parent) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return parent.appendChild(node);
}

function layerOf(chart, redraw) {
  let layer = chart.querySelector(":scope > .zigzag-step");
  if (!layer) {
    layer = make("svg", { class: "zigzag-step", "aria-hidden": "true", style: "position:absolute;inset:0;pointer-events:none;overflow:visible" }, chart);
    make("svg", { overflow: "hidden" }, layer);  // as large as the plot: what is outside is cut off
    chart.on("plotly_afterplot", () => chart.zigzagDraw());
    chart.on("plotly_relayouting", () => chart.zigzagDraw());
  }
  chart.zigzagDraw = redraw;
  return layer.firstChild;
}

function drawMark(parent, mark, t, toX, toY) {
  const { kind, color, x, y, dx, dy } = mark;
  if (!Number.isFinite(x[t]) || !Number.isFinite(y[t])) return;
  if (kind === "outline") {
    const points = Array.from(dx, (d, k) => `${toX(x[t] + d)},${toY(y[t] + dy[k])}`).join(" ");
    make("polygon", { points, fill: color, "fill-opacity": 0.3 }, parent);
  } else if (kind === "arrow") {
    if (!Number.isFinite(dx[t]) || !Number.isFinite(dy[t])) return;
    const from = [toX(x[t]), toY(y[t])], to = [toX(x[t] + dx[t]), toY(y[t] + dy[t])];
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]) || 1;
    const ux = (to[0] - from[0]) / length, uy = (to[1] - from[1]) / length, bx = to[0] - 12 * ux, by = to[1] - 12 * uy;
    make("line", { x1: from[0], y1: from[1], x2: bx, y2: by, stroke: color, "stroke-width": 3.5 }, parent);
    make("polygon", { points: `${to[0]},${to[1]} ${bx - 6 * uy},${by + 6 * ux} ${bx + 6 * uy},${by - 6 * ux}`, fill: color }, parent);
  } else {
    make("circle", { cx: toX(x[t]), cy: toY(y[t]), r: 6, fill: "white", stroke: color, "stroke-width": 3 }, parent);
  }
}

function drawChart(chart, marks, t, redraw) {
  const { xaxis, yaxis } = chart._fullLayout, plot = layerOf(chart, redraw);
  for (const [name, value] of Object.entries({ x: xaxis._offset, y: yaxis._offset, width: xaxis._length, height: yaxis._length }))
    plot.setAttribute(name, value);
  plot.replaceChildren();
  for (const mark of marks) drawMark(plot, mark, t, v => xaxis.d2p(v), v => yaxis.d2p(v));
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".player");
  const range = root.querySelector("input"), words = root.querySelector(".words");
  const playButton = root.querySelector('[data-do="play"]'), icon = playButton.querySelector("path");
  const charts = Object.entries(data.charts).map(([key, marks]) => [key, marks.map(unpack)]);
  const last = data.words.length - 1;
  let now = Math.min(positions.get(data.name) ?? 0, last), timer = null, wanted = false;
  const seen = new Map();

  function draw(onlyNew) {
    wanted = false;
    for (const [key, marks] of charts) {
      const chart = chartOf(key);
      if (!chart || (onlyNew === true && seen.get(key) === chart)) continue;
      seen.set(key, chart);
      drawChart(chart, marks, now, draw);
    }
  }

  function go(step) {
    now = Math.max(0, Math.min(last, step));
    positions.set(data.name, now);
    range.value = now;
    range.setAttribute("aria-valuetext", data.words[now]);
    words.textContent = data.words[now];
    if (!wanted) { wanted = true; requestAnimationFrame(draw); }
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    icon.setAttribute("d", PLAY);
    playButton.setAttribute("aria-label", "Play");
  }

  function play() {
    if (now === last) go(0);
    const wait = Math.max(16, Math.min(250, WHOLE_RUN / last));
    timer = setInterval(() => { go(now + 1); if (now === last) pause(); }, wait);
    icon.setAttribute("d", PAUSE);
    playButton.setAttribute("aria-label", "Pause");
  }

  const actions = { first: () => go(0), back: () => go(now - 1), forward: () => go(now + 1), last: () => go(last) };
  root.querySelectorAll("button").forEach(button => {
    button.onclick = () => {
      const wasPlaying = timer !== null;
      pause();
      if (button.dataset.do !== "play") actions[button.dataset.do]();
      else if (!wasPlaying) play();
    };
  });
  range.max = last;
  range.oninput = () => { pause(); go(Number(range.value)); };
  range.onkeydown = event => {
    if (event.key === " ") { event.preventDefault(); playButton.click(); }
  };
  pause();
  go(now);
  // charts mount after this component, and again whenever their figure changes
  const watch = setInterval(() => draw(true), 200);
  return () => { clearInterval(watch); clearInterval(timer); };
}
