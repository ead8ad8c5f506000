"""The search for z, step by step: query, G(z_t), residual, both losses and their gradients."""

import math

import numpy as np
import tensorflow as tf
import traitlets as tr

from anogan_lib import pictures
from anogan_lib.checks import whole
from anogan_lib.datasets.base import Split
from anogan_lib.widgets.base import View, checked, image_names, map_scale, number, script, sheet

AHEAD = 4  # images that are searched before anyone asks; where there are more, only the one shown is
FRAMES = 100  # recorded steps of a long search; fewer where their pictures would hold more than PIXELS
PIXELS = 2**22  # pixels of G(z) in all
LIMIT = 4_500_000  # bytes of pictures in the browser; above it the search seen longest ago is dropped
BATCH = 128  # frames computed together: a search of one image takes one call
LOSSES = ("residual", "discrimination")
SENTENCE = (
    "{name}: step {step} of {last}, {start}. Residual loss R {residual}, discrimination loss D {discrimination}, "
    "score A {score} at lambda {lam}. Of the gradient's pull, {share} % is R's; the cosine between the two is {cosine}."
)


class InversionStepper(View):
    """Play, pause and step through the search for z.

    The view shows query, G(z_t) and residual, the curves of R, D and A over the steps, the share of each loss in the
    gradient, and several restarts side by side. Stepping needs no kernel; another image or search does.

    >>> stepper = InversionStepper(detector, data.test[:2], steps=200, restarts=3)
    >>> stepper.step = 10
    >>> stepper.search_again(steps=50, init="encoder")

    Args:
        detector: an AnoGAN; needs no calibration.
        images: (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
        steps, step_size, init, lam: of the search, as in `detector.invert`.
        restarts: how many starts; the first is `init`, the others are random, with the seeds after the detector's.
        names: N names; None for the split's own, or numbers.

    Attributes:
        index: the image shown, 0 to N - 1; each is searched when it is first shown.
        step, restart: the recorded step and the start shown, from 0; `steps_recorded` holds the steps' numbers.
        playing, speed: whether it plays by itself, and how many recorded steps a second.
        runs: the searches, by str(index): "steps" (T,), and as lists (restarts, T) "residual", "discrimination",
            "score" (A as the search minimises it), "share" (R's, of the gradient), "cosine" (of R's and D's gradients).
    """

    _esm = script("stepper.js")
    _label = tr.Unicode("Search for z, step by step").tag(sync=True)
    _sentence = tr.Unicode(SENTENCE).tag(sync=True)
    _follows = ("index", "step", "restart", "runs")
    _actions = ("search_again",)

    index = tr.Int(0).tag(sync=True)
    step = tr.Int(0).tag(sync=True)
    restart = tr.Int(0).tag(sync=True)
    playing = tr.Bool(False).tag(sync=True)
    speed = tr.Float(10.0).tag(sync=True)
    names = tr.List(tr.Unicode()).tag(sync=True)
    encoder = tr.Bool(False, help="whether there is an encoder to start from").tag(sync=True)
    settings = tr.Dict(help="steps, step_size, init, lam and restarts of the next search").tag(sync=True)
    runs = tr.Dict().tag(sync=True)

    def __init__(self, detector, images, steps=100, restarts=1, init=None, lam=None, step_size=None, names=None):
        split = checked(detector, images)
        self.detector, self.images = detector, split.images
        self._frames: dict[str, np.ndarray] = {}  # (restarts, T, 2, H, W, 3) uint8: G(z_t), and the residual over x
        encoder = detector.encoder is not None
        init = init or ("encoder" if encoder else "random")
        settings = {"steps": steps, "step_size": step_size, "init": init, "lam": lam, "restarts": restarts}
        names = image_names(split if names is None else Split(self.images, names=names))
        super().__init__(names=names, encoder=encoder, settings=settings)
        self.search_again()

    # ---- the search

    @property
    def steps_recorded(self) -> np.ndarray:
        """Numbers of the recorded steps of the search shown, (T,)."""
        return np.array(self._run["steps"])

    def search_again(self, **settings) -> None:
        """Search with other settings: steps, step_size, init, lam, restarts; what is not named stays.

        Earlier searches are dropped. Raises ValueError for settings that no search can have.
        """
        unknown = settings.keys() - self.settings.keys()
        if unknown:
            known = ", ".join(self.settings)
            raise ValueError(f"The settings of a search are {known}. Received: {', '.join(sorted(unknown))}.")
        wanted = self.settings | settings
        for name in ("steps", "restarts"):
            wanted[name] = whole(name, wanted[name], 1)
        if wanted["lam"] is None:
            wanted["lam"] = self.detector.lam
        ahead = list(range(len(self.images))) if len(self.images) <= AHEAD else [self.index]
        found = {str(i): run for i, run in zip(ahead, self._search(ahead, wanted), strict=True)}
        self.playing = False
        with self.hold_trait_notifications():
            self.settings, self.runs = wanted, self._within_limit(found)
            self.restart = min(self.restart, wanted["restarts"] - 1)
            self.step = min(self.step, len(self._run["steps"]) - 1)

    def _search(self, places: list[int], settings: dict) -> list[dict]:
        """Search these images, once for each restart; return a run for each image."""
        images, restarts = self.images[places], settings["restarts"]
        frames = min(FRAMES, max(2, PIXELS // (restarts * images[0, ..., 0].size)))
        options = {name: settings[name] for name in ("steps", "step_size", "lam")}
        options |= {"trace": True, "record_every": max(1, settings["steps"] // frames)}
        found = []
        for restart in range(restarts):
            init = "random" if restart else settings["init"]
            found.append(self.detector.invert(images, init=init, seed=self.detector.seed + restart, **options))
        return [self._run_of(place, i, found, settings) for i, place in enumerate(places)]

    def _run_of(self, place: int, i: int, found: list, settings: dict) -> dict:
        """Put together what the browser needs of the i-th image of these Inversions, one for each restart."""
        steps, count, lam = found[0].trace.steps, len(found), settings["lam"]
        x = found[0].images[i]
        z = np.concatenate([each.trace.z[:, i] for each in found])  # (restarts T, latent_dim)
        losses = {name: np.concatenate([getattr(each.trace, name)[:, i] for each in found]) for name in LOSSES}
        scores, own = self.detector.scores, self.detector.scores[self.detector.score]
        weights = own.weights(lam)
        # The search minimises a score of R and D alone: the one that gives them these weights.
        minimised = next(n for n in scores.names_for(losses) if np.allclose(scores[n].weights(lam), weights))
        y, pulls = self._look(x, z, weights)
        lengths = np.linalg.norm(pulls, axis=-1) + 1e-12  # (2, restarts T)
        curves = losses | {
            "score": self.detector.combine(losses, lam, minimised),
            "share": lengths[0] / lengths.sum(axis=0),
            "cosine": (pulls[0] * pulls[1]).sum(axis=-1) / lengths.prod(axis=0),
        }
        curves = {name: np.reshape(values, (count, -1)).astype(float).tolist() for name, values in curves.items()}
        maps = np.asarray(own.maps(np.repeat(x[None], len(y), axis=0), y))
        look = {"vmax": map_scale(self.detector, maps), "opacity": 0.85}
        pairs = zip(y, maps, strict=True)
        frames = np.stack([[pictures.rgb(drawn), pictures.overlay_image(x, map, **look)] for drawn, map in pairs])
        self._frames[str(place)] = frames.reshape(count, len(steps), *frames.shape[1:])  # frames: (count T, 2, H, W, 3)
        tiles = np.concatenate([pictures.rgb(x)[None], frames.reshape(-1, *frames.shape[2:])])
        about = {"steps": steps.tolist(), "lam": float(lam), "init": settings["init"]}
        return curves | about | {"sheet": sheet(tiles, quality=90)}

    def _look(self, x: np.ndarray, z: np.ndarray, weights) -> tuple[np.ndarray, np.ndarray]:
        """Return G(z) (n, H, W, C), and the gradients of weights[0] R and of weights[1] D by z, (2, n, latent_dim)."""
        search, drawn, pulls = self.detector.search, [], []
        for some in map(tf.constant, np.array_split(z, math.ceil(len(z) / BATCH))):
            many = tf.repeat(x[None], len(some), axis=0)
            features = search.features(many, training=False)
            drawn.append(search.generator(some, training=False))
            alone = ((weights[0], 0.0), (0.0, weights[1]))
            pulls.append([search.gradient(many, features, some, each) for each in alone])
        return np.concatenate(drawn), np.concatenate(pulls, axis=1)

    # ---- the state

    @tr.validate("index", "restart", "step")
    def _inside(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "index":
            return whole(name, value, 0, len(self.images) - 1)
        if name == "restart":
            return whole(name, value, 0, self.settings["restarts"] - 1)
        run = next(iter(self.runs.values()))  # an image that is yet to be searched will have as many steps
        return int(np.clip(value, 0, len(run["steps"]) - 1))

    @tr.observe("index")
    def _search_shown(self, _change) -> None:
        """Search an image when it is first shown."""
        if str(self.index) not in self.runs:
            with self._working():
                (run,) = self._search([self.index], self.settings)
            self.runs = self._within_limit(self.runs | {str(self.index): run})

    def _within_limit(self, runs: dict) -> dict:
        """Drop the runs seen longest ago until the others keep to the limit; the one shown stays."""
        while len(runs) > 1 and sum(len(each["sheet"]["data"]) for each in runs.values()) > LIMIT:
            del runs[next(place for place in runs if place != str(self.index))]
        return runs

    _run = property(lambda self: self.runs[str(self.index)])

    def _describe(self) -> str:
        if str(self.index) not in self.runs:
            return ""
        run, r, t = self._run, self.restart, self.step
        values = {name: number(run[name][r][t]) for name in (*LOSSES, "score")}
        start = f"{run['init'] if r == 0 else 'random'} start" + (f" {r + 1}" if len(run["score"]) > 1 else "")
        values |= {"name": self.names[self.index], "step": run["steps"][t], "last": run["steps"][-1], "start": start}
        values |= {"share": round(100 * run["share"][r][t]), "cosine": f"{run['cosine'][r][t]:.2f}"}
        return SENTENCE.format(**values, lam=number(run["lam"]))

    def _about(self) -> str:
        return f"{len(self.images)} images, {self.settings['steps']} steps, {self.settings['restarts']} starts"

    def still(self):
        """Draw x, G(z_t) at five steps, the residual at the last step, and both losses, as a matplotlib Figure."""
        run, frames = self._run, self._frames[str(self.index)][self.restart]  # (T, 2, H, W, 3)
        few = np.unique(np.linspace(0, len(frames) - 1, 5).round().astype(int))
        tiles = [pictures.rgb(self.images[self.index]), *frames[few, 0], frames[-1, 1]]
        titles = ["x", *(f"G(z), step {run['steps'][t]}" for t in few), f"residual, step {run['steps'][-1]}"]
        figure = pictures.new_figure(1.3 * len(tiles), 3.6)
        above, below = figure.subfigures(2, 1, height_ratios=(4, 5))
        for axes, tile, title in zip(above.subplots(1, len(tiles)), tiles, titles, strict=True):
            pictures.show(axes, tile)
            axes.set_title(title, fontsize="small")
        for axes, name in zip(below.subplots(1, 2), LOSSES, strict=True):
            for restart, line in enumerate(run[name]):
                look = {"alpha": 1.0 if restart == self.restart else 0.4, "color": pictures.COLOURS[name]}
                axes.plot(run["steps"], line, pictures.DASHES[name], **look)
            axes.set(xlabel="step of the search", ylabel=f"{name} loss")
        above.suptitle(self.names[self.index], fontsize="medium")
        return figure
