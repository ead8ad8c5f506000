// LambdaExplorer: lambda, threshold and ranking are looked up in the tables that Python computed.

export default view((v) => {
  const { model } = v, about = model.get("about"), count = about.labels.length, lams = about.lams;
  const tables = Object.fromEntries(Object.entries(model.get("tables")).map(([name, bytes]) =>
    [name, numbers(bytes, name === "counts" ? Int32Array : Float32Array)]));
  const bad = about.labels.map((label) => label === 1);
  const anomalous = bad.filter(Boolean).length, normal = count - anomalous;

  // ---- what belongs to the present lambda, score and rate
  let now;
  const look = () => {
    const s = about.scores.indexOf(model.get("score")), l = Math.round(model.get("lam") * (lams.length - 1));
    const far = about.rates.map((rate) => Math.abs(rate - model.get("false_alarm_rate")));
    const row = lams.length * s + l, cell = row * about.rates.length + far.indexOf(Math.min(...far));
    const part = (name, at, size) => tables[name].subarray(at * size, (at + 1) * size);
    const scores = part("scores", row, count), [trueNormal, falseAlarm, missed, hit] = part("counts", cell, 4);
    const ranking = Uint32Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
    now = {
      scores, ranking, trueNormal, falseAlarm, missed, hit, threshold: tables.thresholds[cell],
      rates: part("hit_rates", cell, about.bad_kinds.length), auroc: tables.auroc[row],
      aurocs: part("auroc", s, lams.length),
    };
  };
  look();
  const describe = () => words(model.get("_sentence"), {
    lam: number(model.get("lam")), score: model.get("score"), rate: number(100 * model.get("false_alarm_rate")),
    threshold: number(now.threshold), hit: now.hit, anomalous, false_alarm: now.falseAlarm, normal, auroc: now.auroc.toFixed(3),
    name: about.names[model.get("selected")], rank: rankOf(model.get("selected")), own: number(now.scores[model.get("selected")]),
  });
  const rankOf = (i) => now.ranking.indexOf(i) + 1;

  // ---- both distributions: normal upwards, anomalous downwards, on the same bins
  const BINS = about.bins;
  const spread = v.canvas(230, (c, wide, high, t) => {
    const [low, top] = extent(now.scores), ends = [low, Math.max(top, now.threshold)];
    const bins = [new Uint32Array(BINS), new Uint32Array(BINS)], width = (ends[1] - ends[0]) / BINS || 1;
    now.scores.forEach((score, i) => bins[about.labels[i]][Math.min(BINS - 1, Math.floor((score - ends[0]) / width))]++);
    const most = Math.max(...bins[0], ...bins[1]), box = { x: 34, y: 22, w: wide - 44, h: high - 60 };
    const [x, y] = axes(c, t, box, ends, [-most, most], { xlabel: "anomaly score A", yticks: 0 });
    bins.forEach((heights, k) => {
      c.fillStyle = t.colour(about.classes[k]);
      heights.forEach((height, b) => {
        const left = x(ends[0] + b * width), right = x(ends[0] + (b + 1) * width);
        c.fillRect(left + 0.5, Math.min(y(0), y(k ? -height : height)), right - left - 1, Math.abs(y(height) - y(0)));
      });
    });
    path(c, [[box.x, y(0)], [box.x + box.w, y(0)]], t.text, { width: 1 });
    const line = x(now.threshold), room = line < box.x + box.w - 110;
    path(c, [[line, box.y], [line, box.y + box.h]], t.text, { dash: [4, 3], width: 2 });
    Object.assign(c, { fillStyle: t.text, font: "12px system-ui, sans-serif", textBaseline: "top", textAlign: room ? "left" : "right" });
    c.fillText(`threshold ${number(now.threshold)}`, line + (room ? 5 : -5), 4);
    Object.assign(c, { textAlign: "right", textBaseline: "middle" });
    for (const [k, place] of [[0, box.y + 8], [1, box.y + box.h - 8]]) {
      c.fillText(`${k ? "▼" : "▲"} ${about.classes[k]}`, box.x + box.w - 6, place);
    }
    return `Scores of ${normal} normal and ${anomalous} anomalous images, from ${number(low)} to ${number(top)}. ${describe()}`;
  });

  // ---- ROC with the present point, and AUROC over lambda
  const curves = v.canvas(230, (c, wide, high, t) => {
    const side = Math.min(high - 60, wide / 2 - 56), box = { x: 38, y: 22, w: side, h: high - 60 };
    const [x, y] = axes(c, t, box, [0, 1], [0, 1], { xlabel: "false alarms", ylabel: "hits (ROC)", xticks: 2, yticks: 2 });
    path(c, [[x(0), y(0)], [x(1), y(1)]], t.soft, { dash: [2, 4], width: 1 });
    // From the highest score down: an anomalous image is a step up, a normal one a step to the right.
    const points = [[x(0), y(0)]];
    let hits = 0, alarms = 0;
    for (const i of now.ranking) {
      if (bad[i]) hits++;
      else alarms++;
      points.push([x(alarms / normal), y(hits / anomalous)]);
    }
    path(c, points, t.colour("score"), { width: 2 });
    dot(c, x(now.falseAlarm / normal), y(now.hit / anomalous), 5, t.text);
    const other = { x: box.x + side + 54, y: 22, w: wide - side - 104, h: high - 60 }, [low, top] = extent(now.aurocs);
    const [a, b] = axes(c, t, other, [0, 1], [Math.max(0, low - 0.02), Math.min(1, top + 0.02)], { xlabel: "lambda", ylabel: "AUROC", xticks: 2, yticks: 6 });
    path(c, Array.from(now.aurocs, (value, i) => [a(lams[i]), b(value)]), t.colour("score"), { width: 2 });
    path(c, [[a(model.get("lam")), other.y], [a(model.get("lam")), other.y + other.h]], t.text, { dash: [3, 3], width: 1 });
    return `ROC curve, AUROC ${now.auroc.toFixed(3)}; the point at ${now.falseAlarm} of ${normal} false alarms and ${now.hit} of ${anomalous} hits. ` +
      `AUROC over lambda runs from ${low.toFixed(3)} to ${top.toFixed(3)}.`;
  });

  // ---- hit rate of each kind
  const kinds = v.canvas(24 + 24 * about.bad_kinds.length, (c, wide, _high, t) => {
    Object.assign(c, { textBaseline: "middle", textAlign: "left" });
    c.fillText("found, of each kind", 4, 10);
    const from = Math.min(wide / 3, 12 + Math.max(...about.bad_kinds.map((kind) => c.measureText(kind).width)));
    about.bad_kinds.forEach((kind, k) => {
      const y = 34 + 24 * k, room = wide - from - 56;
      Object.assign(c, { fillStyle: t.text, strokeStyle: t.line });
      c.fillText(kind, 4, y, from - 8);
      c.fillText(`${Math.round(100 * now.rates[k])} %`, from + room + 8, y);
      c.strokeRect(from + 0.5, y - 7.5, room, 15);
      c.fillStyle = t.colour("anomalous");
      c.fillRect(from + 1, y - 7, (room - 1) * now.rates[k], 14);
    });
    return `Hit rates: ${about.bad_kinds.map((kind, k) => `${kind} ${Math.round(100 * now.rates[k])} %`).join(", ")}`;
  });

  // ---- the four counts
  const cells = [0, 1, 2, 3].map(() => make("td"));
  const head = (textContent, scope) => make("th", { textContent, scope });
  const confusion = make("table", { className: "anogan-counts" }, make("caption", { textContent: "images, by verdict" }),
    make("tr", {}, make("td"), head("called normal", "col"), head("called anomalous", "col")),
    make("tr", {}, head("is normal", "row"), cells[0], cells[1]), make("tr", {}, head("is anomalous", "row"), cells[2], cells[3]));
  const tally = () => [now.trueNormal, now.falseAlarm, now.missed, now.hit].forEach((n, i) => (cells[i].textContent = n));

  // ---- the gallery: all images, the highest score first; those called anomalous bright, the others faint
  const sheets = v.sheets(["thumbnails"], () => gallery.draw());
  let tiles = null;
  const grid = (wide) => {
    let size = Math.min(48, model.get("thumbnails").width);
    while (size > 16 && Math.ceil(count / Math.floor(wide / (size + 4))) * (size + 6) > 320) size--;
    const columns = Math.max(1, Math.floor(wide / (size + 4)));
    return { size, columns, rows: Math.ceil(count / columns) };
  };
  // Every tile once, bright and faint, as plain pixels: copying them is many times faster than 1,000 drawings.
  const shrink = (size, t) => {
    const key = `${size} ${t.back} ${window.devicePixelRatio}`;
    if (tiles?.key === key) return tiles;
    const dense = window.devicePixelRatio || 1, side = Math.round(size * dense), tall = Math.round((size + 4) * dense);
    const across = Math.min(count, 64), canvas = new OffscreenCanvas(side * across, 2 * tall * Math.ceil(count / across));
    const c = canvas.getContext("2d", { willReadFrequently: true });
    const corner = (i, faint) => [side * (i % across), tall * (2 * Math.floor(i / across) + faint)];
    for (let i = 0; i < count; i++) {
      for (const faint of [0, 1]) {
        const [x, y] = corner(i, faint);
        c.globalAlpha = faint ? 0.35 : 1;
        c.drawImage(sheets.thumbnails.image, ...sheets.thumbnails.at(i), x, y, side, side);
        c.globalAlpha = 1;
        c.fillStyle = t.colour(about.classes[about.labels[i]]);
        c.fillRect(x, y + side + dense, bad[i] ? side : side / 3, 3 * dense); // a bar for anomalous, a dash for normal
      }
    }
    const pixels = new Uint32Array(c.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return (tiles = { key, dense, side, tall, corner, pixels, wide: canvas.width });
  };
  const gallery = v.canvas((wide) => { const g = grid(wide); return g.rows * (g.size + 6) + 4; }, (c, wide, _high, t) => {
    if (!sheets.thumbnails) return "The gallery is being read";
    const { size, columns } = grid(wide), from = shrink(size, t), { scores, ranking, threshold } = now;
    if (from.image?.width !== c.canvas.width || from.image.height !== c.canvas.height) {
      from.image = new ImageData(c.canvas.width, c.canvas.height);
      from.shown = [];
    }
    // The tiles' places stay; only those that changed are copied. Plain names make the loop fast.
    const { image, shown, corner, pixels, wide: across, side, tall, dense } = from, { width, height } = image;
    const to = new Uint32Array(image.data.buffer);
    for (let rank = 0; rank < count; rank++) {
      const i = ranking[rank], faint = scores[i] > threshold ? 0 : 1;
      if (shown[rank] === 2 * i + faint) continue;
      shown[rank] = 2 * i + faint;
      const [left, top] = corner(i, faint), x = Math.round(((rank % columns) * (size + 4) + 2) * dense);
      const y = Math.round((Math.floor(rank / columns) * (size + 6) + 2) * dense);
      for (let row = 0; row < tall && y + row < height; row++) {
        let source = (top + row) * across + left, target = (y + row) * width + x;
        for (const end = source + side; source < end; ) to[target++] = pixels[source++];
      }
    }
    c.putImageData(image, 0, 0);
    const mine = rankOf(model.get("selected")) - 1;
    Object.assign(c, { strokeStyle: t.text, lineWidth: 2 });
    c.strokeRect((mine % columns) * (size + 4) + 1, Math.floor(mine / columns) * (size + 6) + 1, size + 2, size + 2);
    // Where the threshold cuts the ranking.
    const cut = now.hit + now.falseAlarm, x = (cut % columns) * (size + 4), y = Math.floor(cut / columns) * (size + 6);
    path(c, [[x, y], [x, y + size + 6]], t.text, { width: 3 });
    return `All ${count} images, the highest score first; the first ${cut} are called anomalous, ${now.hit} of them rightly.`;
  }, {
    style: "cursor: pointer",
    onclick(event) {
      const { size, columns } = grid(gallery.wide);
      const column = Math.floor(event.offsetX / (size + 4)), rank = Math.floor(event.offsetY / (size + 6)) * columns + column;
      if (column >= columns || rank >= count) return;
      v.set("selected", now.ranking[rank]);
    },
  });

  // ---- searched again with this lambda
  const scatter = v.canvas((wide) => Math.min(wide, 300), (c, wide, high, t) => {
    const found = model.get("searched");
    if (!found.scores) return "";
    const low = extent([...found.scores, ...found.reweighted]), box = { x: 46, y: 22, w: wide - 60, h: high - 62 };
    const [x, y] = axes(c, t, box, low, low, { xlabel: "score, re-weighted", ylabel: "score, searched again" });
    path(c, [[x(low[0]), y(low[0])], [x(low[1]), y(low[1])]], t.soft, { dash: [3, 3], width: 1 });
    found.scores.forEach((score, i) => {
      c.fillStyle = t.colour(about.classes[about.labels[i]]);
      c.beginPath();
      if (bad[i]) c.rect(x(found.reweighted[i]) - 3, y(score) - 3, 6, 6);
      else c.arc(x(found.reweighted[i]), y(score), 3, 0, 7);
      c.fill();
    });
    return difference();
  });
  const difference = () => {
    const found = model.get("searched");
    if (!found.scores) return "";
    return `Searched again at lambda ${number(found.lam)} (${found.score}, ${found.steps} steps): AUROC ${found.auroc.toFixed(3)}. ` +
      `Searched at lambda ${number(found.own_lam)} and re-weighted: ${found.auroc_reweighted.toFixed(3)}. Squares are anomalous; what lies off the line differs.`;
  };
  const compared = make("p", { className: "anogan-caption" });
  const result = make("div", { className: "anogan-again" }, compared, scatter);
  const button = v.button("Search again at this lambda", () => v.ask("search_again"));
  const report = () => {
    compared.textContent = difference();
    result.hidden = !model.get("searched").scores;
    scatter.draw();
  };

  // ---- controls
  const rank = v.range("selected", "Image, by rank", {
    min: 1, max: count, place: rankOf, trait: (n) => now.ranking[n - 1], text: (i) => `${rankOf(i)} of ${count}: ${about.kinds[i]}`,
  });
  const caption = v.caption(["lam", "score", "false_alarm_rate", "selected"], describe);
  const follow = () => {
    look();
    tally();
    [spread, curves, kinds, gallery].forEach((canvas) => canvas.draw());
    caption.show();
    rank.show();
  };
  v.watch(["lam", "score", "false_alarm_rate"], follow);
  v.watch(["selected"], () => gallery.draw());
  v.watch(["searched"], report);
  v.watch(["busy"], () => (button.disabled = model.get("busy")));
  for (const canvas of [spread, curves, kinds]) canvas.classList.add("anogan-grow");
  v.root.append(
    v.row(
      v.range("lam", "Lambda", { max: 1, step: 0.01, text: (lam) => Number(lam).toFixed(2) }),
      v.range("false_alarm_rate", "False-alarm rate", { max: about.rates.length - 1, text: (rate) => `${number(100 * rate)} %`,
        place: (rate) => about.rates.findIndex((each) => Math.abs(each - rate) < 1e-9), trait: (i) => about.rates[i] }),
      v.select("score", "Score", about.scores.map((name) => [name, name])),
    ),
    caption,
    v.row(spread, curves),
    v.row(kinds, confusion),
    gallery,
    v.row(rank),
    ...(v.live ? [v.row(button)] : []),
    result,
  );
  tally();
  report();
});
