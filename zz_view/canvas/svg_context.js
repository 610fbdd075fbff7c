// Writes SVG where a canvas paints: the calls of CanvasRenderingContext2D that charts use, and no others, so that a
// call that is missing here fails aloud. General libraries for this write each cell of a heatmap with a dozen attributes.
const NS = "http://www.w3.org/2000/svg";
const COLOR = /^rgba\(\s*([\d.]+)[,\s]+([\d.]+)[,\s]+([\d.]+)[,\s/]+([\d.]+)\s*\)$/;
const PLAIN = { fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, globalAlpha: 1, font: "10px sans-serif",
  textAlign: "start", textBaseline: "alphabetic", lineJoin: "miter", lineCap: "butt" };
const ANCHOR = { center: "middle", right: "end", end: "end" };
const short = value => String(Math.round(100 * value) / 100);

export class SvgContext {
  #ruler = document.createElement("canvas").getContext("2d");  // measures text
  #stack = [];
  #matrix = [1, 0, 0, 1, 0, 0];
  #dash = [];
  #path = "";
  #clips = 0;

  constructor(width, height, id) {
    Object.assign(this, PLAIN);
    this.id = id;  // what the names of its clips begin with: several pictures may stand in one document
    this.root = this.#element("svg", { xmlns: NS, width: short(width), height: short(height),
      viewBox: `0 0 ${short(width)} ${short(height)}`, "xml:space": "preserve" });
    this.parent = this.root;
  }

  #element(tag, attributes, parent) {
    const node = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
    return parent ? parent.appendChild(node) : node;
  }

  /** Translucent colors in two attributes: drawing programs do not know rgba(). */
  #color(kind, color) {
    const [, r, g, b, alpha] = COLOR.exec(color) ?? [], opacity = this.globalAlpha * (alpha ?? 1);
    return { [kind]: r === undefined ? color : `rgb(${r},${g},${b})`, [`${kind}-opacity`]: opacity < 1 ? short(opacity) : null };
  }

  #at(x, y) {
    const [a, b, c, d, e, f] = this.#matrix;
    return `${short(a * x + c * y + e)} ${short(b * x + d * y + f)}`;
  }

  save() {
    const { parent } = this, style = Object.fromEntries(Object.keys(PLAIN).map(name => [name, this[name]]));
    this.#stack.push({ parent, style, matrix: this.#matrix, dash: this.#dash });
  }

  restore() {
    const { parent, style, matrix, dash } = this.#stack.pop();
    Object.assign(this, style);
    [this.parent, this.#matrix, this.#dash] = [parent, matrix, dash];
  }

  translate(x, y) {
    const [a, b, c, d, e, f] = this.#matrix;
    this.#matrix = [a, b, c, d, a * x + c * y + e, b * x + d * y + f];
  }

  rotate(angle) {
    const [a, b, c, d, e, f] = this.#matrix, cos = Math.cos(angle), sin = Math.sin(angle);
    this.#matrix = [a * cos + c * sin, b * cos + d * sin, c * cos - a * sin, d * cos - b * sin, e, f];
  }

  setLineDash(dash) { this.#dash = dash; }
  beginPath() { this.#path = ""; }
  moveTo(x, y) { this.#path += `M${this.#at(x, y)}`; }
  lineTo(x, y) { this.#path += `${this.#path ? "L" : "M"}${this.#at(x, y)}`; }
  closePath() { if (this.#path) this.#path += "Z"; }
  rect(x, y, width, height) {
    this.#path += `M${this.#at(x, y)}L${this.#at(x + width, y)}L${this.#at(x + width, y + height)}L${this.#at(x, y + height)}Z`;
  }

  arc(x, y, radius, from, to) {
    const end = angle => this.#at(x + radius * Math.cos(angle), y + radius * Math.sin(angle)), size = short(radius);
    const middle = (from + to) / 2;  // in two halves: one arc cannot be a whole circle
    this.#path += `${this.#path ? "L" : "M"}${end(from)}A${size} ${size} 0 0 1 ${end(middle)}A${size} ${size} 0 0 1 ${end(to)}`;
  }

  clip() {
    const name = `${this.id}-${this.#clips++}`;
    this.#element("path", { d: this.#path }, this.#element("clipPath", { id: name }, this.parent));
    this.parent = this.#element("g", { "clip-path": `url(#${name})` }, this.parent);
  }

  fill() { if (this.#path) this.#element("path", { d: this.#path, ...this.#color("fill", this.fillStyle) }, this.parent); }

  stroke() {
    if (this.#path) this.#element("path", { d: this.#path, fill: "none", ...this.#pen() }, this.parent);
  }

  #pen() {
    return { ...this.#color("stroke", this.strokeStyle), "stroke-width": short(this.lineWidth),
      "stroke-linejoin": this.lineJoin === "miter" ? null : this.lineJoin,
      "stroke-dasharray": this.#dash.length ? this.#dash.join(" ") : null };
  }

  /** Cells of one color that follow each other are one path. */
  fillRect(x, y, width, height) {
    const color = this.#color("fill", this.fillStyle), last = this.parent.lastChild, kind = JSON.stringify(color);
    const d = `M${this.#at(x, y)}L${this.#at(x + width, y)}L${this.#at(x + width, y + height)}L${this.#at(x, y + height)}Z`;
    if (last?.cells === kind) last.setAttribute("d", last.getAttribute("d") + d);
    else this.#element("path", { d, ...color }, this.parent).cells = kind;
  }

  measureText(text) {
    Object.assign(this.#ruler, { font: this.font, textAlign: this.textAlign, textBaseline: this.textBaseline });
    return this.#ruler.measureText(text);
  }

  fillText(text, x, y) { this.#write(text, x, y, this.#color("fill", this.fillStyle)); }
  strokeText(text, x, y) { this.#write(text, x, y, { fill: "none", ...this.#pen() }); }

  #write(text, x, y, paint) {
    const ascent = this.measureText(text).actualBoundingBoxAscent;
    this.#ruler.textBaseline = "alphabetic";  // the only one that all programs know
    y += this.#ruler.measureText(text).actualBoundingBoxAscent - ascent;
    const [, weight, size, family] = /^(?:(bold|\d+)\s+)?([\d.]+)px (.*)$/.exec(this.font), [a, b] = this.#matrix;
    const angle = Math.atan2(b, a) * 180 / Math.PI, place = this.#at(x, y), [left, top] = place.split(" ");
    this.#element("text", { x: left, y: top, "font-family": family, "font-size": size, "font-weight": weight ?? null,
      "text-anchor": ANCHOR[this.textAlign] ?? null, transform: angle ? `rotate(${short(angle)} ${place})` : null,
      ...paint }, this.parent).textContent = text;
  }

  createImageData(width, height) { return new ImageData(width, height); }

  drawImage(image, x, y, width, height) {
    const sheet = document.createElement("canvas");
    Object.assign(sheet, { width: image.width, height: image.height });
    sheet.getContext("2d").drawImage(image, 0, 0);
    const [left, top] = this.#at(x, y).split(" ");  // pictures are never turned
    this.#element("image", { x: left, y: top, width: short(width), height: short(height),
      preserveAspectRatio: "none", href: sheet.toDataURL() }, this.parent);
  }
}
