"""Files on the way in and out of the command line: images of a folder, rows, pictures, detectors.

What is written is written whole or row by row, so that an interruption leaves nothing torn and loses nothing.
"""

import csv
import hashlib
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from anogan_lib.datasets.images import natural_key, read_image

COLUMNS = ("name", "score", "p_value", "verdict", "residual", "discrimination", "kind", "label")
VERDICTS = ("normal", "anomalous")
BATCH = 64  # images read, scored and written together


def complain(error: Exception | str) -> None:
    """One line on standard error, clear of any progress bar."""
    if isinstance(error, OSError) and error.strerror:
        error = f"{error.filename or 'a file'}: {error.strerror}"
    sentence = " ".join(str(error).split()) or type(error).__name__
    tqdm.write(f"anogan: {sentence}", file=sys.stderr)


# ---- in


def find(paths: Iterable[str]) -> Iterator[tuple[Path, Path]]:
    """Every file of `paths` once, folders searched to their ends in natural order.

    Gives (file, name for its pictures). Left out are hidden files, and ground_truth folders: masks are no
    photographs.
    """
    paths = [Path(path) for path in paths]
    several = sum(path.is_dir() for path in paths) > 1
    seen = set()
    for path in paths:
        folder = path if path.is_dir() else path.parent
        found = [path]
        if path.is_dir():
            found = [file for file in _inside(path) if file.is_file() and not _left_out(file.relative_to(path))]
            found.sort(key=lambda file: [natural_key(part) for part in file.parts])
            if not found:
                complain(f"{path} holds no files.")
        for file in found:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                name = file.relative_to(folder)
                # The folder's own name keeps apart what several folders hold.
                yield file, Path(path.resolve().name) / name if path.is_dir() and several else name


def _inside(folder: Path) -> Iterator[Path]:
    """What lies in a folder and below it, links followed, none of them twice."""
    seen = set()
    for place, below, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            below.clear()
        else:
            seen.add(real)
            yield from (Path(place) / name for name in names)


def _left_out(relative: Path) -> bool:
    return "ground_truth" in relative.parts or any(part.startswith(".") for part in relative.parts)


def kind_of(file: Path) -> tuple[str | None, int | None]:
    """Kind and label by the folder: good/ holds normal images, a folder beside it, or in test/, a kind of defect."""
    folder = Path(os.path.abspath(file)).parent  # a link's own place, not that of what it points to
    if folder.name == "good":
        return "good", 0
    beside = [folder.parent / "good"] + [folder.parents[1] / "train" / "good"] * (folder.parent.name == "test")
    return (folder.name, 1) if any(good.is_dir() for good in beside) else (None, None)


def read_batches(files: list, image_shape) -> Iterator[tuple[list, np.ndarray]]:
    """(files, images (n, H, W, C)) of what can be read; a line on standard error names what cannot.

    While one batch is looked at, the next is read.
    """

    def read(file: tuple[Path, Path]):
        try:
            return read_image(file[0], image_shape)
        except FileNotFoundError as error:
            return ValueError(str(error))
        except OSError as error:
            return ValueError(f"Cannot read {file[0]}: {error.strerror or error}.")
        except ValueError as error:
            return error

    with ThreadPoolExecutor(4) as pool, tqdm(total=len(files), unit="image", desc="scoring") as bar:
        batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        batches.append([])
        ahead = pool.map(read, batches[0])
        for batch, following in pairwise(batches):
            images, ahead = list(ahead), pool.map(read, following)
            for error in images:
                if isinstance(error, ValueError):
                    complain(error)
            good = [i for i, image in enumerate(images) if not isinstance(image, ValueError)]
            if good:
                yield [batch[i] for i in good], np.stack([images[i] for i in good])
            bar.update(len(batch))


# ---- out


