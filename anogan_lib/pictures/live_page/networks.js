// Networks in plain JavaScript: the layers of G, f and E, forward and backward, written out by hand.
//
// An image is a Float32Array of H * W * C numbers in [-1, 1], row by row, and so is the output of a layer. Python
// (layers.py) lists the layers, and where their weights lie in one long array.

// ---- memory and the matrix product

// C = A B for matrices stored row by row: A (m x k), B (k x n), C (m x n). Two rows and four columns of C are summed at a
// time, which is several times as fast as one; where fewer are left, the last row or column is computed again.
const plainProduct = (A, B, C, m, k, n) => {
  for (let i = 0; i < m; i += 2) {
    const below = Math.min(i + 1, m - 1);
    for (let j = 0; j < n; j += 4) {
      const [one, two, three] = [1, 2, 3].map((more) => Math.min(more, n - 1 - j));
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
      for (let p = 0, at = j; p < k; p++, at += n) {
        const a = A[i * k + p], b = A[below * k + p];
        const x0 = B[at], x1 = B[at + one], x2 = B[at + two], x3 = B[at + three];
        s0 += a * x0; s1 += a * x1; s2 += a * x2; s3 += a * x3;
        t0 += b * x0; t1 += b * x1; t2 += b * x2; t3 += b * x3;
      }
      let c = i * n + j;
      C[c] = s0; C[c + one] = s1; C[c + two] = s2; C[c + three] = s3;
      c = below * n + j;
      C[c] = t0; C[c + one] = t1; C[c + two] = t2; C[c + three] = t3;
    }
  }
};

// Where arrays are kept, and the matrix product over them. With the bytes of product.wasm, four to ten times as fast.
export const plainRoom = () => ({ array: (size) => new Float32Array(size), product: plainProduct });

const PAGE = 65536; // bytes, WebAssembly's unit of memory
export const fastRoom = (bytes, floats) => {
  const memory = new WebAssembly.Memory({ initial: Math.ceil((4 * floats) / PAGE) });
  const { product } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { here: { memory } }).exports;
  let used = 0;
  return {
    array(size) {
      const part = new Float32Array(memory.buffer, used, size);
      used += 16 * Math.ceil(size / 4);
      return part;
    },
    product(A, B, C, m, k, n) {
      if (n % 8) plainProduct(A, B, C, m, k, n);
      else product(A.byteOffset, B.byteOffset, C.byteOffset, m, k, n);
    },
  };
};

// ---- layers: each has the shape of its output, forward(input) -> output, and backward(dL/doutput) -> dL/dinput

const count = (shape) => shape.reduce((a, b) => a * b, 1);

const transposed = (room, matrix, rows, columns) => {
  const turned = room.array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = matrix[i * columns + j];
  return turned;
};

// Every convolution has a 4 x 4 kernel, stride 2 and padding "same": tap (u, v) of the small picture's pixel (i, j) lies
// on the large picture's (2 i - 1 + u, 2 j - 1 + v). In a matrix of columns, the 16 taps of a small pixel stand in one row.
// Returns where each tap begins in the large picture (h, w, c), -1 for outside.
const tapsOf = ([h, w, c], [rows, across]) => {
  const taps = new Int32Array(rows * across * 16);
  for (let t = 0; t < taps.length; t++) {
    const pixel = t >> 4, y = 2 * Math.floor(pixel / across) - 1 + ((t >> 2) & 3), x = 2 * (pixel % across) - 1 + (t & 3);
    taps[t] = y >= 0 && y < h && x >= 0 && x < w ? (y * w + x) * c : -1;
  }
  return taps;
};

// Copy the taps of each small pixel out of the large picture, and the other way: add them up in it.
const gather = (picture, columns, taps, c) => {
  for (let t = 0, at = 0; t < taps.length; t++, at += c)
    for (let k = 0; k < c; k++) columns[at + k] = taps[t] < 0 ? 0 : picture[taps[t] + k];
};
const scatter = (columns, picture, taps, c) => {
  for (let t = 0, at = 0; t < taps.length; t++, at += c)
    if (taps[t] >= 0) for (let k = 0; k < c; k++) picture[taps[t] + k] += columns[at + k];
};

