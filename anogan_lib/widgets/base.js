// What every view shares. Python puts this after pictures/drawing.js and before the view's own file,
// which exports view((v) => { ... }). `v` holds the model and makes labelled native controls bound to its traits,
// canvases that follow size and theme, and pictures from sheets. A view draws while the hand moves (model.set) and
// informs Python when it rests (save_changes).

// A control with its label before it.
const labelled = (text, ...nodes) => make("label", { className: "anogan-field" }, make("span", { textContent: text }), ...nodes);

// "{step} of {last}" with the values put in; the sentences come from Python, which fills them in the same way.
const words = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// The bytes of a trait as an array of numbers, such as Float32Array.
const numbers = (bytes, Kind) => new Kind(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));

// Trace lines x, y, x, y ... in pixels of a picture (W, H) that fills the box [left, top, width, height] of a canvas.
const trace = (c, lines, [W, H], [left, top, width, height]) => {
  const at = (i) => [left + (lines[i] * width) / W, top + (lines[i + 1] * height) / H];
  c.beginPath();
  for (let i = 0; i < lines.length; i += 4) {
    c.moveTo(...at(i));
    c.lineTo(...at(i + 2));
  }
};

// ---- the view

const view = (build) => ({
  render({ model, el }) {
    const ended = new AbortController(), drawings = [];
    const v = { model, root: el, live: !model.offline, keys: {}, ended: ended.signal };
    el.classList.add("anogan");
    Object.assign(el, { role: "group", ariaLabel: model.get("_label") });

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

    // A canvas that fills its width; `paint(context, width, height, theme)` returns what it shows, in words. Its pictures'
    // pixels stay sharp, and its text begins in the theme's colour.
    v.canvas = (height, paint, properties = {}) => {
      const node = make("canvas", { role: "img", ...properties });
      const begin = (c, w, h) => {
        Object.assign(c, { imageSmoothingEnabled: false, fillStyle: v.theme.text, font: "12px system-ui, sans-serif" });
        return paint(c, w, h, v.theme);
      };
      fitted(node, typeof height === "function" ? height : () => height, begin, v.ended);
      drawings.push(node.draw);
      return node;
    };

    // A native range for a trait; `text(value)` says it in words. `place` and `trait` convert where the two differ.
    v.range = (name, label, { min = 0, max = 1, step = 1, text = number, place = Number, trait = Number } = {}) => {
      const input = make("input", { type: "range", min, max, step });
      const output = make("output", { ariaHidden: "true" }); // the range says it itself
      const show = () => {
        input.value = place(model.get(name));
        output.textContent = input.ariaValueText = text(model.get(name));
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
    // A button; its `key` does the same wherever in the view the focus is, but for fields that take text.
    v.button = (text, act, label = text, key = "") => {
      if (key) v.keys[key] = act;
      const title = key ? `${label} (key ${key})` : label;
      return make("button", { type: "button", textContent: text, title, ariaLabel: label, onclick: act });
    };
    v.row = (...children) => make("div", { className: "anogan-row" }, ...children);
    // The caption under the view: what `describe()` returns, else the trait; under it why an action failed.
    v.caption = (follows = ["caption"], describe = () => model.get("caption")) => {
      const text = make("p", { className: "anogan-caption", role: "status" });
      const problem = make("p", { className: "anogan-problem", role: "alert" });
      const show = () => (text.textContent = describe());
      const report = () => {
        problem.textContent = model.get("problem");
        el.ariaBusy = Boolean(model.get("busy"));
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
