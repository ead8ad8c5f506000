"""Renders hazelnuts with MVTec AD's four defects and exact masks: this file made the images beside it.

    python data/hazelnut/render.py OUT --size 64 --seed 0

A nut is a star-shaped solid r(direction) with a tip at one pole and a rough cap (hilum) at the other. An orthographic
camera traces one ray for each pixel; colour and relief are functions of the place on the shell, so that a seed gives
the same nut at any size. A defect lies on the shell, on the tangent plane (u, v) of one place, foreshortened with it.
Lengths are in units of half the image's smaller side, on the nut in units of its radius; points p (N, 3) are in the
nut's own axes, the tip at +z; colours are grey levels, 0 to 255.

Modelled on the look of MVTec AD's hazelnuts (Bergmann et al. 2019); none of their pixels is used.
"""

import argparse
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from tqdm.auto import tqdm

KINDS = ("crack", "cut", "hole", "print")
SIZE = 64

_COUNTS = {"good": 40, "crack": 18, "cut": 17, "hole": 18, "print": 17}  # of the test set, as in MVTec AD's
_SUPERSAMPLING = 3
_NOTICEABLE = 16.0  # grey levels, in any channel, from which a changed pixel belongs to the mask

# Colours under full light.
_DARK, _LIGHT = np.array([97.0, 51.0, 44.0]), np.array([191.0, 107.0, 78.0])  # the shell's streaks
_CAP_DARK, _CAP_LIGHT = np.array([94.0, 66.0, 54.0]), np.array([188.0, 138.0, 112.0])
_WOOD = np.array([212.0, 160.0, 118.0])  # torn shell, freshly cut shell
_HIGHLIGHT, _SKY = np.array([1.0, 0.86, 0.76]), np.array([9.0, 14.0, 17.0])
_HAIR, _GROUND = np.array([176.0, 146.0, 128.0]), np.array([38.0, 38.0, 42.5])

_LETTERS = {  # five rows of three
    **{"B": "110101110101110", "O": "111101101101111", "X": "101101010101101", "1": "110010010010111"},
    **{"R": "110101110101101", "K": "101101110101101", "E": "111100110100111", "4": "101101111001001"},
}


def render(seed, size=SIZE, kind: str = "good") -> tuple[np.ndarray, np.ndarray]:
    """One image of a hazelnut, and the mask of its defect.

    The same seed gives the same nut at any size, and with any `kind` the same nut with that defect.

    Args:
        seed: an int or several, none negative.
        size: in pixels, one number (square) or (H, W), each at least 8; the nut spans the smaller side.
        kind: "good", "crack", "cut", "hole" or "print".

    Returns:
        image (H, W, 3) uint8 and mask (H, W) bool: where the defect covers half the pixel or changes its colour by 16
        grey levels or more.

    Raises:
        ValueError: another kind, or a smaller size.
    """
    if kind != "good" and kind not in KINDS:
        raise ValueError(f"kind must be 'good' or one of {', '.join(KINDS)}. Received: {kind!r}")
    height, width = size if isinstance(size, tuple | list) else (size, size)
    if min(height, width) < 8:
        raise ValueError(f"size must be 8 pixels or more. Received: {size}")
    seed = [int(s) for s in np.atleast_1d(seed)]
    nut = random_nut(np.random.default_rng([*seed, 0]))
    fine = [n * _SUPERSAMPLING for n in (height, width)]
    y, x = ((2 * np.arange(n) + 1 - n) / min(fine) for n in fine)
    x, y = (a.ravel() for a in np.meshgrid(x, -y))  # (M,) each, y upwards; 1 is half the smaller side
    colours = ground(nut, x, y)  # (M, 3)
    around = np.flatnonzero(np.hypot(x - nut.centre[0], y - nut.centre[1]) < 1.25 * nut.size)
    hit, p, normals = trace(nut, x[around], y[around])
    on_nut = around[hit]
    albedo, gloss = paint(nut, p)
    colours[on_nut] = shade(nut, albedo, gloss, normals)
    image, mask = _shrink(colours, height, width), np.zeros((height, width), bool)
    if kind != "good":
        defect = random_defect(np.random.default_rng([*seed, 1, KINDS.index(kind)]), nut, kind)
        albedo, cover = add_defect(defect, p, albedo)
        colours[on_nut] = shade(nut, albedo, gloss * (1 - cover), normals)
        covered = np.zeros((len(x), 1))
        covered[on_nut, 0] = cover
        good, image = image, _shrink(colours, height, width)
        changed = np.abs(image - good).max(axis=2) >= _NOTICEABLE
        mask = (_shrink(covered, height, width)[..., 0] > 0.5) | changed
    grain = np.random.default_rng([*seed, 2]).normal(0, 1.0, (height, width, 3))  # as of a camera's sensor
    return np.clip(np.rint(image + grain), 0, 255).astype(np.uint8), mask


