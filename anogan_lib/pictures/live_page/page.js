// What a person sees and does: the easel, the search as it walks, the encoder beside it, curves, z and verdicts. Python
// puts this after pictures/drawing.js and search.js.

const node = (id) => document.getElementById(id);
const about = JSON.parse(node("state").textContent);
const search = makeSearch(about, halves(bytesOf(about.weights)), bytesOf(about.product));
const [height, width, channels] = about.shape, { steps } = about.pace;
const percent = (share) => `${Number((100 * share).toPrecision(2))} %`;

// What normal images ended with, by the way to z, and their scores for a lambda.
const weightsOf = (lam) => [(1 - lam) / about.units[0], lam / about.units[1]];
const scoreOf = (r, d, lam) => weightsOf(lam)[0] * r + weightsOf(lam)[1] * d;
const normalScores = (way, lam) => {
  const { residual, discrimination } = about.calibration[way];
  return residual.map((r, i) => scoreOf(r, discrimination[i], lam));
};
const band = (values) => {
  const sorted = [...values].sort((a, b) => a - b), at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return [at(0.05), at(0.95)];
};

// ---- pictures

const MAGMA = [[0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122], [229, 80, 100], [251, 135, 97],
  [254, 194, 135], [252, 253, 191]];
const colourAt = (share) => {
  const place = Math.min(1, Math.max(0, share)) * (MAGMA.length - 1), i = Math.min(Math.floor(place), MAGMA.length - 2);
  return MAGMA[i].map((from, k) => from + (place - i) * (MAGMA[i + 1][k] - from));
};

// Fill a canvas with the colours of its pixels, colour(i) -> [red, green, blue], 0 to 255.
const show = (canvas, colour) => {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const picture = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) picture.data.set([...colour(i), 255], 4 * i);
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(picture, 0, 0); // kept where its pixels are written
};
const showImage = (canvas, image) =>
  show(canvas, (i) => [0, 1, 2].map((k) => 127.5 * (1 + image[i * channels + (k % channels)])));
const showDifference = (canvas, x, y) =>
  show(canvas, (i) => {
    let sum = 0;
    for (let k = i * channels; k < (i + 1) * channels; k++) sum += Math.abs(x[k] - y[k]);
    return colourAt(sum / channels / about.last_colour);
  });

// ---- the easel: strokes are drawn at the image's own pixels; x is read from it when the brush is lifted

const easel = node("easel"), ring = node("brush-ring");
Object.assign(easel, { width, height });
const ink = easel.getContext("2d", { willReadFrequently: true });
const original = make("canvas", { width, height }); // what erasing and clearing bring back
const hand = { x: width / 2, y: height / 2, down: false };
let before = []; // what Undo brings back

const placeRing = () => {
  const part = Number(node("brush").value) / width;
  Object.assign(ring.style, { left: `${(100 * hand.x) / width}%`, top: `${(100 * hand.y) / height}%`, width: `${100 * part}%` });
  ring.style.aspectRatio = "1";
};
const remember = () => {
  before = [...before.slice(-30), ink.getImageData(0, 0, width, height)];
  node("undo").disabled = false;
};
const strokeTo = (x, y) => {
  Object.assign(ink, { lineCap: "round", lineJoin: "round", lineWidth: Number(node("brush").value) });
  ink.strokeStyle = node("erase").checked ? ink.createPattern(original, "no-repeat") : node("colour").value;
  ink.beginPath();
  ink.moveTo(hand.x, hand.y);
  ink.lineTo(x, y);
  ink.stroke();
};
const press = () => {
  if (hand.down) return;
  remember();
  hand.down = true;
  pause();
};
const move = (x, y) => {
  x = Math.min(width, Math.max(0, x));
  y = Math.min(height, Math.max(0, y));
  if (hand.down) strokeTo(x, y);
  Object.assign(hand, { x, y });
  placeRing();
};
const lift = () => {
  if (!hand.down) return;
  hand.down = false;
  readEasel();
};
const placeOf = (event) => {
  const box = easel.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
};
easel.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  easel.setPointerCapture(event.pointerId);
  move(...placeOf(event));
  press();
  strokeTo(hand.x + 0.01, hand.y); // a spot
});
easel.addEventListener("pointermove", (event) => {
  ring.hidden = false;
  for (const each of event.getCoalescedEvents?.() ?? []) move(...placeOf(each));
  move(...placeOf(event));
});
for (const name of ["pointerup", "pointercancel"]) easel.addEventListener(name, lift);
easel.addEventListener("pointerleave", () => (ring.hidden = document.activeElement !== easel));
easel.addEventListener("focus", () => (placeRing(), (ring.hidden = !easel.matches(":focus-visible"))));
easel.addEventListener("blur", () => (lift(), (ring.hidden = true)));
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
easel.addEventListener("keydown", (event) => {
  const arrow = ARROWS[event.key];
  if (!arrow && event.key !== " ") return;
  event.preventDefault();
  ring.hidden = false;
  if (event.shiftKey || event.key === " ") press();
  if (arrow) move(hand.x + arrow[0], hand.y + arrow[1]);
  else strokeTo(hand.x + 0.01, hand.y);
});
easel.addEventListener("keyup", (event) => (event.key === "Shift" || event.key === " ") && lift());

