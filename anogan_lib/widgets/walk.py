"""Walks through latent space: along its directions, from one image to another, and around one."""

import numpy as np
import traitlets as tr

from anogan_lib import figures, latent
from anogan_lib.datasets.base import Split
from anogan_lib.datasets.images import from_uint8, to_uint8
from anogan_lib.widgets.base import View, checked_images, number, script, sheet, style

REACH = 3.0  # how far a direction's slider goes either way, in spreads of z
DRAWN = 256  # samples from the prior that directions are taken from where there are no images
ENDS, AROUND = 8, 8  # samples from the prior to start from; samples around one z
AHEAD = 2**21  # bytes: so many pictures are computed ahead for a slider at most


def principal_directions(z: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where z (n, L) varies most: directions (count, L), spreads along them and shares of the variance (count,)."""
    centred = z - z.mean(axis=0)
    _, values, rows = np.linalg.svd(centred, full_matrices=False)
    return _signed(rows[:count]), values[:count] / np.sqrt(len(z) - 1), (values**2 / (values**2).sum())[:count]


def visible_directions(z: np.ndarray, pictures: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the pictures (n, ...) made from z (n, L) vary most: returns what `principal_directions` does.

    z from the prior varies as much along one direction as along another. What differs is how much G makes of it: these
    are the left singular vectors of the covariance between z and pixels. Spreads are 1, shares those of the covariance.
    """
    centred, pixels = z - z.mean(axis=0), (pictures - pictures.mean(axis=0)).reshape(len(z), -1)
    columns, values, _ = np.linalg.svd(centred.T @ pixels, full_matrices=False)  # (L, P)
    return _signed(columns.T[:count]), np.ones(count), (values**2 / (values**2).sum())[:count]


def _signed(rows: np.ndarray) -> np.ndarray:
    """A direction and its opposite are one: the largest component is made positive, whatever the solver says."""
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)  # (count, 1)
    return rows * np.sign(largest)


def interpolate(a: np.ndarray, b: np.ndarray, mix, prior: str) -> np.ndarray:
    """z on the way from a to b, (L,) each, at the shares `mix` (T,): (T, L); along the sphere where z lies on one."""
    mix = np.asarray(mix, float)[:, None]
    if prior == "sphere":
        cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
        angle = np.arccos(np.clip(cosine, -1, 1))
        if np.sin(angle) > 1e-6:  # else they are one point, or opposite and every way is as short
            return (np.sin((1 - mix) * angle) * a + np.sin(mix * angle) * b) / np.sin(angle)
    return (1 - mix) * a + mix * b


