"""Damaged files in every format that Pillow writes: each is scored or named in a line, and none ends the run."""

import io
import json

import numpy as np
from PIL import Image

from anogan_lib.cli.main import main

DAMAGES = 8


def written(rng) -> dict[str, bytes]:
    """A picture, grey and in colour, in every format that Pillow can write here: {name of the file: its bytes}."""
    Image.init()
    pixels, files = rng.integers(0, 256, (28, 28, 3), np.uint8), {}
    for mode in ("L", "RGB"):
        for ending, form in Image.registered_extensions().items():
            stream = io.BytesIO()
            if form in Image.SAVE and not any(name.startswith(f"{form}-{mode}.") for name in files):
                try:
                    Image.fromarray(pixels).convert(mode).save(stream, form)
                except (OSError, ValueError):  # the format does not hold such pictures
                    continue
                files[f"{form}-{mode}{ending}"] = stream.getvalue()
    return files


def damaged(data: bytes, kind: int, rng) -> bytes:
    """Cut the file, change bytes of its head or of all of it, put large numbers into its head, or noise into it."""
    bytes_ = bytearray(data)
    if kind % 4 == 0:
        return data[: rng.integers(1, len(data))]
    if kind % 4 == 1:
        for _ in range(rng.integers(1, 9)):
            bytes_[rng.integers(0, min(len(data), 200 if kind < 4 else len(data)))] = rng.integers(0, 256)
    elif kind % 4 == 2:
        place = rng.integers(0, min(len(data), 120))
        bytes_[place : place + 4] = b"\xff\xff\xff\x7f"
    else:
        place = rng.integers(0, len(data))
        bytes_[place:place] = rng.bytes(200)
    return bytes(bytes_)


def test_a_damaged_file_of_any_format_is_scored_or_named(tiny_detector, tmp_path, capsys, monkeypatch):
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    files = written(rng)
    for name, data in files.items():
        (folder / name).write_bytes(data)
        for kind in range(DAMAGES):
            (folder / f"{kind}-{name}").write_bytes(damaged(data, kind, rng))
    assert len({name.split("-")[0] for name in files}) >= 20  # formats
    monkeypatch.chdir(tmp_path)
    assert main(["score", str(tiny_detector), "images", "--json", "scores.json"]) == 0
    errors = capsys.readouterr().err
    lines = [line.rpartition("\r")[2] for line in errors.splitlines() if "Cannot read" in line]
    named = {line.split("Cannot read ")[1].split(": ")[0] for line in lines}
    scored = {row["name"] for row in json.loads((tmp_path / "scores.json").read_text())["images"]}
    assert not named & scored and named | scored == {f"images/{file.name}" for file in folder.iterdir()}
    assert {f"images/{name}" for name in files if "EPS" not in name and "PDF" not in name} <= scored
    assert "Traceback" not in errors and all(len(line) < 400 for line in lines)
