// What the page holds, and the image x: example images, files, and the easel that one draws on. Python puts this after
// pictures/drawing.js and search.js, and page.js after it.

const node = (id) => document.getElementById(id);
const about = JSON.parse(node("state").textContent);
const search = makeSearch(about, halves(await inflated(about.weights)), bytesOf(about.product));
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
let before = []; // what Undo brings back

const placeRing = () => {
  const part = Number(node("brush").value) / width;
  Object.assign(ring.style, { left: `${(100 * hand.x) / width}%`, top: `${(100 * hand.y) / height}%`, width: `${100 * part}%` });
  ring.style.aspectRatio = "1";
  ring.hidden = !hand.seen;
};
const remember = () => {
  before = [...before.slice(-30), ink.getImageData(0, 0, width, height)];
  node("undo").disabled = false;
};
const stroke = (x, y) => {
  Object.assign(ink, { lineCap: "round", lineJoin: "round", lineWidth: Number(node("brush").value) });
  ink.strokeStyle = node("erase").checked ? ink.createPattern(original, "no-repeat") : node("colour").value;
  ink.beginPath();
  ink.moveTo(hand.x, hand.y);
  ink.lineTo(x, y);
  ink.stroke();
};
const hand = brush(easel, [width, height], {
  stroke, press: () => (remember(), pause()), lift: () => readEasel(), moved: placeRing,
});

// Put a picture, anything that drawImage takes, onto the easel.
const place = (picture) => {
  const c = original.getContext("2d");
  Object.assign(c, { imageSmoothingQuality: "high", fillStyle: "#000" });
  c.fillRect(0, 0, width, height);
  if (picture) c.drawImage(picture, 0, 0, width, height);
  ink.drawImage(original, 0, 0);
  if (channels === 1) showImage(original, pixels());
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
  if (!event.dataTransfer.files[0]) return;
  node("file").value = "";
  open(event.dataTransfer.files[0]);
});

const pictures = await Promise.all(about.examples.map(async ({ kind, image }) => {
  const canvas = make("canvas"), bytes = await inflated(image);
  show(canvas, (i) => [0, 1, 2].map((k) => bytes[i * channels + (k % channels)]));
  return [canvas, kind];
}));
if (about.empty) {
  const canvas = make("canvas");
  show(canvas, () => [0, 0, 0]);
  pictures.push([canvas, "empty"]);
}
const choices = pictures.map(([canvas, kind], i) => {
  const title = kind === "empty" ? "An empty image to draw on" : "";
  const button = make("button", { type: "button", title, ariaLabel: `Image ${i + 1}, ${kind}` }, canvas, kind);
  button.onclick = () => {
    node("problem").textContent = "";
    choose(button);
    place(canvas);
  };
  return button;
});
const choose = (button) => {
  for (const each of choices) each.ariaPressed = each === button;
  if (button) node("file").value = ""; // so that the same file can be opened again
};
node("examples").append(...choices);
