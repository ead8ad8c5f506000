// What every page and view draws with. Python puts this after the COLOURS and DASHES of the figures (see style.py).

const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

// Write a number in four digits, as `number` in base.py does.
const number = (value) => String(Number(Number(value).toPrecision(4)));

// ---- colours

const rgbOf = (colour) => {
  const text = colour.trim();
  if (text[0] === "#") {
    const hex = text.length < 6 ? [...text.slice(1, 4)].map((c) => c + c).join("") : text.slice(1, 7);
    return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  }
  return (text.match(/[\d.]+/g) ?? [0, 0, 0]).slice(0, 3).map(Number);
};

const luminance = (rgb) => {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

const contrast = (one, other) => {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};

// JupyterLab's colours, or a plain page's. Read from the body: during `render` the view hangs nowhere yet.
const theme = () => {
  const style = getComputedStyle(document.body);
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  const back = read("--jp-layout-color1", "#fff"), mixed = {};
  return {
    back,
    text: read("--jp-ui-font-color1", "#212121"),
    soft: read("--jp-ui-font-color2", "#5f5f5f"),
    line: read("--jp-border-color2", "#d0d0d0"),
    dark: luminance(rgbOf(back)) < 0.2,
    // The figures' own colour, moved towards the text's until it stands out from this background.
    colour(name) {
      if (mixed[name]) return mixed[name];
      const ground = rgbOf(back), far = this.dark ? 255 : 0;
      let rgb = rgbOf(COLOURS[name] ?? name);
      for (let i = 0; i < 20 && contrast(rgb, ground) < 3; i++) rgb = rgb.map((c) => c + 0.1 * (far - c));
      return (mixed[name] = `rgb(${rgb.map(Math.round).join(",")})`);
    },
  };
};

// ---- drawing

// Round numbers between low and high, about `count` of them.
const ticks = (low, high, count) => {
  if (count < 0) return [];
  const rough = (high - low) / Math.max(count, 1) || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i++) found.push(i * step);
  return found;
};

const shortly = (value) =>
  Math.abs(value) >= 10000 ? `${Number((value / 1000).toPrecision(3))}k` : String(Number(value.toPrecision(6)));

// Axes in the box {x, y, w, h} of a canvas; returns the two scales [across, up].
const axes = (c, t, box, [x0, x1], [y0, y1], { xlabel = "", ylabel = "", xticks = 4, yticks = 3 } = {}) => {
  const across = (value) => box.x + ((value - x0) / (x1 - x0 || 1)) * box.w;
  const up = (value) => box.y + box.h - ((value - y0) / (y1 - y0 || 1)) * box.h;
  Object.assign(c, { strokeStyle: t.line, fillStyle: t.text, lineWidth: 1, font: "11px system-ui, sans-serif" });
  c.setLineDash([]);
  c.strokeRect(box.x + 0.5, box.y + 0.5, box.w, box.h);
  Object.assign(c, { textAlign: "center", textBaseline: "top" });
  for (const value of ticks(x0, x1, xticks)) c.fillText(shortly(value), across(value), box.y + box.h + 4);
  c.fillText(xlabel, box.x + box.w / 2, box.y + box.h + 18);
  Object.assign(c, { textAlign: "right", textBaseline: "middle" });
  for (const value of ticks(y0, y1, yticks)) c.fillText(shortly(value), box.x - 4, up(value));
  Object.assign(c, { textAlign: "left", textBaseline: "bottom" });
  c.fillText(ylabel, box.x, box.y - 3);
  return [across, up];
};

const path = (c, points, colour, { dash = [], width = 1.6, alpha = 1 } = {}) => {
  c.save();
  Object.assign(c, { strokeStyle: colour, lineWidth: width, globalAlpha: alpha });
  c.setLineDash(dash);
  c.beginPath();
  points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
  c.stroke();
  c.restore();
};

const dot = (c, x, y, radius, colour) => {
  c.fillStyle = colour;
  c.beginPath();
  c.arc(x, y, radius, 0, 7);
  c.fill();
};

const extent = (values) => {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
};

const LOSSES = [["residual", "R, residual loss"], ["discrimination", "D, discrimination loss"], ["score", "A, anomaly score"]];

