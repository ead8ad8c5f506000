// InversionStepper: everything but another image and another search is looked up in `runs`.

export default view((v) => {
  const { model } = v;
  const run = () => model.get("runs")[model.get("index")];
  // Start and step; a shorter search comes before Python has brought both back into it.
  const at = () => [Math.min(model.get("restart"), run()?.score.length - 1), Math.min(model.get("step"), last())];
  let pictures = null;

  const decode = async () => {
    const wanted = run();
    pictures = null;
    if (!wanted) return v.redraw();
    const sheet = await v.sheet(wanted.sheet);
    if (wanted !== run()) return; // another image was chosen meanwhile
    pictures = sheet;
    v.redraw();
  };

  const describe = () => {
    const here = run(), [r, t] = at();
    if (!here) return v.live ? "The search for this image is under way." : "This image was not searched.";
    const start = (r === 0 ? here.init : "random") + " start" + (here.score.length > 1 ? ` ${r + 1}` : "");
    return words(model.get("_sentence"), {
      name: model.get("names")[model.get("index")], step: here.steps[t], last: here.steps.at(-1), start,
      residual: number(here.residual[r][t]), discrimination: number(here.discrimination[r][t]),
      score: number(here.score[r][t]), lam: number(here.lam), share: Math.round(100 * here.share[r][t]),
      cosine: here.cosine[r][t].toFixed(2),
    });
  };

  // ---- the pictures: query, G(z_t), residual; under them every restart's G(z_t)
  const several = () => (run()?.score.length ?? 1) > 1;
  const big = (wide) => Math.min((wide - 16) / 3, 260);
  const small = (wide) => Math.min(wide / (run()?.score.length ?? 1) - 8, 84);
  const tile = (r, t, which) => 1 + 2 * (r * run().steps.length + t) + which;
  const photos = v.canvas(
    (wide) => big(wide) + 22 + (several() ? small(wide) + 28 : 0),
    (c, wide, _high, t) => {
      const here = run(), [r, step] = at(), side = big(wide);
      if (!here || !pictures) return "No picture yet";
      const put = (i, x, y, size) => c.drawImage(pictures.image, ...pictures.at(i), x, y, size, size);
      c.textAlign = "center";
      const left = (wide - 3 * side - 16) / 2;
      [["image x", 0], [`G(z), step ${here.steps[step]}`, tile(r, step, 0)], ["residual over x", tile(r, step, 1)]].forEach(
        ([title, i], k) => {
          const x = left + k * (side + 8);
          c.fillText(title, x + side / 2, 13, side);
          put(i, x, 20, side);
        },
      );
      if (several()) {
        const size = small(wide), y = side + 30;
        here.score.forEach((line, k) => {
          const x = left + 3 + k * (size + 8);
          put(tile(k, step, 0), x, y, size);
          Object.assign(c, { strokeStyle: t.text, lineWidth: 2 });
          if (k === r) c.strokeRect(x - 2, y - 2, size + 4, size + 4);
          c.fillText(`${k + 1}: ${number(line[step])}`, x + size / 2, y + size + 13, size);
        });
      }
      return `Image x, G(z) at step ${here.steps[step]} and the residual. ${describe()}`;
    },
    {
      onclick(event) {
        if (!several()) return;
        const wide = photos.wide, left = (wide - 3 * big(wide) - 16) / 2;
        const k = Math.floor((event.offsetX - left) / (small(wide) + 8));
        if (event.offsetY > big(wide) + 24 && k >= 0 && k < run().score.length) v.set("restart", k);
      },
    },
  );

  // ---- the curves: R, D, A, and how the gradient is shared
  const box = (wide, k) => ({ x: 46, y: 18 + k * 84, w: wide - 56, h: 56 });
  const curves = v.canvas(
    () => 18 + 4 * 84 + 16,
    (c, wide, _high, t) => {
      const here = run(), [r, step] = at();
      if (!here) return "No curves yet";
      const { steps } = here, boxes = [0, 1, 2, 3].map((k) => box(wide, k)), ends = [steps[0], steps.at(-1)];
      lossCurves(c, t, { box: (k) => boxes[k], steps, lines: (name) => here[name], front: r, now: step }, { xticks: -1 });
      // One stacked area: R's share of the gradient below, D's above.
      const [x, y] = axes(c, t, boxes[3], ends, [0, 1], { xlabel: "step of the search", ylabel: "share of the gradient: D above, R below", yticks: 2 });
      for (const [name, edge] of [["residual", 0], ["discrimination", 1]]) {
        c.fillStyle = t.colour(name);
        c.beginPath();
        c.moveTo(x(ends[0]), y(edge));
        here.share[r].forEach((share, s) => c.lineTo(x(steps[s]), y(share)));
        c.lineTo(x(ends[1]), y(edge));
        c.fill();
      }
      for (const b of boxes) path(c, [[x(steps[step]), b.y], [x(steps[step]), b.y + b.h]], t.text, { dash: [3, 3], width: 1 });
      return `Curves of R, D, A and of the gradient's shares over ${steps.length} recorded steps. ${describe()}`;
    },
    {
      onpointerdown: (event) => (curves.setPointerCapture(event.pointerId), seek(event)),
      onpointermove: (event) => event.buttons && seek(event),
      onpointerup: () => model.save_changes(),
    },
  );
  const seek = (event) => {
    const here = run(), b = box(curves.wide, 0);
    if (!here) return;
    const wanted = here.steps[0] + ((event.offsetX - b.x) / b.w) * (here.steps.at(-1) - here.steps[0]);
    const far = here.steps.map((step) => Math.abs(step - wanted));
    model.set("step", far.indexOf(Math.min(...far)));
  };

  // ---- stepping and playing
  const last = () => (run()?.steps.length ?? 1) - 1;
  const go = (step) => v.set("step", Math.max(0, Math.min(last(), step)));
  const move = (by) => (v.set("playing", false), go(model.get("step") + by));
  const toggle = () => {
    if (!model.get("playing") && model.get("step") >= last()) model.set("step", 0);
    v.set("playing", !model.get("playing"));
  };
  let timer = 0;
  const play = () => {
    clearTimeout(timer);
    const playing = model.get("playing"), word = playing ? "Pause" : "Play";
    Object.assign(button, { textContent: word, title: `${word} the search (key p)`, ariaLabel: `${word} the search` });
    caption.firstChild.ariaLive = playing ? "off" : "polite"; // no reader keeps up with ten a second
    if (!playing) return;
    timer = setTimeout(() => {
      model.set("step", Math.min(model.get("step") + 1, last()));
      if (model.get("step") >= last()) v.set("playing", false);
      else play();
    }, 1000 / model.get("speed"));
  };
  const button = v.button("Play", toggle, "Play the search", "p");
  const stepper = v.range("step", "Search step", { text: (t) => (run() ? `${run().steps[t] ?? ""} of ${run().steps.at(-1)}` : "") });
  const rate = v.range("speed", "Speed", { min: 0, max: 1, step: 0.05, text: (s) => `${number(s)} a second`,
    place: (s) => Math.log(s / 0.5) / Math.log(80), trait: (p) => Number((0.5 * 80 ** p).toPrecision(2)) });

  // ---- what needs the kernel
  const searched = () => model.get("names").map((name, i) => [i, name]).filter(([i]) => v.live || model.get("runs")[i]);
  const image = v.select("index", "Image", searched());
  const starts = v.select("restart", "Start", []);
  const { steps, step_size, lam, restarts, init } = model.get("settings");
  const wanted = {
    steps: v.number("Steps", steps, { min: 1, step: 1 }), step_size: v.number("Step size (empty: its own)", step_size ?? "", { min: 0 }),
    lam: v.number("Lambda", lam, { min: 0, max: 1 }), restarts: v.number("Starts", restarts, { min: 1, max: 8, step: 1 }),
  };
  const way = make("select", {}, make("option", { value: "random", textContent: "random" }));
  if (model.get("encoder")) way.append(make("option", { value: "encoder", textContent: "encoder" }));
  way.value = init;
  const again = v.button("Search again", () => {
    const settings = Object.fromEntries(Object.entries(wanted).map(([name, field]) => [name, field.input.valueAsNumber]));
    v.ask("search_again", { ...settings, init: way.value });
  });
  const form = make("details", {}, make("summary", { textContent: "Search again with other settings" }),
    v.row(...Object.values(wanted), labelled("First start", way), again));

  const caption = v.caption(["caption", "index", "step", "restart", "runs"], describe);
  const fit = () => {
    stepper.input.max = last();
    stepper.show();
    starts.fill(Array.from({ length: run()?.score.length ?? 1 }, (_, i) => [i, String(i + 1)]));
    starts.hidden = !several();
    decode();
  };
  v.watch(["step", "restart"], v.redraw);
  v.watch(["index", "runs"], fit);
  v.watch(["playing", "speed"], play);
  v.watch(["busy"], () => (again.disabled = model.get("busy")));
  v.ended.addEventListener("abort", () => clearTimeout(timer));
  photos.classList.add("anogan-grow");
  curves.classList.add("anogan-grow");
  v.root.append(
    v.row(image, starts),
    v.row(photos, curves),
    v.row(
      make("span", { className: "anogan-buttons" }, v.button("|◀", () => move(-Infinity), "First step", "f"),
        v.button("◀", () => move(-1), "One step back", "b"), button, v.button("▶", () => move(1), "One step on", "n"),
        v.button("▶|", () => move(Infinity), "Last step", "l")),
      stepper, rate),
    caption,
    ...(v.live ? [form] : []),
  );
  fit();
  play();
});
