// Scenes of shapes on a textured background, as fcn_tutorial/data/shapes.py draws them.

export const CLASSES = ["background", "disc", "square", "triangle", "ring", "cross"];
const SIDE = 256;
const REACH = 1.25; // no part of a shape is further from its centre than this many radii

// Which pixels belong to a shape: offsets from its centre, y downwards.
const INSIDE = {
  1: (x, y, radius) => Math.hypot(x, y) <= radius,
  2: (x, y, radius) => Math.max(Math.abs(x), Math.abs(y)) <= 0.85 * radius,
  3: (x, y, radius) => {
    const belowTip = y + 1.2 * radius;
    return Math.abs(x) <= belowTip / Math.sqrt(3) && belowTip <= 1.8 * radius;
  },
  4: (x, y, radius) => {
    const distance = Math.hypot(x, y);
    return radius - (6 + 0.25 * radius) <= distance && distance <= radius;
  },
  5: (x, y, radius) => {
    const arm = 7 + 0.25 * radius;
    const [a, b] = [Math.abs(x), Math.abs(y)];
    return Math.min(a, b) <= arm / 2 && Math.max(a, b) <= radius;
  },
};

// Random numbers from 0 to 1 that depend on the seed alone (mulberry32).
function generator(seed) {
  let state = (seed * 2654435761) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function randomColor(random) {
  const [hue, strength, brightness] = [random(), 0.25 + 0.65 * random(), 70 + 175 * random()];
  const wheel = [0, 1 / 3, 2 / 3].map((turn) => 0.5 + 0.5 * Math.cos(2 * Math.PI * (hue + turn)));
  return wheel.map((value) => brightness * (1 - strength + strength * value));
}

const unlikeness = (a, b) => Math.hypot(...a.map((value, i) => value - b[i]));

function contrasting(random, behind) {
  const colors = Array.from({length: 8}, () => randomColor(random));
  return colors.reduce((best, each) => (unlikeness(each, behind) > unlikeness(best, behind) ? each : best));
}

// Noise, stripes or a gradient around one colour: a function from a pixel to its colour.
function texture(seed, color) {
  const random = generator(seed + 101);
  const [angle, phase, kind] = [2 * Math.PI * random(), 2 * Math.PI * random(), Math.floor(3 * random())];
  const fine = 4 + 8 * random();
  const wide = 60 + 120 * random();
  const accent = 8 + 16 * random();
  const accents = [0, 1, 2].map(() => accent - 8 + 16 * random());
  return (x, y) => {
    const along = Math.cos(angle) * x + Math.sin(angle) * y;
    let pattern = 1.5 * Math.sin((2 * Math.PI * along) / wide + phase);
    if (kind === 0) pattern = 2 * generator(seed + 7919 * y + x)() + 2 * generator(seed + x * 104729 + y)() - 2;
    if (kind === 1) pattern = Math.sign(Math.sin((2 * Math.PI * along) / fine + phase));
    return color.map((value, i) => value + accents[i] * pattern);
  };
}

export function newShape(kind, seed, side, behind = [128, 128, 128]) {
  const random = generator(seed + 17);
  const [x, y] = [side * (0.15 + 0.7 * random()), side * (0.15 + 0.7 * random())];
  const [radius, angle] = [14 + 14 * random(), (random() - 0.5) * 0.8];
  return {kind, x, y, radius, angle, seed, color: contrasting(random, behind)};
}

export function scene(seed) {
  const random = generator(seed);
  const background = {seed: seed + 31, color: randomColor(random)};
  const kinds = Array.from({length: 7}, (_, i) => 1 + ((i + seed) % 5));
  const shapes = kinds.map((kind, i) => newShape(kind, 1000 * seed + i, SIDE, background.color));
  return {background, shapes};
}

function covers({kind, x, y, radius, angle}, column, row) {
  const [dx, dy] = [column + 0.5 - x, row + 0.5 - y];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return INSIDE[kind](cos * dx + sin * dy, cos * dy - sin * dx, radius);
}

// The index of the uppermost shape at a point, or -1; the hole of a ring belongs to it.
export function hit(shapes, x, y) {
  for (let i = shapes.length - 1; i >= 0; i--) {
    if (Math.hypot(x - shapes[i].x, y - shapes[i].y) <= shapes[i].radius) return i;
  }
  return -1;
}

// The picture (floats from 0 to 255, side x side x 3) and the class of each pixel.
export function draw(background, shapes, side) {
  const rgb = new Float32Array(3 * side * side);
  const ids = new Uint8Array(side * side);
  const paint = (colorAt, column, row) => {
    const color = colorAt(column, row).map((value) => Math.min(255, Math.max(0, Math.round(value))));
    rgb.set(color, 3 * (row * side + column));
  };
  const ground = texture(background.seed, background.color);
  for (let row = 0; row < side; row++) for (let column = 0; column < side; column++) paint(ground, column, row);
  for (const shape of shapes) {
    const colorAt = texture(shape.seed, shape.color);
    const reach = REACH * shape.radius + 1;
    const from = (center) => Math.max(0, Math.floor(center - reach));
    const to = (center) => Math.min(side, Math.ceil(center + reach));
    for (let row = from(shape.y); row < to(shape.y); row++) {
      for (let column = from(shape.x); column < to(shape.x); column++) {
        if (!covers(shape, column, row)) continue;
        paint(colorAt, column, row);
        ids[row * side + column] = shape.kind;
      }
    }
  }
  return {rgb, ids};
}
