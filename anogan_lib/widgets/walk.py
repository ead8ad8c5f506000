"""Walks through latent space: along its directions, from one image to another, and around one."""

import numpy as np
import tensorflow as tf
import traitlets as tr

from anogan_lib import pictures
from anogan_lib.checks import real, whole
from anogan_lib.datasets.base import Split
from anogan_lib.datasets.images import to_uint8
from anogan_lib.paper.dcgan import DCGAN
from anogan_lib.paper.prior import draw, onto_prior
from anogan_lib.widgets.base import View, checked, image_names, script, sheet

REACH = 3.0  # how far a direction's slider goes either way, in spreads of z
DRAWN = 256  # samples of the prior from which directions are taken where there are no images
ENDS, AROUND = 8, 8  # samples of the prior to start from; samples around one z
AHEAD = 2**21  # bytes of pictures at most that are computed ahead for a slider


def principal_directions(z: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find where z (n, L) varies most.

    Returns:
        directions (count, L), spreads of z along them and their shares of its variance, (count,) each.
    """
    _, values, rows = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    return _signed(rows[:count]), values[:count] / np.sqrt(len(z) - 1), (values**2 / (values**2).sum())[:count]


def visible_directions(z: np.ndarray, images: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find where the images (n, ...) made from z (n, L) vary most; returns what `principal_directions` does.

    z drawn from the prior varies equally in all directions. What differs is how much G makes of it: these are the left
    singular vectors of the covariance between z and pixels. Spreads are 1, shares those of the covariance.
    """
    centred, pixels = z - z.mean(axis=0), (images - images.mean(axis=0)).reshape(len(z), -1)
    columns, values, _ = np.linalg.svd(centred.T @ pixels, full_matrices=False)  # (L, P)
    return _signed(columns.T[:count]), np.ones(count), (values**2 / (values**2).sum())[:count]


def _signed(rows: np.ndarray) -> np.ndarray:
    """Make the largest component of each direction positive: solvers differ in the sign they return."""
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)  # (count, 1)
    return rows * np.sign(largest)


def interpolate(a: np.ndarray, b: np.ndarray, mix, prior: str) -> np.ndarray:
    """Walk from a to b, (L,) each, to the shares `mix` (T,) of the way: (T, L); along the sphere with that prior."""
    mix = np.asarray(mix, float)[:, None]
    if prior == "sphere":
        cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
        angle = np.arccos(np.clip(cosine, -1, 1))
        if np.sin(angle) > 1e-6:  # else they are one point, or opposite and every way is as short
            return (np.sin((1 - mix) * angle) * a + np.sin(mix * angle) * b) / np.sin(angle)
    return (1 - mix) * a + mix * b


