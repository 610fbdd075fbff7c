// What the button at the corner of a chart offers: its data as a table or as CSV, its picture as PNG or SVG, and both as
// one page that needs nothing else. Fetched when the button is first used; everything happens in the browser.
import { csvOf, tablesOf } from "./chart_data.js";
import { SvgContext } from "./svg_context.js";

const STYLE = `
.menu { position: absolute; inset: 100% 0 auto auto; z-index: 3; margin: 0.25rem 0 0; padding: 0.25rem; display: grid; border-radius: 0.5rem;
  background: var(--st-background-color); border: 1px solid var(--st-border-color); box-shadow: 0 4px 16px rgba(0, 0, 0, 0.16); }
.menu button, dialog .actions button { inline-size: auto; block-size: auto; min-block-size: 2.25rem; padding: 0.25rem 0.75rem; font: inherit; font-size: 0.875rem;
  text-align: start; white-space: nowrap; opacity: 1; }
dialog { inline-size: min(56rem, calc(100vw - 2rem)); max-block-size: calc(100vh - 4rem); box-sizing: border-box; padding: 1rem 1.25rem; overflow: auto;
  border: 1px solid var(--st-border-color); border-radius: 0.75rem; background: var(--st-background-color); color: var(--st-text-color); font-family: var(--st-font); }
dialog::backdrop { background: rgba(0, 0, 0, 0.45); }
dialog h2 { margin: 0; font-size: 1.25rem; line-height: 1.3; }
dialog p { margin: 0.5rem 0; line-height: 1.45; font-size: 0.9375rem; }
dialog .actions { display: flex; flex-wrap: wrap; gap: 0.5rem; margin: 0.75rem 0; }
dialog .actions button { border-color: var(--st-border-color); }
.data { max-block-size: 50vh; overflow: auto; margin-block-end: 1rem; border: 1px solid var(--st-border-color); border-radius: 0.5rem; }
.data:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.data table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
.data caption { position: sticky; inset-inline-start: 0; padding: 0.5rem 0.75rem; text-align: start; font-weight: 600; }
.data th, .data td { padding: 0.25rem 0.75rem; text-align: start; white-space: nowrap; border-block-start: 1px solid var(--st-border-color); }
.data tbody th { position: sticky; inset-inline-start: 0; background: var(--st-background-color); }
.data thead th { position: sticky; inset-block-start: 0; z-index: 1; background: var(--st-background-color); }
.data .number { text-align: end; }`;
const PAGE_STYLE = `
body { max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; }
svg { max-width: 100%; height: auto; }
a { color: inherit; }
summary { cursor: pointer; }
.data { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.25rem 0; }
th, td { padding: 0.2rem 0.75rem; text-align: left; white-space: nowrap; border-top: 1px solid rgba(127,135,145,0.5); }
.number { text-align: right; }`;
const LINE = 22, HEAD = 10, EDGE = 6;  // pixels of a line of the title, around all of it, and beside it
const SHARPNESS = 2;  // of what stays an image in an SVG

const nameOf = chart => `zigzag-${chart.key.replace(/[^\w-]+/g, "-")}`;
const titleOf = chart => chart.caption.innerText.split("\n")[0] || chart.source.alt;
const background = () => getComputedStyle(document.querySelector(".stApp") ?? document.body).backgroundColor;

function make(tag, attributes, parent, text) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return parent ? parent.appendChild(node) : node;
}