// Put a picture, anything that drawImage takes, onto the easel.
const place = (picture) => {
  const c = original.getContext("2d");
  Object.assign(c, { imageSmoothingQuality: "high", fillStyle: "#000" });
  c.fillRect(0, 0, width, height);
  if (picture) c.drawImage(picture, 0, 0, width, height);
  ink.drawImage(original, 0, 0);
  before = [];
  node("undo").disabled = true;
  readEasel();
};

// x as the search takes it, (height, width, channels) in [-1, 1].
const pixels = () => {
  const { data } = ink.getImageData(0, 0, width, height), image = new Float32Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    const [r, g, b] = data.subarray(4 * i, 4 * i + 3);
    const values = channels === 3 ? [r, g, b] : [r === g && g === b ? r : Math.round(0.299 * r + 0.587 * g + 0.114 * b)];
    image.set(values.map((value) => value / 127.5 - 1), channels * i);
  }
  return image;
};

// Where the bright pixels lie: their box and their centre.
const extentOf = (image) => {
  let [top, left, bottom, right, mass, cx, cy] = [height, width, -1, -1, 0, 0, 0];
  for (let i = 0; i < height * width; i++) {
    const light = (image[i * channels] + 1) / 2, y = Math.floor(i / width), x = i % width;
    if (light > 0.25) [top, left, bottom, right] = [Math.min(top, y), Math.min(left, x), Math.max(bottom, y), Math.max(right, x)];
    [mass, cx, cy] = [mass + light, cx + light * (x + 0.5), cy + light * (y + 0.5)];
  }
  return { side: Math.max(bottom - top, right - left) + 1, cx: cx / mass, cy: cy / mass, drawn: bottom >= 0 };
};
node("fit").addEventListener("click", () => {
  const { side, cx, cy, drawn } = extentOf(pixels()), usual = about.usual;
  if (!drawn) return;
  remember();
  const copy = make("canvas", { width, height }), scale = usual.side / side;
  copy.getContext("2d").drawImage(easel, 0, 0);
  ink.fillStyle = "#000";
  ink.fillRect(0, 0, width, height);
  ink.imageSmoothingQuality = "high";
  ink.drawImage(copy, usual.cx - scale * cx, usual.cy - scale * cy, scale * width, scale * height);
  readEasel();
});

node("undo").addEventListener("click", () => {
  ink.putImageData(before.pop(), 0, 0);
  node("undo").disabled = !before.length;
  readEasel();
});
node("clear").addEventListener("click", () => {
  remember();
  ink.drawImage(original, 0, 0);
  readEasel();
});

// ---- choosing x

const open = async (file) => {
  node("problem").textContent = "";
  try {
    place(await createImageBitmap(file));
    choose(null);
  } catch {
    node("problem").textContent = `${file.name} is no image that this browser can read.`;
  }
};
node("file").addEventListener("change", (event) => event.target.files[0] && open(event.target.files[0]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});

