"""The parser of the command line, and `main`, which runs one command.

The commands are imported after parsing, so that `anogan --help` answers at once.
"""

import argparse
import contextlib
import json
import os
import shlex
import signal
import sys
import threading
import warnings

DATA_HELP = """\
DATA is one of
  hazelnut           rendered hazelnuts with four kinds of defect, built in
  digits:8           real handwritten 8x8 digits that come with scikit-learn; 8 is the normal class
  mnist:8            MNIST, and fashion_mnist:3; found under $ANOGAN_DATA or downloaded by Keras
  textures:brick     photographs of brick, gravel or grass that come with scikit-image, with drawn defects
  mvtec:hazelnut     a category of MVTec AD, found under $ANOGAN_DATA or downloaded
  a path             a folder in MVTec AD's layout (train/good, test/good, test/<defect>, and masks in
                     ground_truth/<defect>), one that holds a folder good/ (or OK/, normal/, healthy/ ...), or a flat
                     folder of good images; masks may also lie in masks/, gt/ or labels/, or beside their images
"""
EXAMPLES = """\
from nothing to found defects:
  anogan demo                                     figures and pictures in results/demo

your own parts:
  anogan train photos/good --out my_detector --size 64
  anogan score my_detector photos/new --csv scores.csv --overlays pictures
  anogan evaluate my_detector photos              where photos/ holds good and bad parts, folder by folder

`anogan COMMAND --help` shows the options of a command.
Exit codes: 0 done; 2 an error, named in one sentence; 130, 143 or 129 ended by Ctrl-C, SIGTERM or SIGHUP, and what was
written is kept: `anogan score` goes on with --resume, as does `anogan train`.
"""
RECIPES = ("best", "f-anogan", "paper")  # those of AnoGAN
CARD_OPTIONS = ("recipe", "normal", "latent_dim", "width", "epochs", "flips", "seed", "false_alarm_rate")  # on a card
SCORES = ("paper", "standardised", "f-anogan", "best")  # scores.NAMES, which would import TensorFlow


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 2 after an error, with one sentence on standard error; 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names that the terminal's encoding cannot hold
    argv = sys.argv[1:] if argv is None else list(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no notes about this processor
    args = _parse(argv)

    from anogan_lib.cli import commands, files

    def show_warning(message, category, *where) -> None:
        if category is UserWarning:  # those of the data sets; the other categories are for programmers
            files.complain(message)

    with warnings.catch_warnings(), _ending_as_by_ctrl_c():
        warnings.showwarning = show_warning
        try:
            getattr(commands, args.run)(args)
        except KeyboardInterrupt as interrupt:
            files.complain("interrupted; what was written is kept.")
            return 128 + (interrupt.args or (signal.SIGINT,))[0]
        except BrokenPipeError:  # the reader of `anogan score ... | head` has closed the pipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (ValueError, OSError, ImportError) as error:
            files.complain(error)
            return 2
        except MemoryError:
            files.complain("the memory is not enough for this.")
            return 2
    return 0


@contextlib.contextmanager
def _ending_as_by_ctrl_c():
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does, so that it keeps what was written. One that is ignored, as
    under nohup, stays ignored."""

    def end(number, _frame):
        raise KeyboardInterrupt(number)

    signals = (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))  # Windows has no SIGHUP
    main_thread = threading.current_thread() is threading.main_thread()  # only there can they be caught
    before = {each: signal.getsignal(each) for each in signals if main_thread}
    before = {each: handler for each, handler in before.items() if handler == signal.SIG_DFL}
    for each in before:
        signal.signal(each, end)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = _parser()
    args, more = parser.parse_known_args(argv)
    if more and vars(args).get("paths") == [] and not any(each.startswith("-") for each in more):
        args.paths, more = more, []  # argparse takes paths of any number to end where options begin
    if more:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if args.run == "train" and args.from_card:
        options = {word.partition("=")[0] for word in argv if word.startswith("--")}
        if more := [*[args.data] * bool(args.data), *sorted(options - {"--from-card", "--out", "--resume"})]:
            parser.error(f"a card names its own data and options: leave out {', '.join(more)}")
        argv = ["train", *_options_of(parser, args.from_card), "--out", args.out, *["--resume"] * args.resume]
        args = parser.parse_args(argv)
    elif args.run == "train" and not args.data:
        parser.error("the following arguments are required: DATA, or --from-card CARD")
    args.command = shlex.join(["anogan", *argv])
    return args


def _options_of(parser: argparse.ArgumentParser, path: str) -> list[str]:
    """Return data and options of a card.json as words of a command line."""
    try:
        with open(path, encoding="utf-8") as file:
            card = json.load(file)
        if missing := [name for name in (*CARD_OPTIONS, "data", "image_shape") if name not in card]:
            raise ValueError(f"{missing[0]!r} is missing")
        given = {name: card[name] for name in CARD_OPTIONS} | {"size": "x".join(map(str, card["image_shape"][:2]))}
    except (OSError, ValueError, TypeError) as error:
        parser.error(f"{path} is no card of anogan train, or one of an earlier version: {error}")
    given = {f"--{name.replace('_', '-')}": value for name, value in given.items() if value not in (None, False)}
    return [str(card["data"])] + [name if value is True else f"{name}={value}" for name, value in given.items()]


def _parser() -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    about = "Learns from good images alone, then finds defects (AnoGAN, Schlegl et al. 2017)."
    parser = argparse.ArgumentParser(
        prog="anogan", description=about, epilog=f"{EXAMPLES}\n{DATA_HELP}", formatter_class=layout
    )
    commands = parser.add_subparsers(title="commands", dest="run", metavar="COMMAND", required=True)

    def command(name: str, purpose: str, epilog: str = ""):
        """Add a command that calls the function of its name in `commands`; returns the method that adds options."""
        texts = {"help": purpose, "description": f"{purpose.capitalize()}.", "epilog": epilog}
        return commands.add_parser(name, **texts, formatter_class=layout).add_argument

    def add_detector(add, others: str = ""):
        folder = "a folder that anogan train wrote, or weights/hazelnut"
        add("detector", metavar="DETECTOR", help=f"{folder}{others}")
        lam = "lambda, the weight of D against R, 0 to 1; it weighs the losses again and does not search again"
        add("--lam", type=float, metavar="L", help=lam)
        meaning = "paper: raw sums of R and D; standardised: both in spreads of normal images; f-anogan: mean squares; "
        add("--score", metavar="NAME", choices=SCORES, help=f"{meaning}best: the places that differ most")

    def add_normal(add):
        meaning = 'the folder of normal images, where it has an unusual name; "." takes all images for normal'
        add("--normal", metavar="NAME", help=meaning)

    rate = "share of normal images that may be called anomalous"
    table = "FILE gets a row for each image: name, score, p_value, verdict, residual, discrimination, kind, label; "
    table += "a name or kind that begins as a formula does (= + - @) gets an apostrophe before it"

    command("demo", "find defects on built-in data with a trained detector")

    add = command("train", "train a detector on images of good parts", DATA_HELP)
    add("data", metavar="DATA", nargs="?", help="a data set, see below; training uses its normal images only")
    card = "card.json of a detector: train it again, with its data and options in place of those below"
    add("--from-card", metavar="CARD", help=card)
    add_normal(add)
    add("--out", metavar="DIR", required=True, help="folder for the detector")
    recipe = "paper: a search for z from a random start; f-anogan: an encoder finds z, as published; best: an encoder "
    recipe += "trained with patches, a generator adapted to it, and a local score (default: best)"
    add("--recipe", metavar="NAME", choices=RECIPES, default="best", help=recipe)
    add("--size", type=_size, metavar="S", help="64 or 64x48, 16 to 256 a side (default: the data's own)")
    add("--latent-dim", type=int, metavar="N", help="length of z (default: one for 64 pixels, at most 64)")
    width = "channels next to the image; time grows with its square (default: 32)"
    add("--width", type=int, default=32, metavar="W", help=width)
    add(
        "--epochs",
        type=int,
        metavar="N",
        help="total passes over the images (default: about 1,500 steps; with --recipe paper or f-anogan about 6,000)",
    )
    add("--flips", action="store_true", help="also train on mirrored images: for objects that may lie either way")
    add("--resume", action="store_true", help="continue an interrupted training from its last checkpoint")
    add("--seed", type=int, default=0, metavar="K", help="of weights, noise and order (default: 0)")
    add("--false-alarm-rate", type=float, default=0.05, metavar="A", help=f"{rate} (default: 0.05)")

    defaults = "Where an option is left out, the detector's own setting holds."
    add = command("score", "score images, one by one and folder by folder", defaults)
    add_detector(add, "; or FILE.tflite, which anogan export wrote and which needs no TensorFlow")
    paths = "images and folders of images, with all their subfolders; without one, FILE.tflite shows its card"
    add("paths", metavar="PATH", nargs="*", help=paths)
    steps = "steps of the search for z; the detector is calibrated again on its own images, which must still be there"
    add("--steps", type=int, metavar="N", help=steps)
    add("--false-alarm-rate", type=float, metavar="A", help=rate)
    add("--csv", metavar="FILE", help=f"{table}; without it, a table is printed")
    add("--json", metavar="FILE", help="the same rows, with the threshold and the settings")
    add("--resume", action="store_true", help="continue an interrupted run: the rows in --csv FILE are kept")
    overlays = "two pictures for each image: image, similar image, anomalies; an overlay"
    add("--overlays", metavar="DIR", help=overlays)

    purpose = "measure how good a detector is on labelled images"
    add = command("evaluate", purpose, f"{defaults}\n\n{DATA_HELP}")
    add_detector(add)
    add("data", metavar="DATA", help="a data set, see below; images that the detector has learned from are left out")
    add_normal(add)
    add("--json", metavar="FILE", help="every figure, under the names of an Evaluation's attributes")
    add("--csv", metavar="FILE", help=table)
    add("--report", metavar="FILE.html", help="figures, curves, pictures and settings in one file to hand on")

    purpose = "write a detector as one graph, for machines without TensorFlow"
    add = command("export", purpose, "A detector that searches for z (recipe paper) cannot be exported.")
    add_detector(add)
    add("--false-alarm-rate", type=float, metavar="A", help=rate)
    out = "FILE.tflite (LiteRT, one image at a time; anogan score reads it), FILE.onnx, or a folder (SavedModel)"
    add("--out", metavar="FILE", required=True, help=out)

    add = command("live", "write a page in which one draws an image and the search for z runs, in the browser")
    add_detector(add)
    add("--out", metavar="PAGE.html", required=True, help="one file, without Python, server or network")

    add = command("data", "show what is in a data set, what was left out and why", DATA_HELP)
    add("data", metavar="DATA", help="a data set, see below")
    add_normal(add)
    add("--out", metavar="DIR", help="also write it there, as folders in MVTec AD's layout")
    return parser


def _size(text: str) -> int | tuple[int, int]:
    """`64` or `64x48`, height first."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise argparse.ArgumentTypeError(f"64, or 64x48 for height 64 and width 48, is wanted, not {text!r}")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))
