"""The command line: `anogan demo`, `train`, `score`, `evaluate`, `data`.

Each command is a short walk through the library. What is heavy is imported inside the commands, so that
`--help` answers at once.
"""

import argparse
import os
import shlex
import sys
import time
import warnings
from contextlib import ExitStack
from pathlib import Path

READY = Path(__file__).resolve().parent.parent / "weights" / "hazelnut"

DATA_HELP = """\
DATA is one of
  hazelnut           rendered hazelnuts with four kinds of defect, built in
  digits:8           real handwritten 8x8 digits that come with scikit-learn; 8 is the normal class
  mnist:8            MNIST, and fashion_mnist:3; found under $ANOGAN_DATA or downloaded by Keras
  mvtec:hazelnut     a category of MVTec AD, found under $ANOGAN_DATA or downloaded
  a path             a folder in MVTec AD's layout (train/good, test/good, test/<defect>, and masks in
                     ground_truth/<defect>), one that holds a folder good/, or a flat folder of good images
"""
EXAMPLES = """\
from nothing to found defects:
  anogan demo                                     figures and pictures in results/demo

your own parts:
  anogan train photos/good --out my_detector --size 64
  anogan score my_detector photos/new --csv scores.csv --overlays pictures
  anogan evaluate my_detector photos              where photos/ holds good and bad parts, folder by folder

`anogan COMMAND --help` tells more of each command.
"""


# ---- the commands


def demo(args) -> None:
    """The whole way on built-in data with ready weights."""
    import numpy as np
    from tqdm import tqdm

    from anogan_lib import AnoGAN, datasets, figures, files, report
    from anogan_lib.datasets.images import from_uint8

    out = Path("results/demo")
    detector = AnoGAN.load(READY)
    data = datasets.load("hazelnut", size=detector.image_shape[:2])
    print(f"{len(data.test)} test images of rendered hazelnuts, none of which the detector was trained on")
    test, pictures = data.test, files.Pictures(out, detector)
    found = detector.predict(test, progress=True)
    evaluation = detector.evaluate(data, found)
    _write_evaluation(evaluation, out / "evaluation.json", out / "scores.csv")
    report.write(out / "report.html", detector, data, evaluation, found)
    print(f"\n{evaluation}\n")
    for i, name in enumerate(tqdm(test.names, "pictures", unit="image")):
        pictures.write(Path(str(name)), test.images[i], found, i)
    chosen = [int(np.flatnonzero(test.kinds == kind)[i]) for kind, i in SHOWN]
    scale = {"vmax": detector.map_scale, "cut_off": detector.map_scale / 2, "opacity": 0.9}
    overlays = [figures.overlay_image(test.images[i], found.maps[i], **scale) for i in chosen]
    rows = [test.images[chosen], found.reconstruction[chosen], from_uint8(np.stack(overlays))]
    titles = [kind for kind, _ in SHOWN] + ["G(z)"] * len(SHOWN) + [f"A(x) = {found.scores[i]:.1f}" for i in chosen]
    about = {"labels": test.labels, "kinds": test.kinds, "vmax": detector.map_scale}
    drawn = {
        "overview": figures.image_grid(np.concatenate(rows), titles, columns=len(SHOWN)),
        "gallery": figures.gallery(test.images, found.maps, found.scores, test.masks, **about),
        "scores": figures.score_distributions(found.scores, test.labels, detector.threshold),
        "roc": figures.roc_curve(found.scores, test.labels, detector.threshold),
    }
    for name, figure in drawn.items():
        figure.savefig(out / f"{name}.png")
    print(f"pictures in {out}/: overview.png (image, similar image, anomalies), gallery.png (every image, the most")
    print("anomalous first), scores.png, roc.png, test/ (each image by itself). Figures: scores.csv, evaluation.json.")
    print(f"All of it on one page, for a browser: {out}/report.html")


