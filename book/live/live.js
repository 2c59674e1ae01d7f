// The live page: scenes that the reader draws, photos, and the networks that label them.

import {loadAndCompile, loadLiteRt, Tensor} from "@litertjs/core";
import {CLASSES, draw, hit, newShape, scene} from "./shapes.js";

const SIDE = 256;
const ZOOM = 2; // pixels of a photo on the page for one of the network's
const STATIC = new URL("..", import.meta.url).href;
const NETWORKS = {fcn32s: "FCN-32s", fcn16s: "FCN-16s", fcn8s: "FCN-8s"};
const PAD = [124, 117, 104]; // what the networks' own padding has: ImageNet's mean colour

// LiteRT tells of its start by the channel for errors.
const reportError = console.error.bind(console);
console.error = (...words) =>
  (/^(INFO|WARNING): /.test(words[0]) ? console.debug : reportError)(...words);

const byId = (id) => document.getElementById(id);
const percent = (part) =>
  part > 0 && part < 0.005 ? "under 1 %" : `${(100 * part).toFixed(0)} %`;
const READ = {willReadFrequently: true}; // else each reading comes back from the graphics card
let runtime;
const models = {};

async function loaded(url) {
  const answer = await fetch(url).catch(() => null);
  if (!answer?.ok) throw new Error(`${url} could not be loaded: try again.`);
  return answer;
}

async function network(name) {
  runtime ??= loadLiteRt(`${STATIC}litert/`, {threads: false});
  await runtime;
  models[name] ??= Promise.all([
    loadAndCompile(`${STATIC}live/models/${name}.tflite`, {accelerator: "wasm"}),
    loaded(`${STATIC}live/models/${name}.json`).then((answer) => answer.json()),
  ]).catch((error) => {
    delete models[name]; // the next picture tries again
    throw error;
  });
  return models[name];
}

// The scores of an image, RGB as floats from 0 to 255, SIDE x SIDE x 3, and the milliseconds.
async function scored(name, rgb) {
  try {
    return await run(name, rgb);
  } catch (error) {
    throw new Error(`The networks do not run here: ${error.message}`);
  }
}

async function run(name, rgb) {
  const [model, legend] = await network(name);
  const start = performance.now();
  const image = new Tensor(rgb, [1, SIDE, SIDE, 3]);
  const [scores] = await model.run(image);
  const logits = await scores.data();
  const milliseconds = performance.now() - start;
  image.delete();
  scores.delete();
  return {logits, milliseconds, legend};
}

// The class ids of SIDE x SIDE pixels, from their scores.
function labelsOf(logits, classes) {
  const labels = new Uint8Array(SIDE * SIDE);
  for (let pixel = 0; pixel < labels.length; pixel++) {
    const first = pixel * classes;
    let best = 0;
    for (let k = 1; k < classes; k++) if (logits[first + k] > logits[first + best]) best = k;
    labels[pixel] = best;
  }
  return labels;
}

