"""Pictures of scored images."""

import os
from pathlib import Path

from PIL import Image

from anogan_lib import pictures
from anogan_lib.checks import writing

SMALLEST = 256  # pixels of an overlay's longer side; smaller overlays are enlarged by a whole factor
LONGEST_NAME = 230  # bytes; with an ending it must not exceed 255


class Pictures:
    """Write two files for each image: image, G(z) and anomalies side by side, NAME.png, and NAME_overlay.png.

    All pictures share the detector's colour scale, so those of different runs can be compared. None is written over
    one of the files `scored`.
    """

    def __init__(self, folder, detector, scored=()):
        self.folder, self.used = Path(folder), set()
        self.scored = {os.path.realpath(file) for file in scored}
        self.threshold, self.vmax = detector.threshold, detector.map_scale

    def name(self, name: Path) -> str:
        """Reserve a name that differs from all before: a.png and a.jpg become a and a-2.

        Folders end in _png where they ended in .png, so that none is called like a picture.
        """
        folders = [f"{part[:-4]}_png" if part.lower().endswith(".png") else part for part in name.parts[:-1]]
        name = Path(*folders, name.name).with_suffix("")
        if len(os.fsencode(name.name)) > LONGEST_NAME:
            name = name.with_name(os.fsencode(name.name)[:LONGEST_NAME].decode(errors="ignore"))
        stem = free = name.as_posix()
        count = 1
        while not self._is_free(free) or not self._is_free(f"{free}_overlay"):
            count += 1
            free = f"{stem}-{count}"
        self.used |= {free, f"{free}_overlay"}
        return free

    def _is_free(self, name: str) -> bool:
        return name not in self.used and os.path.realpath(self.folder / f"{name}.png") not in self.scored

    def write(self, name: str, image, found, i: int) -> None:
        """Write both pictures of image (H, W, C), the i-th of the Prediction `found`; `name` was reserved."""
        path = self.folder / f"{name}.png"
        scale = {"vmax": self.vmax, "threshold": self.threshold}
        figure = pictures.comparison(image, found.reconstruction[i], found.maps[i], found.scores[i], **scale)
        overlay = Image.fromarray(pictures.overlay_image(image, found.maps[i], vmax=self.vmax))
        factor = max(1, SMALLEST // max(overlay.size))
        overlay = overlay.resize((overlay.width * factor, overlay.height * factor), Image.Resampling.NEAREST)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path)
            overlay.save(self.folder / f"{name}_overlay.png")
