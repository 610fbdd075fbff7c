// The run that follows the hand: from wherever the start is to wherever the target is, with the same samples at the same
// rates as zz_core takes them. Functions and constants are named after their counterparts there. A run is one replicate;
// samples are rows of `width` numbers, one after the other, the 1 of an offset behind the inputs.
const LARGEST = 1e30;  // beyond this a run has diverged
const EPSILON = 1e-8, PINV_CUTOFF = 1e-10, SOLVE_CUTOFF = 1e-15, VARIANCE_EPSILON = 1e-5;
const LONGEST_DOUBLING = 16, BISECTIONS = 45;

function sigmoid(z) {
  const decay = Math.exp(-Math.abs(z));
  return (z >= 0 ? 1 : decay) / (1 + decay);
}

function sigmoidSlope(z) {
  const decay = Math.exp(-Math.abs(z));
  return decay / (1 + decay) ** 2;
}

const softplus = z => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));

const LOSSES = {
  squared: { value: (f, y) => 0.5 * (f - y) ** 2, slope: (f, y) => f - y, gaussNewton: () => 1, bound: 1, quadratic: true },
  logistic: { value: (f, y) => softplus(f) - y * f, slope: (f, y) => sigmoid(f) - y, gaussNewton: sigmoidSlope, bound: 0.25 },
  sigmoid_squared: { value: (f, y) => 0.5 * (sigmoid(f) - y) ** 2, slope: (f, y) => (sigmoid(f) - y) * sigmoidSlope(f),
    gaussNewton: f => sigmoidSlope(f) ** 2, bound: 0.07702928506067525 },
};

const SCHEDULES = {
  constant: () => 1,
  cosine: (t, steps) => 0.5 * (1 + Math.cos(Math.PI * t / steps)),
  inverse_sqrt: t => 1 / Math.sqrt(1 + t),
};

/** Each makes the step of a gradient, in its place; state: two arrays as long as it, of zeros at first; t counts from 1. */
const OPTIMIZERS = {
  sgd() {},
  momentum(step, [velocity], { momentum }) {
    for (let k = 0; k < step.length; k++) step[k] = velocity[k] = momentum * velocity[k] + step[k];
  },
  nesterov(step, [velocity], { momentum }) {
    for (let k = 0; k < step.length; k++) step[k] += momentum * (velocity[k] = momentum * velocity[k] + step[k]);
  },
  rmsprop(step, [square], { decay }) {
    for (let k = 0; k < step.length; k++) {
      square[k] = decay * square[k] + (1 - decay) * step[k] * step[k];
      step[k] /= Math.sqrt(square[k]) + EPSILON;
    }
  },
  adam(step, [mean, square], { momentum, decay }, t) {
    const seenMean = 1 - momentum ** t, seenSquare = 1 - decay ** t;
    for (let k = 0; k < step.length; k++) {
      mean[k] = momentum * mean[k] + (1 - momentum) * step[k];
      square[k] = decay * square[k] + (1 - decay) * step[k] * step[k];
      step[k] = mean[k] / seenMean / (Math.sqrt(square[k] / seenSquare) + EPSILON);
    }
  },
  steepest_descent(step, state, settings, t, batch) {
    const length = lineMinimum(batch, step);
    for (let k = 0; k < step.length; k++) step[k] *= length;
  },
  gauss_newton(step, state, settings, t, batch) {
    const roots = rootsOfCurvature(batch);
    const cutoff = Math.max(PINV_CUTOFF, step.length * Number.EPSILON);
    step.set(finite(roots) && finite(step) ? pinvTimes(roots, batch.size, step, cutoff) : step.fill(NaN));
  },
  levenberg_marquardt(step, state, { damping }, t, batch) {
    const roots = rootsOfCurvature(batch), size = step.length;
    if (!finite(roots) || !finite(step)) return void step.fill(NaN);
    const damped = products(roots, batch.size, size);
    for (let k = 0; k < size; k++) damped[k * size + k] += damping;
    step.set(solved(damped, step) ?? spectralTimes(damped, step, SOLVE_CUTOFF));
  },
};