def check_places(*paths) -> None:
    """ValueError, before any work, where two of the files to be written are one or a folder has the name."""
    paths = [os.path.abspath(path) for path in paths if path]
    for path in paths:
        if os.path.isdir(path):
            raise ValueError(f"{path} is a folder; name a file to be written.")
        if paths.count(path) > 1:
            raise ValueError(f"{path} is named for two results; give each a file of its own.")


def write_text(path, text: str) -> None:
    """Write a file whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_json(path, content) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")


def rows(found, names, kinds, labels) -> list[dict]:
    """A row for each image of a Prediction or an Evaluation; kind and label are None where unknown."""
    return [
        {
            "name": str(names[i]),
            "score": float(found.scores[i]),
            "p_value": float(found.p_values[i]),
            "verdict": VERDICTS[int(found.verdicts[i])],
            "residual": float(found.residual[i]),
            "discrimination": float(found.discrimination[i]),
            "kind": None if kinds is None or kinds[i] is None else str(kinds[i]),
            "label": None if labels is None or labels[i] is None else int(labels[i]),
        }
        for i in range(len(names))
    ]


def rows_written(path) -> list[dict]:
    """The rows of a CSV file that an earlier run left; a torn last line is cut off. [] where there is no file."""
    path = Path(path)
    content = path.read_bytes() if path.is_file() else b""
    head, first = ",".join(COLUMNS).encode(), content.split(b"\n")[0]
    if first.rstrip(b"\r") != head and not (first == content and head.startswith(first)):  # itself torn, or not there
        raise ValueError(f"{path} is no table of scores: its columns are not {', '.join(COLUMNS)}.")
    whole = content[: content.rfind(b"\n") + 1]
    numbers = ("score", "p_value", "residual", "discrimination")
    try:
        found = [
            row
            | {name: float(row[name]) for name in numbers}
            | {"kind": row["kind"] or None, "label": int(row["label"]) if row["label"] else None}
            for row in csv.DictReader(io.StringIO(whole.decode("utf-8", "surrogateescape"), newline=""))
        ]
    except (ValueError, TypeError):
        raise ValueError(f"{path} is no table of scores: not every row has the numbers that belong there.") from None
    if whole != content:
        path.write_bytes(whole)
    return found


def resume(path, detector) -> list[dict]:
    """The rows that an earlier run left in a table, where this detector with these settings wrote them.

    One image that is still there is scored anew, and every verdict must be that of the present threshold.
    """
    found = rows_written(path)
    again = "Choose another --csv, or leave out --resume to write it anew."
    for row in [row for row in found if Path(row["name"]).is_file()][:1]:
        image = read_image(row["name"], detector.image_shape)
        now, then = float(detector.predict(image[None]).scores[0]), row["score"]
        if abs(now - then) > 1e-3 * max(abs(now), abs(then), 1e-3):
            raise ValueError(
                f"{path} was written by another detector or with other settings: {row['name']} has the score "
                f"{then:.4g} there and {now:.4g} now. {again}"
            )
    for row in found:
        verdict = VERDICTS[int(row["score"] > detector.threshold)]
        if row["verdict"] != verdict:
            raise ValueError(
                f"{path} was written with another threshold: {row['name']} is {row['verdict']} there and {verdict} "
                f"at {detector.threshold:.4g}. {again}"
            )
    return found


def csv_writer(stack: ExitStack, path, append: bool = False):
    """Opens a CSV file and writes its head, or goes on behind its rows; gives a function that writes rows.

    They are on disk when it returns.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = stack.enter_context(
        path.open("a" if append else "w", newline="", encoding="utf-8", errors="surrogateescape")
    )
    writer = csv.DictWriter(file, COLUMNS)
    if not append:
        writer.writeheader()

    def write(some: list[dict]) -> None:
        writer.writerows(some)
        file.flush()

    return write


def table_writer():
    """Prints the head of a table; gives a function that prints rows."""
    print(f"{'score':>10}  {'p-value':>8}  {'verdict':<9}  name")

    def write(some: list[dict]) -> None:
        for row in some:
            name = os.fsencode(row["name"]).decode(errors="replace")
            print(f"{row['score']:>10.4g}  {row['p_value']:>8.4f}  {row['verdict']:<9}  {name}", flush=True)

    return write


