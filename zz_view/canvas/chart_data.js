// What a chart shows, as tables and as CSV, from the figure that the page already holds. Plotly's `meta` says what the
// values of a trace are; "drawing" marks what is only drawn, and stands in no table.
const MOST_ROWS = 2000, MOST_CELLS = 4000, MOST_COLUMNS = 130;

const plain = text => (text ?? "").replace(/<extra>.*<\/extra>/, "").replace(/<br>/g, " ").replace(/<[^>]*>/g, "").trim();
const each = (values, k) => (Array.isArray(values) || ArrayBuffer.isView(values) ? values[k] : values);
/** Single precision has seven digits, the rest would be noise; seventeen are all that there are. */
const digits = values => (values instanceof Float32Array ? 7 : 17);
const exact = (value, most) => (typeof value === "number" ? (Number.isFinite(value) ? String(Number(value.toPrecision(most))) : "") : value ?? "");
const place = (origin, step, k) => Number((origin + k * step).toPrecision(6));
const shown = value => (typeof value === "number" ? exact(value, 6) : value ?? "");

/** Words of a category axis for its numbers, null for an axis of quantities. */
function wordsOf(axis) {
  if (!axis.ticktext || axis.log) return null;
  const places = Array.from(axis.tickvals), words = Array.from(axis.ticktext);
  return words.every((word, k) => word === "" || String(word) === String(places[k])) ? null : new Map(places.map((place, k) => [place, words[k]]));
}

const isBand = ({ fill, x, y }) => fill === "toself" && x.length > 3 && x.length % 2 === 0 && Array.from(x).every((value, k) => value === x[x.length - 1 - k])
  && y.length === x.length;
const isDrawing = trace => trace.meta === "drawing" || trace.mode === "text" || (trace.fill === "toself" && !isBand(trace));

const isNested = values => Array.isArray(values?.[0]) || ArrayBuffer.isView(values?.[0]);
/** An arrow may be drawn longer than it is: then its hover text shows its own two numbers in place of the coordinates. */
const isOwnPlace = trace => isNested(trace.customdata) && trace.customdata[0].length === 2 && !/%\{[xy]/.test(trace.hovertemplate);

/** What the hover text calls the parts of customdata: the words before each, or around it after "of". */
function extrasOf(trace) {
  if (!trace.customdata?.length || isOwnPlace(trace)) return [];
  const nested = isNested(trace.customdata), template = (trace.hovertemplate ?? "").replace(/<extra>.*/, "");
  return Array.from({ length: nested ? trace.customdata[0].length : 1 }, (_, index) => {
    const [before = "", after = ""] = template.split(nested ? `%{customdata[${index}]` : "%{customdata");
    const words = before.split(/[},:]|<br>|\bat\b/).pop().replace(/=/g, "").trim();
    const title = words === "of" ? `of ${after.split("}")[1].split("<")[0].trim()}` : words;
    return { title: title || (nested ? `value ${index + 1}` : "value"), index: nested ? index : null };
  });
}

/** Series of one pair of axes: lines and points with their columns; pieces of one path are put together again. */
function seriesOf(cell) {
  const found = [];
  for (const trace of cell.traces) {
    if (trace.type !== "scatter" || isDrawing(trace)) continue;
    const count = trace.x.length, band = isBand(trace), own = isOwnPlace(trace), extras = extrasOf(trace);
    const rows = Array.from({ length: band ? count / 2 : count }, (_, k) => ({
      x: own ? trace.customdata[k][0] : trace.x[k],
      y: own ? trace.customdata[k][1] : band ? Math.min(trace.y[k], trace.y[count - 1 - k]) : trace.y[k],
      high: band ? Math.max(trace.y[k], trace.y[count - 1 - k]) : null, digits: [digits(trace.x), digits(trace.y)],
      label: (trace.mode ?? "").includes("text") ? plain(each(trace.text, k)).trim() : null,
      extras: extras.map(({ index }) => (index === null ? trace.customdata[k] : trace.customdata[k][index])) }));
    const hover = plain(trace.hovertemplate), words = !hover || hover.includes("%{") ? null : hover.replace(`${trace.name}: `, "");
    const last = found.at(-1), end = last?.rows.at(-1);
    if (last?.name === trace.name && rows.length && end?.x === rows[0].x && end?.y === rows[0].y) last.rows.push(...rows.slice(1));
    else found.push({ name: trace.name ?? "", rows, band, words, extras: extras.map(extra => extra.title) });
  }
  const met = new Map();
  for (const series of found) {
    const times = (met.get(series.name) ?? 0) + 1;
    met.set(series.name, times);
    if (times > 1) series.name += ` (${times})`;
  }
  return found;
}

