"""A good hazelnut and its photograph: shape, surface and light, for `hazelnut` to lay defects on.

A nut is a star-shaped solid r(direction) with a tip at one pole and a rough cap (hilum) at the other. Each
ray of an orthographic camera is traced to it; colour and relief are functions of the place on the shell, so
that the same numbers give the same nut at any size. Lengths are in units of half the image's smaller side,
on the nut in units of its radius; points p (N, 3) are in the nut's own axes, the tip at +z.
"""

from types import SimpleNamespace

import numpy as np

# Colours in grey levels under full light.
_DARK, _LIGHT = np.array([97.0, 51.0, 44.0]), np.array([191.0, 107.0, 78.0])  # the shell's streaks
_HAIR = np.array([176.0, 146.0, 128.0])
_CAP_DARK, _CAP_LIGHT = np.array([94.0, 66.0, 54.0]), np.array([188.0, 138.0, 112.0])
WOOD = np.array([212.0, 160.0, 118.0])  # torn shell, freshly cut shell
_SHINE, _VEIL = np.array([1.0, 0.86, 0.76]), np.array([9.0, 14.0, 17.0])
_GROUND = np.array([38.0, 38.0, 42.5])


def smooth(low, high, x):
    """Smooth step from 0 at `low` to 1 at `high`."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def table(rng: np.random.Generator, shape, blur, minus=None) -> np.ndarray:
    """A periodic table of smooth noise, mean 0 and deviation 1; `minus`: a wider blur to take away."""
    from scipy.ndimage import gaussian_filter

    white = rng.standard_normal(shape)
    noise = gaussian_filter(white, blur, mode="wrap")
    if minus is not None:
        noise -= gaussian_filter(white, minus, mode="wrap")
    return (noise - noise.mean()) / noise.std()


def look_up(noise: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Bilinear interpolation at row, column in turns: 0 to 1 spans the (periodic) table."""
    from scipy.ndimage import map_coordinates

    at = np.stack([row * noise.shape[0], column * noise.shape[1]])
    return map_coordinates(noise, at, order=1, mode="grid-wrap", prefilter=False)


def draw(rng: np.random.Generator) -> SimpleNamespace:
    """Everything about one good nut and its photograph, in units of half the image's width."""
    nut = SimpleNamespace()
    # The pose: where the tip points (x right, y up, z towards the camera), turned at will about that axis.
    towards = np.clip(rng.normal(-0.26, 0.4), -0.97, 0.97)
    heading, roll = rng.uniform(0, 2 * np.pi, 2)
    flat = np.sqrt(1 - towards**2)
    axis = np.array([flat * np.cos(heading), flat * np.sin(heading), towards])
    side = unit(np.cross(axis, [-np.sin(heading), np.cos(heading), 0.0]))
    other = np.cross(axis, side)
    nut.pose = np.stack(  # rows: the nut's own x, y, z (tip) in the camera's axes
        [np.cos(roll) * side + np.sin(roll) * other, np.cos(roll) * other - np.sin(roll) * side, axis]
    )
    nut.centre = rng.normal(0, 0.03, 2)
    nut.size = np.clip(rng.normal(0.655, 0.028), 0.56, 0.74)
    # The shape
    nut.length = rng.normal(1.0, 0.055)
    nut.tip, nut.tip_width = rng.uniform(0.1, 0.24), rng.uniform(0.32, 0.5)
    nut.oval, nut.oval_at = rng.normal(0, 0.04), rng.uniform(0, 2 * np.pi)
    nut.bumps = table(rng, (16, 64), (2.0, 4.0))
    nut.cap_axis = unit(np.array([*rng.normal(0, 0.1, 2), -1.0]))
    nut.cap_angle = rng.uniform(0.62, 0.8)
    nut.cap_flat = np.cos(nut.cap_angle) * rng.uniform(0.99, 1.03)
    nut.cap_bulge = rng.uniform(0.06, 0.13)
    nut.cap_outline = table(rng, (1, 64), (0.0, 3.0))
    nut.teeth, nut.teeth_at = rng.integers(22, 34), rng.uniform()
    # The surface
    nut.streaks = table(rng, (24, 512), (3.5, 3.5), minus=(3.5, 12.0))
    nut.lines = table(rng, (32, 1024), (3.0, 2.2), minus=(3.0, 8.0))
    nut.fibres = table(rng, (96, 1024), (3.0, 1.0))
    nut.blotches = table(rng, (16, 32), (1.6, 1.6))
    nut.cap_fibres = table(rng, (32, 384), (1.0, 1.3))
    nut.cap_grain = table(rng, (96, 96), (0.9, 0.9))
    nut.cap_blotches = table(rng, (32, 32), (2.5, 2.5))
    nut.streak_depth = np.clip(rng.lognormal(-2.32, 0.42), 0.05, 0.26)
    nut.lightness = rng.normal(0.5, 0.1)
    nut.tint = np.array([1.0, 1.0, 1.0]) + rng.normal(0, 0.03) * np.array([0.3, -1.0, -1.2])
    nut.hair, nut.hair_reach = rng.uniform(0.2, 1.3), rng.uniform(0.35, 0.75)
    nut.cap_lightness = rng.normal(0.45, 0.16)
    flecks = rng.integers(6, 26)
    nut.flecks = unit(rng.standard_normal((flecks, 3)))
    nut.fleck_size, nut.fleck_light = rng.uniform(0.008, 0.024, flecks), rng.uniform(0.2, 1.0, flecks)
    # The photograph
    nut.light = unit(np.array([rng.normal(0.0, 0.22), rng.normal(0.38, 0.15), 1.0]))
    nut.ambient, nut.exposure = rng.uniform(0.4, 0.56), rng.normal(1.02, 0.055)
    nut.gloss, nut.sharpness = rng.gamma(0.8, 28.0), rng.uniform(5, 28)
    nut.ground = _GROUND + rng.normal(0, 1.3) + rng.normal(0, 0.5, 3)
    nut.slope = rng.normal(0, 1.0, 2)
    dust = rng.integers(0, 5)
    nut.dust = rng.uniform(-1, 1, (dust, 2))
    nut.dust_size, nut.dust_light = rng.uniform(0.006, 0.02, dust), rng.uniform(8, 45, dust)
    return nut