/** f = w.x, or w.x + bias where the last number of a sample is a 1. */
class Linear {
  constructor(dimensions, bias) { this.size = this.width = dimensions + (bias ? 1 : 0); }

  outputs(theta, x, into) {
    const { width } = this;
    for (let n = 0, at = 0; n < into.length; n++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += x[at++] * theta[k];
      into[n] = sum;
    }
  }

  /** The samples' gradients, each times its slope, added up. */
  pull(theta, x, slopes, into) {
    const { width } = this;
    into.fill(0);
    for (let n = 0, at = 0; n < slopes.length; n++) {
      const slope = slopes[n];
      for (let k = 0; k < width; k++) into[k] += slope * x[at++];
    }
  }

  jacobian(theta, x) { return Float64Array.from(x); }

  /** [q, r] of f(theta - a direction) = f - a q + a² r, for each sample. */
  along(theta, x, direction, size) {
    const q = new Float64Array(size);
    this.outputs(direction, x, q);
    return [q, new Float64Array(size)];
  }
}

/** f = sum of w_i (x_i + b_i), perhaps + bias: theta holds the weights, the b_i, then the bias; samples end with a 1, or
 * with what has become of it where rows have been condensed. */
class InputBias {
  constructor(dimensions, bias) {
    this.dimensions = dimensions;
    this.bias = bias;
    this.width = dimensions + 1;
    this.size = 2 * dimensions + (bias ? 1 : 0);
  }

  /** What the shifts b add to every output, with the bias. */
  offset(weights, shifts) {
    const { dimensions: d } = this;
    let sum = this.bias ? shifts[2 * d] : 0;
    for (let k = 0; k < d; k++) sum += weights[k] * shifts[d + k];
    return sum;
  }

  outputs(theta, x, into) {
    const { dimensions: d, width } = this, offset = this.offset(theta, theta);
    for (let n = 0, at = 0; n < into.length; n++, at += width) {
      let sum = x[at + d] * offset;
      for (let k = 0; k < d; k++) sum += x[at + k] * theta[k];
      into[n] = sum;
    }
  }

  pull(theta, x, slopes, into) {
    const { dimensions: d, width } = this;
    let total = 0;
    into.fill(0);
    for (let n = 0, at = 0; n < slopes.length; n++, at += width) {
      total += slopes[n] * x[at + d];
      for (let k = 0; k < d; k++) into[k] += slopes[n] * x[at + k];
    }
    for (let k = 0; k < d; k++) {
      into[k] += total * theta[d + k];
      into[d + k] = total * theta[k];
    }
    if (this.bias) into[2 * d] = total;
  }

  jacobian(theta, x) {
    const { dimensions: d, width, size } = this, rows = x.length / width, found = new Float64Array(rows * size);
    for (let n = 0; n < rows; n++) {
      const one = x[n * width + d];
      for (let k = 0; k < d; k++) {
        found[n * size + k] = x[n * width + k] + one * theta[d + k];
        found[n * size + d + k] = one * theta[k];
      }
      if (this.bias) found[n * size + 2 * d] = one;
    }
    return found;
  }

  along(theta, x, direction, size) {
    const { dimensions: d, width } = this, jacobian = this.jacobian(theta, x);
    let both = 0;
    for (let k = 0; k < d; k++) both += direction[k] * direction[d + k];
    const q = Float64Array.from({ length: size }, (_, n) => dot(jacobian.subarray(n * this.size, (n + 1) * this.size), direction));
    return [q, Float64Array.from({ length: size }, (_, n) => x[n * width + d] * both)];
  }
}

function dot(one, other) {
  let sum = 0;
  for (let k = 0; k < one.length; k++) sum += one[k] * other[k];
  return sum;
}

const finite = values => values.every(Number.isFinite);

