"""Tables of scores: rows, a CSV file that can be continued or joined from several workers' parts, a printed table."""

import contextlib
import csv
import hashlib
import io
import math
import os
import re
from pathlib import Path

import numpy as np

from anogan_lib.checks import printable, writing
from anogan_lib.datasets.images import read_image
from anogan_lib.training import workers

COLUMNS = ("name", "score", "p_value", "verdict", "residual", "discrimination", "kind", "label")
NUMBERS = ("score", "p_value", "residual", "discrimination")
VERDICTS = ("normal", "anomalous")
TEXTS = ("name", "kind")  # a spreadsheet would compute those that begin as a formula does
FORMULA = re.compile(r"'*(\s*[=+\-@＝＋－＠]|[\t\r\n])")


def rows(found, names, kinds, labels) -> list[dict]:
    """Make a row for each image of a Prediction or an Evaluation; kinds and labels may be None, as may each of them."""
    verdicts = [VERDICTS[int(verdict)] for verdict in found.verdicts]
    columns = (names, found.scores, found.p_values, verdicts, found.residual, found.discrimination, kinds, labels)
    plain = ([None] * len(names) if each is None else np.array(each, object).tolist() for each in columns)
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*plain, strict=True)]


class Table:
    """Write rows to a CSV file, which is opened at the first row and kept open: a FIFO cannot be opened again.

    A name or kind that a spreadsheet would take for a formula gets an apostrophe before it; `read` takes it away.
    """

    def __init__(self, path, append: bool = False):
        self.path, self.append, self.file = Path(path), append, None

    def write(self, some: list[dict]) -> None:
        with writing(self.path):
            if self.file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                mode = "a" if self.append else "w"
                self.file = self.path.open(mode, newline="", encoding="utf-8", errors="surrogateescape")
                if not self.append:
                    csv.writer(self.file).writerow(COLUMNS)
            texts = [{name: _harmless(row[name]) for name in TEXTS} for row in some]
            csv.DictWriter(self.file, COLUMNS).writerows(row | text for row, text in zip(some, texts, strict=True))
            self.file.flush()

    def close(self) -> None:
        if self.file is not None:
            with writing(self.path):
                self.file.close()


def write(path, some: list[dict]) -> None:
    """Write rows into a CSV file."""
    with contextlib.closing(Table(path)) as table:
        table.write(some)


def _harmless(text: str | None) -> str | None:
    return f"'{text}" if text and FORMULA.match(text) else text


def _as_it_was(text: str) -> str:
    return text[1:] if text[:1] == "'" and FORMULA.match(text) else text


def show(some: list[dict], header: bool) -> None:
    """Print rows, below a header if there is none yet."""
    if header:
        print(f"{'score':>10}  {'p-value':>8}  {'verdict':<9}  name")
    for row in some:
        name = printable(row["name"])
        print(f"{row['score']:>10.4g}  {row['p_value']:>8.4f}  {row['verdict']:<9}  {name}", flush=True)


def read(path) -> list[dict]:
    """Read the rows that an earlier run left in a CSV file, [] without a file, and cut off an incomplete last line.

    Raises:
        ValueError: the file is no table of scores.
    """
    path = Path(path)
    content = path.read_bytes() if path.is_file() else b""
    parts = content.split(b'"')  # the first, third, ... lie outside names, which may hold line breaks
    last = max((i for i in range(0, len(parts), 2) if b"\n" in parts[i]), default=0)
    whole = content[: len(content) - len(b'"'.join(parts[last:])) + parts[last].rfind(b"\n") + 1]
    lines = csv.DictReader(io.StringIO(whole.decode("utf-8", "surrogateescape"), newline=""))
    cut_header = not whole and f"{','.join(COLUMNS)}\r\n".encode().startswith(content)  # or an empty file
    if not cut_header and tuple(lines.fieldnames or ()) != COLUMNS:
        raise ValueError(f"{path} is no table of scores: its columns are not {', '.join(COLUMNS)}.")
    found = []
    try:
        for line in lines:
            numbers = {name: float(line[name]) for name in NUMBERS}
            label = int(line["label"]) if line["label"] else None
            if len(line) > len(COLUMNS) or not all(map(math.isfinite, numbers.values())):
                raise ValueError
            texts = {"name": _as_it_was(line["name"]), "kind": _as_it_was(line["kind"]) or None}
            found.append(line | numbers | texts | {"label": label})
    except (ValueError, TypeError, csv.Error):
        raise ValueError(f"{path} is no table of scores: not every row has the numbers that belong there.") from None
    if whole != content:
        os.truncate(path, len(whole))
    return found


def resume(path, detector) -> list[dict]:
    """Read an earlier run's rows, score one of its images again, and compare every verdict with the present threshold.

    Raises:
        ValueError: another detector wrote them, other settings or another threshold.
    """
    found, threshold = read(path), detector.threshold
    advice = "Choose another --csv, or leave out --resume to start over."
    row = next((row for row in found if Path(row["name"]).is_file()), None)
    if row:
        image = read_image(row["name"], detector.image_shape, detector.value_range)
        now, then = float(detector.predict(image[None]).scores[0]), row["score"]
        if not math.isclose(now, then, rel_tol=1e-3, abs_tol=1e-6):
            raise ValueError(
                f"{path} was written by another detector or with other settings: {row['name']} has the score "
                f"{then:.4g} there and {now:.4g} now. {advice}"
            )
    for row in found:
        verdict = VERDICTS[int(row["score"] > threshold)]
        if row["verdict"] != verdict:
            raise ValueError(
                f"{path} was written with another threshold: {row['name']} is {row['verdict']} there and {verdict} "
                f"at {threshold:.4g}. {advice}"
            )
    return found


class Parts:
    """The files that one of several workers scores, and its part of the table; one worker alone has all of both.

    Args:
        table: the CSV file, or None.
        names: of all images, in order.
        about: what scores depend on. Parts of workers for which it or the names differ are never joined.

    Attributes:
        worker, count: this worker's number, and how many there are.
        table: where this worker writes.
    """

    def __init__(self, table: str | None, names: list[str], about, resume: bool):
        self.worker, self.count = workers.of_environment()
        self.whole = self.table = table
        if self.count == 1:
            return
        if not table:
            raise ValueError("Several workers (TF_CONFIG) join their scores in one table: name it with --csv FILE.")
        self.order = {name: i for i, name in enumerate(names)}
        key = hashlib.sha256(repr((names, about)).encode(errors="surrogateescape")).hexdigest()[:8]
        self.parts = [Path(f"{table}.{key}-{i + 1}-of-{self.count}") for i in range(self.count)]
        own = self.parts[self.worker]
        self.table = Path(f"{own}.unfinished")
        if own.is_file():  # this worker had finished, and was started again
            os.replace(own, self.table)
        if not resume:
            self.table.unlink(missing_ok=True)

    def finish(self) -> list[dict] | None:
        """Declare this worker's part finished, and join the table if it was the last; returns its rows then."""
        self.table.parent.mkdir(parents=True, exist_ok=True)
        self.table.touch()  # where no image could be read
        os.replace(self.table, self.parts[self.worker])
        if not self._all_there():
            return None
        found = sorted((row for part in self.parts for row in read(part)), key=lambda row: self.order[row["name"]])
        if not self._all_there():  # another worker has finished at the same time, and joined them
            return None
        write(self.table, found)
        os.replace(self.table, os.path.realpath(self.whole))
        for part in self.parts:
            part.unlink(missing_ok=True)
        return found

    def _all_there(self) -> bool:
        return all(part.is_file() for part in self.parts)
