// The views of a page, each a page of its own in a frame: as high as it says that it is, and light or dark as this one.
const frames = () => document.querySelectorAll("iframe.view");
const dress = (frame) => frame.contentWindow.postMessage({ light: document.documentElement.dataset.theme !== "dark" }, "*");

addEventListener("message", ({ data, source }) => {
  for (const frame of frames()) {
    if (frame.contentWindow !== source || !(data.height > 0)) continue;
    frame.style.height = `${Math.ceil(data.height)}px`;
    dress(frame);
  }
});
new MutationObserver(() => frames().forEach(dress)).observe(document.documentElement, { attributeFilter: ["data-theme"] });

// A formula that is too wide for its place scrolls: then the keyboard can come to it.
const formulas = document.querySelectorAll(".formula");
const sized = new ResizeObserver(() =>
  formulas.forEach((each) => (each.tabIndex = each.scrollWidth > each.clientWidth ? 0 : -1)));
formulas.forEach((each) => [each, ...each.children].forEach((part) => sized.observe(part))); // fonts come late
