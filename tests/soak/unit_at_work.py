"""A whole unit with its real daemons, engines and footage, and what it costs: readings of its processes and files."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from overt.protocol.documents import Entry
from overt.recognition.enrol import find_faces, listed_template
from overt.vision import models
from tests.builders import make_entry
from tests.promises.whole_unit import WholeUnit
from tests.warden.bench import ROOT

MODELS = ROOT / "build" / "models"
FOOTAGE = ROOT / "build" / "demo" / "scene.mp4"
DAEMONS = ("warden", "uplink", "vision")


@dataclass(frozen=True)
class Reading:
    """What a process holds.

    Attributes:
        resident_kb: Pages in memory, those shared with other processes too.
        proportional_kb: The same, of shared pages only this process's share.
        descriptors: Open files.
        threads: Threads.
    """

    resident_kb: int
    proportional_kb: int
    descriptors: int
    threads: int


def read(pid: int) -> Reading:
    """Read what a process holds now."""
    proc = Path(f"/proc/{pid}")
    sizes = dict(line.split(":") for line in (proc / "smaps_rollup").read_text().splitlines()[1:])
    kb = {name: int(size.split()[0]) for name, size in sizes.items()}
    return Reading(kb["Rss"], kb["Pss"], len(os.listdir(proc / "fd")), len(os.listdir(proc / "task")))


class UnitAtWork(WholeUnit):
    """Real warden, vision and uplink; footage in a loop for a camera; clock, place and lamp are simulated."""

    def __init__(self, folder: Path) -> None:
        self.model = models.choose(MODELS).digest
        super().__init__(folder)

    def start_real_vision(self) -> None:
        """Start vision as a unit does."""
        options = ("--models", str(MODELS), "--source", f"file:{FOOTAGE}", "--loop", "--threads", "1")
        self._start("vision", str(self.program), "vision", "--run", str(self._taps), *options)

    @property
    def program(self) -> Path:
        """The command of a unit."""
        return Path(sys.executable).with_name("overt-camera")

    def readings(self) -> dict[str, Reading]:
        """What each daemon holds now."""
        return {name: read(pid) for name, pid in self.pids().items()}

    def stored_bytes(self) -> int:
        """The warden's database, with its journal."""
        return sum(path.stat().st_size for path in self.state.glob("warden.db*"))

    def logged_bytes(self) -> int:
        """What the daemons wrote to their standard error."""
        return sum(path.stat().st_size for path in self.folder.glob("*.log"))

    def files(self) -> set[Path]:
        """Every file of the unit, but for the database's own."""
        found = (path for folder in (self.state, self.run) for path in folder.rglob("*"))
        return {path for path in found if path.is_file() and not path.name.startswith("warden.db")}


def people_of_the_footage(every: int = 100) -> list[Entry]:
    """One entry for each face in every so many pictures of the footage: whoever passes is listed."""
    chosen = models.choose(MODELS)
    loaded = models.load(MODELS, chosen, threads=1)
    entries: list[Entry] = []
    with av.open(str(FOOTAGE)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number % every:
                continue
            rgb = np.ascontiguousarray(picture.to_ndarray(format="rgb24"))
            frame, found = find_faces(rgb, loaded.detector)
            for points in found.points:
                template = np.asarray(listed_template(frame, points, loaded.embedder), "<f4").tobytes()
                entries.append(make_entry(f"volunteer-{len(entries)}", templates=(template,)))
    return entries