def _angles(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of points p (N, 3): the angle from the tip as a share of pi, and the azimuth in turns."""
    return np.arctan2(np.hypot(p[:, 0], p[:, 1]), p[:, 2]) / np.pi, np.arctan2(p[:, 1], p[:, 0]) / (2 * np.pi)


def _outside(nut: SimpleNamespace, p: np.ndarray) -> np.ndarray:
    """Distance of points p (N, 3) beyond the shell along their own radius; below 0 inside. (N,)"""
    norm = np.linalg.norm(p, axis=1)
    theta, phi = _angles(p)
    cosine = p[:, 2] / norm
    radius = 1.0 + (nut.length - 1.0) * cosine**2 + nut.tip * np.exp(-theta * np.pi / nut.tip_width)
    radius *= 1.0 + nut.oval * (1 - cosine**2) * np.cos(4 * np.pi * phi + nut.oval_at)
    radius += 0.012 * (1 - cosine**2) * look_up(nut.bumps, theta * 0.5, phi)
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
        distance = _outside(nut, eye[alive] + z[alive, None] * ahead)
        z[alive] -= 0.85 * distance
        alive = alive[(np.abs(distance) > 1e-3) & (z[alive] > -0.6)]
        if not len(alive):
            break
    p = eye + z[:, None] * ahead
    hit = _outside(nut, p) < 0.01
    p = p[hit]
    here, step = _outside(nut, p), 0.012  # the step also rounds what is finer than a pixel
    normal = np.stack([_outside(nut, p + step * e) - here for e in np.eye(3)], 1)
    return hit, p, unit(normal)


def paint(nut: SimpleNamespace, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Albedo (N, 3) in grey levels and gloss (N,) of the good shell at points p (N, 3)."""
    d = unit(p)
    theta, phi = _angles(p)
    streak = look_up(nut.streaks, theta * 0.5, phi)
    streak -= 0.2 * (np.minimum(streak, 0) ** 2 - 0.5)  # dark ones are the sharper
    line = look_up(nut.lines, theta * 0.5, phi)
    fibre = look_up(nut.fibres, theta * 0.5, phi)
    blotch = look_up(nut.blotches, theta * 0.5, phi)
    # Streaks fade towards the poles, where the meridians crowd.
    crowd = smooth(0.03, 0.25, theta) * (1 - 0.4 * smooth(0.6, 0.85, theta))
    grain = nut.streak_depth * (streak + 0.3 * line) + 0.05 * fibre
    tone = nut.lightness + grain * (0.35 + 0.65 * crowd) + 0.08 * blotch
    shell = _DARK + np.clip(tone, -0.3, 1.3)[:, None] * (_LIGHT - _DARK)
    hair = 0.4 + 0.25 * streak + 0.25 * line + 0.2 * fibre
    hair = nut.hair * np.exp(-((theta * np.pi / nut.hair_reach) ** 1.5)) * np.clip(hair, 0, 1.5)
    shell += np.clip(hair, 0, 0.85)[:, None] * (_HAIR - shell)
    for centre, size, light in zip(nut.flecks, nut.fleck_size, nut.fleck_light, strict=True):
        spot = light * np.exp(-np.sum((d - centre) ** 2, 1) / (2 * size**2))
        shell += spot[:, None] * (WOOD - shell)

    down = np.clip(d @ nut.cap_axis, -1, 1)
    angle = np.arccos(down)
    tooth = np.abs(((phi + nut.teeth_at) * nut.teeth) % 1.0 * 2 - 1)  # a triangle wave round the rim
    edge = nut.cap_angle * (1 + 0.035 * look_up(nut.cap_outline, 0 * phi, phi)) + 0.045 * (tooth - 0.5)
    inner = angle / edge
    radial = look_up(nut.cap_fibres, inner * 0.6, phi)
    grain = look_up(nut.cap_grain, d[:, 0] * 0.7, d[:, 1] * 0.7)
    patch = look_up(nut.cap_blotches, 0.5 + 0.45 * d[:, 0], 0.5 + 0.45 * d[:, 1])
    cap_tone = nut.cap_lightness + 0.13 * radial * np.clip(inner * 1.4, 0, 1) + 0.09 * grain + 0.11 * patch
    cap_tone += 0.25 * (tooth - 0.4) * smooth(0.8, 0.92, inner) + 0.1 * (1 - smooth(0, 0.4, inner))
    cap = _CAP_DARK + np.clip(cap_tone, 0, 1.2)[:, None] * (_CAP_LIGHT - _CAP_DARK)
    inside = 1 - smooth(0.97, 1.03, inner)
    groove = np.exp(-(((inner - 1.02) / 0.04) ** 2))  # the dark line under the cap's edge
    albedo = shell + inside[:, None] * (cap - shell)
    albedo *= (1 - 0.35 * groove)[:, None] * nut.tint
    gloss = (1 - 0.92 * inside) * np.clip(1 + 0.25 * streak + 0.3 * blotch, 0.2, 2)
    return albedo, gloss


def shade(nut: SimpleNamespace, albedo, gloss, normal):
    """Wrapped Lambert light, a darker rim and a soft highlight: colour (N, 3) in grey levels."""
    seen = normal @ nut.pose  # in the camera's axes
    lambert = np.clip((seen @ nut.light + 0.15) / 1.15, 0, 1)
    rim = 0.7 + 0.3 * np.clip(seen[:, 2], 0, 1) ** 0.7
    half = unit(nut.light + np.array([0.0, 0.0, 1.0]))
    shine = nut.gloss * gloss * np.clip(seen @ half, 0, 1) ** nut.sharpness
    light = nut.exposure * (nut.ambient + (1 - nut.ambient) * lambert) * rim
    veil = (1 - np.clip(seen[:, 2], 0, 1)) ** 1.5  # the sky, mirrored at grazing angles
    return albedo * light[:, None] + shine[:, None] * _SHINE + veil[:, None] * _VEIL


def ground(nut: SimpleNamespace, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The dark ground: a faint slope of light, dimmer beside the nut, a few specks of dust. (M, 3)"""
    beside = np.hypot(x - nut.centre[0], y - nut.centre[1]) / nut.size
    level = nut.slope[0] * x + nut.slope[1] * y - 7.0 * np.exp(-((beside / 1.15) ** 4))
    for (left, up), size, light in zip(nut.dust, nut.dust_size, nut.dust_light, strict=True):
        level += light * np.exp(-((x - left) ** 2 + (y - up) ** 2) / (2 * size**2))
    return nut.ground + level[:, None]
