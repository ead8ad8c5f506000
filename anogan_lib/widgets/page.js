// The model that anywidget hands to a view, replaced in an exported page. No kernel answers `send`: recorded answers
// do, and views hide what needs more. Python puts this after the view's own module, whose default export is `shown` here.

const unpack = (_, value) => {
  if (value?.$bytes === undefined) return value;
  const text = atob(value.$bytes), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i); // ten times as fast as Uint8Array.from
  return new DataView(bytes.buffer);
};
const { state, answers } = JSON.parse(document.getElementById("state").textContent, unpack), heard = {};
let playing; // the timer of the answer that is being shown, state after state
const model = {
  offline: true,
  get: (name) => state[name],
  set(name, value) {
    if (state[name] === value) return;
    state[name] = value;
    for (const call of heard["change:" + name] ?? []) call();
  },
  on: (event, call) => (heard[event] ??= []).push(call),
  off: (event, call) => { heard[event] = (heard[event] ?? []).filter((each) => each !== call); },
  save_changes() {},
  send(message) {
    const states = [...(answers[JSON.stringify(message)] ?? [])];
    const next = () => {
      for (const [name, value] of Object.entries(states.shift() ?? {})) model.set(name, value);
      if (states.length) playing = setTimeout(next, 400);
    };
    clearTimeout(playing);
    next();
  },
};

// Light or dark as the system is, or as the page is that frames this one and follows its height.
const dark = matchMedia("(prefers-color-scheme: dark)"), dress = (light) => (document.body.dataset.jpThemeLight = light);
dress(!dark.matches);
dark.addEventListener("change", () => dress(!dark.matches));
if (parent !== window) {
  document.body.classList.add("framed");
  addEventListener("message", ({ data }) => dress(Boolean(data.light)));
  new ResizeObserver(([{ target }]) => parent.postMessage({ height: target.offsetHeight }, "*")).observe(document.body);
}
shown.render({ model, el: document.getElementById("view") });
