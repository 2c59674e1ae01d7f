// The slider of the first page says which picture is shown; without this script FCN-8s' is.
for (const figure of document.querySelectorAll(".first-figure")) {
  const slider = figure.querySelector("input");
  const pictures = [...figure.querySelectorAll("img")];
  const caption = figure.querySelector("figcaption");
  const names = [...figure.querySelectorAll(".first-names span")];
  const show = () => {
    pictures.forEach((picture, i) => picture.classList.toggle("shown", i === Number(slider.value)));
    caption.textContent = pictures[slider.value].dataset.caption;
    slider.setAttribute("aria-valuetext", names[slider.value].textContent);
  };
  slider.addEventListener("input", show);
  figure.querySelector(".first-controls").hidden = false;
  show();
}