// The probabilities of one pixel's classes: softmax of its scores.
function probabilities(scores) {
  const most = Math.max(...scores);
  const powers = Array.from(scores, (score) => Math.exp(score - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function meanIou(truth, labels, classes) {
  const both = new Float64Array(classes);
  const either = new Float64Array(classes);
  for (let pixel = 0; pixel < truth.length; pixel++) {
    either[truth[pixel]]++;
    if (truth[pixel] === labels[pixel]) both[truth[pixel]]++;
    else either[labels[pixel]]++;
  }
  const present = [...either.keys()].filter((k) => either[k] > 0);
  return present.reduce((sum, k) => sum + both[k] / either[k], 0) / present.length;
}

function show(canvas, color) {
  const picture = new ImageData(SIDE, SIDE);
  for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
    picture.data.set(color(pixel), 4 * pixel);
    picture.data[4 * pixel + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function list(element, classes, palette, chosen, note = () => "") {
  const items = chosen.map((k) => {
    const item = document.createElement("li");
    const swatch = document.createElement("span");
    swatch.style.background = `rgb(${palette[k]})`;
    item.append(swatch, classes[k].replace("_", " ") + note(k));
    return item;
  });
  element.replaceChildren(...items);
}

// Runs `work` again and again while there is something new to do, one at a time.
function onceAtATime(work) {
  let wanted = false;
  let running = null;
  return () => {
    wanted = true;
    running ??= (async () => {
      try {
        while (wanted) {
          wanted = false;
          await work();
        }
      } finally {
        running = null;
      }
    })();
    return running;
  };
}

function drawingBoard() {
  const part = byId("live-shapes");
  const canvas = byId("live-scene");
  const status = part.querySelector(".live-status");
  let {background, shapes} = scene(1);
  let chosen = shapes.length - 1;
  let seed = 1;
  let drawn = draw(background, shapes, SIDE);

  const update = onceAtATime(async () => {
    const {rgb, ids} = drawn;
    const found = [];
    for (const [name, title] of Object.entries(NETWORKS)) {
      const {logits, milliseconds, legend} = await scored(`shapes-${name}`, rgb);
      const labels = labelsOf(logits, CLASSES.length);
      const figure = part.querySelector(`[data-network=${name}]`);
      // Of an empty scene, a score says nothing.
      const iou = shapes.length ? `${percent(meanIou(ids, labels, CLASSES.length))}, ` : "";
      show(figure.querySelector("canvas"), (pixel) => legend.palette[labels[pixel]]);
      show(byId("live-truth"), (pixel) => legend.palette[ids[pixel]]);
      figure.querySelector("figcaption").textContent = `${title}: ${iou}${milliseconds.toFixed(0)} ms`;
      list(part.querySelector(".live-legend"), legend.classes, legend.palette, [...CLASSES.keys()]);
      window.fcnLive.labels[name] = labels;
      window.fcnLive.milliseconds[name] = milliseconds;
      found.push(`${title} ${iou}`.replace(/, $/, ""));
      await new Promise(requestAnimationFrame); // lets the page answer between two networks
    }
    window.fcnLive.rgb = rgb;
    status.textContent = shapes.length
      ? `Mean IoU on this scene: ${found.join(", ")}.`
      : "The scene is empty: add a shape.";
    part.dataset.state = "ready";
  });

  const refresh = () => {
    part.dataset.state = "working";
    drawn = draw(background, shapes, SIDE);
    show(canvas, (pixel) => drawn.rgb.subarray(3 * pixel, 3 * pixel + 3));
    const shape = shapes[chosen];
    const what = shape ? `, chosen: ${CLASSES[shape.kind]}` : "";
    const count = shapes.length === 1 ? "1 shape" : `${shapes.length} shapes`;
    canvas.setAttribute("aria-label", `The scene, ${count}${what}`);
    if (shape) outline(canvas, shape);
    update().catch((error) => {
      status.textContent = error.message;
      part.dataset.state = "failed";
    });
  };

  const actions = {
    another: () => {
      seed += 1;
      ({background, shapes} = scene(seed));
      chosen = shapes.length - 1;
    },
    clear: () => {
      shapes = [];
      chosen = -1;
    },
  };
  part.addEventListener("click", ({target}) => {
    if (target.dataset.do) actions[target.dataset.do]();
    else if (target.dataset.key && shapes[chosen]) changes[target.dataset.key](shapes[chosen]);
    else if (target.dataset.add) {
      seed += 1;
      shapes.push(newShape(Number(target.dataset.add), seed, SIDE));
      chosen = shapes.length - 1;
    } else return;
    refresh();
  });

  const changes = {
    ArrowLeft: (shape) => (shape.x -= 1),
    ArrowRight: (shape) => (shape.x += 1),
    ArrowUp: (shape) => (shape.y -= 1),
    ArrowDown: (shape) => (shape.y += 1),
    "+": (shape) => (shape.radius = Math.min(shape.radius + 2, 100)),
    "-": (shape) => (shape.radius = Math.max(shape.radius - 2, 6)),
    r: (shape) => (shape.angle += Math.PI / 18),
    Delete: () => {
      shapes.splice(chosen, 1);
      chosen = shapes.length - 1;
    },
    n: () => (chosen = (chosen + 1) % shapes.length),
  };
  changes["="] = changes["+"];
  changes.Backspace = changes.Delete; // which a Mac calls delete
  canvas.addEventListener("keydown", (event) => {
    const change = changes[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!change || !shapes[chosen] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    change(shapes[chosen]);
    refresh();
  });

  let grip = null; // which pointer holds which shape, and where
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = SIDE / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || grip) return; // a menu's button, or a second finger
    const [x, y] = place(event);
    const index = hit(shapes, x, y);
    if (index < 0) return;
    chosen = index;
    const shape = shapes[index];
    grip = {pointer: event.pointerId, shape, across: x - shape.x, down: y - shape.y};
    canvas.setPointerCapture(event.pointerId);
    refresh();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== grip?.pointer) return;
    const [x, y] = place(event);
    Object.assign(grip.shape, {x: x - grip.across, y: y - grip.down});
    refresh();
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(end, (event) => {
      if (event.pointerId === grip?.pointer) grip = null;
    });
  }
  refresh();
}

function outline(canvas, {x, y, radius}) {
  const context = canvas.getContext("2d");
  for (const [color, dash] of [["#000", []], ["#fff", [4, 4]]]) {
    context.strokeStyle = color;
    context.setLineDash(dash);
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, radius * 1.25 + 3, 0, 2 * Math.PI);
    context.stroke();
  }
}

// The largest box of a picture's shape in the middle of SIDE x SIDE pixels: left, top, width, height.
function boxOf({width, height}) {
  const scale = SIDE / Math.max(width, height);
  const [across, down] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  return [Math.floor((SIDE - across) / 2), Math.floor((SIDE - down) / 2), across, down];
}

// RGB of SIDE x SIDE pixels, as floats, with the picture in its box.
function inputOf(bitmap, box) {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d", READ);
  context.fillStyle = `rgb(${PAD})`;
  context.fillRect(0, 0, SIDE, SIDE);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, ...box);
  const {data} = context.getImageData(0, 0, SIDE, SIDE);
  const rgb = new Float32Array(3 * SIDE * SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) rgb.set(data.subarray(4 * i, 4 * i + 3), 3 * i);
  return rgb;
}

// Labels over the photo: colours where there is an object, and white along its outline, which shows
// on a grey car too.
function overlay(canvas, bitmap, labels, palette, opacity, [left, top, width, height]) {
  Object.assign(canvas, {width: ZOOM * width, height: ZOOM * height});
  const context = canvas.getContext("2d", READ);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const picture = context.getImageData(0, 0, canvas.width, canvas.height);
  const at = (x, y) => labels[(top + Math.floor(y / ZOOM)) * SIDE + left + Math.floor(x / ZOOM)];
  for (let y = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) {
      const label = at(x, y);
      const edge =
        label !== at(Math.min(x + 1, canvas.width - 1), y) ||
        label !== at(x, Math.min(y + 1, canvas.height - 1));
      if (!label && !edge) continue;
      const color = edge ? [255, 255, 255] : palette[label];
      const first = 4 * (y * canvas.width + x);
      for (let k = 0; k < 3; k++) {
        picture.data[first + k] += opacity * (color[k] - picture.data[first + k]);
      }
    }
  }
  context.putImageData(picture, 0, 0);
}

