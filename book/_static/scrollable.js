// What scrolls sideways must be reached by keyboard, too: tables, formulas and frames, on a phone.
// It also shows that there is more of it (book.css).
const SCROLLS = ":is(table, div.math, .moving-frames)";
const FADES = `:is(${SCROLLS}, .cell_output, .text_html)`;
function more({ target }) {
  const left = target.scrollWidth - target.clientWidth - target.scrollLeft;
  target.toggleAttribute("data-more", left > 1);
}
function tabStops() {
  for (const element of document.querySelectorAll(`.bd-article ${SCROLLS}`)) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
  for (const target of document.querySelectorAll(`.bd-article ${FADES}`)) {
    more({ target });
    target.addEventListener("scroll", more);
  }
}
window.addEventListener("load", tabStops);
window.addEventListener("resize", tabStops);
document.addEventListener("toggle", tabStops, true); // a solution that was folded away