def train(args) -> None:
    """Train a DCGAN on normal images, fit a detector round it, save both with a card."""
    out, checkpoint = Path(args.out), Path(args.out) / "checkpoint"
    finished, begun = (out / "detector.json").is_file(), checkpoint.is_dir()
    if (finished or begun) and not args.resume:
        what = "a detector" if finished else "an unfinished training"
        raise ValueError(f"{out} already holds {what}; go on with --resume, or choose another --out.")
    if finished and not begun:
        raise ValueError(f"{out} holds a detector but no checkpoint to go on from; choose another --out.")

    from anogan_lib import DCGAN, AnoGAN, datasets, files, thresholds

    if args.epochs is not None and args.epochs < 1:
        raise ValueError(f"--epochs is at least 1; leave it out for about 6,000 steps. Received: {args.epochs}")
    data = datasets.load(args.data, size=args.size)
    print(data.summary())
    thresholds.conformal(range(len(data.calibration)), args.false_alarm_rate)  # refused now, not after training
    if len(data.validation) < 2:  # of one image there is no spread
        count = len(data.train) + len(data.validation) + len(data.calibration)
        raise ValueError(f"Too few normal images to train a detector: at least 15 are wanted. Received: {count}.")
    data.validation.images, data.calibration.images  # noqa: B018 - a file that cannot be read says so now as well
    settings = {name: value for name in ("latent_dim", "width") if (value := getattr(args, name)) is not None}
    gan = DCGAN(image_shape=data.image_shape, flips=args.flips, seed=args.seed, **settings)
    files.keep_to(checkpoint / "images.json", data)
    history = gan.train(data.train, epochs=args.epochs, checkpoint_dir=checkpoint)
    started = time.perf_counter()
    detector = AnoGAN(gan, seed=args.seed)
    detector.fit(data, false_alarm_rate=args.false_alarm_rate, encoder=args.encoder)
    card = {
        "data": args.data,
        "description": data.description,
        "command": args.command,
        "image_shape": list(data.image_shape),
        "images": {name: len(getattr(data, name)) for name in ("train", "validation", "calibration", "test")},
        "seed": args.seed,
        "epochs": len(history["d_loss"]),
        "minutes": round((sum(history["seconds"]) + time.perf_counter() - started) / 60, 1),
        "threshold": detector.threshold,
        "results": {},
    }
    files.write_detector(detector, out, card)  # before the evaluation: what was trained is kept whatever comes
    if len(set(data.test.labels)) == 2:
        evaluation = detector.evaluate(data, progress=True)
        figures = evaluation.to_dict()
        card["results"] = {name: figures[name] for name in RESULTS if figures.get(name) is not None}
        files.write_detector(detector, out, card)
        print(f"\n{evaluation}\n")
    print(f"detector in {out}/, threshold {detector.threshold:.4g}; use it with: anogan score {out} PATH...")


def score(args) -> None:
    """Score images as they are read; a row for each, written at once."""
    from anogan_lib import files, thresholds

    if args.resume and not args.csv:
        raise ValueError("--resume goes on with a table of scores: name it with --csv FILE.")
    files.check_places(args.csv, args.json)
    found_files = list(files.find(args.paths))
    detector = _load_detector(args)
    pictures = files.Pictures(args.overlays, detector) if args.overlays else None
    rows = files.resume(args.csv, detector) if args.resume else []
    before = {row["name"] for row in rows}
    for file, name in found_files if pictures else ():
        if file.as_posix() in before:
            pictures.name(name)
    found_files = [each for each in found_files if each[0].as_posix() not in before]
    scores, anomalous = [row["score"] for row in rows], sum(row["verdict"] == "anomalous" for row in rows)
    with ExitStack() as stack:
        if args.json:
            stack.callback(lambda: rows and files.write_json(args.json, _settings(detector) | {"images": rows}))
        write = None
        for batch, images in files.read_batches(found_files, detector.image_shape):
            found = detector.predict(images)
            kinds, labels = zip(*(files.kind_of(file) for file, _ in batch), strict=True)
            some = files.rows(found, [file.as_posix() for file, _ in batch], kinds, labels)
            for i, (_, name) in enumerate(batch if pictures else ()):  # before their rows, which --resume goes by
                pictures.write(name, images[i], found, i)
            # Opened only now: where nothing can be scored, an earlier file stays as it is.
            write = write or (
                files.csv_writer(stack, args.csv, append=bool(before)) if args.csv else files.table_writer()
            )
            write(some)
            scores += [row["score"] for row in some]
            anomalous += int(found.verdicts.sum())
            if args.json:  # the only one that needs them all at once
                rows += some
    if not scores:
        raise ValueError("Nothing could be scored: not one image could be read.")
    if len(scores) >= thresholds.ENOUGH_FOR_DRIFT:
        p, drift = detector.drift(scores)
        if p < thresholds.DRIFT_LEVEL:
            _complain(f"note: {drift}")
    written = "".join(f"; {path}" for path in (args.csv, args.json, args.overlays) if path)
    print(f"{len(scores)} images, {anomalous} anomalous (score above {detector.threshold:.4g}){written}")