/** Rows (B, P) whose products are the batch's mean Gauss-Newton curvature: the Jacobian's, times the root of the loss's. */
function rootsOfCurvature({ neuron, loss, theta, x, y, outputs, size }) {
  const rows = neuron.jacobian(theta, x), wide = neuron.size;
  for (let n = 0; n < size; n++) {
    const root = Math.sqrt(loss.gaussNewton(outputs[n], y[n]) / size);
    for (let k = 0; k < wide; k++) rows[n * wide + k] *= root;
  }
  return rows;
}

/** rows' rows, (wide, wide). */
function products(rows, count, wide) {
  const found = new Float64Array(wide * wide);
  for (let n = 0; n < count * wide; n += wide)
    for (let i = 0; i < wide; i++) {
      const value = rows[n + i];
      for (let j = 0; j <= i; j++) found[i * wide + j] += value * rows[n + j];
    }
  for (let i = 0; i < wide; i++) for (let j = 0; j < i; j++) found[j * wide + i] = found[i * wide + j];
  return found;
}

/** pinv(rows' rows) gradient; of few rows by the eigenvectors of rows rows', which has the same eigenvalues. */
function pinvTimes(rows, count, gradient, cutoff) {
  const wide = gradient.length;
  if (count >= wide) return spectralTimes(products(rows, count, wide), gradient, cutoff);
  const turned = new Float64Array(count * wide);
  for (let n = 0; n < count; n++) for (let k = 0; k < wide; k++) turned[k * count + n] = rows[n * wide + k];
  const { values, vectors } = eigh(products(turned, wide, count), count), step = new Float64Array(wide);
  const smallest = cutoff * values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let m = 0; m < count; m++) {
    if (!(Math.abs(values[m]) > smallest)) continue;
    const vector = new Float64Array(wide), length = Math.sqrt(values[m]);  // of rows' rows
    for (let n = 0; n < count; n++) for (let k = 0; k < wide; k++) vector[k] += vectors[n * count + m] / length * rows[n * wide + k];
    const share = dot(vector, gradient) / values[m];
    for (let k = 0; k < wide; k++) step[k] += share * vector[k];
  }
  return step;
}

/** pinv(matrix) vector, of a symmetric matrix: eigenvalues below this share of the largest count as zero. */
function spectralTimes(matrix, vector, cutoff) {
  const size = vector.length, { values, vectors } = eigh(matrix, size), found = new Float64Array(size);
  const smallest = cutoff * values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let m = 0; m < size; m++) {
    if (!(Math.abs(values[m]) > smallest)) continue;
    let share = 0;
    for (let k = 0; k < size; k++) share += vectors[k * size + m] * vector[k];
    for (let k = 0; k < size; k++) found[k] += share / values[m] * vectors[k * size + m];
  }
  return found;
}

/** Eigenvalues of a symmetric matrix and its eigenvectors as columns, by Jacobi's rotations. */
function eigh(matrix, size) {
  const a = Float64Array.from(matrix), v = new Float64Array(size * size);
  let nothing = 0;
  for (let k = 0; k < size; k++) {
    v[k * size + k] = 1;
    nothing = Math.max(nothing, 1e-17 * Math.abs(a[k * size + k]));
  }
  const turn = (m, i, j, stride, other, c, s) => {
    for (let k = 0, p = i * other, q = j * other; k < size; k++, p += stride, q += stride) {
      const one = m[p], two = m[q];
      m[p] = c * one - s * two;
      m[q] = s * one + c * two;
    }
  };
  for (let sweep = 0; sweep < 30; sweep++) {
    let turned = false;
    for (let i = 0; i < size; i++)
      for (let j = i + 1; j < size; j++) {
        const beside = a[i * size + j], low = a[i * size + i], high = a[j * size + j];
        if (!(Math.abs(beside) > nothing)) continue;
        const ratio = (high - low) / (2 * beside);
        const tangent = (ratio >= 0 ? 1 : -1) / (Math.abs(ratio) + Math.hypot(ratio, 1));
        const c = 1 / Math.hypot(tangent, 1), s = tangent * c;
        turn(a, i, j, size, 1, c, s);
        turn(a, i, j, 1, size, c, s);
        turn(v, i, j, size, 1, c, s);
        a[i * size + j] = a[j * size + i] = 0;
        turned = true;
      }
    if (!turned) break;
  }
  return { values: Float64Array.from({ length: size }, (_, k) => a[k * size + k]), vectors: v };
}

