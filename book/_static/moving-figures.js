// Names for the controls of figures that move, which ipywidgets leaves without: a screen reader
// says what a slider changes and which button is which, and reads the caption of each new frame.
(() => {
  const describe = (figure) => {
    for (const each of figure.querySelectorAll(".widget-label")) each.removeAttribute("title");
    const label = figure.querySelector(".widget-label")?.textContent;
    figure.querySelector(".noUi-handle")?.setAttribute("aria-label", label);
    const [play, stop] = figure.querySelectorAll(".widget-play button");
    play?.setAttribute("aria-label", `Play or pause: ${label}`);
    stop?.setAttribute("aria-label", `Back to the start: ${label}`);
    figure.querySelector(".moving-frames")?.setAttribute("aria-live", "polite");
  };
  const describeAll = () => {
    document.querySelectorAll(".moving-figure").forEach(describe);
    window.tabStops?.(); // of frames wider than a phone (scrollable.js)
  };
  const watch = () => {
    if (!document.querySelector('script[type="application/vnd.jupyter.widget-view+json"]')) return;
    new MutationObserver(describeAll).observe(document.body, { childList: true, subtree: true });
    describeAll(); // for figures that were faster than this script
  };
  document.addEventListener("DOMContentLoaded", () => {
    describeAll();
    watch();
  });
})();