def _shrink(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """(M, C) averaged over blocks to (height, width, C)."""
    n = _SUPERSAMPLING
    return values.reshape(height, n, width, n, -1).mean(axis=(1, 3))


def dataset_plan(seed: int = 0) -> list[tuple[str, str, str, tuple[int, int, int]]]:
    """Every image as (split, kind, file name, seed): 391 to train on; 40 good and 70 defective to test."""
    parts = [("train", "good", 391), *(("test", kind, count) for kind, count in _COUNTS.items())]
    numbered = [(part, split, kind, i) for part, (split, kind, n) in enumerate(parts) for i in range(n)]
    return [(split, kind, f"{i:03d}.png", (seed, part, i)) for part, split, kind, i in numbered]


def write(folder: str | Path, size=SIZE, seed: int = 0) -> None:
    """Render the whole set into a folder in MVTec AD's layout, as PNG files."""
    for split, kind, name, nut_seed in tqdm(dataset_plan(seed), "rendering hazelnuts"):
        image, mask = render(nut_seed, size, kind)
        _save(image, Path(folder) / split / kind / name)
        if kind != "good":
            _save(mask.astype(np.uint8) * 255, Path(folder) / "ground_truth" / kind / f"{name[:-4]}_mask.png")


def _save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, optimize=True)


# ---- a good nut: shape, surface and light


def smooth_step(low, high, x):
    """0 below `low`, 1 above `high`, a smooth ramp between them."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def unit(v: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) at length 1."""
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def periodic_noise(rng: np.random.Generator, shape, blur, minus=None) -> np.ndarray:
    """A table of smooth noise that wraps around, mean 0 and deviation 1; `minus`: a wider blur to take away."""
    white = rng.standard_normal(shape)
    noise = gaussian_filter(white, blur, mode="wrap")
    if minus is not None:
        noise -= gaussian_filter(white, minus, mode="wrap")
    return (noise - noise.mean()) / noise.std()