// R, D and A over the steps of some searches, each in its box(k). lines(name) holds a line of values for each search; the one
// in `front` has a dot at its value `now`, the others are faint. band(name) -> [low, high] is shaded.
const lossCurves = (c, t, { box, steps, lines, front, now, band = () => [] }, options) =>
  LOSSES.forEach(([name, ylabel], k) => {
    const all = lines(name), [from, to] = band(name), b = box(k);
    const [low, high] = extent([...all.flat(), ...band(name)]), room = 0.06 * (high - low || 1);
    const [across, up] = axes(c, t, b, [steps[0], steps.at(-1)], [low - room, high + room], { ylabel, ...options });
    if (from !== undefined) {
      Object.assign(c, { fillStyle: t.colour("normal"), globalAlpha: t.dark ? 0.45 : 0.25 });
      c.fillRect(b.x + 1, up(to), b.w - 1, Math.max(2, up(from) - up(to)));
      c.globalAlpha = 1;
    }
    const curve = (line, look) =>
      path(c, line.map((value, s) => [across(steps[s]), up(value)]), t.colour(name), { dash: DASHES[name], ...look });
    all.forEach((line, i) => i !== front && curve(line, { width: 1, alpha: 0.45 }));
    curve(all[front], { width: 2 });
    dot(c, across(steps[now]), up(all[front][now]), 3.5, t.text);
  });

// Keep a canvas as wide as its place and as sharp as the screen. `paint(context, width, height)` draws it and returns what
// it shows, in words; `tall(width)` is its height. The canvas gets a method `draw`; watching ends with `ended`.
const fitted = (node, tall, paint, ended) => {
  const context = node.getContext("2d");
  node.draw = () => {
    const wide = node.wide;
    if (!wide) return;
    const high = tall(wide), dense = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(wide * dense), Math.round(high * dense)];
    if (node.width !== w || node.height !== h) {
      Object.assign(node, { width: w, height: h });
      node.style.height = `${high}px`;
    }
    context.setTransform(dense, 0, 0, dense, 0, 0);
    context.clearRect(0, 0, wide, high);
    const label = paint(context, wide, high);
    if (label) node.ariaLabel = label;
  };
  const sized = new ResizeObserver(([entry]) => {
    const wide = Math.floor(entry.contentRect.width);
    if (wide === node.wide) return;
    node.wide = wide;
    node.draw();
  });
  sized.observe(node);
  ended?.addEventListener("abort", () => sized.disconnect());
};

// ---- drawing by hand

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// A brush over a picture of W x H pixels that fills `node`. The pointer or the arrow keys move it; the pointer's button, Shift
// with an arrow, or Space press it down, and then `stroke(x, y)` draws from where it is to (x, y). `press` and `lift` begin
// and end a stroke; `moved` shows where the brush is. Returns {x, y, down, seen}, in pixels of the picture.
const brush = (node, [W, H], { stroke, press = () => {}, lift, moved }) => {
  const hand = {
    x: W / 2, y: H / 2, down: false, over: false,
    get seen() { return this.over || document.activeElement === node; },
  };
  const move = (x, y) => {
    const to = { x: Math.min(W, Math.max(0, x)), y: Math.min(H, Math.max(0, y)) };
    if (hand.down) stroke(to.x, to.y);
    Object.assign(hand, to);
    moved();
  };
  const follow = (event) => {
    const box = node.getBoundingClientRect();
    move(((event.clientX - box.left) / box.width) * W, ((event.clientY - box.top) / box.height) * H);
  };
  const down = () => {
    if (hand.down) return;
    press();
    hand.down = true;
  };
  const up = () => {
    if (!hand.down) return;
    hand.down = false;
    lift();
  };
  const spot = () => (stroke(hand.x + 0.01, hand.y), moved()); // a line without length would leave nothing
  Object.assign(node, {
    onpointerdown(event) {
      if (event.button) return;
      node.setPointerCapture(event.pointerId);
      follow(event);
      down();
      spot();
    },
    onpointermove(event) {
      hand.over = true;
      for (const each of event.getCoalescedEvents?.() ?? []) follow(each);
      follow(event);
    },
    onpointerup: up,
    onpointercancel: up,
    onpointerleave: () => ((hand.over = false), moved()),
    onfocus: moved,
    onblur: () => (up(), moved()),
    onkeydown(event) {
      const arrow = ARROWS[event.key];
      if (!arrow && event.key !== " ") return;
      event.preventDefault();
      if (event.shiftKey || event.key === " ") down();
      if (arrow) move(hand.x + arrow[0], hand.y + arrow[1]);
      else spot();
    },
    onkeyup: (event) => (event.key === "Shift" || event.key === " ") && up(),
  });
  return hand;
};