/** Gauss's elimination; null of a matrix that is singular. */
function solved(matrix, vector) {
  const size = vector.length, a = Float64Array.from(matrix), x = Float64Array.from(vector);
  for (let i = 0; i < size; i++) {
    let best = i;
    for (let k = i + 1; k < size; k++) if (Math.abs(a[k * size + i]) > Math.abs(a[best * size + i])) best = k;
    if (a[best * size + i] === 0) return null;
    if (best !== i) {
      for (let k = i; k < size; k++) [a[i * size + k], a[best * size + k]] = [a[best * size + k], a[i * size + k]];
      [x[i], x[best]] = [x[best], x[i]];
    }
    for (let k = i + 1; k < size; k++) {
      const share = a[k * size + i] / a[i * size + i];
      for (let j = i; j < size; j++) a[k * size + j] -= share * a[i * size + j];
      x[k] -= share * x[i];
    }
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) x[i] -= a[i * size + k] * x[k];
    x[i] /= a[i * size + i];
  }
  return x;
}

/** The step length that minimizes the batch's mean loss along -direction: 0 at a zero gradient. */
function lineMinimum(batch, direction) {
  const { neuron, loss, theta, x, size } = batch, [q, r] = neuron.along(theta, x, direction, size);
  const curvature = loss.bound * dot(q, q) / size;
  const base = curvature === 0 ? 0 : curvature > 0 ? dot(direction, direction) / curvature : NaN;
  return loss.quadratic && !r.some(Boolean) ? base : search(batch, q, r, base);
}

/** Doubled from `base` until the slope turns, then bisected; a step that does not descend is halved. */
function search({ loss, y, outputs, size }, q, r, base) {
  const output = (n, length) => outputs[n] - length * (q[n] - length * r[n]);
  const value = length => {
    let sum = 0;
    for (let n = 0; n < size; n++) sum += loss.value(output(n, length), y[n]);
    return sum;
  };
  const descends = length => {
    let sum = 0;
    for (let n = 0; n < size; n++) sum += loss.slope(output(n, length), y[n]) * (q[n] - 2 * length * r[n]);
    return sum > 0;
  };
  let low = 0, high = base;
  for (let k = 0; k < LONGEST_DOUBLING && descends(high); k++) { low = high; high *= 2; }
  let width = high - low;
  for (let k = 0; k < BISECTIONS; k++) {
    width *= 0.5;
    if (descends(low + width)) low += width;
  }
  let length = low + 0.5 * width;
  const start = value(0) * (1 + 1e-14);  // beside the minimum rounding errors must not halve it
  for (let k = 0; k < BISECTIONS && value(length) > start; k++) length *= 0.5;
  return length;
}

/** Each input less its mean over the batch, divided by its spread there. */
function normalizeBatch(x, size, width, dimensions) {
  for (let k = 0; k < dimensions; k++) {
    let mean = 0, variance = 0;
    for (let at = k; at < size * width; at += width) mean += x[at] / size;
    for (let at = k; at < size * width; at += width) variance += (x[at] - mean) ** 2 / size;
    const spread = Math.sqrt(variance + VARIANCE_EPSILON);
    for (let at = k; at < size * width; at += width) x[at] = (x[at] - mean) / spread;
  }
}

/** The targets where the places have moved by these four numbers: target along and across the mean, then the start. */
function targetsAt({ loss, logits, slopes, link, lift }, moves) {
  const many = slopes ? slopes.length / logits.length : 0, raise = lift && lift[0] + dot(moves, lift.subarray(1));
  return Float64Array.from(logits, (logit, n) => {
    for (let k = 0; k < many; k++) logit += slopes[n * many + k] * moves[k];
    const target = link ? sigmoid(logit) : logit;
    return lift ? sigmoid(Math.log(target) - Math.log1p(-target) + raise) : target;  // geometry.moved_data
  });
}

