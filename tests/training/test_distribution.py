"""On several devices or workers a training has the losses that one device has with the joint batch."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from anogan_lib import DCGAN
from anogan_lib.training import distribution

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


def started(command: list[str], cluster: dict | None = None, worker: int = 0) -> subprocess.Popen:
    config = {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": worker}})}
    environment = os.environ | QUIET | (config if cluster else {})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *command], env=environment, **pipes)


def two_workers(command: list[str]) -> list[subprocess.Popen]:
    """Start a command as two workers on free ports of this machine."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    cluster = {"worker": [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]}
    for each in sockets:
        each.close()
    return [started(command, cluster, worker) for worker in range(2)]


def ended(processes: list[subprocess.Popen]) -> list[str]:
    """Wait for processes to end well; returns what they have printed."""
    said = [each.communicate(timeout=900) for each in processes]
    assert [each.returncode for each in processes] == [0] * len(processes), said
    return [out for out, _ in said]


def losses(printed: str) -> dict:
    return json.loads(printed.splitlines()[-1])


@pytest.fixture(scope="module")
def alone():
    """The figures of 20 steps of each training on one device."""
    return losses(*ended([started(["-m", "tests.training.replica", "one", "20"])]))


@pytest.mark.parametrize("where", ["devices", "workers"])
def test_losses_are_those_of_the_joint_batch(where, alone):
    command = ["-m", "tests.training.replica", where, "20"]
    for printed in ended(two_workers(command) if where == "workers" else [started(command)]):
        together = losses(printed)
        assert together.keys() == alone.keys() and len(alone) == 4
        for name, steps in alone.items():
            assert len(steps) == len(together[name]) == 20
            for one, two in zip(steps, together[name], strict=True):
                assert two == pytest.approx(one, rel=1e-4, abs=1e-4), name


def kept_history(folder) -> list[float]:
    """The losses of D in the last checkpoint."""
    last = max(folder.glob("checkpoint/ckpt-*.json"), key=lambda file: int(file.stem[5:]))
    return json.loads(last.read_text())["history"]["d_loss"]


def test_a_killed_training_worker_goes_on_from_the_checkpoint(tmp_path):
    parts, out = tmp_path / "parts", tmp_path / "out"
    parts.mkdir()
    for i, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (60, 16, 16), "uint8")):
        Image.fromarray(pixels).save(parts / f"{i}.png")
    code = "import sys; from anogan_lib.training import checkpoints; checkpoints.EVERY_SECONDS = 0.1\n"
    code += "from anogan_lib.cli import main; sys.exit(main(sys.argv[1:]))"
    command = ["-c", code, "train", str(parts), "--latent-dim", "4", "--width", "4", "--recipe", "paper"]
    command += ["--false-alarm-rate", "0.2", "--resume", "--out", str(out), "--epochs"]
    chief, killed = two_workers([*command, "5000"])
    deadline = time.monotonic() + 600
    while not any(int(file.stem[5:]) > 2 for file in out.glob("checkpoint/ckpt-*.index")):
        assert time.monotonic() < deadline and chief.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    said = chief.communicate(timeout=600)[1]
    assert chief.returncode != 0 and "start all workers again" in said
    before = kept_history(out)
    assert not (out / "detector.json").exists()

    ended(two_workers([*command, str(len(before) + 3)]))
    assert kept_history(out)[: len(before)] == before and len(kept_history(out)) == len(before) + 3
    card = json.loads((out / "card.json").read_text())
    assert card["replicas"] == 2 and card["epochs"] == len(before) + 3


def test_workers_read_shards_that_make_up_the_joint_batch(monkeypatch):
    monkeypatch.setattr(distribution, "replicas", lambda: 6)
    rows = []
    for worker in range(3):
        monkeypatch.setattr(distribution, "workers", lambda worker=worker: (worker, 3))
        rows.append(distribution.rows_of_worker(24))
    assert np.array_equal(rows[1][:4], [2, 3, 8, 9])  # its two replicas take every other one of these
    assert sorted(np.concatenate(rows)) == list(range(24))


@pytest.mark.parametrize(
    ("replicas", "wanted", "images", "found"), [(1, 32, 20, 20), (2, 32, 99, 32), (64, 32, 999, 256)]
)
def test_a_joint_batch_has_four_images_for_each_replica(replicas, wanted, images, found, monkeypatch):
    monkeypatch.setattr(distribution, "replicas", lambda: replicas)
    assert distribution.joint_batch(wanted, images) == found


def test_too_few_images_for_all_replicas_are_refused(monkeypatch):
    monkeypatch.setattr(distribution, "replicas", lambda: 8)
    with pytest.raises(ValueError, match="at least 32 images"):
        distribution.joint_batch(16, 31)


def test_a_gan_is_trained_under_the_strategy_that_it_was_made_under():
    images = np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 1)).astype("float32")
    gan = DCGAN((16, 16, 1), latent_dim=4, width=4)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ValueError, match="within the same"):
        patch.setattr(distribution, "replicas", lambda: 2)
        gan.train(images, epochs=1, verbose=False)