const pictures = about.examples.map(({ kind, image }) => {
  const canvas = make("canvas"), bytes = bytesOf(image);
  show(canvas, (i) => [0, 1, 2].map((k) => bytes[i * channels + (k % channels)]));
  return [canvas, kind];
});
if (about.empty) {
  const canvas = make("canvas");
  show(canvas, () => [0, 0, 0]);
  pictures.push([canvas, "empty"]);
}
const choices = pictures.map(([canvas, kind], i) => {
  const button = make("button", { type: "button", title: kind === "empty" ? "An empty image to draw on" : "" }, canvas, kind);
  button.setAttribute("aria-label", `Image ${i + 1}, ${kind}`);
  button.addEventListener("click", () => {
    node("problem").textContent = "";
    choose(button);
    place(canvas);
  });
  return button;
});
const choose = (button) => choices.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
node("examples").append(...choices);

// ---- the search

let walks = [], random = false, shown = 0, encoder = null, playing = false, seconds = 0;
const lam = () => Number(node("lam").value);
const finished = () => walks[0].t >= steps;
const SPEEDS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, Infinity]; // steps a second

const readEasel = () => {
  const image = pixels();
  search.aim(image);
  encoder = search.encoder && search.walk(search.encode());
  begin();
  if (!finished()) play();
};

// Begin again: from the starts that the page holds, the first of which normal images had, or from random ones.
const begin = (atRandom = false) => {
  const count = Number(node("starts").value);
  random = atRandom;
  walks = about.starts.slice(0, count).map((z) => Object.assign(search.walk(random ? search.random() : z), { own: !random }));
  Object.assign(walks[0], { first: true });
  [shown, seconds] = [0, 0];
  const row = walks.map((_, i) => {
    const button = make("button", { type: "button" }, make("canvas", { width, height }), make("span"));
    button.addEventListener("click", () => ((shown = i), draw()));
    return button;
  });
  node("walks").replaceChildren(...row);
  node("walks").hidden = count === 1;
  draw();
};

const stepAll = () => {
  const began = performance.now();
  for (const walk of walks) {
    if (lam() !== about.lam) walk.own = false;
    search.step(walk, weightsOf(lam()));
  }
  seconds += (performance.now() - began) / 1000;
};

