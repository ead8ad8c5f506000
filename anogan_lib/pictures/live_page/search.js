// The search for z in plain JavaScript: what anogan_lib/paper/search.py does, over the networks of networks.js, which
// stands before it. z holds L numbers.

// L(z) = weights[0] R(z) + weights[1] D(z), with R = sum |x - G(z)| and D = sum |f(x) - f(G(z))|.
export class Search {
  // about: {latent, shape, prior, pace, generator, features, encoder or null, region or null}; see layers.py.
  constructor(about, weights, room) {
    const { latent, shape, generator, features, encoder, region } = about;
    Object.assign(this, { latent, shape, prior: about.prior, pace: about.pace });
    this.generator = network(room, generator, weights, [latent]);
    this.features = network(room, features, weights, shape);
    this.encoder = encoder && network(room, encoder, weights, shape);
    const part = ({ offset, size }) => weights.slice(offset, offset + size);
    this.region = region && { inside: part(region.inside), elsewhere: part(region.elsewhere) };
    const pixels = count(shape), wide = count(this.features.shape);
    this.x = room.array(pixels);
    this.y = room.array(pixels);
    this.feature = new Float32Array(wide); // f(x)
    this.signs = [room.array(pixels), room.array(wide)]; // of G(z) - x and f(G(z)) - f(x): the gradients of R and D
    this.inHand = null; // the walk whose z the layers hold
  }

  // Outside the region of interest, x and G(z) are replaced.
  within(image) {
    const { inside, elsewhere } = this.region ?? {}, c = this.shape[2];
    return this.region ? image.map((value, i) => (inside[Math.floor(i / c)] ? value : elsewhere[i])) : image;
  }

  // Search for this image from now on.
  aim(image) {
    this.x.set(this.within(image));
    this.feature.set(this.features.forward(this.x));
    this.inHand = null;
  }

  // The nearest z that the prior allows.
  ontoPrior(z) {
    if (this.prior === "normal") return z;
    const factor = Math.sqrt(z.length) / Math.sqrt(z.reduce((sum, each) => sum + each * each, 1e-12));
    return z.map((each) => each * factor);
  }

  random() { // Box and Muller
    const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    return this.ontoPrior(Float32Array.from({ length: this.latent }, normal));
  }

  encode() { // E(x)
    return this.ontoPrior(Float32Array.from(this.encoder.forward(this.x)));
  }

  // A walk through latent space that begins at z; R and D of each step are recorded.
  walk(z) {
    const zeros = () => new Float32Array(z.length);
    const begun = { z: Float32Array.from(z), m: zeros(), v: zeros(), t: 0, residual: [], discrimination: [], y: null };
    const { r, d } = this.look(begun);
    begun.residual.push(r);
    begun.discrimination.push(d);
    return begun;
  }

  // R(z), D(z) and, in walk.y, G(z).
  look(walk) {
    this.y.set(this.within(this.generator.forward(walk.z)));
    const felt = this.features.forward(this.y), [pixelSigns, featureSigns] = this.signs;
    let r = 0, d = 0;
    for (let i = 0; i < this.y.length; i++) {
      const difference = this.y[i] - this.x[i];
      r += Math.abs(difference);
      pixelSigns[i] = Math.sign(difference);
    }
    for (let i = 0; i < felt.length; i++) {
      const difference = felt[i] - this.feature[i];
      d += Math.abs(difference);
      featureSigns[i] = Math.sign(difference);
    }
    walk.y = Float32Array.from(this.y);
    this.inHand = walk;
    return { r, d };
  }

  // dL/dz at the walk's z.
  gradient(walk, weights) {
    if (this.inHand !== walk) this.look(walk);
    this.inHand = null; // layers work in place: they can go back once
    const [pixelSigns, featureSigns] = this.signs;
    for (let i = 0; i < featureSigns.length; i++) featureSigns[i] *= weights[1];
    const g = this.features.backward(featureSigns), inside = this.region?.inside, c = this.shape[2];
    for (let i = 0; i < g.length; i++) {
      g[i] += weights[0] * pixelSigns[i];
      if (inside && !inside[Math.floor(i / c)]) g[i] = 0;
    }
    return this.generator.backward(g);
  }

  // One step of Adam downhill (Kingma and Ba 2015), its step size falling along a half cosine.
  step(walk, weights) {
    const { steps, step_size, beta_1, beta_2 } = this.pace, { m, v } = walk;
    const g = this.gradient(walk, weights), t = walk.t++;
    const rate = step_size * 0.5 * (1 + Math.cos((Math.PI * t) / steps));
    walk.z = this.ontoPrior(walk.z.map((z, i) => {
      m[i] = beta_1 * m[i] + (1 - beta_1) * g[i];
      v[i] = beta_2 * v[i] + (1 - beta_2) * g[i] ** 2;
      const up = m[i] / (1 - beta_1 ** (t + 1)), size = v[i] / (1 - beta_2 ** (t + 1));
      return z - (rate * up) / (Math.sqrt(size) + 1e-8);
    }));
    const { r, d } = this.look(walk);
    walk.residual.push(r);
    walk.discrimination.push(d);
  }
}

// A search in the fastest room that there is: arrays are counted in a plain one first, since WebAssembly's is of one size.
export const makeSearch = (about, weights, wasm) => {
  try {
    let floats = 0;
    const counting = { array: (size) => ((floats += 4 * Math.ceil(size / 4)), new Float32Array(size)), product() {} };
    new Search(about, weights, counting);
    return Object.assign(new Search(about, weights, fastRoom(wasm, floats)), { fast: true });
  } catch {
    return Object.assign(new Search(about, weights, plainRoom()), { fast: false });
  }
};

// ---- numbers from Python

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

export const inflated = async (base64) => {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

// Weights as layers.py packs them: floating-point numbers of 16 bits, all lower bytes and then all higher ones.
export const halves = (bytes) => {
  const numbers = new Float32Array(bytes.length / 2);
  for (let i = 0; i < numbers.length; i++) {
    const bits = bytes[i] | (bytes[numbers.length + i] << 8), power = (bits >> 10) & 31, fraction = bits & 1023;
    const size = power ? (1 + fraction / 1024) * 2 ** (power - 15) : (fraction / 1024) * 2 ** -14;
    numbers[i] = bits & 32768 ? -size : size;
  }
  return numbers;
};

// How often a normal image scores this or more: (1 + #{calibration >= score}) / (n + 1), as thresholds.p_values.
export const pValue = (calibration, score) =>
  (1 + calibration.filter((each) => each >= score).length) / (calibration.length + 1);
