"""Checkpoints: one each minute with what is unfinished, none of what is not finite, no history of a removed one."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

from anogan_lib.training import checkpoints
from anogan_lib.training.checkpoints import Checkpoints


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


@pytest.mark.parametrize("steps", [[1.5, 2.5], [[1.5, 0.0], [2.5, 1.0]]])
def test_unfinished_steps_are_saved_once_a_minute(steps, clock, tmp_path):
    kept = Checkpoints(tmp_path, {}, step=(step := tf.Variable(0)))
    some = tf.nest.map_structure(tf.constant, steps)
    for clock.now in range(200):
        step.assign_add(1)
        kept.save_each_minute({"loss": [3.0]}, some)
    assert sorted(path.name for path in tmp_path.glob("*.index")) == ["ckpt-2.index", "ckpt-3.index"]
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["ckpt-2.json", "ckpt-3.json"]
    again = Checkpoints(tmp_path, {}, step=(found := tf.Variable(0)))
    assert again.restore() == {"loss": [3.0], "unfinished": steps} and int(found) == 3 * 61 + 1


@pytest.mark.parametrize(
    "history",
    ['{"loss": "a"}', '{"loss": ["a"]}', "{}", '{"loss": [], "more": 1}', "[]", '{"loss": [NaN]}', "[" * 10**5],
)
def test_a_history_that_is_none_is_named(history, tmp_path):
    kept = Checkpoints(tmp_path, {}, step=tf.Variable(0))
    kept.save({"loss": [3.0]})
    assert kept.restore({"loss": []}) == {"loss": [3.0]}
    (tmp_path / "ckpt-1.json").write_text('{"settings": {}, "history": ' + history + "}")
    with pytest.raises(ValueError, match=f"The checkpoint in {tmp_path} cannot be read"):
        kept.restore({"loss": []})


def test_steps_that_are_not_finite_are_not_saved(clock, tmp_path):
    kept = Checkpoints(tmp_path, {}, step=tf.Variable(0))
    clock.now = 61
    kept.save_each_minute({"loss": []}, [tf.constant(1.0), tf.constant(float("nan"))])
    assert kept.restore() is None


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    """Losses are those before a step: one that ruined the weights was saved as the last good one."""
    weights = tf.Variable([1.0, 2.0])
    kept = Checkpoints(tmp_path, {}, weights=weights)
    kept.save({"loss": [3.0]})
    weights.assign([1.0, float("nan")])
    with pytest.raises(ValueError, match=f"diverged; the last good weights are in {tmp_path}"):
        kept.save({"loss": [3.0, 2.0]})
    assert kept.restore() == {"loss": [3.0]} and weights.numpy().tolist() == [1.0, 2.0]


def test_a_checkpoint_of_an_epoch_counts_for_the_minute(clock, tmp_path):
    kept = Checkpoints(tmp_path, {}, step=tf.Variable(0))
    for clock.now, save in ((59.0, kept.save), (61.0, lambda history: kept.save_each_minute(history, [1.0]))):
        save({"loss": [3.0]})
    assert [path.name for path in tmp_path.glob("*.index")] == ["ckpt-1.index"]
    clock.now = 120.0
    kept.save_each_minute({"loss": [3.0]}, [1.0])
    assert len([*tmp_path.glob("*.index")]) == 2