function download(chart, content, ending, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = make("a", { href: url, download: `${nameOf(chart)}.${ending}` }, chart.stage);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** The title and what stands under it as lines of runs {text, color, font, left}, as wide as the chart. */
function headOf(chart) {
  const ruler = document.createElement("canvas").getContext("2d"), family = getComputedStyle(chart.node).fontFamily, lines = [];
  let left = Infinity;
  const write = (node, weight, size) => {
    for (const child of node.children) {
      if (child.tagName === "BR" || child.className === "subtitle") left = Infinity;
      if (child.className === "subtitle") { write(child, "", 14); continue; }
      const font = `${child.tagName === "B" ? "bold " : weight}${size}px ${family}`, color = getComputedStyle(child).color;
      ruler.font = font;
      for (const text of child.textContent.match(/\s*\S+|\s+$/g) ?? []) {
        const width = ruler.measureText(text).width;
        if (left + width > chart.width - EDGE) { lines.push([]); left = EDGE; }
        const word = left === EDGE ? text.trimStart() : text;
        const last = lines.at(-1).at(-1);
        if (last?.font === font && last.color === color) last.text += word; else lines.at(-1).push({ text: word, color, font, left });
        left += ruler.measureText(word).width;
      }
    }
  };
  write(chart.caption, "600 ", 16);
  return lines;
}

const heightOf = (chart, head) => chart.tall + head.length * LINE + HEAD;

/** Title, figure and the player's marks on any context. */
function paintAll(context, chart, head, sharpness) {
  context.fillStyle = background();
  context.fillRect(0, 0, chart.width, heightOf(chart, head));
  head.forEach((line, k) => line.forEach(({ text, color, font, left }) => {
    Object.assign(context, { font, fillStyle: color, textAlign: "left", textBaseline: "alphabetic" });
    context.fillText(text, left, LINE * k + 20);
  }));
  context.save();
  context.translate(0, head.length * LINE + HEAD);
  chart.paint(context, sharpness);
  chart.paintMarks(context);
  context.restore();
}

export function svgOf(chart) {
  const head = headOf(chart), context = new SvgContext(chart.width, heightOf(chart, head), nameOf(chart)), { root } = context;
  root.setAttribute("role", "img");
  for (const [tag, text] of [["desc", chart.source.alt], ["title", titleOf(chart)]]) {
    const node = document.createElementNS(root.namespaceURI, tag);
    node.textContent = text;
    root.prepend(node);
  }
  paintAll(context, chart, head, SHARPNESS);
  return new XMLSerializer().serializeToString(root);
}

function png(chart) {
  const sheet = document.createElement("canvas"), scale = chart.base.width / chart.width, head = headOf(chart);
  sheet.width = chart.base.width;
  sheet.height = Math.round(heightOf(chart, head) * scale);
  const context = sheet.getContext("2d");
  context.scale(scale, scale);
  paintAll(context, chart, head, scale);
  sheet.toBlob(blob => download(chart, blob, "png"));
}

function tableNode({ caption, note, columns, rows }) {
  const box = make("div", { class: "data", tabindex: "0", role: "region", "aria-label": caption }), table = make("table", {}, box);
  make("caption", {}, table, note ? `${caption}. ${note}` : caption);
  const numeric = columns.map((_, k) => rows.every(row => row[k] === "" || !Number.isNaN(Number(row[k]))));
  const cell = (tag, k, row, text) => make(tag, { ...(numeric[k] ? { class: "number" } : {}), ...(tag === "th" ? { scope: row ? "row" : "col" } : {}) }, null, text);
  const head = make("tr", {}, make("thead", {}, table)), body = make("tbody", {}, table);
  head.append(...columns.map((column, k) => (column === "" ? make("td", {}) : cell("th", k, false, column))));
  for (const row of rows) make("tr", {}, body).append(...columns.map((_, k) => cell(k ? "td" : "th", k, true, row[k] ?? "")));
  return box;
}

function html(chart) {
  const page = document.implementation.createHTMLDocument(titleOf(chart)), { head, body } = page;
  page.documentElement.lang = "en";
  make("meta", { charset: "utf-8" }, head);
  make("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }, head);
  const { color } = getComputedStyle(chart.node);
  make("style", {}, head, `body { color: ${color}; background: ${background()}; }${PAGE_STYLE}`);
  const main = make("main", {}, body);
  make("h1", { style: "font-size: 1.25rem" }, main, page.title);
  make("figure", { style: "margin: 0" }, main).innerHTML = svgOf(chart);
  make("p", {}, main, chart.source.alt);
  const source = make("p", {}, main, "Made with Zig-Zag Lab: ");
  make("a", { href: location.href }, source, "open this experiment");
  make("a", { href: `data:text/csv;charset=utf-8,${encodeURIComponent(csvOf(chart.ready))}`, download: `${nameOf(chart)}.csv` }, make("p", {}, main), "All data as CSV");
  const fold = make("details", {}, main);
  make("summary", {}, fold, "The data as a table");
  fold.append(...tablesOf(chart.ready).map(tableNode));
  return `<!doctype html>\n${page.documentElement.outerHTML}\n`;
}

function showTables(chart) {
  const dialog = make("dialog", { "aria-label": `Data: ${titleOf(chart)}` }, chart.node);
  make("h2", {}, dialog, titleOf(chart));
  make("p", {}, dialog, chart.source.alt);
  const actions = make("div", { class: "actions" }, dialog);
  make("button", { type: "button", autofocus: "" }, actions, "Close").onclick = () => dialog.close();
  make("button", { type: "button" }, actions, "Download as CSV").onclick = () => csv(chart);
  const tables = tablesOf(chart.ready);
  if (tables.length) dialog.append(...tables.map(tableNode)); else make("p", {}, dialog, "This chart has no data to show: nothing of this run can be drawn.");
  dialog.onclick = event => { if (event.target === dialog) dialog.close(); };  // the backdrop is the dialog's own
  dialog.onclose = () => { dialog.remove(); chart.menuButton.focus(); };
  dialog.showModal();
}

const csv = chart => download(chart, csvOf(chart.ready), "csv", "text/csv;charset=utf-8");
const CHOICES = [["Show the data as a table", showTables], ["Data as CSV", csv], ["Picture as PNG", png],
  ["Picture as SVG", chart => download(chart, svgOf(chart), "svg", "image/svg+xml")],
  ["Picture and data as a page (HTML)", chart => download(chart, html(chart), "html", "text/html;charset=utf-8")]];

/** Open the menu of a chart, or close it. */
export function toggle(chart) {
  const open = chart.tools.querySelector(".menu"), root = chart.node.getRootNode();
  if (open) return close(chart, open);
  if (!root.querySelector("style.chart-tools")) make("style", { class: "chart-tools" }, root, STYLE);
  const menu = make("div", { class: "menu", role: "group", "aria-label": "Data and pictures of this chart" }, chart.tools);
  for (const [label, act] of CHOICES) make("button", { type: "button" }, menu, label).onclick = () => { close(chart, menu); act(chart); };
  const buttons = [...menu.children];
  menu.onkeydown = event => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key], at = buttons.indexOf(root.activeElement);
    if (event.key === "Escape") close(chart, menu);
    else if (move) buttons[(at + move + buttons.length) % buttons.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  menu.addEventListener("focusout", event => { if (!chart.tools.contains(event.relatedTarget)) close(chart, menu, false); });
  chart.menuButton.setAttribute("aria-expanded", "true");
  buttons[0].focus();
}

function close(chart, menu, refocus = true) {
  if (menu.hidden) return;  // to lose the focus, here or by its removal, would close it once more
  menu.hidden = true;
  chart.menuButton.setAttribute("aria-expanded", "false");
  if (refocus) chart.menuButton.focus();
  menu.remove();
}