def evaluate(args) -> None:
    """How good the detector is on labelled images, with the baselines beside it."""
    from anogan_lib import datasets, files, report

    files.check_places(args.json, args.csv, args.report)
    detector = _load_detector(args)
    data = datasets.load(args.data, size=detector.image_shape[:2], channels=detector.image_shape[2])
    prediction = detector.predict(data.test, progress=True)
    evaluation = detector.evaluate(data, prediction)
    print(evaluation)
    _write_evaluation(evaluation, args.json, args.csv)
    if args.report:
        report.write(args.report, detector, data, evaluation, prediction)


def describe(args) -> None:
    """What is in a data set; with --out, the same as folders."""
    from anogan_lib import datasets

    data = datasets.load(args.data)
    print(data.summary())
    if args.out:
        datasets.write(data, args.out)
        print(f"\nwritten to {args.out}/, which is a DATA as well")


SHOWN = (("good", 0), ("hole", 1), ("crack", 1), ("cut", 1), ("print", 1), ("hole", 4))  # in the demo's overview
RESULTS = (  # what a card tells of an evaluation
    "auroc",
    "average_precision",
    "pixel_auroc",
    "accuracy",
    "trivial_accuracy",
    "false_alarm_rate",
    "hit_rate",
    "baselines",
)


def _load_detector(args):
    """The detector in its folder, with what the options set anew."""
    from anogan_lib import AnoGAN, scoring

    steps, rate = getattr(args, "steps", None), getattr(args, "false_alarm_rate", None)
    if steps is not None and steps < 0:
        raise ValueError(f"--steps is a number of steps, 0 or more. Received: {steps}")
    scoring.check_lam(0 if args.lam is None else args.lam)
    try:
        detector = AnoGAN.load(args.detector, lam=args.lam, score=args.score)
    except FileNotFoundError:
        raise
    except Exception as error:  # the files are anything at all: JSON, zip and Keras have errors of their own
        raise ValueError(f"The detector in {args.detector} cannot be read: {error!r}") from error
    if steps is not None and steps != detector.usual_steps:
        detector.steps = steps
        _complain(
            f"note: the threshold belongs to the detector's own search; {steps} steps may change its false alarms."
        )
    if rate is not None:
        detector.false_alarm_rate = rate
    detector.threshold  # noqa: B018 - says at once where a calibration is missing, or too small for the rate
    return detector


def _settings(detector) -> dict:
    return {name: getattr(detector, name) for name in ("threshold", "false_alarm_rate", "lam", "score", "steps")}


def _write_evaluation(evaluation, json_path, csv_path) -> None:
    from anogan_lib import files

    if json_path:
        files.write_json(json_path, evaluation.to_dict())
    if csv_path:
        with ExitStack() as stack:
            write = files.csv_writer(stack, csv_path)
            write(files.rows(evaluation, evaluation.names, evaluation.kinds, evaluation.labels))


# ---- options


