"""Colours and textures of procedural scenes, which say nothing about the class."""

import numpy as np


def random_colors(rng: np.random.Generator, count: int) -> np.ndarray:
    """Colours of any hue, from pale to strong and from dark to bright: float (count, 3)."""
    hue, strength = rng.uniform(size=(count, 1)), rng.uniform(0.25, 0.9, size=(count, 1))
    brightness = rng.uniform(70, 245, size=(count, 1))
    wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue + np.array([0, 1 / 3, 2 / 3])))
    return brightness * (1 - strength + strength * wheel)


def contrasting_color(rng: np.random.Generator, behind: np.ndarray) -> np.ndarray:
    """Of eight random colours, the one least like any of the pixels `behind` (n, 3)."""
    colors = random_colors(rng, 8)
    sample = behind[:: 1 + len(behind) // 64]  # some pixels tell as much as all of them
    differences = np.linalg.norm(colors[:, None] - sample, axis=-1)
    return colors[differences.min(axis=1).argmax()]


def texture(
    rng: np.random.Generator, color: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Noise, stripes or a gradient around one colour, float32 (H, W, 3).

    color: (3,), 0..255; rows: (H, 1) and columns: (1, W), the pixels' numbers in the scene.
    """
    angle, phase = rng.uniform(0, 2 * np.pi, size=2)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    kind = rng.integers(3)
    if kind == 0:
        pattern = rng.standard_normal(along.shape, np.float32)
    elif kind == 1:
        pattern = np.sign(np.sin(2 * np.pi * along / rng.uniform(4, 12) + phase))
    else:
        pattern = 1.5 * np.sin(2 * np.pi * along / rng.uniform(60, 180) + phase)
    accent = rng.uniform(8, 24) + rng.uniform(-8, 8, size=3)
    return (color + accent * pattern[..., None]).astype(np.float32)
