"""Rendered photographs of hazelnuts with MVTec AD's four defects and exact masks.

The nuts come from `nut`. Defects live on the shell, on the tangent plane (u, v) of a place in view, and
foreshorten with it. Modelled on the look of the hazelnuts of MVTec AD (Bergmann et al. 2019); none of their
pixels is used.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from anogan_lib.datasets import folders, nut
from anogan_lib.datasets.base import AnomalyDataset, Split, split_normal
from anogan_lib.datasets.images import from_uint8
from anogan_lib.datasets.nut import WOOD, look_up, smooth, table, unit

KINDS = ("crack", "cut", "hole", "print")
SHIPPED = Path(__file__).parents[2] / "data" / "hazelnut"
SHIPPED_SIZE = 64

_COUNTS = {"crack": 18, "cut": 17, "hole": 18, "print": 17}  # MVTec AD's test set; and 391, 40 good ones
_SUPERSAMPLING = 3
_NOTICEABLE = 16.0  # grey levels, in any channel, from which a changed pixel belongs to the mask

_GLYPHS = {  # five rows of three
    **{"B": "110101110101110", "O": "111101101101111", "X": "101101010101101", "1": "110010010010111"},
    **{"R": "110101110101101", "K": "101101110101101", "E": "111100110100111", "4": "101101111001001"},
}


def _draw_defect(rng: np.random.Generator, one: SimpleNamespace, kind: str) -> SimpleNamespace:
    """Where a defect sits on the visible side, and its random shape."""
    for attempt in range(60):  # not on the cap, not on the tip, not at the very edge
        reach, turn = (0.72 + 0.003 * attempt) * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
        seen = np.array([reach * np.cos(turn), reach * np.sin(turn), np.sqrt(1 - reach**2)])
        centre = one.pose @ seen
        beyond = np.arccos(centre @ one.cap_axis) - one.cap_angle
        # A crack would rather start at the cap.
        fits = 0.4 < beyond < 0.5 if kind == "crack" and attempt < 40 else beyond > 0.22
        if fits and centre[2] < 0.9:
            break
    along = unit(np.cross(np.cross(centre, one.cap_axis), centre))  # down the meridian, towards the cap
    turned = {"crack": rng.normal(0, 0.3), "print": rng.normal(np.pi / 2, 0.5)}
    angle = turned.get(kind, rng.uniform(0, np.pi))
    across = np.cross(centre, along)
    flaw = SimpleNamespace(kind=kind, centre=centre)
    flaw.u = np.cos(angle) * along + np.sin(angle) * across
    flaw.v = np.cross(centre, flaw.u)
    flaw.rough = table(rng, (64, 64), (1.5, 1.5))
    flaw.coarse = table(rng, (64, 64), (3.5, 3.5))
    flaw.size, flaw.opacity = rng.uniform(size=2)
    flaw.light = rng.uniform(0.78, 1.0)
    flaw.word = "".join(rng.choice(list(_GLYPHS), rng.integers(3, 5)))
    flaw.bend = rng.normal(0, 0.25)
    return flaw


def _apply(flaw: SimpleNamespace, p: np.ndarray, albedo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lays a defect on the albedo (N, 3): the new albedo, and how much of the good shell is covered (N,)."""
    d = unit(p)
    u, v = d @ flaw.u, d @ flaw.v  # on the tangent plane, in radii of the nut
    rough = look_up(flaw.rough, u / 1.6, v / 1.6)
    layers = {"hole": _hole, "crack": _crack, "cut": _cut, "print": _print}[flaw.kind](flaw, u, v, rough)
    front = (d @ flaw.centre > 0.2).astype(float)
    cover = np.zeros(len(p))
    for alpha, colour in layers:
        alpha = np.clip(alpha, 0, 1) * front
        albedo = albedo + alpha[:, None] * (colour - albedo)
        cover = 1 - (1 - cover) * (1 - alpha)
    return albedo, cover


def _hole(flaw, u, v, rough):
    """A dark hole with a torn, pale rim and a glimpse of the inner wall."""
    coarse = look_up(flaw.coarse, 0.5 + u / 1.6, 0.5 + v / 1.6)
    radius = (0.12 + 0.1 * flaw.size**1.5) * (1 + 0.14 * coarse + 0.06 * rough)
    q = np.hypot(u * (1 + flaw.bend), v * (1 - flaw.bend)) / radius
    rim = 1 - smooth(1.24, 1.38, q + 0.14 * rough)
    inside = 1 - smooth(0.94, 1.04, q)
    wall = smooth(0.3, 1.1, q) * np.clip((u - 0.4 * v) / radius * 0.6, 0, 1)
    dark = np.array([34.0, 25.0, 22.0]) + wall[:, None] * (0.55 * WOOD)
    return [(rim, flaw.light * WOOD * (1 + 0.08 * rough[:, None])), (inside, dark)]