const rising = rows => rows.length > 2 && rows.every((row, k) => row.label === null && (k === 0 || row.x > rows[k - 1].x));
/** An axis of rows that are named beside it, which is no quantity. */
const isRows = axis => axis.ticktext?.length > 0 && Array.from(axis.ticktext).every(text => text === "");
const titleOf = (axis, otherwise) => plain(axis.title?.text) || otherwise;

/** Lines over one axis: a row for each place on it, a column for each line. */
function wideTable(cell, series, words) {
  const columns = [titleOf(cell.x, "x")], places = new Map();
  for (const { name, rows, band, extras } of series) {
    const first = columns.length;
    columns.push(...(band ? [`${name}, low`, `${name}, high`] : [name]), ...extras.map(extra => `${name}: ${extra}`));
    for (const row of rows) {
      if (!places.has(row.x)) places.set(row.x, []);
      [row.y, ...(band ? [row.high] : []), ...row.extras].forEach((value, k) => { places.get(row.x)[first + k] = value; });
    }
  }
  const rows = [...places.keys()].sort((a, b) => a - b).map(x => Array.from(columns, (_, k) => (k ? places.get(x)[k] : words?.get(x) ?? x)));
  return { caption: titleOf(cell.y, "values"), columns, rows };
}

/** Points and paths: a row for each point. */
function longTable(cell, series, xWords, yWords) {
  const extras = [...new Set(series.flatMap(one => one.extras))], named = series.some(one => one.rows.some(row => row.label));
  const said = series.some(one => one.words), category = isRows(cell.y);
  const columns = ["series", ...extras, ...(named ? ["point"] : []), titleOf(cell.x, "x"), ...(category ? [] : [titleOf(cell.y, "y")]), ...(said ? ["in words"] : [])];
  const rows = series.flatMap(one => one.rows.map(row => [one.name, ...extras.map(extra => row.extras[one.extras.indexOf(extra)]),
    ...(named ? [row.label] : []), xWords?.get(row.x) ?? row.x, ...(category ? [] : [yWords?.get(row.y) ?? row.y]), ...(said ? [one.words] : [])]));
  return { caption: "Points and paths", columns, rows };
}

/** A heatmap's own value in a cell: the number behind its color, the words written for it, or the color's own number. */
function cellValue(trace, j, i) {
  const number = trace.customdata?.[j]?.[i], words = trace.text?.[j]?.[i];
  return Number.isFinite(number) ? number : words ?? (number === undefined ? trace.z[j][i] : "");
}

function heatTables(cell, trace) {
  const [xWords, yWords] = [wordsOf(cell.x), wordsOf(cell.y)], count = trace.z[0]?.length ?? 0, caption = plain(trace.name);
  const places = (origin, step, size, words) => Array.from({ length: size }, (_, k) => place(origin, step, k)).map(at => words?.get(at) ?? at);
  const across = places(trace.x0, trace.dx, count, xWords), up = places(trace.y0, trace.dy, trace.z.length, yWords);
  const corner = `${titleOf(cell.y, "y")} \\ ${titleOf(cell.x, "x")}`;
  if (count <= MOST_COLUMNS && count * up.length <= MOST_CELLS)
    return { caption, columns: [corner, ...across], rows: up.map((name, j) => [name, ...across.map((_, i) => cellValue(trace, j, i))]) };
  const cells = up.map((_, j) => across.map((_, i) => cellValue(trace, j, i))), kinds = [...new Set(cells.flat())];
  const note = `${up.length} x ${count} cells are too many to read: each row is summed up here, and the CSV file holds them all.`;
  if (kinds.every(kind => typeof kind === "string"))
    return { caption, note, columns: [titleOf(cell.y, "y"), ...kinds.map(kind => `cells with ${kind}`)],
      rows: up.map((name, j) => [name, ...kinds.map(kind => cells[j].filter(value => value === kind).length)]) };
  return { caption, note, columns: [titleOf(cell.y, "y"), "lowest", "mean", "highest"], rows: up.map((name, j) => {
    const known = cells[j].filter(Number.isFinite);
    return [name, ...(known.length ? [Math.min(...known), known.reduce((a, b) => a + b, 0) / known.length, Math.max(...known)] : ["", "", ""])];
  }) };
}