def _size(text: str) -> int | tuple[int, int]:
    """`64` or `64x48`, height first."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise argparse.ArgumentTypeError(f"64, or 64x48 for height 64 and width 48, is wanted, not {text!r}")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def _parser() -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    about = "Learns from good images alone, then finds defects (AnoGAN, Schlegl et al. 2017)."
    parser = argparse.ArgumentParser(
        prog="anogan", description=about, epilog=f"{EXAMPLES}\n{DATA_HELP}", formatter_class=layout
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run, purpose: str, epilog: str = ""):
        """Adds a command; gives the function that adds its options."""
        added = commands.add_parser(
            name, help=purpose, description=f"{purpose.capitalize()}.", epilog=epilog, formatter_class=layout
        )
        added.set_defaults(run=run)
        return added.add_argument

    def add_detector(add):
        add("detector", metavar="DETECTOR", help="a folder that anogan train wrote, or weights/hazelnut")
        meaning = (
            "paper: raw sums of R and D; standardised: both in spreads of normal images; best: where they differ most"
        )
        add("--lam", type=float, metavar="L", help="lambda, the weight of D against R, 0 to 1")
        add("--score", metavar="NAME", choices=("paper", "standardised", "best"), help=meaning)

    rate = "share of normal images that may be called anomalous"
    table = "FILE gets a row for each image: name, score, p_value, verdict, residual, discrimination, kind, label"

    command("demo", demo, "find defects on built-in data with a ready detector")

    add = command("train", train, "train a detector on images of good parts", DATA_HELP)
    add("data", metavar="DATA", help="a data set, see below; only its normal images are learned from")
    add("--out", metavar="DIR", required=True, help="folder for the detector")
    add("--size", type=_size, metavar="S", help="64 or 64x48, 16 to 256 a side (default: the data's own)")
    add("--latent-dim", type=int, metavar="N", help="length of z (default: one for 64 pixels, at most 64)")
    add(
        "--width",
        type=int,
        metavar="W",
        help="channels next to the image; time grows with its square (default: 32)",
    )
    add("--epochs", type=int, metavar="N", help="passes over the images in all (default: about 6,000 steps)")
    way = "train f-AnoGAN's encoder, which maps an image to z in one pass; without it z is searched for, 100 steps long"
    add("--encoder", action=argparse.BooleanOptionalAction, default=True, help=f"{way} (default: with)")
    add("--flips", action="store_true", help="learn the images mirrored too: for objects that may lie either way")
    add("--resume", action="store_true", help="go on where an interrupted training stopped")
    add("--seed", type=int, default=0, metavar="K", help="of weights, noise and order (default: 0)")
    add("--false-alarm-rate", type=float, default=0.05, metavar="A", help=f"{rate} (default: 0.05)")

    keeps = "What an option does not name stays as the detector has it."
    add = command("score", score, "score images, one by one and folder by folder", keeps)
    add_detector(add)
    add("paths", metavar="PATH", nargs="+", help="images, and folders of them, searched to their ends")
    add("--steps", type=int, metavar="N", help="steps of the search for z")
    add("--false-alarm-rate", type=float, metavar="A", help=rate)
    add("--csv", metavar="FILE", help=f"{table}; without it, a table is printed")
    add("--json", metavar="FILE", help="the same rows, with the threshold and the settings")
    add("--resume", action="store_true", help="go on where an interrupted run stopped: rows in --csv FILE are kept")
    add(
        "--overlays",
        metavar="DIR",
        help="two pictures for each image: image, similar image, anomalies; an overlay",
    )

    add = command("evaluate", evaluate, "tell how good a detector is on labelled images", f"{keeps}\n\n{DATA_HELP}")
    add_detector(add)
    add("data", metavar="DATA", help="a data set, see below; its test images are scored")
    add("--json", metavar="FILE", help="every figure, under the names of an Evaluation's attributes")
    add("--csv", metavar="FILE", help=table)
    add("--report", metavar="FILE.html", help="a page to hand on: figures, curves, pictures, settings, all in one file")

    add = command("data", describe, "tell what is in a data set", DATA_HELP)
    add("data", metavar="DATA", help="a data set, see below")
    add("--out", metavar="DIR", help="also write it there, as folders in MVTec AD's layout")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command: 0; 2 with one sentence on standard error where something is wrong; 130 interrupted."""
    argv = sys.argv[1:] if argv is None else list(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no notes on this machine's processor
    args = _parser().parse_args(argv)
    args.command = shlex.join(["anogan", *argv])
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            args.run(args)
        except KeyboardInterrupt:
            _complain("interrupted; what was written is kept.")
            return 130
        except BrokenPipeError:  # `anogan score ... | head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (ValueError, OSError) as error:
            _complain(error)
            return 2
    return 0


def _show_warning(message, category, *where) -> None:
    if category is UserWarning:  # those of the data sets; other kinds are for programmers
        _complain(message)


def _complain(what) -> None:
    from anogan_lib import files

    files.complain(what)