class LatentWalk(View):
    """Sliders along directions of latent space, a way from one image to another, samples around where you are.

    >>> walk = LatentWalk(detector, data.test[:12])
    >>> walk.between, walk.mix = (0, 5), 0.5     # halfway from image 0 to image 5
    >>> walk.position = [2, 0, 0, 0, 0, 0]       # two spreads along the first direction
    >>> walk.z.shape, walk.image.shape
    ((64,), (64, 64, 3))

    Args:
        detector_or_gan: an AnoGAN or a DCGAN; only a detector can find images' z.
        images: (N, H, W, C) in [-1, 1], N at least 2, or a split; the directions are the principal ones of their z.
            None: z is drawn from the prior, and the directions are those along which G's pictures change most.
        directions: how many at most.
        seed: of what is drawn.

    Attributes:
        position: how far along each direction, in spreads of z, -3 to 3.
        between: (i, j), the images walked between; mix: the share of the way, 0 to 1.
        spread: how far the samples around lie, as a share of the prior's own spread, 0 to 1.
        directions: (count, latent_dim), unit vectors; spreads: (count,).

    z is always brought back onto the prior: with prior "sphere" the way from one image to another follows the sphere.
    """

    _esm, _css = script("walk.js"), style("base.css", "live.css")
    _label = tr.Unicode("Walk through latent space").tag(sync=True)
    _actions = ("look_ahead",)
    _follows = ("position", "between", "mix", "spread")

    position = tr.List(tr.Float()).tag(sync=True)
    between = tr.Tuple(tr.Int(), tr.Int(), default_value=(0, 1)).tag(sync=True)
    mix = tr.Float(0.0).tag(sync=True)
    spread = tr.Float(0.3).tag(sync=True)
    names = tr.List(tr.Unicode()).tag(sync=True)
    shares = tr.List(tr.Float()).tag(sync=True)
    reach = tr.Float(REACH).tag(sync=True)
    levels = tr.Int(41).tag(sync=True)  # positions of a slider
    picture = tr.Dict().tag(sync=True)  # these three are sheets: G(z), both ends, the samples around
    ends = tr.Dict().tag(sync=True)
    around = tr.Dict().tag(sync=True)
    ahead = tr.Dict().tag(sync=True)  # G(z) for every position of one slider, the others as they are

    def __init__(self, detector_or_gan, images=None, directions: int = 6, seed: int = 0):
        import tensorflow as tf

        self.gan = getattr(detector_or_gan, "gan", detector_or_gan)
        if directions < 1:
            raise ValueError(f"At least one direction is wanted. Received: directions={directions}")
        if images is not None and self.gan is detector_or_gan:
            raise ValueError("Only a detector finds images' z: LatentWalk(detector, images). Received: a DCGAN.")
        generator = detector_or_gan.generator  # a detector's may have learned along with its encoder
        self._generator = tf.function(lambda z: generator(z, training=False), reduce_retracing=True)
        dim = self.gan.latent_dim
        if images is None:
            z = latent.draw(DRAWN, dim, self.gan.prior, (seed, 2)).numpy()
            found = visible_directions(z, self._draw(z), min(directions, dim))
            self.ends_z = z[:ENDS]
            pictures, names = to_uint8(self._draw(self.ends_z)), [f"sample {i}" for i in range(ENDS)]
        else:
            x = checked_images(detector_or_gan, images)
            if len(x) < 2:
                raise ValueError(
                    f"A walk needs at least two images: LatentWalk(detector, data.test). Received: {len(x)}"
                )
            self.ends_z = detector_or_gan.invert(images).z  # (N, L)
            found = principal_directions(self.ends_z, min(directions, dim, len(x) - 1))
            kinds = images.kinds if isinstance(images, Split) and images.kinds is not None else None
            pictures = to_uint8(x)
            names = [f"image {i}" + (f" ({kinds[i]})" if kinds is not None else "") for i in range(len(x))]
        self.directions, self.spreads, shares = found  # (count, L), (count,), (count,)
        self._ends = pictures  # (N, H, W, C) uint8
        self._noise = latent.draw(AROUND, dim, self.gan.prior, (seed, 3)).numpy()
        super().__init__(
            position=[0.0] * len(self.directions),
            names=names,
            shares=[round(float(share), 4) for share in shares],
            levels=max(9, min(41, AHEAD // pictures[0].size)) | 1,  # odd, so that 0 is one of them
        )
        self.observe(self._show_ends, "between")
        self.observe(self._show, ("position", "between", "mix"))
        self.observe(self._show_around, ("position", "between", "mix", "spread"))
        self._show_ends()
        self._show()
        self._show_around()

    @tr.validate("position", "between", "mix", "spread")
    def _within(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        lengths = {"position": len(self.directions), "between": 2}
        most = {"position": REACH, "between": len(self.ends_z) - 1}.get(name, 1)
        least = -REACH if name == "position" else 0
        values = np.atleast_1d(value)
        if len(values) != lengths.get(name, 1) or not np.all((values >= least) & (values <= most)):
            raise ValueError(
                f"{name} holds {lengths.get(name, 1)} from {number(least)} to {number(most)}. Received: {value}"
            )
        return value

    # ---- where we are

    @property
    def z(self) -> np.ndarray:
        """The present z, (latent_dim,)."""
        return self._at([self.position], [self.mix])[0]

    @property
    def image(self) -> np.ndarray:
        """G(z), (H, W, C) in [-1, 1]."""
        return self._draw(self.z[None])[0]

    def _at(self, positions, mixes) -> np.ndarray:
        """z for T positions (T, count) and shares of the way (T,): (T, L)."""
        a, b = (self.ends_z[i] for i in self.between)
        z = interpolate(a, b, mixes, self.gan.prior) + (np.asarray(positions) * self.spreads) @ self.directions
        return np.asarray(latent.onto_prior(z.astype("float32"), self.gan.prior))

    def _draw(self, z: np.ndarray) -> np.ndarray:
        return self._generator(z).numpy()

    def _show_ends(self, _change=None):
        self.ends = sheet(self._ends[list(self.between)], columns=2)

    def _show(self, _change=None):
        self.picture = sheet(to_uint8(self._draw(self.z[None])))

    def _neighbours(self) -> np.ndarray:
        """Samples around z, (8, H, W, C) uint8."""
        z = np.asarray(latent.onto_prior(self.z + np.float32(self.spread) * self._noise, self.gan.prior))
        return to_uint8(self._draw(z))

    def _show_around(self, _change=None):
        self.around = sheet(self._neighbours(), columns=AROUND)

    def look_ahead(self, control: int | str) -> None:
        """Compute G(z) for every place of one slider, a direction's number from 0 or "mix", as the trait `ahead`."""
        positions, mixes = np.tile(self.position, (self.levels, 1)), np.full(self.levels, self.mix)
        if control == "mix":
            mixes = np.linspace(0, 1, self.levels)
        else:
            positions[:, int(control)] = np.linspace(-REACH, REACH, self.levels)
        pictures = sheet(to_uint8(self._draw(self._at(positions, mixes))), columns=self.levels)
        said = [self._say(*each) for each in zip(positions.tolist(), mixes.tolist(), strict=True)]
        state = {"position": self.position, "between": list(self.between), "mix": self.mix}
        self.ahead = {"control": control, "pictures": pictures, "captions": said} | state

    # ---- in words, and still

    def _say(self, position, mix: float) -> str:
        a, b = (self.names[i] for i in self.between)
        where = a if mix == 0 else b if mix == 1 else f"{100 * mix:.0f} % of the way from {a} to {b}"
        moved = [f"{value:+.2f} along direction {i + 1}" for i, value in enumerate(position) if value]
        return f"G(z) at {where}" + (f", moved {', '.join(moved)} (in spreads of z)" if moved else "") + "."

    def _describe(self) -> str:
        around = f"Around it, {AROUND} samples at {100 * self.spread:.0f} % of the prior's spread."
        return f"{self._say(self.position, self.mix)} {around}"

    def _about(self) -> str:
        return f"{len(self.directions)} directions, {len(self.names)} {self.names[0].split()[0]}s"

    def still(self):
        a, b = self.between
        here = to_uint8(self._draw(self.z[None]))
        pictures = np.concatenate([self._ends[[a]], here, self._ends[[b]], self._neighbours()[:3]])
        titles = [self.names[a], "G(z)", self.names[b], *["around"] * 3]
        return figures.image_grid(from_uint8(pictures), titles, columns=len(titles))