const LAYERS = {
  // (n) -> shape; a matrix (n x units), and a bias or none
  dense(room, { shape, weight, bias }, before) {
    const n = count(before), units = count(shape), input = room.array(n);
    const out = room.array(units), gradient = room.array(n), turned = transposed(room, weight, n, units);
    return {
      shape,
      forward(x) {
        input.set(x);
        room.product(input, weight, out, 1, n, units);
        if (bias) for (let i = 0; i < units; i++) out[i] += bias[i];
        return out;
      },
      backward(g) {
        room.product(g, turned, gradient, 1, units, n);
        return gradient;
      },
    };
  },

  // (h, w, c) -> half the sides, `channels`; the kernel is a matrix (16 c x channels)
  convolution(room, { weight, bias, channels }, before) {
    const small = [Math.ceil(before[0] / 2), Math.ceil(before[1] / 2)], pixels = count(small), c = before[2];
    const taps = tapsOf(before, small), columns = room.array(pixels * 16 * c), turned = transposed(room, weight, 16 * c, channels);
    const out = room.array(pixels * channels), gradient = room.array(count(before));
    return {
      shape: [...small, channels],
      forward(x) {
        gather(x, columns, taps, c);
        room.product(columns, weight, out, pixels, 16 * c, channels);
        for (let i = 0; i < out.length; i++) out[i] += bias[i % channels];
        return out;
      },
      backward(g) {
        room.product(g, turned, columns, pixels, channels, 16 * c);
        gradient.fill(0);
        scatter(columns, gradient, taps, c);
        return gradient;
      },
    };
  },

  // (h, w, c) -> twice the sides, `channels`: a convolution backwards, so its kernel is a matrix (16 channels x c)
  transposed(room, { weight, bias, channels }, before) {
    const small = before.slice(0, 2), pixels = count(small), c = before[2], shape = [2 * small[0], 2 * small[1], channels];
    const taps = tapsOf(shape, small), columns = room.array(pixels * 16 * channels);
    const turned = transposed(room, weight, 16 * channels, c), out = room.array(count(shape)), gradient = room.array(pixels * c);
    return {
      shape,
      forward(x) {
        room.product(x, turned, columns, pixels, c, 16 * channels);
        for (let i = 0; i < out.length; i++) out[i] = bias[i % channels];
        scatter(columns, out, taps, channels);
        return out;
      },
      backward(g) {
        gather(g, columns, taps, channels);
        room.product(columns, weight, gradient, pixels, 16 * channels, c);
        return gradient;
      },
    };
  },

  // Layer normalisation: over all of one image's numbers, then a factor and an offset for each channel.
  normalise(room, { gamma, beta, epsilon }, shape) {
    const n = count(shape), c = shape[2], normal = room.array(n), out = room.array(n), gradient = room.array(n);
    let scale = 1;
    return {
      shape,
      forward(x) {
        let mean = 0, variance = 0;
        for (let i = 0; i < n; i++) mean += x[i] / n;
        for (let i = 0; i < n; i++) variance += (x[i] - mean) ** 2 / n;
        scale = 1 / Math.sqrt(variance + epsilon);
        for (let i = 0; i < n; i++) {
          normal[i] = (x[i] - mean) * scale;
          out[i] = normal[i] * gamma[i % c] + beta[i % c];
        }
        return out;
      },
      backward(g) {
        let mean = 0, along = 0;
        for (let i = 0; i < n; i++) {
          gradient[i] = g[i] * gamma[i % c];
          mean += gradient[i] / n;
          along += (gradient[i] * normal[i]) / n;
        }
        for (let i = 0; i < n; i++) gradient[i] = scale * (gradient[i] - mean - normal[i] * along);
        return gradient;
      },
    };
  },

  // Numbers below 0 are multiplied by `slope`: 0 for ReLU, 0.2 for LeakyReLU. In place, and so the gradient.
  leak(room, { slope }, shape) {
    let last;
    return {
      shape,
      forward(x) {
        for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] *= slope;
        return (last = x);
      },
      backward(g) {
        for (let i = 0; i < g.length; i++) if (last[i] <= 0) g[i] *= slope;
        return g;
      },
    };
  },

  tanh(room, _, shape) {
    let last;
    return {
      shape,
      forward(x) {
        for (let i = 0; i < x.length; i++) x[i] = Math.tanh(x[i]);
        return (last = x);
      },
      backward(g) {
        for (let i = 0; i < g.length; i++) g[i] *= 1 - last[i] ** 2;
        return g;
      },
    };
  },

  // A surplus of `top` rows and `left` columns is cut off, and as much below and to the right as leaves `size`.
  crop(room, { top, left, size }, [h, w, c]) {
    const shape = [...size, c], out = room.array(count(shape)), gradient = room.array(h * w * c), wide = size[1] * c;
    const at = (row) => ((row + top) * w + left) * c;
    return {
      shape,
      forward(x) {
        for (let row = 0; row < size[0]; row++) out.set(x.subarray(at(row), at(row) + wide), row * wide);
        return out;
      },
      backward(g) {
        for (let row = 0; row < size[0]; row++) gradient.set(g.subarray(row * wide, (row + 1) * wide), at(row));
        return gradient;
      },
    };
  },

  // (x - mean) / spread, where `beside` after the channels of x itself
  standardise(room, { mean, spread, beside }, [h, w, c]) {
    const each = beside ? 2 * c : c, out = room.array(h * w * each), gradient = room.array(h * w * c);
    return {
      shape: [h, w, each],
      forward(x) {
        for (let i = 0; i < x.length; i++) {
          const at = Math.floor(i / c) * each + (i % c);
          if (beside) out[at] = x[i];
          out[at + each - c] = (x[i] - mean[i]) / spread;
        }
        return out;
      },
      backward(g) {
        for (let i = 0; i < gradient.length; i++) {
          const at = Math.floor(i / c) * each + (i % c);
          gradient[i] = g[at + each - c] / spread + (beside ? g[at] : 0);
        }
        return gradient;
      },
    };
  },

  // mean + spread x, cut off at -1 and 1
  picture(room, { mean, spread }, shape) {
    const out = room.array(count(shape));
    let inside;
    return {
      shape,
      forward(x) {
        inside ??= new Uint8Array(x.length);
        for (let i = 0; i < x.length; i++) {
          const value = mean[i] + spread * x[i];
          out[i] = Math.min(1, Math.max(-1, value));
          inside[i] = value >= -1 && value <= 1;
        }
        return out;
      },
      backward(g) {
        for (let i = 0; i < g.length; i++) g[i] *= inside[i] ? spread : 0;
        return g;
      },
    };
  },
};

// A chain of layers. `weights` is what the offsets in the list refer to.
const network = (room, list, weights, shape) => {
  const layers = [];
  for (const each of list) {
    const spec = { ...each };
    for (const [name, { offset, size }] of Object.entries(each.arrays ?? {})) {
      spec[name] = room.array(size);
      spec[name].set(weights.subarray(offset, offset + size));
    }
    layers.push(LAYERS[each.kind](room, spec, shape));
    shape = layers.at(-1).shape;
  }
  return {
    forward: (x) => layers.reduce((y, layer) => layer.forward(y), x),
    backward: (g) => layers.reduceRight((y, layer) => layer.backward(y), g),
    shape,
  };
};
