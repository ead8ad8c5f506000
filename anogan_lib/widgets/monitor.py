"""Training, shown while it runs: in a thread of its own, so that the Stop button is heard."""

import asyncio
import threading
import time

import numpy as np
import tensorflow as tf
import traitlets as tr

from anogan_lib import pictures
from anogan_lib.checks import in_words, whole
from anogan_lib.datasets.base import as_split
from anogan_lib.datasets.images import to_uint8
from anogan_lib.paper import prior
from anogan_lib.paper.dcgan import called_real
from anogan_lib.training.progress import ENOUGH_STEPS, FIGURES, advice, empty_history
from anogan_lib.widgets.base import View, number, script, sheet

EVERY = 0.5  # seconds between two looks at least
SHARE = 0.03  # of the training time that watching may take
ROWS = 400  # of the curve at most, an even number; then each two become one
LOOKS = 40  # that an exported page plays at most
SAMPLES, JUDGED = 8, 32  # samples shown; images of each kind that D is asked about


class TrainingMonitor(View):
    """Train a DCGAN in a thread and watch it: samples from the same z, both losses, what D calls real, time left.

    >>> monitor = TrainingMonitor(gan, data.train, held_back=data.validation, epochs=24)
    >>> monitor                    # its button starts the training, and stops it after the present step
    >>> monitor.start()            # or from Python; the next cells run meanwhile
    >>> history = await monitor    # wait until it is done; meanwhile the buttons are heard

    Traits are set, and observers called, in the thread that trains.

    Args:
        gan: the DCGAN to train; it keeps what it has learned whenever the training ends.
        train_images: normal images, (N, H, W, C) in [-1, 1]: an array, a split or a tf.data.Dataset.
        held_back: normal images that D never trains on. If D calls them real less often than the training images, it
            has memorised those.
        epochs: passes over the images; None for its default, as in `DCGAN.train`.
        batch_size, on_epoch: as in `DCGAN.train`.

    Attributes:
        running: whether a training is under way.
        steps_done, steps_in_all: steps seen by this monitor, and steps planned.
        seconds_an_epoch, seconds_left: estimated from the steps since the last look.
        curve: rows of step, D's loss, G's loss (means since the row before), and the shares of training images, samples
            and held-back images that D calls real.
        history: of the whole epochs, as `DCGAN.train` returns it.
        cost: the share of the training time that watching took.
    """

    _esm = script("monitor.js")
    _label = tr.Unicode("Training of the DCGAN").tag(sync=True)
    _actions = ("start", "stop")
    _follows = ("running", "curve")

    running = tr.Bool(False).tag(sync=True)
    steps_done = tr.Int(0).tag(sync=True)
    steps_in_all = tr.Int(0).tag(sync=True)
    seconds_an_epoch = tr.Float(0.0)
    seconds_left = tr.Float(0.0)
    curve = tr.List().tag(sync=True)
    guessing = tr.List().tag(sync=True)
    samples = tr.Dict().tag(sync=True)

    def __init__(self, gan, train_images, held_back=None, epochs: int | None = None, batch_size=32, on_epoch=None):
        self.gan, self.options = gan, {"batch_size": batch_size, "on_epoch": on_epoch}
        self.images = as_split(train_images)
        self.steps_an_epoch = max(1, len(self.images) // min(batch_size, len(self.images)))
        self.epochs = gan.default_epochs(self.steps_an_epoch) if epochs is None else whole("epochs", epochs, 1)
        judged = [as_split(each)[:JUDGED].images for each in (self.images, held_back) if each is not None]
        z = prior.draw(SAMPLES, gan.latent_dim, gan.prior, (0, 0))  # those of gan.sample(8, seed=0)

        @tf.function(autograph=False, jit_compile=False)
        def look():
            drawn = gan.averaged(z, training=False)
            asked = (judged[0], drawn, *judged[1:])
            return drawn, [called_real(gan.discriminator(each, training=False)) for each in asked]

        self._look_at = look
        self.history = empty_history()
        self.cost, self._error, self._halt = 0.0, None, threading.Event()
        self._steps, self._logs, self._spent, self._began = 0, [], 0.0, None  # `_began`: when the clock started
        self._over = None  # the event that the thread has ended
        self._looks: list[dict] = []  # what some of the looks have shown
        self._drawn = look()[0].numpy()  # (8, H, W, C) in [-1, 1]
        shown = {"samples": sheet(to_uint8(self._drawn), 4), "guessing": list(gan.guessing)}
        super().__init__(steps_in_all=self.epochs * self.steps_an_epoch, **shown)

    # ---- training

    def start(self) -> "TrainingMonitor":
        """Train in a thread, or go on after `stop`; does nothing while a training runs."""
        if not self.running:
            left = self.epochs - len(self.history.d_loss) % self.epochs
            self._halt.clear()
            self._error, self.problem = None, ""
            self._steps, self._logs, self._spent, self._began = self.steps_done, [], 0.0, None
            self.steps_in_all, self.running = self.steps_done + left * self.steps_an_epoch, True
            self._over = threading.Event()
            threading.Thread(target=self._train, args=(left, self._over), daemon=True).start()
        return self

    def stop(self) -> None:
        """End the training after the present step; the weights stay as they are."""
        self._halt.set()

    def __await__(self):
        """Wait until the training ends, and return its history; an interrupt ends it after the present step.

        Raises:
            ValueError: nothing was started, or the training failed, as `DCGAN.train` says it.
        """
        if self._over is None:
            raise ValueError("There is nothing to wait for: monitor.start() comes before await monitor.")
        while not self._over.is_set():
            try:
                yield from asyncio.sleep(0.1).__await__()
            except asyncio.CancelledError:  # the kernel was interrupted
                self.stop()
        if self._error:
            raise self._error
        return self.history

    def _train(self, epochs: int, over: threading.Event) -> None:
        """Train in the thread; whatever ends the training, `running` ends with it."""
        try:
            found = self.gan.train(self.images, epochs, on_step=self._on_step, verbose=False, **self.options)
            for name, values in found.items():
                self.history[name] += values
        except Exception as error:  # reported in the browser, and raised where it is awaited
            self._error = error
        finally:
            with self._lock:
                self.problem = in_words(self._error) if self._error else ""
                self.steps_done, self.running = self._steps, False
                over.set()

    def _on_step(self, gan, logs) -> bool:
        """Count a step and look at the training now and then; returns True if the training is to end."""
        now = time.perf_counter()
        self._steps += 1
        self._logs.append(logs)
        if self._began is None:  # the clock leaves out the first step, in which TensorFlow builds its graph
            self._began = self._looked = now
            self._looked_at = self._steps
        due = now - self._looked > EVERY and self._spent < SHARE * (now - self._began)
        if due or self._halt.is_set() or self._steps >= self.steps_in_all:
            self._look(now)
            self._looked, self._looked_at = time.perf_counter(), self._steps
            self._spent += self._looked - now
            self.cost = self._spent / (self._looked - self._began)
        return self._halt.is_set()

    def _look(self, now: float) -> None:
        """Take samples, D's verdicts, the losses since the last look, and the time."""
        drawn, shares = self._look_at()
        self._figures = {name: [float(np.mean([float(each[name]) for each in self._logs]))] for name in FIGURES}
        self._drawn, self._logs = drawn.numpy(), []
        losses = self._figures["d_loss"] + self._figures["g_loss"]
        rows = [*self.curve, [self._steps, *losses, *map(float, shares)]]
        if len(rows) > ROWS:
            rows = [*np.reshape(rows[:-1], (ROWS // 2, 2, -1)).mean(axis=1).tolist(), rows[-1]]
        a_step = (now - self._looked) / max(1, self._steps - self._looked_at)
        with self._lock:
            self.steps_done, self.samples = self._steps, sheet(to_uint8(self._drawn), 4)
            self.seconds_an_epoch = a_step * self.steps_an_epoch
            self.seconds_left = a_step * (self.steps_in_all - self._steps)
            self.curve = rows
            shown = ("running", "steps_done", "samples", "curve", "caption")
            self._looks.append({name: getattr(self, name) for name in shown})
            if len(self._looks) > LOOKS:
                del self._looks[1:-1:2]

    def _answers(self):
        ended = {"running": False, "caption": self.caption}
        return [
            ({"do": "start", "with": {}}, [*self._looks, ended]),
            ({"do": "stop", "with": {}}, [{"running": False}]),
        ]

    # ---- in words, and still

    def _describe(self) -> str:
        plan = self._about()
        if not self.curve:
            return f"Training has begun: {plan}." if self.running else f"Not yet trained here: {plan}."
        _, d_loss, g_loss, *shares = self.curve[-1]
        state = f"Step {self.steps_done} of {self.steps_in_all} ({plan})"
        if self._over and not self.running and self.steps_done < self.steps_in_all:
            state = f"Stopped after step {self.steps_done} of {self.steps_in_all}; the weights are kept"
        names = ("training images", "samples", "held-back images")
        called = ", ".join(f"{100 * share:.0f} % of {name}" for share, name in zip(shares, names, strict=False))
        clock = f"{number(round(self.seconds_an_epoch, 1))} seconds an epoch"
        clock += f", {self.seconds_left:.0f} seconds left" if self.running else ""
        losses = f"Loss of D {d_loss:.2f}, of G {g_loss:.2f}; diversity {self._figures['diversity'][0]:.2f}"
        wrong = advice(self._figures) if self.gan.steps_done.numpy() >= ENOUGH_STEPS else []
        return " ".join([f"{state}. {losses}. D calls real {called}. {clock}.", *wrong])

    def _about(self) -> str:
        return f"{self.epochs} epochs of {self.steps_an_epoch} steps"

    def still(self):
        """Draw both curves and the samples, as a matplotlib Figure."""
        if not self.curve:
            figure = pictures.new_figure(pictures.PAGE, 0.8)
            figure.text(0.02, 0.5, f"Training of the DCGAN, {self._about()}: waiting for the first step", va="center")
            return figure
        figure = pictures.new_figure(pictures.PAGE, 4.4)
        axes = figure.subplot_mosaic("ab;ss", height_ratios=(5, 3))
        step, *lines = np.array(self.curve).T
        labels = ("D", "G", "training", "samples", "held back")
        who = ("discriminator", "generator", "discriminator", "generator", "neutral")
        for values, where, label, each in zip(lines, "aabbb", labels, who, strict=False):
            look = {"color": pictures.COLOURS[each], "marker": "." if len(step) == 1 else None}
            axes[where].plot(step, values, pictures.DASHES.get(each, ":"), label=label, **look)
        pictures.guessing_lines(axes["a"], self.gan.guessing)
        axes["a"].set(ylabel="loss", xlabel="step")
        axes["b"].set(ylabel="share that D calls real", xlabel="step", ylim=(-0.03, 1.03))
        for where, columns in (("a", 2), ("b", 3)):  # above the curves, which wander everywhere
            axes[where].legend(frameon=False, ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1), fontsize=9)
        pictures.show(axes["s"], np.hstack([pictures.rgb(image) for image in self._drawn]), "samples from the same z")
        return pictures.described(figure, self._describe())
