// The model that anywidget hands to a view, replaced in an exported page: no kernel answers `send`, so views hide what
// needs one. Python puts this after the view's own module, whose default export is `shown` here.

const unpack = (value) => {
  if (Array.isArray(value)) return value.map(unpack);
  if (value === null || typeof value !== "object") return value;
  if ("$bytes" in value) {
    const text = atob(value.$bytes), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new DataView(bytes.buffer);
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unpack(part)]));
};
const state = unpack(JSON.parse(document.getElementById("state").textContent)), heard = {};
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
  send() {},
};
shown.render({ model, el: document.getElementById("view") });
