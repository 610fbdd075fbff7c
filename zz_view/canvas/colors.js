// Contrast of colors, so that one palette serves both themes: a hue is mixed with the ink until it can be seen.
const channels = color => {
  if (color.startsWith("#")) return [1, 3, 5].map(k => parseInt(color.slice(k, k + 2), 16));
  return (color.match(/[\d.]+/g) ?? [127, 127, 127]).slice(0, 3).map(Number);
};
const cssOf = parts => `rgb(${parts.map(Math.round).join(",")})`;
const between = (from, to, share) => from.map((c, k) => c + share * (to[k] - c));

/** Relative luminance, as WCAG 2 defines it. */
const luminance = color => channels(color).map(c => c / 255).map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** A translucent color on an opaque one. */
const blended = (color, below) => cssOf(between(channels(below), channels(color), Number(color.match(/[\d.]+/g)[3] ?? 1)));

/** A color, as little nearer to the ink as gives this contrast when it is painted with this opacity. */
const reached = new Map();
function reaching(ratio, color, alpha, below, ink) {
  const key = [ratio, color, alpha, below, ink].join();
  if (!below) return color;
  if (!reached.has(key)) {
    const shares = Array.from({ length: 11 }, (_, k) => k / 10);
    const enough = shares.find(share => contrast(cssOf(between(channels(below), between(channels(color), channels(ink), share), alpha)), below) >= ratio);
    reached.set(key, enough === 0 ? color : cssOf(between(channels(color), channels(ink), enough ?? 1)));
  }
  return reached.get(key);
}
