// What scrolls sideways must be reached by keyboard, too: wide tables and formulas, on a phone.
function tabStops() {
  for (const element of document.querySelectorAll(".bd-article table, .bd-article div.math")) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
}
window.addEventListener("load", tabStops);
window.addEventListener("resize", tabStops);