class Pictures:
    """Two files for each image: the classic three pictures, NAME.png, and the overlay, NAME_overlay.png.

    The colours' scale is the detector's, so that pictures of different runs compare.
    """

    LEAST = 256  # pixels of an overlay's longer side; smaller ones are enlarged by a whole factor
    LONGEST = 230  # bytes of a name, which with its ending must not be above 255

    def __init__(self, folder, detector):
        self.folder, self.used = Path(folder), set()
        self.threshold, self.vmax = detector.threshold, detector.map_scale

    def name(self, name: Path) -> str:
        """The name of the next pictures, unlike all before: a.png and a.jpg become a.png and a-2.png."""
        name = name.with_suffix("")
        if len(os.fsencode(name.name)) > self.LONGEST:
            name = name.with_name(os.fsencode(name.name)[: self.LONGEST].decode(errors="ignore"))
        stem = again = name.as_posix()
        count = 1
        while {again, f"{again}_overlay"} & self.used:
            count += 1
            again = f"{stem}-{count}"
        self.used |= {again, f"{again}_overlay"}
        return again

    def write(self, name: Path, image, found, i: int) -> None:
        """Pictures of image (H, W, C), the i-th of the Prediction `found`."""
        from PIL import Image

        from anogan_lib import figures

        again = self.name(name)
        path = self.folder / f"{again}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        scale = {"vmax": self.vmax, "threshold": self.threshold}
        figures.comparison(image, found.reconstruction[i], found.maps[i], found.scores[i], **scale).savefig(path)
        overlay = Image.fromarray(figures.overlay_image(image, found.maps[i], vmax=self.vmax))
        factor = max(1, self.LEAST // max(overlay.size))
        overlay.resize((overlay.width * factor, overlay.height * factor), Image.Resampling.NEAREST).save(
            self.folder / f"{again}_overlay.png"
        )


def keep_to(record: Path, data) -> None:
    """ValueError where a training was begun on other images than these; where `record` is new, it is written."""
    seen = hashlib.sha256(repr([data.train.names.tolist(), data.calibration.names.tolist()]).encode())
    seen.update(data.train[[0, -1]].images.tobytes())
    present = {"data": data.name, "training_images": len(data.train), "sha256": seen.hexdigest()}
    if not record.is_file():
        return write_json(record, present)
    begun = json.loads(record.read_text(encoding="utf-8"))
    if begun["sha256"] != present["sha256"]:
        raise ValueError(
            f"The training in {record.parent} was begun on other images: {begun['training_images']} of "
            f"{begun['data']}. Choose another --out. Received: {len(data.train)} of {data.name}."
        )


def write_detector(detector, folder: Path, card: dict) -> None:
    """Save beside the old files, then put each in its place; detector.json, which makes it one, last."""
    unfinished = folder / ".unfinished"
    detector.save(unfinished, card=card)
    (unfinished / "card.md").write_text(_card_as_text(card), encoding="utf-8")
    for file in sorted(unfinished.iterdir(), key=lambda file: file.name == "detector.json"):
        os.replace(file, folder / file.name)
    unfinished.rmdir()


def short(value) -> str:
    """A card's entry for people: no braces, numbers of four digits."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {short(each)}" for key, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _card_as_text(card: dict) -> str:
    """The card as a small Markdown page."""
    lines = [
        f"# Detector trained on {card['data']}",
        "",
        card["description"],
        "",
        f"    {card['command']}",
        "",
    ]
    for name in ("image_shape", "images", "seed", "epochs", "minutes", "threshold"):
        lines.append(f"- {name.replace('_', ' ')}: {short(card[name])}")
    lines += [f"- {name.replace('_', ' ')}: {short(value)}" for name, value in card["results"].items()]
    return "\n".join(lines) + "\n"