function cross(canvas, x, y) {
  const context = canvas.getContext("2d");
  for (const [color, width] of [["#000", 5], ["#fff", 2]]) {
    Object.assign(context, {strokeStyle: color, lineWidth: width});
    context.beginPath();
    for (const [dx, dy] of [[10, 0], [0, 10]]) {
      context.moveTo(x - dx, y - dy);
      context.lineTo(x + dx, y + dy);
    }
    context.stroke();
  }
}

function photoBooth() {
  const part = byId("live-photos");
  const status = part.querySelector(".live-status");
  const advice = byId("live-point").textContent;
  const slider = byId("live-opacity");
  const names = Object.keys(NETWORKS);
  const canvasOf = (name) => part.querySelector(`[data-network=${name}] canvas`);
  const canvases = [byId("live-photo"), ...names.map(canvasOf)];
  let shown = null; // the photo, its box, its labels and scores
  let point = null; // in pixels of the box
  let latest = 0; // number of the photo that was chosen last, the only one to be shown

  function paint() {
    if (!shown) return;
    const {bitmap, box, labels, legend} = shown;
    overlay(canvases[0], bitmap, labels.fcn8s, legend.palette, 0, box);
    for (const name of names) {
      overlay(canvasOf(name), bitmap, labels[name], legend.palette, slider.value / 100, box);
    }
    if (point) for (const canvas of canvases) cross(canvas, ...point.map((each) => ZOOM * each));
  }

  function tell(x, y) {
    if (!shown) return;
    const [left, top, width, height] = shown.box;
    const inside = (value, size) => Math.min(Math.max(Math.floor(value), 0), size - 1);
    point = [inside(x, width), inside(y, height)];
    const classes = shown.legend.classes;
    const pixel = (top + point[1]) * SIDE + left + point[0];
    const said = names.map((name, number) => {
      const first = (number * SIDE * SIDE + pixel) * classes.length;
      const shares = probabilities(shown.logits.subarray(first, first + classes.length));
      const [best, second] = [...shares.keys()].sort((a, b) => shares[b] - shares[a]);
      const text = (k) => `${classes[k].replace("_", " ")} ${percent(shares[k])}`;
      return `${NETWORKS[name]} ${text(best)}, then ${text(second)}`;
    });
    byId("live-point").textContent = `At the cross: ${said.join("; ")}.`;
    paint();
  }

  async function opened(file) {
    try {
      return await createImageBitmap(file);
    } catch {
      throw new Error(`${file.name} is not a picture that this browser can open: choose another.`);
    }
  }

  // Labels the file that `bring` returns, unless another photo is chosen before this one is done.
  async function label(bring) {
    const turn = ++latest;
    part.dataset.state = "working";
    status.textContent = "Working.";
    try {
      const file = await bring();
      const bitmap = await opened(file);
      if (turn !== latest) return;
      const box = boxOf(bitmap);
      const rgb = inputOf(bitmap, box);
      const found = await scored("photos", rgb);
      if (turn === latest) display(file.name, {bitmap, box, rgb, ...found});
    } catch (error) {
      if (turn !== latest) return;
      status.textContent = error.message;
      part.dataset.state = "failed";
    }
  }

  function display(title, {bitmap, box, rgb, logits, milliseconds, legend}) {
    const count = legend.classes.length;
    const labels = {};
    names.forEach((name, number) => {
      const first = number * SIDE * SIDE * count;
      labels[name] = labelsOf(logits.subarray(first, first + SIDE * SIDE * count), count);
      window.fcnLive.labels[`photo_${name}`] = labels[name];
    });
    shown?.bitmap.close(); // a large photo's memory
    shown = {bitmap, box, labels, logits, legend};
    point = null;
    byId("live-point").textContent = advice;
    paint();
    report(title, milliseconds);
    Object.assign(window.fcnLive, {photo: rgb});
    window.fcnLive.milliseconds.photo = milliseconds;
    Object.assign(part.dataset, {state: "ready", shown: "yes"});
    byId("live-photo").nextElementSibling.textContent = "Your photo";
  }

  function report(title, milliseconds) {
    const {box, labels, legend} = shown;
    const [left, top, width, height] = box;
    const counts = new Array(legend.classes.length).fill(0);
    for (let y = top; y < top + height; y++) {
      for (let x = left; x < left + width; x++) counts[labels.fcn8s[y * SIDE + x]]++;
    }
    const found = [...counts.keys()].filter((k) => counts[k] > 0).sort((a, b) => counts[b] - counts[a]);
    const share = (k) => ` ${percent(counts[k] / (width * height))}`;
    list(part.querySelector(".live-legend"), legend.classes, legend.palette, found, share);
    const words = found.map((k) => legend.classes[k].replace("_", " ") + share(k));
    const time = `All three took ${milliseconds.toFixed(0)} ms.`;
    status.textContent = `${title}, by FCN-8s: ${words.join(", ")}. ${time}`;
  }

  const start = (file) => file && label(() => file);
  const input = byId("live-file");
  input.addEventListener("click", () => (input.value = "")); // the same file may be chosen again
  input.addEventListener("change", () => start(input.files[0]));
  for (const button of part.querySelectorAll("[data-example]")) {
    const name = `${button.dataset.example}.jpg`;
    button.addEventListener("click", () =>
      label(async () => {
        const answer = await loaded(`${STATIC}live/models/${name}`);
        return new File([await answer.blob()], name);
      }),
    );
  }
  slider.addEventListener("input", paint);
  for (const canvas of canvases) {
    canvas.addEventListener("click", (event) => {
      const scale = canvas.width / canvas.getBoundingClientRect().width / ZOOM;
      tell(event.offsetX * scale, event.offsetY * scale);
    });
  }
  const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  canvasOf("fcn8s").addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move || !shown || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [x, y] = point ?? [shown.box[2] / 2, shown.box[3] / 2];
    tell(x + 4 * move[0], y + 4 * move[1]);
  });
  part.addEventListener("dragover", (event) => event.preventDefault());
  part.addEventListener("drop", (event) => {
    event.preventDefault();
    start(event.dataTransfer.files[0]);
  });
}

// What the page last showed, for the book's tests: pictures, class ids and milliseconds.
window.fcnLive = {labels: {}, milliseconds: {}};
drawingBoard();
photoBooth();
