// What a person sees of a search: G(z) as it walks, the encoder beside it, curves, z and verdicts.

// ---- the search

let walks = [], random = false, shown = 0, encoder = null, playing = false, seconds = 0;
const lam = () => Number(node("lam").value);
const finished = () => walks[0].t >= steps;
const SPEEDS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, Infinity]; // steps a second

const readEasel = () => {
  const image = pixels();
  if (channels === 1) showImage(easel, image); // in grey, as the search sees it
  search.aim(image);
  encoder = search.encoder && search.walk(search.encode());
  begin();
  if (!finished()) play();
};

// Begin again: from the starts that the page holds, the first of which normal images had, or from random ones.
const begin = (atRandom = false) => {
  const count = Number(node("starts").value);
  random = atRandom;
  walks = about.starts.slice(0, count).map((z) => Object.assign(search.walk(random ? search.random() : z), { own: !random }));
  [shown, seconds] = [0, 0];
  const row = walks.map((_, i) =>
    make("button", { type: "button", onclick: () => ((shown = i), draw()) }, make("canvas", { width, height }), make("span")));
  node("walks").replaceChildren(...row);
  node("walks").hidden = count === 1;
  draw();
};

const stepAll = () => {
  const began = performance.now();
  for (const walk of walks) {
    if (lam() !== about.lam) walk.own = false;
    search.step(walk, weightsOf(lam()));
  }
  seconds += (performance.now() - began) / 1000;
};