class LatentWalk(View):
    """Walk through latent space: along its directions, between two images, and among the samples around.

    z is always brought back onto the prior: with prior "sphere" the way from one image to another follows the sphere.

    >>> walk = LatentWalk(detector, data.test[:12])
    >>> walk.between, walk.mix = (0, 5), 0.5     # halfway from image 0 to image 5
    >>> walk.position = [2, 0, 0, 0, 0, 0]       # two spreads along the first direction
    >>> walk.z.shape, walk.image.shape
    ((64,), (64, 64, 3))

    Args:
        detector_or_gan: an AnoGAN or a DCGAN; only a detector can find the z of images.
        images: (N, H, W, C) in [-1, 1], N at least 2, or a split; the directions are the principal components of their
            z. None: z is drawn from the prior, and the directions are those along which G(z) changes most.
        directions: the most that are taken.

    Attributes:
        position: how far along each direction, in spreads of z, -3 to 3.
        between: (i, j), the images walked between; mix: the share of the way, 0 to 1.
        spread: how far the samples around lie, as a share of the prior's own spread, 0 to 1.
        directions: (count, latent_dim), unit vectors; spreads: (count,).
    """

    _esm = script("walk.js")
    _label = tr.Unicode("Walk through latent space").tag(sync=True)
    _actions = ("look_ahead",)
    _follows = ("position", "between", "mix", "spread")

    position = tr.List(tr.Float()).tag(sync=True)
    between = tr.Tuple(tr.Int(), tr.Int(), default_value=(0, 1)).tag(sync=True)
    mix = tr.Float(0.0, min=0, max=1).tag(sync=True)
    spread = tr.Float(0.3, min=0, max=1).tag(sync=True)
    names = tr.List(tr.Unicode()).tag(sync=True)
    shares = tr.List(tr.Float()).tag(sync=True)
    reach = tr.Float(REACH).tag(sync=True)
    levels = tr.Int(41).tag(sync=True)  # of a slider
    picture = tr.Dict().tag(sync=True)  # these three are sheets: G(z), both ends, the samples around
    ends = tr.Dict().tag(sync=True)
    around = tr.Dict().tag(sync=True)
    ahead = tr.Dict().tag(sync=True)  # G(z) for every position of one slider, the others as they are

    def __init__(self, detector_or_gan, images=None, directions: int = 6):
        alone = isinstance(detector_or_gan, DCGAN)
        self.gan = detector_or_gan if alone else detector_or_gan.gan
        directions = min(whole("directions", directions, 1), self.gan.latent_dim)
        if images is not None and alone:
            raise ValueError("Only a detector finds the z of images: LatentWalk(detector, images). Received: a DCGAN.")
        generator = self.gan.averaged if alone else detector_or_gan.generator
        self._generator = tf.function(lambda z: generator(z, training=False), reduce_retracing=True)
        if images is None:
            z = draw(DRAWN, self.gan.latent_dim, self.gan.prior, (0, 2)).numpy()
            found = visible_directions(z, self._draw(z), directions)
            self.ends_z, names = z[:ENDS], [f"sample {i}" for i in range(ENDS)]
            self._ends = to_uint8(self._draw(self.ends_z))  # (N, H, W, C) uint8
        else:
            split = checked(detector_or_gan, images)
            if len(split) < 2:
                raise ValueError(f"A walk needs at least two images. Received: {len(split)}")
            self.ends_z = detector_or_gan.invert(split).z  # (N, L)
            names = image_names(Split(split.images, kinds=split.kinds))  # by the number that `between` takes
            found = principal_directions(self.ends_z, min(directions, len(split) - 1))
            self._ends = to_uint8(split.images)
        self.directions, self.spreads, shares = found  # (count, L), (count,), (count,)
        self._noise = draw(AROUND, self.gan.latent_dim, self.gan.prior, (0, 3)).numpy()
        super().__init__(
            position=[0.0] * len(self.directions),
            names=names,
            shares=[round(float(share), 4) for share in shares],
            levels=max(9, min(41, AHEAD // self._ends[0].size)) | 1,  # odd, so that 0 is one of them
        )
        self.observe(self._show, self._follows)
        self._show()

    @tr.validate("position", "between")
    def _inside(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "between":
            return tuple(whole(name, each, 0, len(self.ends_z) - 1) for each in value)
        if len(value) != len(self.directions):
            raise ValueError(f"position holds {len(self.directions)} numbers, one a direction. Received: {value}.")
        return [real(name, each, -REACH, REACH) for each in value]

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
        """Return z for T positions (T, count) and shares of the way (T,): (T, L)."""
        a, b = (self.ends_z[i] for i in self.between)
        z = interpolate(a, b, mixes, self.gan.prior) + (np.asarray(positions) * self.spreads) @ self.directions
        return np.asarray(onto_prior(z.astype("float32"), self.gan.prior))

    def _draw(self, z: np.ndarray) -> np.ndarray:
        return self._generator(z).numpy()

    def _show(self, _change=None) -> None:
        """Draw G(z), the samples around it, and both ends of the way."""
        around = onto_prior(self.z + np.float32(self.spread) * self._noise, self.gan.prior)  # (8, L)
        tiles = to_uint8(self._draw(np.concatenate([self.z[None], around])))
        self.picture, self.around = sheet(tiles[:1]), sheet(tiles[1:], columns=AROUND)
        self.ends = sheet(self._ends[list(self.between)], columns=2)

    def look_ahead(self, control: int | str) -> None:
        """Compute G(z) for every place of one slider, a direction's number from 0 or "mix", as the trait `ahead`."""
        positions, mixes = np.tile(self.position, (self.levels, 1)), np.full(self.levels, self.mix)
        if control == "mix":
            mixes = np.linspace(0, 1, self.levels)
        else:
            positions[:, int(control)] = np.linspace(-REACH, REACH, self.levels)
        tiles = sheet(to_uint8(self._draw(self._at(positions, mixes))), columns=self.levels)
        captions = [self._place(*each) for each in zip(positions.tolist(), mixes.tolist(), strict=True)]
        state = {"position": self.position, "between": list(self.between), "mix": self.mix}
        self.ahead = {"control": control, "pictures": tiles, "captions": captions} | state

    def _answers(self):
        """Compute every slider's places ahead, each from the present state."""
        answers = []
        for control in ("mix", *range(len(self.directions))):
            self.look_ahead(control)
            answers.append(({"do": "look_ahead", "with": {"control": control}}, [{"ahead": self.ahead}]))
        return answers

    # ---- in words, and still

    def _place(self, position, mix: float) -> str:
        a, b = (self.names[i] for i in self.between)
        where = a if mix == 0 else b if mix == 1 else f"{100 * mix:.0f} % of the way from {a} to {b}"
        moved = [f"{value:+.2f} along direction {i + 1}" for i, value in enumerate(position) if value]
        return f"G(z) at {where}" + (f", moved {', '.join(moved)} (in spreads of z)" if moved else "") + "."

    def _describe(self) -> str:
        around = f"Around it, {AROUND} samples at {100 * self.spread:.0f} % of the prior's spread."
        return f"{self._place(self.position, self.mix)} {around}"

    alt = property(lambda self: f"{self._label}. {self._place(self.position, self.mix)}")  # without the samples around

    def _about(self) -> str:
        return f"{len(self.directions)} directions, {len(self.names)} {self.names[0].split()[0]}s"

    def still(self):
        """Draw the way between both images, and the first direction from end to end, as a matplotlib Figure."""
        mixes, here = np.linspace(0, 1, 5), np.tile(self.position, (5, 1))
        along = here.copy()
        along[:, 0] = np.linspace(-REACH, REACH, 5)
        z = np.concatenate([self._at(here, mixes), self._at(along, np.full(5, self.mix))])  # (10, L)
        a, b = (self.names[i] for i in self.between)
        titles = [a, "25 %", "50 %", "75 %", b, *(f"direction 1: {value:+.1f}" for value in along[:, 0])]
        return pictures.image_grid(self._draw(z), titles, columns=5)
