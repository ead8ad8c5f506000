// ResidualOverlay: the maps that Python computed, coloured and blended here, pixel by pixel.

export default view((v) => {
  const { model } = v, palettes = {}, pixels = {};
  for (const [name, bytes] of Object.entries(model.get("palettes"))) palettes[name] = numbers(bytes, Uint8Array);
  const { width: W, height: H } = model.get("sheets").maps;

  // One picture's pixels, RGBA, H x W; read from its sheet when it is first looked at.
  const scratch = new OffscreenCanvas(W, H), context = scratch.getContext("2d", { willReadFrequently: true });
  const sheets = {};
  const read = (name) => {
    const i = model.get("index");
    if (pixels[name]?.i !== i) {
      context.drawImage(sheets[name].image, ...sheets[name].at(i), 0, 0, W, H);
      pixels[name] = { i, data: context.getImageData(0, 0, W, H).data };
    }
    return pixels[name].data;
  };
  const loaded = () => Boolean(sheets.maps);
  const residual = (place) => read("maps")[4 * place] * (model.get("top") / 255);

  // ---- in words
  const colour = (name, place) => {
    const values = [0, 1, 2].map((k) => (read(name)[4 * place + k] / 127.5 - 1).toFixed(2));
    return new Set(values).size === 1 ? values[0] : values.join(", ");
  };
  const describe = () => {
    if (!loaded()) return model.get("caption");
    const cutoff = model.get("cutoff"), [x, y] = model.get("pixel"), [sentence, about] = model.get("_sentences");
    let above = 0;
    for (let place = 0; place < W * H; place++) above += residual(place) >= cutoff;
    const at = y * W + x, inside = sheets.masks && x !== undefined && read("masks")[4 * at] > 127;
    const pixel = x === undefined ? "" : words(about, {
      x, y, residual: number(residual(at)) + (read("maps")[4 * at] === 255 ? " or more" : ""), images: colour("images", at), similar: colour("similar", at),
      inside: inside ? ", in the true defect" : "",
    });
    return words(sentence, {
      name: model.get("names")[model.get("index")], verdict: model.get("verdicts")[model.get("index")],
      colour_map: model.get("colour_map"), opacity: Math.round(100 * model.get("opacity")), cutoff: number(cutoff),
      above: number((100 * above) / (W * H)), pixel,
    });
  };

  // ---- the pictures
  const mixed = () => {
    const out = new ImageData(W, H), image = read("images"), map = read("maps"), palette = palettes[model.get("colour_map")];
    const opacity = model.get("opacity"), cutoff = model.get("cutoff");
    for (let place = 0; place < W * H; place++) {
      const weight = residual(place) >= cutoff ? opacity : 0, level = map[4 * place];
      for (let k = 0; k < 3; k++) {
        out.data[4 * place + k] = (1 - weight) * image[4 * place + k] + weight * palette[3 * level + k];
      }
      out.data[4 * place + 3] = 255;
    }
    return out;
  };
  // The border of the mask, drawn twice so that it shows on light and on dark.
  const lines = model.get("outlines").map((bytes) => numbers(bytes, Uint16Array));
  const border = (c, ...box) => {
    if (!lines.length || !model.get("outline")) return;
    c.save();
    trace(c, lines[model.get("index")], [W, H], box);
    for (const [stroke, width] of [["#000", 3.5], [COLOURS.mask, 1.8]]) {
      Object.assign(c, { strokeStyle: stroke, lineWidth: width });
      c.stroke();
    }
    c.restore();
  };

  // Where each picture lies: [name, left, top, width, height]
  const places = (wide) => {
    const beside = model.get("view") === "side by side", n = beside ? 3 : 1;
    const side = Math.min((wide - 8 * (n - 1)) / n, beside ? 320 : 420), tall = (side * H) / W;
    const left = (wide - n * side - 8 * (n - 1)) / 2, names = beside ? ["image x", "G(z)", "residual over x"] : [model.get("view")];
    return names.map((name, k) => [name, left + k * (side + 8), 20, side, tall]);
  };
  const photo = v.canvas((wide) => places(wide)[0][4] + 24, (c, wide) => {
    if (!loaded()) return "The pictures are being read";
    c.textAlign = "center";
    const put = (image, ...box) => (context.putImageData(image, 0, 0), c.drawImage(scratch, 0, 0, W, H, ...box));
    const plain = (name) => new ImageData(new Uint8ClampedArray(read(name)), W, H);
    const view = model.get("view"), boxes = places(wide);
    const titles = { overlay: "residual over the image", swipe: "image x | G(z)" };
    for (const [name, x, y, w, h] of boxes) {
      c.fillText(titles[name] ?? name, x + w / 2, 13, w);
      put(name === "image x" || view === "swipe" ? plain("images") : name === "G(z)" ? plain("similar") : mixed(), x, y, w, h);
      if (view === "swipe") {
        const cut = Math.round(model.get("swipe") * w);
        c.save();
        c.beginPath();
        c.rect(x + cut, y, w - cut, h);
        c.clip();
        put(plain("similar"), x, y, w, h);
        c.restore();
        path(c, [[x + cut, y], [x + cut, y + h]], "#fff", { width: 3 });
        path(c, [[x + cut, y], [x + cut, y + h]], "#000", { width: 1 });
      }
      border(c, x, y, w, h);
      const [px, py] = model.get("pixel");
      if (px !== undefined) {
        for (const [stroke, grow] of [["#000", 1], ["#fff", 0]]) {
          Object.assign(c, { strokeStyle: stroke, lineWidth: 1.5 });
          c.strokeRect(x + (px * w) / W - grow, y + (py * h) / H - grow, w / W + 2 * grow, h / H + 2 * grow);
        }
      }
    }
    return describe();
  });
  const point = (event) => {
    for (const [, x, y, w, h] of places(photo.wide)) {
      const at = [Math.floor(((event.offsetX - x) / w) * W), Math.floor(((event.offsetY - y) / h) * H)];
      if (at[0] < 0 || at[1] < 0 || at[0] >= W || at[1] >= H) continue;
      if (model.get("view") === "swipe" && event.buttons) model.set("swipe", Math.min(1, Math.max(0, (event.offsetX - x) / w)));
      if (String(at) !== String(model.get("pixel"))) model.set("pixel", at);
    }
  };
  // The pointer or the arrow keys choose a pixel; Python is informed where they come to rest.
  photo.tabIndex = 0;
  photo.addEventListener("pointermove", point);
  photo.addEventListener("pointerdown", point);
  photo.addEventListener("pointerup", () => model.save_changes());
  photo.addEventListener("pointerleave", () => model.save_changes());
  photo.addEventListener("keydown", (event) => {
    const by = ARROWS[event.key];
    if (!by) return;
    const [x, y] = model.get("pixel").length ? model.get("pixel") : [W >> 1, H >> 1];
    v.set("pixel", [Math.min(W - 1, Math.max(0, x + by[0])), Math.min(H - 1, Math.max(0, y + by[1]))]);
    event.preventDefault();
  });

  // The colours from 0 to the top, the cut-off marked.
  const scale = v.canvas(34, (c, wide, _high, t) => {
    const palette = palettes[model.get("colour_map")], top = model.get("top"), room = wide - 24;
    for (let level = 0; level < 256; level++) {
      c.fillStyle = `rgb(${palette.subarray(3 * level, 3 * level + 3).join(",")})`;
      c.fillRect(12 + (level / 256) * room, 2, room / 256 + 1, 14);
    }
    const cut = 12 + Math.min(1, model.get("cutoff") / top) * room;
    for (const [stroke, width] of [["#000", 5], ["#fff", 2]]) path(c, [[cut, 0], [cut, 18]], stroke, { width });
    Object.assign(c, { fillStyle: t.text, font: "11px system-ui, sans-serif", textBaseline: "top", textAlign: "center" });
    for (const value of ticks(0, top, 4)) c.fillText(shortly(value), 12 + (value / top) * room, 20);
    return `Colours from 0 to ${number(top)}; below ${number(model.get("cutoff"))} the image is left clear.`;
  });

  // ---- controls
  const top = model.get("top"), fine = 10 ** Math.floor(Math.log10(top / 100));
  const slide = v.range("swipe", "Swipe", { max: 1, step: 0.01, text: (x) => `${Math.round(100 * x)} %` });
  const outline = v.check("outline", "Outline of the true defect");
  outline.hidden = !lines.length;
  const follows = ["index", "opacity", "colour_map", "cutoff", "pixel"];
  const caption = v.caption(follows, describe);
  const arrange = () => ((slide.hidden = model.get("view") !== "swipe"), v.redraw());
  v.watch([...follows, "outline", "swipe"], v.redraw);
  v.watch(["view"], arrange);
  v.root.append(
    v.row(
      v.select("index", "Image", model.get("names").map((name, i) => [i, name])),
      v.select("view", "View", ["overlay", "swipe", "side by side"].map((name) => [name, name])),
      v.select("colour_map", "Colours", Object.keys(palettes).map((name) => [name, name])),
      outline,
    ),
    photo,
    scale,
    v.row(
      v.range("opacity", "Opacity", { max: 1, step: 0.01, text: (x) => `${Math.round(100 * x)} %` }),
      v.range("cutoff", "Cut-off", { max: Math.ceil(top / fine) * fine, step: fine }),
      slide,
    ),
    caption,
  );
  arrange();
  Promise.all(Object.entries(model.get("sheets")).map(async ([name, sheet]) => [name, await v.sheet(sheet)])).then((read) => {
    Object.assign(sheets, Object.fromEntries(read));
    caption.show();
    v.redraw();
  });
});
