// What every view shares. Python puts this after the COLOURS and DASHES of the figures and before the view's own file,
// which exports view((v) => { ... }). `v` holds the model and makes labelled native controls bound to its traits,
// canvases that follow size and theme, and pictures from sheets. A view draws while the hand moves (model.set) and
// informs Python when it rests (save_changes).

const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

// A control with its label before it.
const labelled = (text, ...nodes) => make("label", { className: "anogan-field" }, make("span", { textContent: text }), ...nodes);

// Write a number in four digits, as `number` in base.py does.
const number = (value) => String(Number(Number(value).toPrecision(4)));

// "{step} of {last}" with the values put in; the sentences come from Python, which fills them in the same way.
const words = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// The bytes of a trait as an array of numbers, such as Float32Array.
const numbers = (bytes, Kind) => new Kind(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));

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

// Trace lines x, y, x, y ... in pixels of a picture (W, H) that fills the box [left, top, width, height] of a canvas.
const trace = (c, lines, [W, H], [left, top, width, height]) => {
  const at = (i) => [left + (lines[i] * width) / W, top + (lines[i + 1] * height) / H];
  c.beginPath();
  for (let i = 0; i < lines.length; i += 4) {
    c.moveTo(...at(i));
    c.lineTo(...at(i + 2));
  }
};

const extent = (values) => {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
};

// ---- the view

const view = (build) => ({
  render({ model, el }) {
    const ended = new AbortController(), drawings = [];
    const v = { model, root: el, live: !model.offline, keys: {}, ended: ended.signal };
    el.classList.add("anogan");
    el.setAttribute("role", "group");
    el.setAttribute("aria-label", model.get("_label"));

    // Call `act` whenever one of these traits changes, in the browser or in Python.
    v.watch = (names, act) => {
      for (const name of names) {
        model.on(`change:${name}`, act);
        v.ended.addEventListener("abort", () => model.off(`change:${name}`, act));
      }
    };
    v.set = (name, value) => (model.set(name, value), model.save_changes());
    v.redraw = () => drawings.forEach((draw) => draw());
    // Have Python do one of the view's `_actions`.
    v.ask = (action, options = {}) => model.send({ do: action, with: options });

    // A canvas that fills its width; `paint(context, width, height, theme)` returns what it shows, in words.
    v.canvas = (height, paint, properties = {}) => {
      const node = make("canvas", { role: "img", ...properties }), context = node.getContext("2d");
      const tall = typeof height === "function" ? height : () => height;
      const draw = () => {
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
        const label = paint(context, wide, high, v.theme);
        if (label) node.setAttribute("aria-label", label);
      };
      const sized = new ResizeObserver(([entry]) => {
        const wide = Math.floor(entry.contentRect.width);
        if (wide === node.wide) return;
        node.wide = wide;
        draw();
      });
      sized.observe(node);
      v.ended.addEventListener("abort", () => sized.disconnect());
      drawings.push(draw);
      node.draw = draw;
      return node;
    };

    // A native range for a trait; `text(value)` says it in words. `place` and `trait` convert where the two differ.
    v.range = (name, label, { min = 0, max = 1, step = 1, text = number, place = Number, trait = Number } = {}) => {
      const input = make("input", { type: "range", min, max, step }), output = make("output");
      output.setAttribute("aria-hidden", "true"); // the range says it itself
      const show = () => {
        input.value = place(model.get(name));
        output.textContent = text(model.get(name));
        input.setAttribute("aria-valuetext", output.textContent);
      };
      input.addEventListener("input", () => model.set(name, trait(Number(input.value))));
      input.addEventListener("change", () => model.save_changes());
      v.watch([name], show);
      show();
      return Object.assign(labelled(label, input, output), { input, show });
    };
    // A native drop-down for a trait; options are [value, text].
    v.select = (name, label, options) => {
      const input = make("select");
      const fill = (pairs) => {
        input.replaceChildren(...pairs.map(([value, text]) => make("option", { value: String(value), textContent: text })));
        input.pairs = pairs;
        show();
      };
      const show = () => (input.value = String(model.get(name)));
      input.addEventListener("change", () => v.set(name, input.pairs[input.selectedIndex][0]));
      v.watch([name], show);
      fill(options);
      const field = labelled(label, input);
      return Object.assign(field, { input, fill });
    };
    v.check = (name, label) => {
      const input = make("input", { type: "checkbox" });
      const show = () => (input.checked = Boolean(model.get(name)));
      input.addEventListener("change", () => v.set(name, input.checked));
      v.watch([name], show);
      show();
      return Object.assign(make("label", { className: "anogan-check" }, input, make("span", { textContent: label })), { input });
    };
    // A number that no trait holds, such as the steps of a search to come: `field.input.value`.
    v.number = (label, value, { min = "", max = "", step = "any" } = {}) => {
      const input = make("input", { type: "number", value, min, max, step });
      return Object.assign(labelled(label, input), { input });
    };
    v.button = (text, act, label = text) => {
      const node = make("button", { type: "button", textContent: text, title: label });
      node.setAttribute("aria-label", label);
      node.addEventListener("click", act);
      return node;
    };
    v.row = (...children) => make("div", { className: "anogan-row" }, ...children);
    // The caption under the view: what `describe()` returns, else the trait; under it why an action failed.
    v.caption = (follows = ["caption"], describe = () => model.get("caption")) => {
      const text = make("p", { className: "anogan-caption" }), problem = make("p", { className: "anogan-problem" });
      text.setAttribute("role", "status");
      problem.setAttribute("role", "alert");
      const show = () => (text.textContent = describe());
      const report = () => {
        problem.textContent = model.get("problem");
        el.setAttribute("aria-busy", String(Boolean(model.get("busy"))));
      };
      v.watch(follows, show);
      v.watch(["problem", "busy"], report);
      show();
      report();
      return Object.assign(make("div", {}, text, problem), { show });
    };
    // The tiles of a `sheet` of base.py: {image, at(i) -> [x, y, width, height]}, once decoded.
    v.sheet = async (sheet) => {
      const image = await createImageBitmap(new Blob([sheet.data], { type: sheet.type }));
      const { columns, width, height } = sheet;
      return { ...sheet, image, at: (i) => [(i % columns) * width, Math.floor(i / columns) * height, width, height] };
    };
    // The sheets in these traits, by name, as they come; each has what it was made `of`. `then` is called for each.
    v.sheets = (names, then = v.redraw) => {
      const sheets = {};
      for (const name of names) {
        const load = async () => {
          const of = model.get(name), sheet = of.pictures ?? of;
          const decoded = sheet.data && (await v.sheet(sheet));
          if (!decoded || of !== model.get(name)) return; // a newer one is under way
          sheets[name] = { ...decoded, of };
          then();
        };
        v.watch([name], load);
        load();
      }
      return sheets;
    };

    // JupyterLab's command mode takes letters for itself (a and b insert cells): they end here.
    el.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter")) return;
      const typing = /^(SELECT|TEXTAREA)$/.test(event.target.tagName) || event.target.type === "number";
      const act = typing ? undefined : v.keys[event.key];
      if (act) {
        act();
        event.preventDefault();
      }
      event.stopPropagation();
    });

    const repaint = () => ((v.theme = theme()), v.redraw());
    const themed = new MutationObserver(repaint);
    themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint, { signal: v.ended });
    v.ended.addEventListener("abort", () => themed.disconnect());
    v.theme = theme();
    build(v);
    return () => ended.abort();
  },
});