function contourTable(cell, trace) {
  const known = trace.z.flatMap(row => Array.from(row)).filter(Number.isFinite);
  const what = trace.meta ?? trace.name;
  return { caption: `Contours of the ${trace.name}`, note: `${what}, on a grid of ${trace.y.length} x ${trace.x.length} points, which the CSV file holds.`,
    columns: ["", "lowest", "highest"], rows: [[titleOf(cell.x, "x"), trace.x[0], trace.x.at(-1)], [titleOf(cell.y, "y"), trace.y[0], trace.y.at(-1)],
      [what, known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))]] };
}

/** Tables {caption, columns, rows, note} of a prepared figure, each short enough to be read. */
export function tablesOf(ready) {
  const tables = ready.cells.flatMap(cell => {
    const series = seriesOf(cell), [xWords, yWords] = [wordsOf(cell.x), wordsOf(cell.y)], wide = series.filter(one => rising(one.rows) && !yWords).sort((a, b) => a.band - b.band);
    const long = series.filter(one => !wide.includes(one) && one.rows.length);
    return [...cell.traces.filter(trace => trace.type === "heatmap").map(trace => heatTables(cell, trace)),
      ...(wide.length ? [wideTable(cell, wide, xWords)] : []), ...(long.length ? [longTable(cell, long, xWords, yWords)] : []),
      ...cell.traces.filter(trace => trace.type === "contour").map(trace => contourTable(cell, trace))];
  });
  return tables.map(table => {
    const every = Math.ceil(table.rows.length / MOST_ROWS), count = table.rows.length.toLocaleString("en");
    const note = every > 1 ? `Every ${every}${{ 2: "nd", 3: "rd" }[every] ?? "th"} of ${count} rows; the CSV file holds them all.` : table.note;
    return { ...table, note, rows: table.rows.filter((_, k) => k % every === 0).map(row => row.map(shown)) };
  });
}

/** All values in one tidy table: a row for each point or cell, a column for each quantity. */
export function csvOf(ready) {
  const rows = [];
  for (const cell of ready.cells) {
    const [x, y] = [titleOf(cell.x, "x"), titleOf(cell.y, "y")], [xWords, yWords] = [wordsOf(cell.x), wordsOf(cell.y)];
    for (const one of seriesOf(cell))
      for (const row of one.rows) {
        const [dx, dy] = row.digits, at = { [x]: xWords?.get(row.x) ?? exact(row.x, dx) };
        const more = Object.fromEntries(one.extras.map((title, k) => [title, exact(row.extras[k], 7)]));
        if (row.label) more.point = row.label;
        if (one.words) more["in words"] = one.words;
        for (const [suffix, value] of one.band ? [[", low", row.y], [", high", row.high]] : [["", row.y]])
          rows.push({ series: one.name + suffix, ...at, ...(isRows(cell.y) ? {} : { [y]: yWords?.get(value) ?? exact(value, dy) }), ...more });
      }
    for (const trace of cell.traces.filter(trace => trace.type === "heatmap" || trace.type === "contour")) {
      const grid = trace.type === "contour", what = grid ? trace.meta ?? trace.name : trace.name;
      trace.z.forEach((line, j) => line.forEach((value, i) => rows.push({ series: trace.name,
        [x]: grid ? exact(trace.x[i], 7) : xWords?.get(place(trace.x0, trace.dx, i)) ?? place(trace.x0, trace.dx, i),
        [y]: grid ? exact(trace.y[j], 7) : yWords?.get(place(trace.y0, trace.dy, j)) ?? place(trace.y0, trace.dy, j),
        [what]: exact(grid ? value : cellValue(trace, j, i), 7) })));
    }
  }
  const columns = [...new Set(rows.flatMap(Object.keys))], quoted = text => (/[",\n]/.test(text) ? `"${String(text).replaceAll('"', '""')}"` : String(text));
  return [columns, ...rows.map(row => columns.map(column => row[column] ?? ""))].map(row => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}
