// TrainingMonitor: draws what Python sends now and then; its buttons start and stop the training.

export default view((v) => {
  const { model } = v;
  const sheets = v.sheets(["samples"], () => samples.draw());

  // One plot: lines are [column of the curve, name, colour, dashes], levels [value, name, colour].
  const plot = (title, lines, range, levels = []) =>
    v.canvas(190, (c, wide, high, t) => {
      const rows = model.get("curve"), box = { x: 38, y: 40, w: wide - 48, h: high - 76 };
      const shown = lines.filter(([column]) => rows.length && rows[0].length > column);
      const all = shown.flatMap(([column]) => rows.map((row) => row[column]));
      const [low, most] = range ?? [0, Math.max(1.6, extent(all)[1])];
      const last = Math.max(1, model.get("running") || !rows.length ? model.get("steps_in_all") : rows.at(-1)[0]);
      const [across, up] = axes(c, t, box, [0, last], [low, most], { xlabel: "step" });
      Object.assign(c, { textAlign: "left", textBaseline: "top", font: "bold 12px system-ui, sans-serif" });
      c.fillText(title, box.x, 2);
      c.font = "12px system-ui, sans-serif";
      for (const [level, name, colour] of levels) {
        path(c, [[box.x, up(level)], [box.x + box.w, up(level)]], t.colour(colour), { dash: [2, 3] });
        c.fillText(name, box.x + box.w - c.measureText(name).width, up(level) - 14);
      }
      let x = box.x;
      for (const [column, name, colour, dash] of lines) {
        if (rows.length && rows[0].length <= column) continue; // no held-back images
        path(c, [[x, 29], [x + 22, 29]], t.colour(colour), { dash, width: 2 });
        c.fillText(name, x + 26, 22);
        x += 38 + c.measureText(name).width;
        path(c, rows.map((row) => [across(row[0]), up(row[column])]), t.colour(colour), { dash });
      }
      const values = shown.map(([column, name]) => `${name} ${rows.at(-1)[column].toFixed(2)}`).join(", ");
      return `${title} over ${rows.length} looks; at present ${values || "nothing yet"}`;
    });
  const losses = plot("Loss",
    [[1, "D", "discriminator", DASHES.discriminator], [2, "G", "generator", DASHES.generator]], null,
    model.get("guessing").map((loss, i) =>
      [loss, `D guesses: ${loss > 1 ? "2 " : ""}ln 2`, ["discriminator", "generator"][i]]));
  const shares = plot("Share that D calls real",
    [[3, "training", "discriminator", DASHES.discriminator], [4, "samples", "generator", DASHES.generator],
      [5, "held back", "neutral", [2, 3]]], [0, 1]);

  const across = (wide) => (wide < 420 ? 4 : 8), size = (wide) => Math.min((wide - 28) / across(wide), 120);
  const samples = v.canvas(
    (wide) => (8 / across(wide)) * (size(wide) + 4) + 18,
    (c, wide) => {
      const tall = size(wide) + 4;
      c.fillText("Samples from the same eight z", 0, 12);
      for (let i = 0; sheets.samples && i < 8; i++) {
        const x = (i % across(wide)) * tall, y = 18 + Math.floor(i / across(wide)) * tall;
        c.drawImage(sheets.samples.image, ...sheets.samples.at(i), x, y, size(wide), size(wide));
      }
      return `Eight samples after step ${model.get("steps_done")}`;
    },
  );

  const start = v.button("Train", () => v.ask("start"), "Train");
  const stop = v.button("Stop", () => (v.ask("stop"), (stop.disabled = true)), "Stop after the present step and keep the weights");
  const bar = make("progress", { max: 1, ariaLabel: "Training" });
  const caption = v.caption();
  const show = () => {
    const running = model.get("running"), done = model.get("steps_done"), all = model.get("steps_in_all");
    const word = !v.live ? "Play the recording" : done && done < all ? "Go on" : done ? "Train further" : "Train";
    Object.assign(start, { textContent: word, title: word, ariaLabel: word, disabled: running });
    stop.disabled = !running;
    bar.value = Math.min(1, done / Math.max(1, all));
    // A screen reader cannot read a sentence twice a second: it reads the last one.
    caption.firstChild.ariaLive = running ? "off" : "polite";
    v.redraw();
  };
  v.watch(["running", "curve", "steps_in_all"], show);
  v.root.append(
    v.row(start, stop, bar),
    make("div", { className: "anogan-row" },
      make("div", { className: "anogan-grow" }, losses), make("div", { className: "anogan-grow" }, shares)),
    samples,
    caption,
  );
  show();
});