def _crack(flaw, u, v, rough):
    """A jagged dark line that widens towards the cap, with pale broken edges."""
    half = 0.38 + 0.14 * flaw.size
    fine, wide = look_up(flaw.rough, u / 0.9, 0.31 + 0 * u), look_up(flaw.coarse, u / 2.2, 0.7 + 0 * u)
    v = v - 0.012 * fine - 0.025 * wide - flaw.bend * 0.6 * u**2
    offset = np.abs(v)
    along = (u + half) / (2 * half)
    taper = smooth(0.0, 0.1, along) * (1 - smooth(0.9, 1.0, along))
    width = (0.016 + 0.05 * np.clip(along, 0, 1)) * (0.75 + 0.5 * flaw.opacity) * taper
    torn = np.where(v > 0, 0.06, 0.025) if flaw.bend > 0 else np.where(v > 0, 0.025, 0.06)
    edge = width + torn * taper * (1 + 0.4 * rough) * smooth(0.15, 0.6, along)
    pale = 1 - smooth(-0.008, 0.008, offset - edge)
    gap = 1 - smooth(-0.008, 0.008, offset - width)
    there = taper > 0
    return [(pale * there, 0.92 * flaw.light * WOOD), (gap * there, np.array([30.0, 21.0, 19.0]))]


def _cut(flaw, u, v, rough):
    """A straight scratch down to the pale inner shell, with a shadow along one side."""
    half = 0.36 + 0.2 * flaw.size
    taper = np.sqrt(np.clip(1 - (u / half) ** 2, 0, 1))
    width = (0.055 + 0.025 * flaw.size) * taper * (1 + 0.12 * rough)
    body = (1 - smooth(-0.01, 0.01, np.abs(v) - width)) * (taper > 0)
    shadow = 0.8 * body * smooth(0.35, 0.8, v / np.maximum(width, 1e-3))
    wood = flaw.light * 1.06 * WOOD * (1 + 0.06 * rough[:, None])
    return [(body, wood), (shadow, np.array([88.0, 54.0, 40.0]))]


def _print(flaw, u, v, rough):
    """Sprayed white letters, broken where the spray missed."""
    high = 0.29 + 0.08 * flaw.size
    rows = [" ".join(_GLYPHS[c][3 * r : 3 * r + 3] for c in flaw.word) for r in range(5)]
    ink = np.pad([[float(c == "1") for c in row] for row in rows], 1)  # (7, 4 n + 1)
    from scipy.ndimage import map_coordinates

    at = np.stack([3 - v / high * 5, (ink.shape[1] - 1) / 2 + u / high * 5 * 1.15])
    letters = map_coordinates(ink, at, order=1, mode="constant")
    missed = look_up(flaw.rough, u * 1.3, v * 1.3) + 0.5 * look_up(flaw.coarse, u, v)
    spray = smooth(0.42, 0.62, letters + 0.06 * rough) * (1 - smooth(0.75, 1.1, missed))
    return [((0.68 + 0.27 * flaw.opacity) * spray, flaw.light * np.array([250.0, 244.0, 236.0]))]


