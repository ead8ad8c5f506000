"""What the fuzzer found, and what it starts from: no reader stumbles over any of it."""

import pytest

from tests import fuzz

FOUND = sorted(file for file in fuzz.KEPT.rglob("*") if file.is_file())


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_was_found_is_found_no_more(file):
    fuzz.TARGETS[file.parent.name](file.read_bytes())


@pytest.mark.filterwarnings("ignore")  # of what Pillow says about damaged files
@pytest.mark.parametrize("target", ["image", "mask", "table"])
def test_every_seed_keeps_the_promises(target):
    seeds = fuzz.seeds(target)
    assert len(seeds) >= 4
    for content in seeds:
        fuzz.TARGETS[target](content)


def test_a_reader_that_breaks_its_promise_is_caught(monkeypatch):
    """So that a fuzzer which finds nothing says something."""
    sound = fuzz.seeds("table")[2]
    fuzz.table(sound)
    monkeypatch.setattr("anogan_lib.cli.tables.math.isfinite", lambda _: True)
    with pytest.raises(AssertionError):
        fuzz.table(sound.replace(b"0.5", b"inf"))
    monkeypatch.setattr("anogan_lib.datasets.masks.marked", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fuzz.mask(fuzz.seeds("mask")[0])
