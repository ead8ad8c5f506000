// LatentWalk: for a slider under the pointer Python computes all pictures ahead; then the browser answers alone.

export default view((v) => {
  const { model } = v;
  const count = model.get("position").length, levels = model.get("levels"), reach = model.get("reach");
  // Without Python, each slider goes from where the walk was when the page was written, and the others go back there.
  const start = v.live ? { position: new Array(count).fill(0), mix: 0 } : { position: model.get("position"), mix: model.get("mix") };
  const ahead = {}; // by slider: a pointer that passes over another one takes nothing away
  const sheets = v.sheets(["picture", "ends", "around", "ahead"], () => {
    if (sheets.ahead) ahead[sheets.ahead.of.control] = sheets.ahead;
    v.redraw();
    caption.show();
  });

  // ---- which of the pictures computed ahead is the present one
  const now = () => ({ position: model.get("position"), between: model.get("between"), mix: model.get("mix") });
  const but = (control, { position, between, mix }) => // the state without what this slider moves
    JSON.stringify([position.map((x, i) => (i === control ? 0 : x)), between, control === "mix" ? 0 : mix]);
  const fits = (control) => control in ahead && but(control, ahead[control].of) === but(control, now());
  const present = () => {
    for (const control of ["mix", ...model.get("position").keys()].filter(fits)) {
      const place = control === "mix" ? model.get("mix") : (model.get("position")[control] + reach) / (2 * reach);
      const i = Math.round(place * (levels - 1));
      if (Math.abs(place * (levels - 1) - i) < 1e-6) return { sheet: ahead[control], i };
    }
    return null;
  };
  // What is not computed ahead is asked for, one question at a time; where the answer fails to come, again.
  let asked = -Infinity;
  const moved = () => {
    v.redraw();
    caption.show();
    if (present() || performance.now() - asked < 500) return;
    asked = performance.now();
    model.save_changes();
  };
  v.watch(["picture"], () => (asked = -Infinity));
  v.watch(["position", "between", "mix"], moved);

  // ---- pictures: where the way begins, G(z), where it ends; below, samples around
  const side = (wide) => Math.min(0.48 * wide, 300), end = (wide) => Math.min((wide - side(wide) - 24) / 2, 130);
  const small = (wide) => (Math.min(wide, side(wide) + 2 * end(wide) + 24) - 28) / 8;
  const photos = v.canvas(
    (wide) => side(wide) + (v.live ? small(wide) + 50 : 24),
    (c, wide) => {
      const put = (sheet, i, x, y, size, title = "", textAlign = "center") => {
        if (sheet) c.drawImage(sheet.image, ...sheet.at(i), x, y, size, size);
        c.textAlign = textAlign;
        c.fillText(title, x + { left: 0, center: 0.5, right: 1 }[textAlign] * size, y - 6, size + 8);
      };
      const [big, edge, tiny] = [side(wide), end(wide), small(wide)], left = (wide - big - 2 * edge - 24) / 2;
      const [a, b] = [...model.get("between")].map((i) => model.get("names")[i]), found = present();
      put(sheets.ends, 0, left, 20 + (big - edge) / 2, edge, a, "left");
      put(found?.sheet ?? sheets.picture, found?.i ?? 0, left + edge + 12, 20, big, "G(z)");
      put(sheets.ends, 1, left + edge + big + 24, 20 + (big - edge) / 2, edge, b, "right");
      if (v.live) {
        for (let k = 0; k < 8; k++) put(sheets.around, k, left + k * (tiny + 4), big + 44, tiny);
        c.fillText("samples around z", left + big / 2 + edge + 12, big + 37);
      }
      return `From ${a} to ${b}. ${describe()}`;
    },
  );
  const describe = () => {
    const found = present(), whole = model.get("caption"), here = found?.sheet.of.captions[found.i] ?? whole;
    return v.live && whole.startsWith(here) ? whole : here; // Python's caption also describes the samples around
  };

  // ---- controls
  const step = 1 / (levels - 1);
  const prepared = (field, control) => {
    const ask = () => fits(control) || v.ask("look_ahead", { control });
    let resting; // a pointer that only passes over asks for nothing
    field.input.addEventListener("pointerenter", () => (resting = setTimeout(ask, 100)));
    field.input.addEventListener("pointerleave", () => clearTimeout(resting));
    field.input.addEventListener("focus", ask);
    return field;
  };
  const choices = [0, 1].map((k) => {
    const pairs = () => model.get("names").map((name, i) => {
      const pair = [...model.get("between")];
      pair[k] = i;
      return [pair, name];
    });
    const field = v.select("between", k ? "To" : "From", pairs());
    v.watch(["between"], () => field.fill(pairs()));
    return field;
  });
  const percent = (share) => `${Math.round(100 * share)} %`;
  const mix = prepared(
    v.range("mix", "On the way", {
      step, text: percent, trait: (share) => (v.live || model.set("position", start.position), Number(share)) }),
    "mix",
  );
  const directions = model.get("position").map((_, i) =>
    prepared(
      v.range("position", `Direction ${i + 1} (${percent(model.get("shares")[i])})`, {
        min: -reach, max: reach, step: 2 * reach * step,
        text: (all) => `${all[i] < 0 ? "−" : "+"}${Math.abs(all[i]).toFixed(2)}`,
        place: (all) => all[i],
        trait: (value) => {
          if (!v.live) model.set("mix", start.mix);
          return (v.live ? model.get("position") : start.position).map((old, k) => (k === i ? Number(value.toFixed(9)) : old));
        },
      }),
      i,
    ),
  );
  const spread = v.range("spread", "Spread around", { step: 0.05, text: percent });
  const home = v.button("Back to the start", () => {
    model.set("mix", start.mix);
    v.set("position", start.position);
  });
  const caption = v.caption(["caption"], describe);
  v.root.append(
    make("div", { className: "anogan-row anogan-walk" },
      make("div", { className: "anogan-grow" }, photos),
      make("div", { className: "anogan-grow anogan-sliders" }, ...(v.live ? [v.row(...choices)] : []), mix, ...directions,
        ...(v.live ? [spread] : []), v.row(home))),
    caption,
  );
  if (!v.live) v.ask("look_ahead", { control: "mix" });
});
