// What the theme's buttons do; in its pages, that would stand in their HTML.
document.addEventListener("DOMContentLoaded", () => {
  const actions = {
    ".btn-download-pdf-button": () => window.print(),
    ".btn-fullscreen-button": () => window.toggleFullScreen(),
  };
  for (const [button, act] of Object.entries(actions))
    document.querySelector(button)?.addEventListener("click", act);
});