def noise_at(noise: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Bilinear interpolation at row, column in turns: 0 to 1 spans the (periodic) table."""
    at = np.stack([row * noise.shape[0], column * noise.shape[1]])
    return map_coordinates(noise, at, order=1, mode="grid-wrap", prefilter=False)


def random_nut(rng: np.random.Generator) -> SimpleNamespace:
    """The random numbers of one good nut, its light and its ground."""
    nut = SimpleNamespace()
    # The pose: where the tip points (x right, y up, z towards the camera), turned at will about that axis.
    towards = np.clip(rng.normal(-0.26, 0.4), -0.97, 0.97)
    heading, roll = rng.uniform(0, 2 * np.pi, 2)
    flat = np.sqrt(1 - towards**2)
    axis = np.array([flat * np.cos(heading), flat * np.sin(heading), towards])
    side = unit(np.cross(axis, [-np.sin(heading), np.cos(heading), 0.0]))
    other = np.cross(axis, side)
    right, up = np.cos(roll) * side + np.sin(roll) * other, np.cos(roll) * other - np.sin(roll) * side
    nut.pose = np.stack([right, up, axis])  # rows: the nut's own x, y, z (tip) in the camera's axes
    nut.centre, nut.size = rng.normal(0, 0.03, 2), np.clip(rng.normal(0.655, 0.028), 0.56, 0.74)
    # The shape
    nut.length, nut.tip, nut.tip_width = rng.normal(1.0, 0.055), rng.uniform(0.1, 0.24), rng.uniform(0.32, 0.5)
    nut.oval, nut.oval_at = rng.normal(0, 0.04), rng.uniform(0, 2 * np.pi)
    nut.bumps = periodic_noise(rng, (16, 64), (2.0, 4.0))
    nut.cap_axis = unit(np.array([*rng.normal(0, 0.1, 2), -1.0]))
    nut.cap_angle = rng.uniform(0.62, 0.8)
    nut.cap_flat, nut.cap_bulge = np.cos(nut.cap_angle) * rng.uniform(0.99, 1.03), rng.uniform(0.06, 0.13)
    nut.cap_outline = periodic_noise(rng, (1, 64), (0.0, 3.0))
    nut.teeth, nut.teeth_at = rng.integers(22, 34), rng.uniform()
    # The surface
    nut.streaks = periodic_noise(rng, (24, 512), (3.5, 3.5), minus=(3.5, 12.0))
    nut.lines = periodic_noise(rng, (32, 1024), (3.0, 2.2), minus=(3.0, 8.0))
    nut.fibres = periodic_noise(rng, (96, 1024), (3.0, 1.0))
    nut.blotches = periodic_noise(rng, (16, 32), (1.6, 1.6))
    nut.cap_fibres = periodic_noise(rng, (32, 384), (1.0, 1.3))
    nut.cap_grain = periodic_noise(rng, (96, 96), (0.9, 0.9))
    nut.cap_blotches = periodic_noise(rng, (32, 32), (2.5, 2.5))
    nut.streak_depth, nut.lightness = np.clip(rng.lognormal(-2.32, 0.42), 0.05, 0.26), rng.normal(0.5, 0.1)
    nut.tint = np.array([1.0, 1.0, 1.0]) + rng.normal(0, 0.03) * np.array([0.3, -1.0, -1.2])
    nut.hair, nut.hair_reach = rng.uniform(0.2, 1.3), rng.uniform(0.35, 0.75)
    nut.cap_lightness, flecks = rng.normal(0.45, 0.16), rng.integers(6, 26)
    nut.flecks = unit(rng.standard_normal((flecks, 3)))
    nut.fleck_size, nut.fleck_light = rng.uniform(0.008, 0.024, flecks), rng.uniform(0.2, 1.0, flecks)
    # Light and ground
    nut.light = unit(np.array([rng.normal(0.0, 0.22), rng.normal(0.38, 0.15), 1.0]))
    nut.ambient, nut.exposure = rng.uniform(0.4, 0.56), rng.normal(1.02, 0.055)
    nut.gloss, nut.sharpness = rng.gamma(0.8, 28.0), rng.uniform(5, 28)
    nut.ground, nut.slope = _GROUND + rng.normal(0, 1.3) + rng.normal(0, 0.5, 3), rng.normal(0, 1.0, 2)
    dust = rng.integers(0, 5)
    nut.dust = rng.uniform(-1, 1, (dust, 2))
    nut.dust_size, nut.dust_light = rng.uniform(0.006, 0.02, dust), rng.uniform(8, 45, dust)
    return nut


def polar_angles(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of points p (N, 3): the angle from the tip as a share of pi, and the azimuth in turns."""
    return np.arctan2(np.hypot(p[:, 0], p[:, 1]), p[:, 2]) / np.pi, np.arctan2(p[:, 1], p[:, 0]) / (2 * np.pi)


def height_above_shell(nut: SimpleNamespace, p: np.ndarray) -> np.ndarray:
    """Distance of points p (N, 3) beyond the shell along their own radius; below 0 inside. (N,)"""
    norm = np.linalg.norm(p, axis=1)
    theta, phi = polar_angles(p)
    cosine = p[:, 2] / norm
    radius = 1.0 + (nut.length - 1.0) * cosine**2 + nut.tip * np.exp(-theta * np.pi / nut.tip_width)
    radius *= 1.0 + nut.oval * (1 - cosine**2) * np.cos(4 * np.pi * phi + nut.oval_at)
    radius += 0.012 * (1 - cosine**2) * noise_at(nut.bumps, theta * 0.5, phi)
    down = np.maximum(p @ nut.cap_axis / norm, 0.05)
    away = np.sqrt(np.maximum(1 - down**2, 0.0)) / np.sin(nut.cap_angle)
    plane = (nut.cap_flat + nut.cap_bulge * np.maximum(1 - away**2, 0.0)) / down
    # A soft minimum: the cap cuts the body off, its edge is rounded.
    gap = np.clip(0.5 + (radius - plane) / 0.08, 0.0, 1.0)
    radius = radius * (1 - gap) + plane * gap - 0.04 * gap * (1 - gap)
    return norm - radius


def trace(nut: SimpleNamespace, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where rays along -z at x, y (M,) meet the shell: hit (M,) bool; points and unit normals (hits, 3)."""
    eye = (np.stack([x - nut.centre[0], y - nut.centre[1], np.zeros_like(x)], 1) / nut.size) @ nut.pose.T
    ahead = nut.pose[:, 2]  # the camera's z in the nut's axes
    z = np.sqrt(np.maximum(1.4**2 - np.sum(eye**2, axis=1), 0.0))
    alive = np.arange(len(x))
    for _ in range(28):
        distance = height_above_shell(nut, eye[alive] + z[alive, None] * ahead)
        z[alive] -= 0.85 * distance
        alive = alive[(np.abs(distance) > 1e-3) & (z[alive] > -0.6)]
        if not len(alive):
            break
    p = eye + z[:, None] * ahead
    hit = height_above_shell(nut, p) < 0.01
    p = p[hit]
    here, step = height_above_shell(nut, p), 0.012  # the step also rounds what is finer than a pixel
    normals = np.stack([height_above_shell(nut, p + step * e) - here for e in np.eye(3)], 1)
    return hit, p, unit(normals)


def paint(nut: SimpleNamespace, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Albedo (N, 3) and gloss (N,) of the good shell at points p (N, 3)."""
    direction = unit(p)
    theta, phi = polar_angles(p)
    streak = noise_at(nut.streaks, theta * 0.5, phi)
    streak -= 0.2 * (np.minimum(streak, 0) ** 2 - 0.5)  # dark ones are the sharper
    line = noise_at(nut.lines, theta * 0.5, phi)
    fibre = noise_at(nut.fibres, theta * 0.5, phi)
    blotch = noise_at(nut.blotches, theta * 0.5, phi)
    # Streaks fade towards the poles, where the meridians crowd.
    crowd = smooth_step(0.03, 0.25, theta) * (1 - 0.4 * smooth_step(0.6, 0.85, theta))
    grain = nut.streak_depth * (streak + 0.3 * line) + 0.05 * fibre
    tone = nut.lightness + grain * (0.35 + 0.65 * crowd) + 0.08 * blotch
    shell = _DARK + np.clip(tone, -0.3, 1.3)[:, None] * (_LIGHT - _DARK)
    hair = 0.4 + 0.25 * streak + 0.25 * line + 0.2 * fibre
    hair = nut.hair * np.exp(-((theta * np.pi / nut.hair_reach) ** 1.5)) * np.clip(hair, 0, 1.5)
    shell += np.clip(hair, 0, 0.85)[:, None] * (_HAIR - shell)
    for centre, size, light in zip(nut.flecks, nut.fleck_size, nut.fleck_light, strict=True):
        spot = light * np.exp(-np.sum((direction - centre) ** 2, 1) / (2 * size**2))
        shell += spot[:, None] * (_WOOD - shell)
    angle = np.arccos(np.clip(direction @ nut.cap_axis, -1, 1))
    tooth = np.abs(((phi + nut.teeth_at) * nut.teeth) % 1.0 * 2 - 1)  # a triangle wave round the rim
    edge = nut.cap_angle * (1 + 0.035 * noise_at(nut.cap_outline, 0 * phi, phi)) + 0.045 * (tooth - 0.5)
    inner = angle / edge
    radial = noise_at(nut.cap_fibres, inner * 0.6, phi)
    grain = noise_at(nut.cap_grain, direction[:, 0] * 0.7, direction[:, 1] * 0.7)
    patch = noise_at(nut.cap_blotches, 0.5 + 0.45 * direction[:, 0], 0.5 + 0.45 * direction[:, 1])
    cap_tone = nut.cap_lightness + 0.13 * radial * np.clip(inner * 1.4, 0, 1) + 0.09 * grain + 0.11 * patch
    cap_tone += 0.25 * (tooth - 0.4) * smooth_step(0.8, 0.92, inner) + 0.1 * (1 - smooth_step(0, 0.4, inner))
    cap = _CAP_DARK + np.clip(cap_tone, 0, 1.2)[:, None] * (_CAP_LIGHT - _CAP_DARK)
    inside = 1 - smooth_step(0.97, 1.03, inner)
    groove = np.exp(-(((inner - 1.02) / 0.04) ** 2))  # the dark line under the cap's edge
    albedo = shell + inside[:, None] * (cap - shell)
    albedo *= (1 - 0.35 * groove)[:, None] * nut.tint
    gloss = (1 - 0.92 * inside) * np.clip(1 + 0.25 * streak + 0.3 * blotch, 0.2, 2)
    return albedo, gloss


def shade(nut: SimpleNamespace, albedo, gloss, normals):
    """Wrapped Lambert light, a darker rim and a soft highlight: colours (N, 3)."""
    seen = normals @ nut.pose  # in the camera's axes
    lambert = np.clip((seen @ nut.light + 0.15) / 1.15, 0, 1)
    rim = 0.7 + 0.3 * np.clip(seen[:, 2], 0, 1) ** 0.7
    half = unit(nut.light + np.array([0.0, 0.0, 1.0]))
    highlight = nut.gloss * gloss * np.clip(seen @ half, 0, 1) ** nut.sharpness
    light = nut.exposure * (nut.ambient + (1 - nut.ambient) * lambert) * rim
    sky = (1 - np.clip(seen[:, 2], 0, 1)) ** 1.5  # mirrored at grazing angles
    return albedo * light[:, None] + highlight[:, None] * _HIGHLIGHT + sky[:, None] * _SKY


def ground(nut: SimpleNamespace, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The dark ground: a faint slope of light, dimmer beside the nut, a few specks of dust. (M, 3)"""
    beside = np.hypot(x - nut.centre[0], y - nut.centre[1]) / nut.size
    level = nut.slope[0] * x + nut.slope[1] * y - 7.0 * np.exp(-((beside / 1.15) ** 4))
    for (left, up), size, light in zip(nut.dust, nut.dust_size, nut.dust_light, strict=True):
        level += light * np.exp(-((x - left) ** 2 + (y - up) ** 2) / (2 * size**2))
    return nut.ground + level[:, None]


# ---- its defect


def random_defect(rng: np.random.Generator, nut: SimpleNamespace, kind: str) -> SimpleNamespace:
    """Where a defect lies on the visible side, and the random numbers of its shape."""
    for attempt in range(60):  # not on the cap, not on the tip, not at the very edge
        reach, turn = (0.72 + 0.003 * attempt) * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
        seen = np.array([reach * np.cos(turn), reach * np.sin(turn), np.sqrt(1 - reach**2)])
        centre = nut.pose @ seen
        beyond_cap = np.arccos(centre @ nut.cap_axis) - nut.cap_angle
        # A crack would rather start at the cap.
        fits = 0.4 < beyond_cap < 0.5 if kind == "crack" and attempt < 40 else beyond_cap > 0.22
        if fits and centre[2] < 0.9:
            break
    along = unit(np.cross(np.cross(centre, nut.cap_axis), centre))  # down the meridian, towards the cap
    turned = {"crack": rng.normal(0, 0.3), "print": rng.normal(np.pi / 2, 0.5)}
    angle = turned.get(kind, rng.uniform(0, np.pi))
    across = np.cross(centre, along)
    u = np.cos(angle) * along + np.sin(angle) * across
    defect = SimpleNamespace(kind=kind, centre=centre, u=u, v=np.cross(centre, u))
    defect.rough = periodic_noise(rng, (64, 64), (1.5, 1.5))
    defect.coarse = periodic_noise(rng, (64, 64), (3.5, 3.5))
    (defect.size, defect.opacity), defect.light = rng.uniform(size=2), rng.uniform(0.78, 1.0)
    defect.word = "".join(rng.choice(list(_LETTERS), rng.integers(3, 5)))
    defect.bend = rng.normal(0, 0.25)
    return defect


def add_defect(defect: SimpleNamespace, p: np.ndarray, albedo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay a defect on the albedo (N, 3): the new albedo, and how much of the good shell it covers (N,)."""
    direction = unit(p)
    u, v = direction @ defect.u, direction @ defect.v  # on the tangent plane, in radii of the nut
    rough = noise_at(defect.rough, u / 1.6, v / 1.6)
    layers = {"hole": _hole, "crack": _crack, "cut": _cut, "print": _print}[defect.kind](defect, u, v, rough)
    front = (direction @ defect.centre > 0.2).astype(float)
    cover = np.zeros(len(p))
    for alpha, colour in layers:
        alpha = np.clip(alpha, 0, 1) * front
        albedo = albedo + alpha[:, None] * (colour - albedo)
        cover = 1 - (1 - cover) * (1 - alpha)
    return albedo, cover


def _hole(defect, u, v, rough):
    """A dark hole with a torn, pale rim and a glimpse of the inner wall."""
    coarse = noise_at(defect.coarse, 0.5 + u / 1.6, 0.5 + v / 1.6)
    radius = (0.12 + 0.1 * defect.size**1.5) * (1 + 0.14 * coarse + 0.06 * rough)
    q = np.hypot(u * (1 + defect.bend), v * (1 - defect.bend)) / radius
    rim = 1 - smooth_step(1.24, 1.38, q + 0.14 * rough)
    inside = 1 - smooth_step(0.94, 1.04, q)
    wall = smooth_step(0.3, 1.1, q) * np.clip((u - 0.4 * v) / radius * 0.6, 0, 1)
    dark = np.array([34.0, 25.0, 22.0]) + wall[:, None] * (0.55 * _WOOD)
    return [(rim, defect.light * _WOOD * (1 + 0.08 * rough[:, None])), (inside, dark)]


def _crack(defect, u, v, rough):
    """A jagged dark line that widens towards the cap, with pale broken edges."""
    half = 0.38 + 0.14 * defect.size
    fine, wide = noise_at(defect.rough, u / 0.9, 0.31 + 0 * u), noise_at(defect.coarse, u / 2.2, 0.7 + 0 * u)
    v = v - 0.012 * fine - 0.025 * wide - defect.bend * 0.6 * u**2
    along = (u + half) / (2 * half)
    taper = smooth_step(0.0, 0.1, along) * (1 - smooth_step(0.9, 1.0, along))
    width = (0.016 + 0.05 * np.clip(along, 0, 1)) * (0.75 + 0.5 * defect.opacity) * taper
    torn = np.where(v > 0, 0.06, 0.025) if defect.bend > 0 else np.where(v > 0, 0.025, 0.06)
    edge = width + torn * taper * (1 + 0.4 * rough) * smooth_step(0.15, 0.6, along)
    pale = 1 - smooth_step(-0.008, 0.008, np.abs(v) - edge)
    gap = 1 - smooth_step(-0.008, 0.008, np.abs(v) - width)
    within = taper > 0
    return [(pale * within, 0.92 * defect.light * _WOOD), (gap * within, np.array([30.0, 21.0, 19.0]))]


def _cut(defect, u, v, rough):
    """A straight scratch down to the pale inner shell, with a shadow along one side."""
    half = 0.36 + 0.2 * defect.size
    taper = np.sqrt(np.clip(1 - (u / half) ** 2, 0, 1))
    width = (0.055 + 0.025 * defect.size) * taper * (1 + 0.12 * rough)
    body = (1 - smooth_step(-0.01, 0.01, np.abs(v) - width)) * (taper > 0)
    shadow = 0.8 * body * smooth_step(0.35, 0.8, v / np.maximum(width, 1e-3))
    wood = defect.light * 1.06 * _WOOD * (1 + 0.06 * rough[:, None])
    return [(body, wood), (shadow, np.array([88.0, 54.0, 40.0]))]


def _print(defect, u, v, rough):
    """Sprayed white letters, broken where the spray missed."""
    high = 0.29 + 0.08 * defect.size
    rows = [" ".join(_LETTERS[c][3 * r : 3 * r + 3] for c in defect.word) for r in range(5)]
    ink = np.pad([[float(c == "1") for c in row] for row in rows], 1)  # (7, 4 n + 1)
    at = np.stack([3 - v / high * 5, (ink.shape[1] - 1) / 2 + u / high * 5 * 1.15])
    letters = map_coordinates(ink, at, order=1, mode="constant")
    missed = noise_at(defect.rough, u * 1.3, v * 1.3) + 0.5 * noise_at(defect.coarse, u, v)
    spray = smooth_step(0.42, 0.62, letters + 0.06 * rough) * (1 - smooth_step(0.75, 1.1, missed))
    return [((0.68 + 0.27 * defect.opacity) * spray, defect.light * np.array([250.0, 244.0, 236.0]))]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Renders the set of hazelnuts into a folder in MVTec AD's layout.")
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--size", type=int, default=SIZE, help="pixels a side (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all nuts and defects (%(default)s)")
    options = parser.parse_args(arguments)
    if options.out.exists():
        parser.error(f"{options.out} is there already: give a new folder")
    write(options.out, options.size, options.seed)


if __name__ == "__main__":
    main()
