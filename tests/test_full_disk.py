"""A disk that is full, or a folder that cannot be written to: the place is named, and what was there is kept."""

import contextlib
import resource
import shutil
from collections import namedtuple

import numpy as np
import pytest

from anogan_lib import DCGAN, AnoGAN, saving
from anogan_lib.cli import tables

SHAPE = (16, 16, 1)


@contextlib.contextmanager
def files_no_larger_than(most):
    """The system refuses to write more than so many bytes into any file, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def gan(**settings):
    return DCGAN(SHAPE, latent_dim=4, width=4, **settings)


def images():
    return np.random.default_rng(0).uniform(-1, 1, (8, *SHAPE)).astype("float32")


OPTIONS = {"batch_size": 4, "checkpoint_every": 1, "verbose": False}


@pytest.mark.parametrize("most", [0, 10, 200, 5000, 30_000])
def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(most, tmp_path):
    trained = gan()
    trained.train(images(), epochs=1, checkpoint_dir=tmp_path, **OPTIONS)
    before = {path.name for path in tmp_path.iterdir()}
    with files_no_larger_than(most), pytest.raises(OSError, match=f"{tmp_path}.*The last one is kept"):
        gan().train(images(), epochs=3, checkpoint_dir=tmp_path, **OPTIONS)
    assert {path.name for path in tmp_path.iterdir()} == before
    resumed, whole = gan(), gan()
    assert len(resumed.train(images(), epochs=2, checkpoint_dir=tmp_path, **OPTIONS).d_loss) == 2
    whole.train(images(), epochs=2, **OPTIONS)
    np.testing.assert_allclose(resumed.sample(2), whole.sample(2), atol=1e-5)


def test_too_little_room_is_found_before_training(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    trained = gan()
    with pytest.raises(OSError, match=f"{tmp_path} has 0 MB left"):
        trained.train(images(), epochs=1, checkpoint_dir=tmp_path, **OPTIONS)
    assert not int(trained.steps_done)


def test_a_place_that_cannot_be_written_to_is_found_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    trained = gan()
    with pytest.raises(OSError, match="file"):
        trained.train(images(), epochs=1, checkpoint_dir=tmp_path / "file" / "below", **OPTIONS)
    with pytest.raises(OSError, match="proc"):
        trained.train(images(), epochs=1, checkpoint_dir="/proc/anogan", **OPTIONS)
    assert not int(trained.steps_done)


@pytest.mark.parametrize("most", [0, 300, 5000, 30_000])
def test_a_detector_that_cannot_be_saved_leaves_the_one_before(most, tmp_path):
    first, second = AnoGAN(gan(seed=1)), AnoGAN(gan(seed=2))
    first.save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with files_no_larger_than(most), pytest.raises(OSError) as error:
        second.save(tmp_path)
    assert str(tmp_path) in str(error.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert AnoGAN.load(tmp_path).gan.settings.seed == 1


def test_a_text_that_cannot_be_written_is_named(tmp_path):
    saving.write_text(tmp_path / "a.csv", "before")
    with files_no_larger_than(10), pytest.raises(OSError, match=r"a\.csv"):
        saving.write_text(tmp_path / "a.csv", "after" * 10)
    assert (tmp_path / "a.csv").read_text() == "before" and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(OSError, match="/dev/full"):
        saving.write_text("/dev/full", "text")


def test_a_table_that_cannot_be_written_is_named():
    table = tables.Table("/dev/full")
    with pytest.raises(OSError, match="/dev/full"):
        table.write([dict.fromkeys(tables.COLUMNS, "a")])
    with contextlib.suppress(OSError):
        table.close()
