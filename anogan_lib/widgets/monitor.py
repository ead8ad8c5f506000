"""Training, watched while it runs, in a thread of its own so that the stop button is heard."""

import asyncio
import threading
import time

import numpy as np
import traitlets as tr

from anogan_lib import figures, latent
from anogan_lib.datasets.base import as_source, iterate_batches
from anogan_lib.datasets.images import to_uint8
from anogan_lib.dcgan import DEFAULT_STEPS, History
from anogan_lib.widgets.base import View, number, script, sheet, style

EVERY = 0.5  # seconds from one look to the next at least
SHARE = 0.03  # of the training time that looking may take
ROWS = 400  # of the curve at most; then two and two become one
SAMPLES, JUDGED = 8, 32  # samples shown; images of each kind that D is asked about
DEAF = "The cell that waits keeps Stop from being heard: interrupt the kernel, or write `await monitor` there."


class TrainingMonitor(View):
    """Trains a DCGAN in a thread, and shows it: samples from the same z, both losses, what D calls real, time left.

    >>> monitor = TrainingMonitor(gan, data.train, held_back=data.validation, epochs=24)
    >>> monitor                    # its button starts the training, and ends it after the present step
    >>> monitor.start()            # or from Python; the next cells run meanwhile
    >>> history = await monitor    # in a notebook: until it is done; meanwhile the buttons are heard
    >>> history = monitor.wait()   # in a script; in a notebook its cell keeps the buttons waiting as well

    Without a thread, as a callback, with all that `DCGAN.train` offers:

    >>> gan.train(data.train, epochs=24, checkpoint_dir="runs/nuts", on_step=monitor.on_step)

    Args:
        gan: the DCGAN to train; it keeps what it has learned whenever the training ends.
        train_images: normal images, (N, H, W, C) in [-1, 1]: an array, a split or a tf.data.Dataset.
        held_back: normal images that train nothing. Where D calls them real less often than the training images, it
            has learned those by heart.
        epochs: passes over the images; None for as many as `DCGAN.train` makes.
        batch_size, on_epoch: as in `DCGAN.train`.

    Attributes:
        running: whether it trains.
        steps_done, steps_in_all: of this monitor; what is still to do after a stop begins with a whole epoch.
        seconds_an_epoch, seconds_left: from the steps since the last start.
        curve: rows of step, D's loss, G's loss, and the shares of training images, samples and held-back images that D
            calls real; the losses are means since the row before.
        history: of the whole epochs, as `DCGAN.train` returns it.
        cost: the share of the training time that looking took.
    """

    _esm, _css = script("monitor.js"), style("base.css", "live.css")
    _label = tr.Unicode("Training of the DCGAN").tag(sync=True)
    _actions = ("start", "stop")
    _follows = ("running", "curve")

    running = tr.Bool(False).tag(sync=True)
    steps_done = tr.Int(0).tag(sync=True)
    steps_in_all = tr.Int(0).tag(sync=True)
    seconds_an_epoch = tr.Float(0.0).tag(sync=True)
    seconds_left = tr.Float(0.0).tag(sync=True)
    curve = tr.List().tag(sync=True)
    samples = tr.Dict().tag(sync=True)

    def __init__(self, gan, train_images, held_back=None, epochs: int | None = None, batch_size=32, on_epoch=None):
        import tensorflow as tf

        self.gan, self.options = gan, {"batch_size": batch_size, "on_epoch": on_epoch}
        self.images, count = as_source(train_images)
        self.steps_an_epoch = max(1, count // min(batch_size, count))
        self.epochs = max(1, DEFAULT_STEPS // self.steps_an_epoch) if epochs is None else epochs
        if self.epochs < 1:
            raise ValueError(f"At least one epoch is wanted. Received: epochs={epochs}")
        judged = [next(iterate_batches(each, JUDGED)) for each in (train_images, held_back) if each is not None]
        self._kinds = np.repeat([0, 1, 2], [len(judged[0]), SAMPLES, len(judged[1]) if held_back is not None else 0])
        z = latent.draw(SAMPLES, gan.latent_dim, gan.prior, (0, 0))  # those of gan.sample(8, seed=0)

        @tf.function(jit_compile=False)
        def look():
            drawn = gan.generator(z, training=False)
            asked = tf.concat([judged[0], drawn, *judged[1:]], axis=0)
            return drawn, gan.discriminator(asked, training=False)[:, 0] > 0

        self._look_at = lambda: [each.numpy() for each in look()]
        self.history = History(d_loss=[], g_loss=[], d_real=[], d_fake=[], seconds=[])
        self.cost, self._error, self._halt = 0.0, None, threading.Event()
        self._thread = self._over = None  # the thread that trains, and the event that it has ended
        self._drawn, _ = self._look_at()  # (8, H, W, C) in [-1, 1]
        super().__init__(steps_in_all=self.epochs * self.steps_an_epoch, samples=sheet(to_uint8(self._drawn), 4))

    # ---- training

    def start(self) -> "TrainingMonitor":
        """Train in a thread, or go on where `stop` ended it; does nothing while it runs."""
        if not self.running:
            left = self.epochs - len(self.history.d_loss) % self.epochs
            self._begin(left)
            self._over = threading.Event()
            self._thread = threading.Thread(target=self._train, args=(left, self._over), daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """End the training after the present step; the weights stay as they are."""
        self._halt.set()

    def wait(self) -> History:
        """Wait until the training ends: its history. An interrupt (Ctrl-C) ends it after the present step.

        For scripts. A notebook's kernel hears no button while this blocks, and the view says so: write `await monitor`.
        """
        if self._over is None:
            raise ValueError("There is nothing to wait for: monitor.start() comes before monitor.wait().")
        deaf = not self._over.is_set() and _in_a_loop()
        try:
            self.problem = DEAF if deaf else self.problem
            self._over.wait()
        except KeyboardInterrupt:  # not `join`, which in Python 3.11 takes an interrupted thread for ended
            self.stop()
            self._over.wait()
        if self.problem == DEAF:
            self.problem = ""
        if self._error:
            raise self._error
        return self.history

    def __await__(self):
        return self._ended().__await__()

    async def _ended(self) -> History:
        """As `wait`, but the kernel hears the browser meanwhile."""
        while self._over and not self._over.is_set():
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:  # the kernel was interrupted
                self.stop()
        return self.wait()

    def _begin(self, epochs: int) -> None:
        self._halt.clear()
        self._error, self.problem = None, ""
        self._steps = self._first = self.steps_done
        self._logs, self._spent = [], 0.0
        self.steps_in_all, self.running = self.steps_done + epochs * self.steps_an_epoch, True

    def _train(self, epochs: int, over: threading.Event) -> None:
        try:
            found = self.gan.train(self.images, epochs, on_step=self.on_step, verbose=False, **self.options)
            for name, values in found.items():
                self.history[name] += values
        except Exception as error:  # told in the browser, and where it is waited for
            self._error, self.problem = error, str(error)
        finally:
            self.running = False
            over.set()

    def on_step(self, gan, logs) -> bool:
        """For `gan.train(..., on_step=monitor.on_step)`: looks now and then; True when the training is to end."""
        if not self.running:
            self._begin(self.epochs)
        now = time.perf_counter()
        if self._steps == self._first:  # the clock leaves out the first step, in which TensorFlow draws its graph
            self._began = self._looked = now
        self._steps += 1
        self._logs.append(logs)
        due = now - self._looked > EVERY and self._spent < SHARE * (now - self._began)
        if due or self._halt.is_set() or self._steps >= self.steps_in_all:
            self._look(now)
            self._looked = time.perf_counter()
            self._spent += self._looked - now
            self.cost = self._spent / (self._looked - self._began)
        if threading.current_thread() is not self._thread:
            self.running = not self._halt.is_set() and self._steps < self.steps_in_all
        return self._halt.is_set()

    def _look(self, now: float) -> None:
        """Samples, what D says of them, the losses since the last look, and the clock."""
        self._drawn, real = self._look_at()
        losses = [float(np.mean([float(each[name]) for each in self._logs])) for name in ("d_loss", "g_loss")]
        shares = [float(real[self._kinds == kind].mean()) for kind in np.unique(self._kinds)]
        self._logs = []
        rows = [*self.curve, [self._steps, *losses, *shares]]
        if len(rows) > ROWS:
            pairs = np.array(rows[: len(rows) // 2 * 2]).reshape(len(rows) // 2, 2, -1)
            rows = [*pairs.mean(axis=1).tolist(), *rows[len(rows) // 2 * 2 :]]
        a_step = (now - self._began) / max(1, self._steps - self._first - 1)
        # One after the other: `hold_sync` may lose what another thread sets meanwhile.
        self.steps_done, self.samples = self._steps, sheet(to_uint8(self._drawn), 4)
        self.seconds_an_epoch = a_step * self.steps_an_epoch
        self.seconds_left = a_step * (self.steps_in_all - self._steps)
        self.curve = rows

    # ---- in words, and still

    def _describe(self) -> str:
        plan = f"{self.epochs} epochs of {self.steps_an_epoch} steps"
        if not self.curve:
            return f"Training has begun: {plan}." if self.running else f"Not yet trained here: {plan}."
        _, d_loss, g_loss, *shares = self.curve[-1]
        left = self.steps_in_all - self.steps_done
        state = f"Step {self.steps_done} of {self.steps_in_all} ({plan})"
        if not self.running:
            state = (
                f"Stopped after step {self.steps_done} of {self.steps_in_all}; the weights are kept" if left else state
            )
        names = ("training images", "samples", "held-back images")
        called = ", ".join(f"{100 * share:.0f} % of {name}" for share, name in zip(shares, names, strict=False))
        said = f"{state}. Loss of D {d_loss:.2f}, of G {g_loss:.2f}. D calls real {called}."
        clock = f" {number(round(self.seconds_an_epoch, 1))} seconds an epoch"
        return said + clock + (f", {self.seconds_left:.0f} seconds left." if self.running else ".")

    def _about(self) -> str:
        return f"{self.epochs} epochs of {self.steps_an_epoch} steps"

    def still(self):
        if not self.curve:
            return figures.image_grid(self._drawn[:4])
        figure = figures._figure(8.4, 4.4)
        axes = figure.subplot_mosaic("ab;ss", height_ratios=(5, 3))
        step, *lines = np.array(self.curve).T
        looks = (("a", "discriminator", "D"), ("a", "generator", "G"))
        looks += (("b", "discriminator", "training"), ("b", "generator", "samples"), ("b", "normal", "held back"))
        for values, (where, who, label) in zip(lines, looks, strict=False):
            axes[where].plot(step, values, figures.DASHES.get(who, ":"), color=figures.COLOURS[who], label=label)
        axes["a"].set(title="loss", xlabel="step")
        axes["b"].set(title="share that D calls real", xlabel="step", ylim=(-0.03, 1.03))
        for where in "ab":
            axes[where].legend(frameon=False)
        row = np.concatenate([figures.rgb(image) for image in self._drawn], axis=1)  # (H, 8 W, 3)
        axes["s"].imshow(row, interpolation="nearest")
        axes["s"].set_axis_off()
        axes["s"].set_title("samples from the same z")
        return figure


def _in_a_loop() -> bool:
    """Whether an event loop runs this very thread, as it does in a notebook."""
    try:
        return asyncio.get_running_loop() is not None
    except RuntimeError:
        return False
