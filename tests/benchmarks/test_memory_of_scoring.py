"""What scoring takes of the memory does not grow with the runs of a process, nor with the number of images."""

from tests.benchmarks import kills, memory


def test_memory_neither_grows_with_runs_nor_with_images(tiny_detector, tmp_path):
    for count in (80, 2000):
        kills.make_images(tmp_path / str(count), count)
    held, few = memory.measure(str(tiny_detector), tmp_path / "80", 6)
    assert len(held) == 6 and held[-1] < 1.03 * held[2]
    _, many = memory.measure(str(tiny_detector), tmp_path / "2000", 1)
    assert many < 1.05 * few
