"""The search for z, step by step: query, G(z_t), residual, both losses and their pull."""

from typing import ClassVar

import numpy as np
import tensorflow as tf
import traitlets as tr

from anogan_lib import figures, inversion, scoring
from anogan_lib.datasets.images import from_uint8
from anogan_lib.widgets.base import View, checked_images, number, script, sheet

AHEAD = 4  # so many images, and no more, are searched before anyone asks
FRAMES = 100  # a long search is recorded at about so many steps; at fewer where its pictures would hold more than
PIXELS = 2**22  # pixels of G(z) in all
LIMIT = 4_500_000  # bytes of pictures sent to the browser; beyond them the search seen longest ago is dropped
BATCH = 128  # frames looked at together: a search of one image takes one call
SENTENCE = (
    "{name}: step {step} of {last}, {start}. Residual loss R {residual}, discrimination loss D {discrimination}, "
    "score A {score} at lambda {lam}. Of the gradient's pull, {share} % is R's; the cosine between the two is {cosine}."
)


class InversionStepper(View):
    """Play, pause and step through the search for z.

    Query, G(z_t) and residual; the curves of R, D and A over the steps; how much of the gradient each of the two
    losses makes. Several restarts lie side by side. Stepping asks nothing of the kernel; another image, or another
    search, does.

    >>> stepper = InversionStepper(detector, data.test[:2], steps=200, restarts=3)
    >>> stepper.step = 10
    >>> stepper.search_again(steps=50, init="encoder")

    Args:
        detector: an AnoGAN; needs no calibration.
        images: (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
        steps, step_size, init, lam: of the search, as in `detector.invert`.
        restarts: how many starts; the first as `init` says, the others random, from seeds that follow the detector's.
        names: N names; None for the split's own, or numbers.

    Attributes:
        index: the image shown, 0 to N - 1; a new one is searched when first shown.
        step: which recorded step, from 0; `steps_recorded` holds their numbers.
        restart: which start's search.
        playing, speed: whether it plays by itself, and how many recorded steps a second.
        runs: what was found, by str(index): "steps" (T,), "residual", "discrimination", "score", "share" (of the
            gradient that is R's), "cosine" (between both gradients) as lists (restarts, T).
    """

    _esm = script("stepper.js")
    _label = tr.Unicode("Search for z, step by step").tag(sync=True)
    _sentence = tr.Unicode(SENTENCE).tag(sync=True)
    _follows: ClassVar = ("index", "step", "restart", "runs")
    _actions: ClassVar = ("search_again",)

    index = tr.Int(0).tag(sync=True)
    step = tr.Int(0).tag(sync=True)
    restart = tr.Int(0).tag(sync=True)
    playing = tr.Bool(False).tag(sync=True)
    speed = tr.Float(10.0).tag(sync=True)
    names = tr.List(tr.Unicode()).tag(sync=True)
    encoder = tr.Bool(False, help="whether the encoder may be asked for a start").tag(sync=True)
    settings = tr.Dict(help="steps, step_size, init, lam and restarts of the next search").tag(sync=True)
    runs = tr.Dict().tag(sync=True)

    def __init__(self, detector, images, steps=100, restarts=1, init=None, lam=None, step_size=None, names=None):
        self.detector = detector
        self.images = checked_images(detector, images)
        names = getattr(images, "names", None) if names is None else names
        kinds = getattr(images, "kinds", None)
        if names is None:
            names = [f"image {i}" if kinds is None else f"image {i} ({kinds[i]})" for i in range(len(self.images))]
        if len(names) != len(self.images):
            raise ValueError(f"{len(self.images)} images need as many names. Received: {len(names)}.")
        self._seen: dict[str, np.ndarray] = {}  # (restarts, T, 2, H, W, 3) uint8: G(z_t), and the residual over x
        super().__init__(names=[str(name) for name in names], encoder=detector.encoder is not None)
        start = init or ("encoder" if self.encoder else "random")
        lam = detector.lam if lam is None else lam
        self.search_again(steps=steps, restarts=restarts, init=start, lam=lam, step_size=step_size)

    # ---- the search

    @property
    def steps_recorded(self) -> np.ndarray:
        """Numbers of the recorded steps of the search shown, (T,)."""
        return np.array(self._run["steps"])

    def search_again(self, **settings) -> None:
        """Search anew, all that is named changed: steps, step_size, init, lam, restarts. Earlier runs are dropped."""
        wanted = self.settings | {name: value for name, value in settings.items() if name != "lam" or value is not None}
        unknown = set(settings) - {"steps", "step_size", "init", "lam", "restarts"}
        if unknown:
            raise ValueError(
                f"A search has steps, step_size, init, lam and restarts. Received: {', '.join(sorted(unknown))}."
            )
        for name in ("steps", "restarts"):
            if wanted[name] is None or wanted[name] != int(wanted[name]) or wanted[name] < 1:
                raise ValueError(f"{name} is a whole number, at least 1. Received: {wanted[name]!r}.")
        if wanted["step_size"] is not None and not wanted["step_size"] > 0:
            raise ValueError(f"step_size is above 0, or None for the search's own. Received: {wanted['step_size']!r}.")
        wanted |= {"steps": int(wanted["steps"]), "restarts": int(wanted["restarts"])}
        ahead = range(len(self.images)) if len(self.images) <= AHEAD else [self.index]
        found = {str(i): run for i, run in zip(ahead, self._search(list(ahead), wanted), strict=True)}
        self.playing = False
        with self.hold_trait_notifications():
            self.settings, self.runs = wanted, self._latest(found)
            self.restart = min(self.restart, wanted["restarts"] - 1)
            self.step = min(self.step, len(self._run["steps"]) - 1)

    def _search(self, places: list[int], settings: dict) -> list[dict]:
        """One run for each of these images."""
        images = self.images[places]
        frames = min(FRAMES, max(2, PIXELS // (settings["restarts"] * images[0, ..., 0].size)))
        options = {name: settings[name] for name in ("steps", "step_size", "lam")}
        options |= {"trace": True, "record_every": max(1, settings["steps"] // frames)}
        found = [
            self.detector.invert(
                images,
                init="random" if restart else settings["init"],
                seed=self.detector.seed + restart,
                **options,
            )
            for restart in range(settings["restarts"])
        ]
        return [self._run_of(place, i, found, settings) for i, place in enumerate(places)]

    def _run_of(self, place: int, i: int, found: list[inversion.Inversion], settings: dict) -> dict:
        """What the browser is told of the i-th image of these searches, a search for each restart."""
        steps, count = found[0].trace.steps, len(found)
        x = found[0].images[i]
        z = np.concatenate([each.trace.z[:, i] for each in found])  # (restarts T, latent_dim)
        losses = {name: np.stack([getattr(each.trace, name)[:, i] for each in found]) for name in LOSSES}
        score, spreads = "paper", found[0].spreads
        if spreads is not None and found[0].score != "paper":
            score = "standardised"  # what the search goes down by; "best" looks at its result only

        def combined(one: dict) -> np.ndarray:
            return scoring.combine(one, settings["lam"], score, spreads)

        # A is linear in R and D: what one unit of each adds to it are their weights.
        unit = combined({"residual": np.array([0.0, 1, 0]), "discrimination": np.array([0.0, 0, 1])})
        y, pulls = self._look(x, z, unit[1:] - unit[0])
        lengths = np.linalg.norm(pulls, axis=-1) + 1e-12  # (2, restarts T)
        cosine = (pulls[0] * pulls[1]).sum(axis=-1) / lengths.prod(axis=0)
        curves = losses | {"score": combined(losses), "share": lengths[0] / lengths.sum(axis=0), "cosine": cosine}
        curves = {name: np.reshape(values, (count, -1)).astype(float).tolist() for name, values in curves.items()}
        seen = self._paint(x, y).reshape(count, len(steps), 2, *x.shape[:2], 3)
        self._seen[str(place)] = seen
        tiles = np.concatenate([figures.rgb(x)[None], seen.reshape(-1, *seen.shape[3:])])
        return curves | {
            "steps": steps.tolist(),
            "lam": float(settings["lam"]),
            "init": settings["init"],
            "sheet": sheet(tiles, quality=90),
        }

    def _look(self, x: np.ndarray, z: np.ndarray, weights) -> tuple[np.ndarray, np.ndarray]:
        """G(z) (n, H, W, C), and the gradients of weights[0] R and of weights[1] D by z, (2, n, latent_dim)."""
        search, pictures, pulls = self.detector.search, [], []
        for first in range(0, len(z), BATCH):
            some = tf.constant(z[first : first + BATCH], tf.float32)
            many = np.repeat(x[None], len(some), axis=0)
            features = search.blocks_of(many)[-1]
            pictures.append(search.measure(many, features, some)[0].numpy())
            alone = [(float(weights[0]), 0.0), (0.0, float(weights[1]))]
            pulls.append([search.gradient(many, features, some, each) for each in alone])
        return np.concatenate(pictures), np.concatenate(pulls, axis=1)

    def _paint(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """G(z) and the residual over x, for each G(z) of (n, H, W, C): (n, 2, H, W, 3) uint8."""
        many = np.repeat(x[None], len(y), axis=0)
        local = self.detector.score == "best"
        maps = scoring.local_map(many, y, self.detector.usual) if local else np.asarray(scoring.residual_map(many, y))
        known = self.detector.spreads is not None  # then the detector has a scale of its own, from normal images
        vmax = self.detector.map_scale if known else figures.common_scale(maps)
        overlays = [figures.overlay_image(x, each, vmax=vmax, opacity=0.85) for each in maps]
        return np.stack([np.stack([figures.rgb(each) for each in y]), np.stack(overlays)], axis=1)

    # ---- the state

    @tr.validate("index", "restart", "step")
    def _inside(self, proposal):
        name, value = proposal.trait.name, proposal.value
        count = len(self.images) if name == "index" else None
        if name == "restart" and self.runs:
            count = len(self._run["score"])
        if count is not None and not 0 <= value < count:
            raise ValueError(f"{name} is 0 to {count - 1}. Received: {value}.")
        if name == "step" and self.runs:
            value = int(np.clip(value, 0, len(self._run["steps"]) - 1))
        return value

    @tr.observe("index")
    def _show(self, _change) -> None:
        """Search an image when it is first shown; the one seen longest ago makes room."""
        if not self.settings or str(self.index) in self.runs:
            return
        self.busy = True
        try:
            (run,) = self._search([self.index], self.settings)
        finally:
            self.busy = False
        self.runs = self._latest(self.runs | {str(self.index): run})

    def _latest(self, runs: dict) -> dict:
        """As many of these runs, the latest first, as keep to the limit; the one shown always."""
        while len(runs) > 1 and sum(len(each["sheet"]["data"]) for each in runs.values()) > LIMIT:
            del runs[next(place for place in runs if place != str(self.index))]
        return runs

    @property
    def _run(self) -> dict:
        return self.runs[str(self.index)]

    def _describe(self) -> str:
        if str(self.index) not in self.runs:
            return ""
        run, at = self._run, (self.restart, self.step)
        told = {name: number(run[name][at[0]][at[1]]) for name in (*LOSSES, "score")}
        start = run["init"] if self.restart == 0 else "random"
        return SENTENCE.format(
            **told,
            name=self.names[self.index],
            step=run["steps"][self.step],
            last=run["steps"][-1],
            start=f"{start} start" + (f" {self.restart + 1}" if len(run["score"]) > 1 else ""),
            lam=number(run["lam"]),
            share=round(100 * run["share"][at[0]][at[1]]),
            cosine=f"{run['cosine'][at[0]][at[1]]:.2f}",
        )

    def _about(self) -> str:
        return f"{len(self.images)} images, {self.settings['steps']} steps, {self.settings['restarts']} starts"

    def still(self):
        """Query, G(z_t) at five steps, and the residual at the step shown, as a matplotlib Figure."""
        run, seen = self._run, self._seen[str(self.index)][self.restart]  # (T, 2, H, W, 3)
        few = np.unique(np.linspace(0, len(seen) - 1, 5).round().astype(int))
        pictures = [figures.rgb(self.images[self.index]), *seen[few, 0], seen[self.step, 1]]
        titles = ["x", *(f"step {run['steps'][t]}" for t in few), f"residual, step {run['steps'][self.step]}"]
        return figures.image_grid(from_uint8(np.stack(pictures)), titles)


LOSSES = scoring.LOSSES["paper"]  # "residual", "discrimination"