const pause = () => {
  playing = false;
  draw();
};
const play = () => {
  if (finished()) begin(random);
  if (playing) return draw();
  playing = true;
  let last = performance.now(), due = 1;
  const frame = (now) => {
    if (!playing) return;
    const speed = SPEEDS[node("speed").value];
    due = speed === Infinity ? steps : Math.min(due + (speed * (now - last)) / 1000, steps);
    last = now;
    const until = performance.now() + 25; // leaves the browser time to draw
    for (; due >= 1 && !finished() && playing; due--) {
      stepAll();
      if (performance.now() > until) break;
    }
    due = Math.min(due, 2);
    if (finished()) playing = false;
    draw();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
};

node("play").addEventListener("click", () => (playing ? pause() : play()));
node("step").addEventListener("click", () => {
  playing = false;
  if (!finished()) stepAll();
  draw();
});
node("restart").addEventListener("click", () => (begin(), play()));
node("random").addEventListener("click", () => (begin(true), play()));
node("starts").addEventListener("change", () => (begin(random), play()));
const ranges = {
  brush: (value) => `${value} pixels`,
  speed: (value) => (SPEEDS[value] === Infinity ? "full speed" : `${SPEEDS[value]} steps/s`),
  lam: (value) => String(Number(value)),
};
const tell = (id) => {
  const input = node(id), text = ranges[id](input.value);
  input.ariaValueText = input.nextElementSibling.textContent = text;
};
for (const id of Object.keys(ranges)) node(id).addEventListener("input", () => tell(id));
node("brush").addEventListener("input", placeRing);
node("lam").addEventListener("input", () => {
  if (finished()) {
    begin(random);
    play();
  } else draw();
});

// ---- what it says

// How many normal images score as much or more, of how many; the p-value; the verdict.
const judge = (way, score) => {
  const normal = normalScores(way, lam()), p = pValue(normal, score);
  const verdict = p <= about.false_alarm_rate + 1e-12 ? "anomalous" : "normal";
  return { above: normal.filter((each) => each >= score).length, of: normal.length, p, verdict };
};
// Why a walk has no verdict, or "".
const missing = (walk) => {
  if (walk.t < steps) return "none while it searches";
  if (random || walk !== walks[0]) return "none: another first z";
  return walk.own && lam() === about.lam ? "" : "none: another lambda";
};

// What the page says of the start that it shows, in two parts: the verdict, or "", stands apart.
const describe = () => {
  const walk = walks[shown], [r, d] = [walk.residual.at(-1), walk.discrimination.at(-1)], a = scoreOf(r, d, lam());
  const now = `Step ${walk.t} of ${steps}: R = ${number(r)}, D = ${number(d)}, A(x) = ${number(a)}.`;
  const why = missing(walk);
  if (walk.t < steps) return [`${now} No verdict before the search is done.`, ""];
  if (why === "none: another lambda")
    return [`${now} No verdict: normal images were searched with lambda = ${number(about.lam)}.`, ""];
  if (why) return [`${now} No verdict: normal images were searched from another z; Restart begins there.`, ""];
  const { above, of, p, verdict } = judge("search", a);
  return [`${now} ${above} of ${of} normal images score as much or more, p\u00a0=\u00a0${p.toFixed(3)}: `, `${verdict}.`];
};

const tableRow = (name, walk, way, why) => {
  const [r, d] = [walk.residual.at(-1), walk.discrimination.at(-1)], a = scoreOf(r, d, lam());
  const { p, verdict } = why ? { p: NaN, verdict: why } : judge(way, a);
  const cells = [number(r), number(d), number(a), why ? "" : p.toFixed(3), verdict];
  return make("tr", {}, make("th", { scope: "row", textContent: name }), ...cells.map((text) => make("td", { textContent: text })));
};

// ---- drawing

let colours = theme();
const draw = () => {
  const walk = walks[shown], x = search.x, [said, verdict] = describe();
  node("play").textContent = playing ? "Pause" : finished() ? "Play again" : "Play";
  node("step").disabled = finished();
  node("at-step").textContent = `step ${walk.t}`;
  showImage(node("generated"), walk.y);
  showDifference(node("left"), x, walk.y);
  node("generated").ariaLabel = `G(z) at step ${walk.t}`;
  node("left").ariaLabel = `Difference of x and G(z) at step ${walk.t}, bright where it is large`;
  if (encoder) {
    showImage(node("encoded"), encoder.y);
    showDifference(node("encoded-left"), x, encoder.y);
  }
  [...node("walks").children].forEach((button, i) => {
    const [picture, text] = button.children, score = scoreOf(walks[i].residual.at(-1), walks[i].discrimination.at(-1), lam());
    showImage(picture, walks[i].y);
    text.textContent = `A ${number(Number(score.toPrecision(3)))}`;
    Object.assign(button, { ariaPressed: i === shown, ariaLabel: `Start ${i + 1}, A(x) = ${number(score)}` });
  });
  node("said").ariaLive = playing ? "off" : "polite"; // no reader keeps up with ten a second
  if (node("said").textContent !== said + verdict) node("said").replaceChildren(said, make("strong", { textContent: verdict }));
  const name = walks.length > 1 ? `search, start ${shown + 1}` : "search";
  const rows = [tableRow(`${name}, step ${walk.t}`, walk, "search", missing(walk))];
  if (encoder) rows.push(tableRow("encoder", encoder, "encoder", ""));
  node("ways").replaceChildren(...rows);
  node("curves").draw();
  node("z").draw();
  const each = (1000 * seconds) / Math.max(1, walk.t * walks.length);
  node("speed-note").textContent = walk.t
    ? `${each.toFixed(1)} ms a step here, ${search.fast ? "with" : "without"} WebAssembly; ${steps} steps take ${((each * steps) / 1000).toFixed(2)} s.`
    : "";
  document.body.dataset.state = playing ? "playing" : finished() ? "done" : "paused";
};

const inRow = (wide) => wide > 640;
fitted(node("curves"), (wide) => (inRow(wide) ? 190 : 3 * 150 + 20), (c, wide) => {
  if (!walks.length) return "";
  const scores = ({ residual, discrimination }) => residual.map((r, t) => scoreOf(r, discrimination[t], lam()));
  lossCurves(c, colours, {
    box: (i) => inRow(wide)
      ? { x: 46 + (i * wide) / 3, y: 20, w: wide / 3 - 62, h: 120 }
      : { x: 46, y: 20 + 150 * i, w: wide - 60, h: 96 },
    steps: [...Array(steps + 1).keys()],
    lines: (name) => walks.map(name === "score" ? scores : (walk) => walk[name]), front: shown, now: walks[shown].t,
    band: (name) => band(name === "score" ? normalScores("search", lam()) : about.calibration.search[name]),
  }, { xlabel: "step" });
  return `Curves of R, D and A over the steps, with bands where the middle 90 % of normal images end. ${describe().join("")}`;
});

fitted(node("z"), () => 120, (c, wide) => {
  const walk = walks[shown];
  if (!walk) return "";
  const most = Math.max(3, ...walk.z.map(Math.abs)), box = { x: 46, y: 20, w: wide - 62, h: 74 };
  const title = `z, ${about.latent} numbers${encoder ? "; lines: the encoder's" : ""}`;
  const [across, up] = axes(c, colours, box, [0, about.latent], [-most, most], { ylabel: title, xticks: -1 });
  walk.z.forEach((value, i) => {
    const left = across(i + 0.15), wide = across(i + 0.85) - left;
    c.fillStyle = colours.colour("generator");
    c.fillRect(left, Math.min(up(0), up(value)), wide, Math.abs(up(value) - up(0)));
    c.fillStyle = colours.text;
    if (encoder) c.fillRect(left, up(encoder.z[i]) - 1, wide, 2);
  });
  return `z as ${about.latent} bars, from ${number(Math.min(...walk.z))} to ${number(Math.max(...walk.z))}`;
});

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => ((colours = theme()), draw()));

// ---- what depends on the detector

const grey = channels === 1;
Object.assign(node("brush"), { max: Math.round(width / 4), value: Math.max(2, Math.round(width / (grey ? 10 : 20))) });
node("colour").value = grey ? "#ffffff" : "#f0d8b0";
node("lam").value = about.lam;
node("lam").step = Number.isInteger(about.lam * 100) ? "0.01" : "any";
node("fit").hidden = !about.empty;
for (const each of document.querySelectorAll(".encoder")) each.hidden = !about.encoder;
node("pictures").classList.toggle("alone", !about.encoder);
for (const [id, text] of Object.entries({
  latent: about.latent, steps, "own-lam": number(about.lam), rate: percent(about.false_alarm_rate),
  normal: about.calibration.search.residual.length,
  units: about.units[0] === 1 ? "" : "Here R and D are each divided by their standard deviation over normal images.",
})) node(id).textContent = text;
node("encoded").ariaLabel = "G(E(x)), what the encoder finds without a search";
node("encoded-left").ariaLabel = "Difference of x and G(E(x)), bright where it is large";
Object.keys(ranges).forEach(tell);
choices[0]?.click();
playing = false; // begins when Play is pressed
draw();
