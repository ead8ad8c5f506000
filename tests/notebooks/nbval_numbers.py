"""A pytest plug-in for strict nbval: it compares the numbers in a notebook's text outputs as numbers.

nbval compares texts character by character, so a notebook that prints 0.948 fails on a processor that computes 0.947.
With this plug-in:

- A number with a decimal point or an exponent is *measured*. It may differ from the kept one by 2 % or by two units of
  the last digit printed, whichever is more: 0.948 may become 0.966, and 0.003 may become 0.005.
- A whole number is a *count*. It must be equal: 110 images, 24,576 parameters, 5 %.
- Everything else must be equal: the words, and how many numbers there are. Digits that touch a letter are part of a
  word (mnist8, 64x64, 3.2s), and so are versions (3.11.0). nan and inf are words too.

A tag on the cell asks for something else:

    tolerance-10%        measured numbers may differ by 10 %, or two units of the last digit
    tolerance-2%-all     whole numbers are measured too, for example scores printed as 711 and 571
    tolerance-0          nothing may differ

Two units of a whole number are 2, so a cell tagged `-all` should print no counts: print those in a cell of their own.
Print measured numbers with a fixed number of decimals (`{x:.3f}`): `{x:g}` and NumPy print 1.0 as 1 or "1.", a count.

The plug-in reads printed text (stdout) and text/plain. HTML, errors and all other outputs are compared as nbval does.
Use it with `pytest --nbval -p tests.notebooks.nbval_numbers`, or name it in `pytest_plugins` in the top conftest.py.
"""

import copy
import re
from collections import defaultdict
from decimal import Decimal

NUMBER = re.compile(
    r" *"  # in a column, a longer number takes the place of a blank
    r"(?<![\w.])[+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,3})?(?!\w|\.\d)"
)
TAG = re.compile(r"tolerance-(?:0|(\d+(?:\.\d+)?)%(-all)?)")


def tolerance(tags) -> tuple[Decimal, bool]:
    """The percentage by which a cell's numbers may differ, and whether whole numbers may differ as well."""
    asked = [tag for tag in tags if tag.startswith("tolerance")]
    if not asked:
        return Decimal(2), False
    match = TAG.fullmatch(asked[0])
    if not match or len(asked) > 1:
        raise ValueError(f"Use one tag: tolerance-10%, tolerance-10%-all or tolerance-0. Received: {', '.join(asked)}.")
    return Decimal(match[1] or 0), bool(match[2])


def near(kept: str, new: str, percent: Decimal, whole: bool) -> bool:
    """Whether one printed number may stand for another."""
    if not whole and not all(re.search("[.eE]", number) for number in (kept, new)):
        return False
    a, b = (Decimal(number.replace(",", "")) for number in (kept, new))
    unit = Decimal(1).scaleb(min(number.as_tuple().exponent for number in (a, b)))  # of the last digit printed
    return abs(b - a) <= max(abs(a) * percent / 100, 2 * unit)


def settle(kept: str, new: str, percent: Decimal, whole: bool = False) -> str:
    """The new text with the kept number wherever the new one is near: where nothing else differs, it equals `kept`."""
    numbers = NUMBER.findall(kept)
    if not percent or len(numbers) != len(NUMBER.findall(new)):
        return new
    following = iter(numbers)

    def choose(match: re.Match) -> str:
        old, found = next(following), match[0]
        same_blanks = old.count(" ") == found.count(" ") or len(old) == len(found)
        return old if same_blanks and near(old.strip(), found.strip(), percent, whole) else found

    return NUMBER.sub(choose, new)


def texts(outputs) -> dict[str, list[tuple[dict, str]]]:
    """Where the texts are: for each kind of output, dictionaries and the key of the text in them."""
    places = defaultdict(list)
    for output in outputs:
        if output.get("name") == "stdout":
            places["stdout"].append((output, "text"))
        elif "text/plain" in output.get("data", {}):
            places["text/plain"].append((output["data"], "text/plain"))
    return places


def pytest_itemcollected(item):
    """Let each cell of a notebook settle its numbers before nbval compares its outputs."""
    strictly = getattr(item, "compare_outputs", None)  # nbval's IPyNbCell alone has it
    if strictly is None:
        return

    def compare_outputs(test, ref, skip_compare=None) -> bool:
        try:
            percent, whole = tolerance(item.cell.metadata.get("tags", ()))
        except ValueError as error:
            item.raise_cell_error(str(error))
        test, ref = copy.deepcopy((test, ref))
        new = texts(test)
        for kind, places in texts(ref).items():
            for (kept, key), (found, _) in zip(places, new[kind], strict=False):  # nbval minds their number
                kept[key], found[key] = item.sanitize(kept[key]), item.sanitize(found[key])
                found[key] = settle(kept[key], found[key], percent, whole)
        equal = strictly(test, ref, skip_compare)
        if not equal and percent:
            item.comparison_traceback.append(
                f"Numbers within {percent} % or two units of the last digit are shown as kept"
                + (", whole ones too." if whole else "; whole numbers must be equal.")
            )
        return equal

    item.compare_outputs = compare_outputs
