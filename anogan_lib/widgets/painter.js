// DefectPainter: strokes are drawn here, at the image's own pixels; when the brush is lifted Python judges them.

export default view((v) => {
  const { model } = v;
  const sheets = v.sheets(["picture", "similar", "overlay"]);
  const { width, height } = model.get("picture");
  const layer = make("canvas", { width, height }), ink = layer.getContext("2d", { willReadFrequently: true });

  const unpack = () => {
    const { buffer, byteOffset, byteLength } = model.get("strokes");
    ink.putImageData(new ImageData(new Uint8ClampedArray(buffer, byteOffset, byteLength), width, height), 0, 0);
    v.redraw();
  };

  // ---- the brush: whole pixels, no soft edge, so that what is drawn is either drawn or not
  const dab = (x, y) => {
    const size = model.get("brush"), low = -(size - 1) / 2;
    ink.fillStyle = model.get("colour");
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        if ((low + i) ** 2 + (low + j) ** 2 > (size / 2) ** 2) continue;
        const spot = [Math.floor(x - size / 2 + 0.5) + i, Math.floor(y - size / 2 + 0.5) + j, 1, 1];
        if (model.get("erase")) ink.clearRect(...spot);
        else ink.fillRect(...spot);
      }
    }
  };
  const stroke = (x, y) => {
    const [dx, dy] = [x - hand.x, y - hand.y], far = Math.max(1, Math.ceil(2 * Math.hypot(dx, dy)));
    for (let i = 1; i <= far; i++) dab(hand.x + (dx * i) / far, hand.y + (dy * i) / far);
  };
  const lift = () => v.set("strokes", new DataView(ink.getImageData(0, 0, width, height).data.buffer));

  // ---- pictures
  const ratio = height / width;
  const show = (c, name, wide, high) => sheets[name] && c.drawImage(sheets[name].image, 0, 0, wide, high);
  const border = (c, wide, high, colour) => {
    Object.assign(c, { strokeStyle: colour, lineWidth: 2 });
    trace(c, model.get("outline"), [width, height], [0, 0, wide, high]);
    c.stroke();
  };
  const canvas = v.canvas(
    (wide) => wide * ratio,
    (c, wide, high) => {
      show(c, "picture", wide, high);
      c.drawImage(layer, 0, 0, wide, high);
      if (!hand.down) {
        c.globalAlpha = model.get("opacity");
        show(c, "overlay", wide, high);
        c.globalAlpha = 1;
        border(c, wide, high, COLOURS.mask);
      }
      if (!hand.seen) return;
      const [x, y, radius] = [hand.x, hand.y, model.get("brush") / 2].map((part) => (part * wide) / width);
      for (const [colour, lineWidth] of [["#000", 3], ["#fff", 1.5]]) { // seen on light and on dark
        Object.assign(c, { strokeStyle: colour, lineWidth });
        c.beginPath();
        c.arc(x, y, radius, 0, 7);
        c.stroke();
      }
    },
    v.live
      ? { className: "anogan-easel", tabIndex: 0, role: "application", ariaRoleDescription: "drawing",
          ariaLabel: "Image to draw on. Arrow keys move the brush, with Shift they draw; Space draws a spot." }
      : { style: "pointer-events: none", ariaLabel: "The image with what was drawn on it." }, // nobody would judge a stroke
  );
  const hand = brush(canvas, [width, height], { stroke, lift, moved: () => canvas.draw() });

  const panel = (name, title, words) => {
    const node = v.canvas((wide) => wide * ratio, (c, wide, high, t) => {
      c.fillStyle = t.dark ? "#000" : "#fff";
      c.fillRect(0, 0, wide, high);
      show(c, name, wide, high);
      if (name === "overlay") border(c, wide, high, t.dark ? COLOURS.mask : t.colour("mask"));
      return words();
    });
    return make("figure", {}, make("figcaption", { textContent: title }), node);
  };
  const similar = panel("similar", "similar image G(z)", () => "What the generator makes of the drawing");
  const map = panel("overlay", "anomaly map", () => `Anomaly map. ${model.get("caption")}`);

  // ---- controls
  const colour = make("input", { type: "color" });
  const shown = () => (colour.value = model.get("colour"));
  colour.addEventListener("change", () => v.set("colour", colour.value));
  v.watch(["colour"], shown);
  shown();
  const opacity = v.range("opacity", "Map's opacity", { step: 0.05, text: (share) => `${Math.round(100 * share)} %` });
  const thick = v.range("brush", "Brush", { min: 1, max: Math.round(width / 4), text: (size) => `${size} pixels` });
  const tools = v.live
    ? [v.row(labelled("Colour", colour), v.check("erase", "Erase"),
        v.button("Undo", () => v.ask("undo")), v.button("Clear", () => v.ask("clear")))]
    : [v.row(v.button("Play what was drawn", () => v.ask("play")))];
  v.watch(["opacity", "brush", "outline"], v.redraw);
  v.watch(["strokes"], unpack);
  v.root.append(
    make("div", { className: "anogan-row anogan-walk" },
      make("div", { className: "anogan-paint" }, make("figure", {}, make("figcaption", { textContent: v.live ? "draw here" : "image" }), canvas), similar, map),
      make("div", { className: "anogan-grow anogan-sliders" }, ...(v.live ? [thick] : []), opacity, ...tools)),
    v.caption(),
  );
  unpack();
});
