// The table of pinned runs: one element for all of its rows and buttons. Its cells stack on a narrow screen; roles are
// written out, since what is no longer laid out as a table would stop being one for a screen reader.
const SHAPES = {
  circle: '<circle cx="10" cy="10" r="6.5"/>',
  square: '<path d="M4 4h12v12H4z"/>',
  "triangle-up": '<path d="M10 3l7 12.5H3z"/>',
  diamond: '<path d="M10 2.5l6 7.5-6 7.5-6-7.5z"/>',
  x: '<path d="M3.5 3.5l6.5 4 6.5-4-4 6.5 4 6.5-6.5-4-6.5 4 4-6.5z"/>',
  star: '<path d="M10 2l2.3 5.2 5.7.6-4.2 3.8 1.2 5.6-5-2.9-5 2.9 1.2-5.6L2 7.8l5.7-.6z"/>',
};
const NOT_DRAWN = '<circle cx="10" cy="10" r="6" fill="none" stroke="currentColor" stroke-dasharray="2.5 2.5"/>';

function element(tag, attributes, parent, text) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return parent.appendChild(node);
}

function runCell(row, line, act, room) {
  const cell = element("th", { scope: "row", role: "rowheader" }, line), inside = element("div", { class: "run" }, cell);
  if (row.pinned && row.drawable) {
    const drawn = row.symbol !== null;
    const label = drawn ? `Do not draw ${row.letter}` : room ? `Draw ${row.letter}` : `Draw ${row.letter}: six paths are drawn, hide one first`;
    const button = element("button", { type: "button", class: "draw", "aria-label": label, title: label, "aria-pressed": drawn, disabled: drawn || room ? null : "" }, inside);
    button.innerHTML = `<svg viewBox="0 0 20 20" aria-hidden="true">${drawn ? SHAPES[row.symbol] : NOT_DRAWN}</svg>`;
    if (drawn) button.firstChild.setAttribute("fill", row.color);
    button.onclick = () => act("draw", row.letter);
  }
  element("span", {}, inside, row.pinned ? row.letter : "Now");
}

function differenceCell(row, line, head) {
  const cell = element("td", { role: "cell", class: "differences" }, line);
  if (row.here) { cell.textContent = row.pinned ? "This is the run on the screen." : "The run on the screen, not pinned."; return; }
  if (!row.differences.length) { cell.textContent = "Nothing that matters."; return; }
  cell.setAttribute("aria-label", `${head}: ${row.differences.map(([name, value, now]) => `${name} ${value}, now ${now}`).join("; ")}`);
  const list = element("ul", { role: "presentation" }, cell);
  for (const [name, value, now] of row.differences) {
    const item = element("li", { role: "presentation" }, list, `${name} `);
    element("b", {}, item, value);
    element("span", { class: "was" }, item, `, now ${now}`);
  }
}

function actsCell(row, line, act) {
  const cell = element("td", { role: "cell" }, line), acts = element("div", { class: "acts" }, cell);
  if (!row.pinned) return;
  const back = element("button", { type: "button", "aria-label": `Return to ${row.letter}`, disabled: row.here ? "" : null }, acts, "Return");
  back.onclick = () => act("return", row.letter);
  const remove = element("button", { type: "button", "aria-label": `Remove ${row.letter}` }, acts, "Remove");
  remove.onclick = () => act("remove", row.letter);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".zz-pins"), focused = root.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  const act = (what, letter) => setTriggerValue("act", { do: what, letter });
  root.replaceChildren();
  const table = element("table", { role: "table" }, root);
  element("caption", {}, table, "Pinned runs with their measures");
  const heads = element("tr", { role: "row" }, element("thead", { role: "rowgroup" }, table));
  for (const head of data.head) element("th", { scope: "col", role: "columnheader" }, heads, head);
  element("td", { role: "cell" }, heads);
  const body = element("tbody", { role: "rowgroup" }, table);
  for (const row of data.rows) {
    const line = element("tr", { role: "row", class: row.here ? "here" : null, "data-letter": row.letter }, body);
    runCell(row, line, act, data.room);
    differenceCell(row, line, data.head[1]);
    row.measures.forEach((text, k) => element("td", { role: "cell", class: "number", "data-head": data.head[2 + k] }, line, text));
    actsCell(row, line, act);
  }
  // a button that was pressed is a new one now: keep the keyboard where it was
  if (focused) [...root.querySelectorAll("button")].find(button => button.getAttribute("aria-label") === focused)?.focus();
}