def render(seed, size=SHIPPED_SIZE, kind: str = "good") -> tuple[np.ndarray, np.ndarray]:
    """One photograph of a hazelnut.

    The same seed gives the same nut at any size, and with any `kind` the same nut with that defect.

    Args:
        seed: an int or several, none negative.
        size: in pixels, one number (square) or (H, W), each at least 8; the nut spans the smaller side.
        kind: "good", "crack", "cut", "hole" or "print".

    Returns:
        image (H, W, 3) uint8 and mask (H, W) bool: where the defect covers half the pixel or changes its
        colour by 16 grey levels or more.

    Raises:
        ValueError: for another kind, or a smaller size.
    """
    if kind != "good" and kind not in KINDS:
        raise ValueError(f"kind must be 'good' or one of {', '.join(KINDS)}. Received: {kind!r}")
    height, width = size if isinstance(size, tuple | list) else (size, size)
    if min(height, width) < 8:
        raise ValueError(f"size must be 8 pixels or more. Received: {size}")
    seed = [int(s) for s in np.atleast_1d(seed)]
    one = nut.draw(np.random.default_rng([*seed, 0]))
    fine = [n * _SUPERSAMPLING for n in (height, width)]
    y, x = ((2 * np.arange(n) + 1 - n) / min(fine) for n in fine)
    x, y = (a.ravel() for a in np.meshgrid(x, -y))  # (M,) each, y upwards; 1 is half the smaller side

    photo = nut.ground(one, x, y)  # (M, 3)
    near = np.flatnonzero(np.hypot(x - one.centre[0], y - one.centre[1]) < 1.25 * one.size)
    hit, p, normal = nut.trace(one, x[near], y[near])
    where = near[hit]
    albedo, gloss = nut.paint(one, p)
    photo[where] = nut.shade(one, albedo, gloss, normal)
    clean = _shrink(photo, height, width)
    mask = np.zeros((height, width), bool)
    if kind != "good":
        flaw = _draw_defect(np.random.default_rng([*seed, 1, KINDS.index(kind)]), one, kind)
        albedo, cover = _apply(flaw, p, albedo)
        photo[where] = nut.shade(one, albedo, gloss * (1 - cover), normal)
        covered = np.zeros((len(x), 1))
        covered[where, 0] = cover
        good, clean = clean, _shrink(photo, height, width)
        changed = np.abs(clean - good).max(axis=2) >= _NOTICEABLE
        mask = (_shrink(covered, height, width)[..., 0] > 0.5) | changed
    grain = np.random.default_rng([*seed, 2]).normal(0, 1.0, (height, width, 3))  # the sensor's
    return np.clip(np.rint(clean + grain), 0, 255).astype(np.uint8), mask


def _shrink(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """(M, C) averaged over blocks to (height, width, C)."""
    f = _SUPERSAMPLING
    return photo.reshape(height, f, width, f, -1).mean(axis=(1, 3))


def dataset_plan(seed: int = 0) -> list[tuple[str, str, str, tuple[int, int, int]]]:
    """Every image as (split, kind, file name, seed): 391 to train on; 40 good and 70 defective to test."""
    counts = [("train", "good", 391), ("test", "good", 40)]
    counts += [("test", kind, n) for kind, n in _COUNTS.items()]
    return [
        (split, kind, f"{i:03d}.png", (seed, code, i)) for code, (split, kind, n) in enumerate(counts) for i in range(n)
    ]


def write(folder: str | Path, size=SHIPPED_SIZE, seed: int = 0) -> None:
    """Renders the whole set into a folder in MVTec AD's layout, as PNG files; so `data/hazelnut` was made."""
    from PIL import Image

    for split, kind, name, nut_seed in dataset_plan(seed):
        image, mask = render(nut_seed, size, kind)
        files = {f"{split}/{kind}/{name}": image}
        if kind != "good":
            files[f"ground_truth/{kind}/{name.replace('.png', '_mask.png')}"] = mask.astype(np.uint8) * 255
        for path, pixels in files.items():
            path = Path(folder) / path
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, optimize=True)


def load(size: int | tuple[int, int] | None = None, seed: int = 0) -> AnomalyDataset:
    """The rendered hazelnuts: the shipped files where they are what is asked for, else rendered anew.

    Args:
        size: one number (square) or (H, W), in pixels; None is 64.
        seed: of the rendering and of the split of the normal images; the shipped files are seed 0.
    """
    size = size or SHIPPED_SIZE
    size = (size, size) if isinstance(size, int) else tuple(size)
    about = "Rendered hazelnuts in the proportions of MVTec AD's, with exact masks; anogan_lib's own, Apache-2.0."
    if seed == 0 and size == (SHIPPED_SIZE, SHIPPED_SIZE) and SHIPPED.is_dir():
        return folders.load(SHIPPED, size, seed, "hazelnut", about)
    from tqdm.auto import tqdm

    plan = sorted(dataset_plan(seed), key=lambda item: (item[0] == "test", item[1], item[2]))  # as in folders
    rendered = [render(nut_seed, size, kind) for _, kind, _, nut_seed in tqdm(plan, "rendering hazelnuts")]
    images = from_uint8(np.stack([image for image, _ in rendered]))  # (501, H, W, 3)
    masks = np.stack([mask for _, mask in rendered])
    kinds = np.array([kind for _, kind, _, _ in plan])
    names = np.array([f"{split}/{kind}/{name}" for split, kind, name, _ in plan])
    test = np.array([split == "test" for split, *_ in plan])
    normal = np.flatnonzero(~test)
    parts = [normal[part] for part in split_normal(len(normal), seed)]
    splits = [Split(images[i], kinds=kinds[i], names=names[i]) for i in parts]
    return AnomalyDataset("hazelnut", about, *splits, Split(images[test], None, kinds[test], masks[test], names[test]))