const pause = () => {
  playing = false;
  draw();
};
const play = () => {
  if (finished()) begin(random);
  if (playing) return draw();
  playing = true;
  let last = performance.now(), due = 1;
  const frame = (now) => {
    if (!playing) return;
    const speed = SPEEDS[node("speed").value];
    due = speed === Infinity ? steps : Math.min(due + (speed * (now - last)) / 1000, steps);
    last = now;
    const until = performance.now() + 25; // leaves the browser time to draw
    for (; due >= 1 && !finished() && playing; due--) {
      stepAll();
      if (performance.now() > until) break;
    }
    due = Math.min(due, 2);
    if (finished()) playing = false;
    draw();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
};

node("play").addEventListener("click", () => (playing ? pause() : play()));
node("step").addEventListener("click", () => {
  playing = false;
  if (!finished()) stepAll();
  draw();
});
node("restart").addEventListener("click", () => (begin(), play()));
node("random").addEventListener("click", () => (begin(true), play()));
node("starts").addEventListener("change", () => (begin(random), play()));
const ranges = {
  brush: (value) => `${value} pixels`,
  speed: (value) => (SPEEDS[value] === Infinity ? "full speed" : `${SPEEDS[value]} steps/s`),
  lam: (value) => String(Number(value)),
};
const tell = (id) => {
  const input = node(id), text = ranges[id](input.value);
  input.setAttribute("aria-valuetext", text);
  input.nextElementSibling.textContent = text;
};
for (const id of Object.keys(ranges)) node(id).addEventListener("input", () => tell(id));
node("brush").addEventListener("input", placeRing);
node("lam").addEventListener("input", () => {
  if (finished()) {
    begin(random);
    play();
  } else draw();
});

// ---- what it says

// The p-value of a score, and the verdict.
const judge = (way, score) => {
  const p = pValue(normalScores(way, lam()), score);
  return { p, verdict: p <= about.false_alarm_rate + 1e-12 ? "anomalous" : "normal" };
};
// Why a walk has no verdict, or "".
const missing = (walk) => {
  if (walk.t < steps) return "none while it searches";
  if (random || !walk.first) return "none: another first z";
  return walk.own && lam() === about.lam ? "" : "none: another lambda";
};

const describe = () => {
  const walk = walks[shown], [r, d] = [walk.residual.at(-1), walk.discrimination.at(-1)], a = scoreOf(r, d, lam());
  const now = `Step ${walk.t} of ${steps}: R = ${number(r)}, D = ${number(d)}, A(x) = ${number(a)}.`;
  const why = missing(walk);
  if (walk.t < steps) return `${now} No verdict before the search is done.`;
  if (why === "none: another lambda")
    return `${now} No verdict: normal images were searched with lambda = ${number(about.lam)}.`;
  if (why) return `${now} No verdict: normal images were searched from another z; Restart begins there.`;
  const { p, verdict } = judge("search", a);
  return `${now} ${percent(p)} of normal images score as much or more: ${verdict}.`;
};

const tableRow = (name, walk, way, why) => {
  const [r, d] = [walk.residual.at(-1), walk.discrimination.at(-1)], a = scoreOf(r, d, lam());
  const { p, verdict } = why ? { p: NaN, verdict: why } : judge(way, a);
  const cells = [number(r), number(d), number(a), why ? "" : p.toFixed(3), verdict];
  return make("tr", {}, make("th", { scope: "row", textContent: name }), ...cells.map((text) => make("td", { textContent: text })));
};

// ---- drawing

let colours = theme();
const draw = () => {
  const walk = walks[shown], [x, said] = [search.x, describe()];
  node("play").textContent = playing ? "Pause" : finished() ? "Play again" : "Play";
  node("step").disabled = finished();
  node("at-step").textContent = `step ${walk.t} of ${steps}`;
  showImage(node("generated"), walk.y);
  showDifference(node("left"), x, walk.y);
  node("generated").setAttribute("aria-label", `G(z) at step ${walk.t}`);
  node("left").setAttribute("aria-label", `Difference of x and G(z) at step ${walk.t}, bright where it is large`);
  if (encoder) {
    showImage(node("encoded"), encoder.y);
    showDifference(node("encoded-left"), x, encoder.y);
  }
  [...node("walks").children].forEach((button, i) => {
    const [picture, text] = button.children, score = scoreOf(walks[i].residual.at(-1), walks[i].discrimination.at(-1), lam());
    showImage(picture, walks[i].y);
    text.textContent = `A ${number(Number(score.toPrecision(3)))}`;
    button.setAttribute("aria-pressed", String(i === shown));
    button.setAttribute("aria-label", `Start ${i + 1}, A(x) = ${number(score)}`);
  });
  node("said").setAttribute("aria-live", playing ? "off" : "polite"); // no reader keeps up with ten a second
  if (node("said").textContent !== said) node("said").textContent = said;
  const name = walks.length > 1 ? `search, start ${shown + 1}` : "search";
  const rows = [tableRow(`${name}, step ${walk.t}`, walk, "search", missing(walk))];
  if (encoder) rows.push(tableRow("encoder", encoder, "encoder", ""));
  node("ways").replaceChildren(...rows);
  node("curves").draw();
  node("z").draw();
  const each = (1000 * seconds) / Math.max(1, walk.t * walks.length);
  node("speed-note").textContent = walk.t
    ? `${each.toFixed(1)} ms a step here, ${search.fast ? "with" : "without"} WebAssembly; ${steps} steps take ${((each * steps) / 1000).toFixed(2)} s.`
    : "";
  document.body.dataset.state = playing ? "playing" : finished() ? "done" : "paused";
};

const LINES = [["residual", "R, residual loss"], ["discrimination", "D, discrimination loss"], ["score", "A, anomaly score"]];
const inRow = (wide) => wide > 640;
fitted(node("curves"), (wide) => (inRow(wide) ? 190 : 3 * 150 + 20), (c, wide) => {
  const walk = walks[shown];
  if (!walk) return "";
  const line = (one, name) =>
    name === "score" ? one.residual.map((r, t) => scoreOf(r, one.discrimination[t], lam())) : one[name];
  LINES.forEach(([name, title], i) => {
    const box = inRow(wide)
      ? { x: 46 + (i * wide) / 3, y: 20, w: wide / 3 - 62, h: 120 }
      : { x: 46, y: 20 + 150 * i, w: wide - 60, h: 96 };
    const ends = band(name === "score" ? normalScores("search", lam()) : about.calibration.search[name]);
    const [low, high] = extent([...walks.flatMap((each) => line(each, name)), ...ends]), room = 0.06 * (high - low || 1);
    const [across, up] = axes(c, colours, box, [0, steps], [low - room, high + room], { ylabel: title, xlabel: "step" });
    c.save();
    Object.assign(c, { fillStyle: colours.colour("normal"), globalAlpha: colours.dark ? 0.45 : 0.25 });
    c.fillRect(box.x + 1, up(ends[1]), box.w - 1, Math.max(2, up(ends[0]) - up(ends[1])));
    c.restore();
    const curve = (each, look) =>
      path(c, line(each, name).map((value, t) => [across(t), up(value)]), colours.colour(name), { dash: DASHES[name], ...look });
    walks.forEach((each, k) => k !== shown && curve(each, { width: 1, alpha: 0.45 }));
    curve(walk, { width: 2 });
    c.fillStyle = colours.text;
    c.beginPath();
    c.arc(across(walk.t), up(line(walk, name).at(-1)), 3.5, 0, 7);
    c.fill();
  });
  return `Curves of R, D and A over the steps, with bands where the middle 90 % of normal images end. ${describe()}`;
});

fitted(node("z"), () => 120, (c, wide) => {
  const walk = walks[shown];
  if (!walk) return "";
  const most = Math.max(3, ...walk.z.map(Math.abs)), box = { x: 46, y: 20, w: wide - 62, h: 74 };
  const title = `z, ${about.latent} numbers${encoder ? "; lines: the encoder's" : ""}`;
  const [across, up] = axes(c, colours, box, [0, about.latent], [-most, most], { ylabel: title, xticks: -1 });
  walk.z.forEach((value, i) => {
    const left = across(i + 0.15), wide = across(i + 0.85) - left;
    c.fillStyle = colours.colour("generator");
    c.fillRect(left, Math.min(up(0), up(value)), wide, Math.abs(up(value) - up(0)));
    c.fillStyle = colours.text;
    if (encoder) c.fillRect(left, up(encoder.z[i]) - 1, wide, 2);
  });
  return `z as ${about.latent} bars, from ${number(Math.min(...walk.z))} to ${number(Math.max(...walk.z))}`;
});

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => ((colours = theme()), draw()));

// ---- what depends on the detector

const grey = channels === 1;
Object.assign(node("brush"), { max: Math.round(width / 4), value: Math.max(2, Math.round(width / (grey ? 10 : 20))) });
node("colour").value = grey ? "#ffffff" : "#f0d8b0";
node("lam").value = about.lam;
node("lam").step = Number.isInteger(about.lam * 100) ? "0.01" : "any";
node("fit").hidden = !about.empty;
for (const each of document.querySelectorAll(".encoder")) each.hidden = !about.encoder;
node("pictures").classList.toggle("alone", !about.encoder);
for (const [id, text] of Object.entries({
  latent: about.latent, steps, "own-lam": number(about.lam), rate: percent(about.false_alarm_rate),
  normal: about.calibration.search.residual.length,
  units: about.units[0] === 1 ? "" : "Here R and D are each divided by their standard deviation over normal images.",
})) node(id).textContent = text;
node("encoded").setAttribute("aria-label", "G(E(x)), what the encoder finds without a search");
node("encoded-left").setAttribute("aria-label", "Difference of x and G(E(x)), bright where it is large");
Object.keys(ranges).forEach(tell);
choices[0]?.click();
playing = false; // begins when Play is pressed
draw();