/** The learning rate there: as a share of a limit that the optimum has a part in, it moves with the places. */
function rateAt({ rate, limit }, moves) {
  if (!limit) return rate ?? 1;
  const { bound, bias, values, means, energy, largest, energetic, gram } = limit, at = [1, ...moves];
  let square = bias;  // of what stands beside the inputs: the optimum's weights, and the 1 of a bias
  for (let i = 0; i < 5; i++) for (let j = 0; j < 5; j++) square += at[i] * gram[i * 5 + j] * at[j];
  return rate * 2 / (bound * (largest * bordered(values, means, square) + energetic * (energy + square)));
}

/** The largest eigenvalue of a matrix with these eigenvalues that has got one row and column more: on the diagonal
 * `square`, beside it the root of that times a vector with these squares along the eigenvectors. */
function bordered(values, means, square) {
  let low = Math.max(...values), high = low + square;
  for (let k = 0; k < 60; k++) {
    const middle = (low + high) / 2;
    let excess = middle - square;
    for (let i = 0; i < values.length; i++) if (means[i]) excess -= square * means[i] / (middle - values[i]);
    if (excess < 0) low = middle; else high = middle;
  }
  return high;
}

/** The path (u, v, u, v, ...) of the weights in the picture, from its point `spot`, where the places have moved by `moves`
 * (see targetsAt): as many steps as there are draws for, or until it diverges. */
function followed(run, spot, moves) {
  const { axes, dimensions: d, rows, draws, steps } = run, loss = LOSSES[run.loss], update = OPTIMIZERS[run.rule];
  const neuron = new (run.learned ? InputBias : Linear)(d, run.bias), { width } = neuron, schedule = SCHEDULES[run.schedule];
  const rate = rateAt(run, moves), targets = targetsAt(run, moves), size = draws ? run.batch : targets.length;
  const theta = new Float64Array(neuron.size), step = new Float64Array(neuron.size), state = [step.slice(), step.slice()];
  const x = draws ? new Float64Array(size * width) : rows, y = draws ? new Float64Array(size) : targets;
  const outputs = new Float64Array(size), slopes = new Float64Array(size), path = new Float64Array(2 * (steps + 1));
  const batch = { neuron, loss, theta, x, y, outputs, size };
  for (let k = 0; k < d; k++) theta[k] = spot[0] * axes[k] + spot[1] * axes[d + k];
  if (run.bias) theta[neuron.size - 1] = run.start_bias;
  path.set(spot);
  for (let t = 0; t < steps; t++) {
    if (draws) {
      for (let b = 0, at = 0; b < size; b++) {
        const n = draws[t * size + b];
        y[b] = targets[n];
        for (let k = n * width; k < (n + 1) * width; k++) x[at++] = rows[k];
      }
      if (run.per_batch) normalizeBatch(x, size, width, d);
    }
    neuron.outputs(theta, x, outputs);
    for (let b = 0; b < size; b++) slopes[b] = loss.slope(outputs[b], y[b]) / size;
    neuron.pull(theta, x, slopes, step);
    update(step, state, run, t + 1, batch);
    const scale = rate * schedule(t, run.of);
    let largest = 0, u = 0, v = 0;
    for (let k = 0; k < step.length; k++) {
      theta[k] -= scale * step[k];
      largest = Math.max(largest, Math.abs(theta[k]));  // NaN stays NaN
    }
    if (!Number.isFinite(largest)) return path.subarray(0, 2 * (t + 1));
    for (let k = 0; k < d; k++) {
      u += axes[k] * theta[k];
      v += axes[d + k] * theta[k];
    }
    path[2 * t + 2] = u;
    path[2 * t + 3] = v;
    if (largest > LARGEST) return path.subarray(0, 2 * (t + 2));
  }
  return path;
}
