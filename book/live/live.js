// The live page: scenes that the reader draws, photos, and the networks that label them.

import {loadAndCompile, loadLiteRt, Tensor} from "@litertjs/core";
import {CLASSES, draw, hit, newShape, scene} from "./shapes.js";

const SIDE = 256;
const STATIC = new URL("..", import.meta.url).href;
const NETWORKS = {fcn32s: "FCN-32s", fcn16s: "FCN-16s", fcn8s: "FCN-8s"};
const PAD = [124, 117, 104]; // what the networks' own padding has: ImageNet's mean colour

// LiteRT tells of its start by the channel for errors.
const reportError = console.error.bind(console);
console.error = (...words) =>
  (/^(INFO|WARNING): /.test(words[0]) ? console.debug : reportError)(...words);

const byId = (id) => document.getElementById(id);
const percent = (part) => `${(100 * part).toFixed(0)} %`;
let runtime;
const models = {};

async function network(name) {
  runtime ??= loadLiteRt(`${STATIC}litert/`, {threads: false});
  await runtime;
  models[name] ??= Promise.all([
    loadAndCompile(`${STATIC}live/models/${name}.tflite`, {accelerator: "wasm"}),
    fetch(`${STATIC}live/models/${name}.json`).then((answer) => answer.json()),
  ]);
  return models[name];
}

// Label an image, RGB as floats from 0 to 255, SIDE x SIDE x 3: class ids, and the milliseconds.
async function labelled(name, rgb) {
  const [model, legend] = await network(name);
  const classes = legend.classes.length;
  const start = performance.now();
  const image = new Tensor(rgb, [1, SIDE, SIDE, 3]);
  const [scores] = await model.run(image);
  const logits = await scores.data();
  const labels = new Uint8Array(SIDE * SIDE);
  for (let pixel = 0; pixel < labels.length; pixel++) {
    const first = pixel * classes;
    let best = 0;
    for (let k = 1; k < classes; k++) if (logits[first + k] > logits[first + best]) best = k;
    labels[pixel] = best;
  }
  const milliseconds = performance.now() - start;
  image.delete();
  scores.delete();
  return {labels, milliseconds, legend};
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
      const {labels, milliseconds, legend} = await labelled(`shapes-${name}`, rgb);
      const figure = part.querySelector(`[data-network=${name}]`);
      const iou = percent(meanIou(ids, labels, CLASSES.length));
      show(figure.querySelector("canvas"), (pixel) => legend.palette[labels[pixel]]);
      show(byId("live-truth"), (pixel) => legend.palette[ids[pixel]]);
      figure.querySelector("figcaption").textContent = `${title}: ${iou}, ${milliseconds.toFixed(0)} ms`;
      list(part.querySelector(".live-legend"), legend.classes, legend.palette, [...CLASSES.keys()]);
      window.fcnLive.labels[name] = labels;
      window.fcnLive.milliseconds[name] = milliseconds;
      found.push(`${title} ${iou}`);
      await new Promise(requestAnimationFrame); // lets the page answer between two networks
    }
    window.fcnLive.rgb = rgb;
    status.textContent = `Mean IoU on this scene: ${found.join(", ")}.`;
    part.dataset.state = "ready";
  });

  const refresh = () => {
    part.dataset.state = "working";
    drawn = draw(background, shapes, SIDE);
    show(canvas, (pixel) => drawn.rgb.subarray(3 * pixel, 3 * pixel + 3));
    const shape = shapes[chosen];
    const what = shape ? `, chosen: ${CLASSES[shape.kind]}` : "";
    canvas.setAttribute("aria-label", `The scene, ${shapes.length} shapes${what}`);
    if (shape) outline(canvas, shape);
    update().catch((error) => {
      status.textContent = `The networks cannot run in this browser: ${error.message}`;
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
  part.querySelector(".live-controls").addEventListener("click", ({target}) => {
    if (target.dataset.do) actions[target.dataset.do]();
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
  canvas.addEventListener("keydown", (event) => {
    const change = changes[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!change || !shapes[chosen] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    change(shapes[chosen]);
    refresh();
  });

  let grip = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = SIDE / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  canvas.addEventListener("pointerdown", (event) => {
    const [x, y] = place(event);
    const index = hit(shapes, x, y);
    if (index < 0) return;
    chosen = index;
    grip = [x - shapes[index].x, y - shapes[index].y];
    canvas.setPointerCapture(event.pointerId);
    refresh();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const [x, y] = place(event);
    Object.assign(shapes[chosen], {x: x - grip[0], y: y - grip[1]});
    refresh();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => (grip = null));
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

// The picture in the middle of SIDE x SIDE pixels, as large as fits; its box there.
function fit(bitmap, context) {
  const scale = SIDE / Math.max(bitmap.width, bitmap.height);
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const box = [Math.floor((SIDE - width) / 2), Math.floor((SIDE - height) / 2), width, height];
  context.fillStyle = `rgb(${PAD})`;
  context.fillRect(0, 0, SIDE, SIDE);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, ...box);
  return box;
}

function photoBooth() {
  const part = byId("live-photos");
  const status = part.querySelector(".live-status");
  const figure = part.querySelector("[data-network=photo]");

  async function label(file) {
    part.dataset.state = "working";
    status.textContent = "Working.";
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      status.textContent = `${file.name} is not a picture that this browser can open: choose another.`;
      part.dataset.state = "failed";
      return;
    }
    const context = byId("live-photo").getContext("2d", {willReadFrequently: true});
    const [left, top, width, height] = fit(bitmap, context);
    const {data} = context.getImageData(0, 0, SIDE, SIDE);
    const rgb = new Float32Array(3 * SIDE * SIDE);
    for (let i = 0; i < SIDE * SIDE; i++) rgb.set(data.subarray(4 * i, 4 * i + 3), 3 * i);
    const {labels, milliseconds, legend} = await labelled("photos-fcn8s", rgb);
    const counts = new Array(legend.classes.length).fill(0);
    for (let y = top; y < top + height; y++) {
      for (let x = left; x < left + width; x++) counts[labels[y * SIDE + x]]++;
    }
    show(figure.querySelector("canvas"), (pixel) => {
      const color = legend.palette[labels[pixel]];
      const gray = (rgb[3 * pixel] + rgb[3 * pixel + 1] + rgb[3 * pixel + 2]) / 3;
      return color.map((value) => 0.65 * value + 0.35 * gray);
    });
    const found = [...counts.keys()].filter((k) => counts[k] > 0).sort((a, b) => counts[b] - counts[a]);
    const share = (k) => ` ${percent(counts[k] / (width * height))}`;
    list(part.querySelector(".live-legend"), legend.classes, legend.palette, found, share);
    figure.querySelector("figcaption").textContent =
      `FCN-8s on EfficientNet-Lite0: ${milliseconds.toFixed(0)} ms`;
    Object.assign(window.fcnLive, {photo: rgb});
    window.fcnLive.labels.photo = labels;
    window.fcnLive.milliseconds.photo = milliseconds;
    const names = found.map((k) => legend.classes[k].replace("_", " ") + share(k));
    status.textContent = `${file.name}: ${names.join(", ")}.`;
    part.dataset.state = "ready";
  }

  const start = (file) =>
    file &&
    label(file).catch((error) => {
      status.textContent = `The network cannot run in this browser: ${error.message}`;
      part.dataset.state = "failed";
    });
  byId("live-file").addEventListener("change", ({target}) => start(target.files[0]));
  byId("live-example").addEventListener("click", async () => {
    const answer = await fetch(`${STATIC}live/models/example.jpg`);
    start(new File([await answer.blob()], "example.jpg"));
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
