"""Exported pages and the report with hostile names: nothing runs but the page's own script, and nothing is loaded."""

import re
from dataclasses import replace

import numpy as np
import pytest

from anogan_lib import widgets
from anogan_lib.datasets.base import Split
from anogan_lib.pictures import live, report

NAMES = (
    "</script><script>window.bad = 1</script>",
    '"><img src=x onerror="window.bad = 1">',
    "'; window.bad = 1; '",
    "\u202egnp.exe\u2066",  # would turn the words after it round
    "${window.bad = 1}{{ 7 * 7 }}",
)
ATTACKS = """async () => {
    const script = document.createElement("script");
    script.textContent = "window.bad = 1";
    document.body.append(script);
    document.body.insertAdjacentHTML("beforeend", '<img src="x" onerror="window.bad = 1">');
    const link = Object.assign(document.createElement("a"), {href: "javascript:window.bad = 1"});
    document.body.append(link);
    link.click();
    const loaded = await fetch("data:text/plain,x").then(() => true, () => false);
    await new Promise(done => setTimeout(done, 300));
    return [loaded, window.bad ?? null];
}"""


@pytest.fixture(scope="module")
def hostile(masked_detector, masked_data):
    """A data set whose names and kinds are hostile, and what the detector says of it."""
    test = masked_data.test
    names = [f"{i} {NAMES[i % len(NAMES)]}" for i in range(len(test))]
    kinds = np.where(test.labels == 0, "good", NAMES[0])
    split = Split(test.images, test.labels, kinds, test.masks, names)
    return replace(masked_data, name=NAMES[0], description=NAMES[1], test=split), masked_detector


def write(what, hostile, path):
    data, detector = hostile
    split = data.test
    if what == "live":
        return live(detector, path, data)
    if what == "report":
        detector.card = {"data": NAMES[0], "command": NAMES[1], NAMES[2]: NAMES[3]}
        return report.write(path, detector, split)
    some, found = split[20:30], detector.predict(split[20:30])
    views = {
        "stepper": lambda: widgets.InversionStepper(detector, some[:2]),
        "explorer": lambda: widgets.LambdaExplorer(detector, split, detector.predict(split)),
        "overlay": lambda: widgets.ResidualOverlay(detector, some, found),
        "walk": lambda: widgets.LatentWalk(detector, some),
    }
    return views[what]().export_html(path, title=NAMES[0])


@pytest.mark.parametrize("what", ["report", "live", "stepper", "explorer", "overlay", "walk"])
def test_hostile_names_do_nothing(what, hostile, chromium, tmp_path):
    path = write(what, hostile, tmp_path / "page.html")
    text = path.read_text(encoding="utf-8")
    assert "\u202e" not in text and "default-src 'none'" in text and "'unsafe-eval'" not in text
    assert "base-uri 'none'; form-action 'none'" in text  # which have no default
    assert (what == "report") == ("'unsafe-inline'" in text)  # for styles, where no script may run at all
    context = chromium.new_context(offline=True)
    page, complaints, requests = context.new_page(), [], []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_timeout(500)
    assert page.evaluate("document.scripts.length") == (0 if what == "report" else 2)
    if what != "report":
        assert page.locator("canvas").count() and "window.bad" in page.locator("h1").inner_text()
    assert complaints == [] and page.evaluate("window.bad ?? null") is None
    assert page.evaluate(ATTACKS) == [False, None]  # were something to slip in, the policy stops it
    assert any(re.search("Content Security Policy", each) for each in complaints)
    assert not [url for url in requests if not url.startswith(("file:", "data:"))]
    context.close()
