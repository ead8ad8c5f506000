"""The parser of the command line, and `main`, which runs one command.

The commands are imported after parsing, so that `anogan --help` answers at once.
"""

import argparse
import contextlib
import os
import shlex
import signal
import sys
import threading
import tomllib
import warnings
from pathlib import Path

from anogan_lib.checks import out_of_memory

RECIPES = ("best", "f-anogan", "paper")  # those of AnoGAN
CARD_OPTIONS = ("recipe", "normal", "latent_dim", "width", "epochs", "flips", "seed", "false_alarm_rate")  # on a card
LATER = ("groups", "estimate")  # also on a card, but missing on older ones
SCORES = ("paper", "standardised", "f-anogan", "best")  # scores.NAMES, which would import TensorFlow


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 2 after an error, with one sentence on standard error; 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as under some services
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        if hasattr(stream := getattr(sys, name), "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names that the terminal's encoding cannot hold
    argv = sys.argv[1:] if argv is None else list(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no notes about this processor
    args = _parse(argv)

    try:
        from anogan_lib.cli import commands, files
    except KeyboardInterrupt:  # nothing has been done
        return 130

    def show_warning(message, category, *where) -> None:
        if category is UserWarning:  # those of the data sets; the other categories are for programmers
            files.complain(message)

    with warnings.catch_warnings(), _ending_as_by_ctrl_c():
        warnings.showwarning = show_warning
        warnings.filterwarnings("ignore", module=r"PIL\.")  # they name no file; one that cannot be read gets its line
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
        except Exception as error:
            if not out_of_memory(error):
                raise
            files.complain("the memory is not enough for this; in training, a smaller --size or --width needs less.")
            return 2
    return 0


@contextlib.contextmanager
def _ending_as_by_ctrl_c():
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does; one that is ignored, as under nohup, stays ignored."""

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
    if empty := [name for name, value in vars(args).items() if name != "groups" and (value == "" or value == [""])]:
        parser.error(f"{empty[0]} is empty, perhaps a variable of the shell that is not set")
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
    from anogan_lib.training.reading import parsed, read_plain

    try:
        card = parsed(read_plain(Path(path)))
        if missing := [name for name in (*CARD_OPTIONS, "data", "image_shape") if name not in card]:
            raise ValueError(f"{missing[0]!r} is missing")
        given = {name: card.get(name) for name in CARD_OPTIONS + LATER}
        given["size"] = "x".join(map(str, card["image_shape"][:2]))
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        parser.error(f"{path} is no card of anogan train, or one of an earlier version: {error}")
    given = {f"--{name.replace('_', '-')}": value for name, value in given.items() if value not in (None, False)}
    return [str(card["data"])] + [name if value is True else f"{name}={value}" for name, value in given.items()]


def _parser() -> argparse.ArgumentParser:
    about = tomllib.loads(Path(__file__).with_name("options.toml").read_text(encoding="utf-8"))
    texts, shared = about["texts"], about["options"]
    kinds = {"int": int, "float": float, "size": _size, "recipes": RECIPES, "scores": SCORES}
    layout = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    epilog = "{examples}\n{data}".format_map(texts)
    parser = argparse.ArgumentParser(prog="anogan", description=texts["about"], epilog=epilog, **layout)
    commands = parser.add_subparsers(title="commands", dest="run", metavar="COMMAND", required=True)
    for name, command in about["commands"].items():
        purpose, epilog = command["purpose"], command.get("epilog", "").format_map(texts)
        description = f"{purpose.capitalize()}."
        add = commands.add_parser(name, help=purpose, description=description, epilog=epilog, **layout).add_argument
        for option, own in command.get("options", {}).items():
            parts = shared.get(option, {}) | own
            parts |= {key: kinds[parts[key]] for key in ("type", "choices") if key in parts}
            add(option, **parts | {"help": parts["help"].format_map(texts)})
    return parser


def _size(text: str) -> int | tuple[int, int]:
    """Read a size, `64` or `64x48`, height first."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise argparse.ArgumentTypeError(f"64, or 64x48 for height 64 and width 48, is wanted, not {text!r}")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))
