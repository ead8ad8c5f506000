"""Groups: read from names, tables and functions; near-copies found; never parted by a split."""

import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import noise, save

from anogan_lib import datasets
from anogan_lib.datasets.base import split_normal
from anogan_lib.datasets.groups import named, near_copies, split_groups

NAMES = ["train/good/lot1_a.png", "train/good/lot1_b.png", "train/good/lot20_a.png", "test/crack/lot3_a.png"]


NEEDED = [True, True, True, False]


def parts(data):
    return data.train, data.validation, data.calibration, data.test


def smooth(seed, side=20):
    """A picture of large bright and dark places, as photographs have them."""
    coarse = np.random.default_rng(seed).uniform(40, 200, (5, 5))
    return np.kron(coarse, np.ones((side // 5, side // 5)))


# ---- named groups


def test_a_pattern_names_groups_by_its_first_bracket_or_by_all_it_matches():
    assert named(NAMES, r"lot(\d+)", NEEDED).tolist() == ["1", "1", "20", "3"]
    assert named(NAMES, r"lot\d+", NEEDED).tolist() == ["lot1", "lot1", "lot20", "lot3"]
    assert named(NAMES, ".*/", NEEDED).tolist() == ["train/good/"] * 3 + ["test/crack/"]
    assert named(NAMES, r"good/lot(\d+)", NEEDED).tolist() == ["1", "1", "20", "the image test/crack/lot3_a.png"]
    assert named(NAMES, lambda name: len(name), NEEDED).tolist() == [str(len(name)) for name in NAMES]


@pytest.mark.parametrize("ending", ["csv", "CSV"])
def test_a_table_names_groups_by_path_or_by_file_name(tmp_path, ending):
    table = tmp_path / f"groups.{ending}"
    table.write_text("group,name,more\na,train/good/lot1_a.png,x\na,lot1_b.png,\nb,lot20_a.png,\nc,lot3_a.png,\n")
    assert named(NAMES, str(table), NEEDED).tolist() == ["a", "a", "b", "c"]
    with pytest.raises(ValueError, match="names no group for the image good/lot1_b"):
        named(["good/lot1_b.png", "bad/lot1_b.png"], str(table), [True, False])  # the file name alone fits both


def test_groups_that_are_wrong_are_refused_in_one_sentence(tmp_path):
    save(np.zeros((8, 8), np.uint8), tmp_path / "folder.csv" / "x.png")
    (tmp_path / "other.csv").write_text("file,lot\nx,1\n")
    (tmp_path / "twice.csv").write_text("name,group\nx,1\ny,1\nx,2\n")
    for groups, error, sentence in (
        (r"lot(\d", ValueError, "not a regular expression"),
        ("a{99999999999}", ValueError, "not a regular expression: the repetition number is too large"),
        ("(" * 3000, ValueError, "not a regular expression"),
        (r"lot1", ValueError, "names no group for the image train/good/lot20_a.png"),
        (r"(x)?lot", ValueError, "names no group"),
        (str(tmp_path / "none.csv"), FileNotFoundError, "no table of groups"),
        (str(tmp_path / "folder.csv"), FileNotFoundError, "no table of groups"),
        (str(tmp_path / "other.csv"), ValueError, "columns name and group"),
        (str(tmp_path / "twice.csv"), ValueError, "two groups for x: 1 and 2"),
    ):
        with pytest.raises(error, match=re.escape(sentence)):
            named(NAMES, groups, NEEDED)
    with pytest.raises(ValueError, match="images of your own"):
        datasets.load("hazelnut", groups="x")


# ---- splits


def test_images_that_stand_alone_are_split_as_by_a_permutation():
    for n, seed in ((10, 0), (57, 3), (620, 4)):
        order = np.random.default_rng(seed).permutation(n)
        cuts = [n - round(0.2 * n) - round(0.1 * n), n - round(0.2 * n)]
        for places in (split_normal(n, seed), split_groups(np.arange(n), seed)):
            for found, wanted in zip(places, np.split(order, cuts), strict=True):
                assert np.array_equal(found, np.sort(wanted))


@given(st.lists(st.integers(1, 400), min_size=3, max_size=40), st.integers(0, 99))
@settings(deadline=None)
def test_no_split_parts_a_group_and_none_is_empty(sizes, seed):
    sizes[0] += max(0, 10 - sum(sizes))
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    found = split_groups(groups, seed)
    assert sorted(np.concatenate(found)) == list(range(len(groups)))
    kept = [set(groups[part]) for part in found]
    assert all(kept) and sum(map(len, kept)) == len(sizes)
    if max(sizes) <= 0.05 * len(groups):
        assert [len(part) / len(groups) for part in found] == pytest.approx([0.7, 0.1, 0.2], abs=0.051)


def test_two_groups_are_too_few():
    with pytest.raises(ValueError, match=r"at least 3 groups .* Received: 2"):
        split_groups(np.repeat([0, 1], 10))


@pytest.mark.parametrize("tested", [True, False])
def test_a_folder_is_split_by_groups(tmp_path, tested):
    for i in range(60):
        save(noise(i), tmp_path / "train" / "good" / f"lot{i // 5:02d}_{i}.png")
    for i in range(12 if tested else 0):
        save(noise(100 + i), tmp_path / "test" / "good" / f"lot{20 + i // 4}_{i}.png")
    data = datasets.load(tmp_path, groups=r"lot(\d+)")
    lots = [{re.search(r"lot(\d+)", name)[1] for name in part.names} for part in parts(data)]
    assert all(lots) and sum(map(len, lots)) == len(set.union(*lots))
    for part, own in zip(parts(data), lots, strict=True):
        assert set(part.groups) == own and part.group_count == len(own)
        assert all(f"lot{group}_" in name for name, group in zip(part.names, part.groups, strict=True))
    assert f"in {len(lots[0])} groups" in data.summary()
    assert data.train[:1].groups is None and data.train.groups is not None


def test_a_set_in_groups_is_written_group_by_group(tmp_path):
    for i in range(40):
        save(noise(i), tmp_path / "photos" / f"day{i % 8}" / f"{i}.png")
    data = datasets.load(tmp_path / "photos", normal=".", groups="day.")
    datasets.write(data, tmp_path / "written")
    again = datasets.load(tmp_path / "written", groups=r"train/good/(\d+)/")

    def together(*splits):
        """The images of each group, by their content."""
        return {
            frozenset(hash(image.tobytes()) for image in split[split.groups == group].images)
            for split in splits
            for group in set(split.groups)
        }

    assert together(*parts(again)[:3]) == together(*parts(data)[:3])


# ---- near-copies


def test_near_copies_are_those_whose_correlation_is_high():
    small = np.stack([smooth(seed) for seed in range(40)])
    rng = np.random.default_rng(0)
    copies = 0.9 * small[:10] + 12 + rng.normal(0, 2, small[:10].shape)  # darker, paler, noisy
    constant = np.full((2, 20, 20), 7.0)
    found = near_copies(np.concatenate([small, copies, constant]))
    assert found.tolist() == [*range(40), *range(10), 50, 50]


@pytest.mark.parametrize("unit", [1e25, 1e-25])
def test_near_copies_are_found_in_any_unit(unit):
    small = np.stack([smooth(seed) for seed in (0, 1, 2, 3, 1)])
    assert near_copies(small * unit).tolist() == [0, 1, 2, 3, 1]


def test_what_all_images_share_makes_no_near_copies():
    part = smooth(0)[None] + 0.1 * np.stack([smooth(seed) for seed in range(1, 41)])
    assert np.corrcoef(part.reshape(40, -1))[0, 1:].min() > 0.97
    assert near_copies(part).tolist() == list(range(40))


def test_copies_of_copies_belong_together():
    a, b = np.random.default_rng(1).standard_normal((2, 400))
    turned = [np.cos(t) * a + np.sin(t) * b for t in np.linspace(0, 0.8, 6)]  # neighbours correlate at 0.987
    others = np.random.default_rng(2).standard_normal((60, 400))
    found = near_copies(np.concatenate([others, turned]).reshape(-1, 20, 20))
    assert found.tolist() == [*range(60)] + [60] * 6


def turned_bars(angles):
    """A bar turned by each angle, with a little noise; turned by pi it is the same bar."""
    rows, columns = np.mgrid[-1:1:32j, -1:1:32j]
    bars = np.stack([np.exp(-8 * (rows * np.cos(t) + columns * np.sin(t)) ** 2) for t in angles])
    return bars + np.random.default_rng(1).normal(0, 0.02, bars.shape)


def test_parts_in_many_poses_are_no_near_copies():
    bars = turned_bars(np.linspace(0, np.pi, 120, endpoint=False))
    assert set(near_copies(bars)) == {0}, "in the order of a film, each with its neighbours"
    lying = near_copies(bars[np.random.default_rng(0).permutation(120)])
    assert len(set(lying)) > 80, "turned at random, but for a few by chance"


def test_copies_are_found_among_parts_in_many_poses():
    bars = turned_bars(np.random.default_rng(0).permutation(np.linspace(0, np.pi, 120, endpoint=False)))
    found = near_copies(np.concatenate([bars, 0.8 * bars[:20]]))
    assert (found[120:] == found[:20]).all() and len(set(found)) > 80


def test_thousands_of_images_are_compared_in_seconds():
    small = np.random.default_rng(0).standard_normal((5000, 16, 16), dtype=np.float32)
    small[1:500:2] = small[0:500:2]
    started = time.process_time()
    assert len(set(near_copies(small))) == 4750 and time.process_time() - started < 20


def test_a_folder_keeps_near_copies_in_one_split_and_says_so(tmp_path):
    for i in range(60):
        for k in range(3 if i < 20 else 1):
            picture = (0.95**k * smooth(i) + k).round().astype(np.uint8)
            save(picture, tmp_path / "good" / f"{k}_{i:02d}.png")
    for i in range(5):
        save(smooth(i).astype(np.uint8), tmp_path / "crack" / f"{i}.png")
    data = datasets.load(tmp_path)
    seen = [
        {name[-6:] for name, label in zip(part.names, part.labels, strict=True) if not label} for part in parts(data)
    ]
    assert sum(map(len, seen)) == 60 == len(set.union(*seen))
    assert "40 of them are near-copies" in data.description
    assert data.train.group_count == len(seen[0]) < len(data.train)


def test_copies_of_a_few_images_are_split_all_the_same(tmp_path):
    for i in range(30):
        save((smooth(i % 3) + i).astype(np.uint8), tmp_path / f"{i:02d}.png")
    with pytest.warns(UserWarning, match="are 3 and near-copies of them"):
        data = datasets.load(tmp_path)
    assert [len(part) for part in parts(data)] == [17, 2, 5, 6]


def test_built_in_sets_have_no_near_copies():
    for spec in ("hazelnut", "digits:1"):
        data = datasets.load(spec)
        pooled = np.concatenate([part.names for part in parts(data)[:3]])
        order = sorted(pooled)
        for part, places in zip(parts(data), split_normal(len(pooled)), strict=False):
            assert part.names.tolist() == [order[i] for i in places] and part.groups is None
