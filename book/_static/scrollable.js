// What scrolls sideways must be reached by keyboard, too: tables, formulas and frames, on a phone.
const SCROLLS = ":is(table, div.math, .moving-frames)";
function tabStops() {
  for (const element of document.querySelectorAll(`.bd-article ${SCROLLS}`)) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
}
window.addEventListener("load", tabStops);
window.addEventListener("resize", tabStops);
