"""The files of the package, laid out as they will lie on a unit."""

import shutil
from pathlib import Path

from overt.recognition import catalogue as cat

from .wheels import Wheel, unpack

LIBRARY = "usr/lib/overt"
MODELS = "usr/share/overt/models"
DOCUMENTS = "usr/share/doc/overt-camera"
_PLACES = {
    "overt-warden.service": "usr/lib/systemd/system",
    "overt-vision.service": "usr/lib/systemd/system",
    "overt-uplink.service": "usr/lib/systemd/system",
    "overt-uplink.path": "usr/lib/systemd/system",
    "overt-warden.socket": "usr/lib/systemd/system",
    "overt-console@.service": "usr/lib/systemd/system",
    "overt-network.path": "usr/lib/systemd/system",
    "overt-network.service": "usr/lib/systemd/system",
    "overt-update.path": "usr/lib/systemd/system",
    "overt-update.service": "usr/lib/systemd/system",
    "overt-confirm.service": "usr/lib/systemd/system",
    "overt-seal.service": "usr/lib/systemd/system",
    "overt-ladder@.service": "usr/lib/systemd/system",
    "overt.sysusers": "usr/lib/sysusers.d/overt.conf",
    "overt.tmpfiles": "usr/lib/tmpfiles.d/overt.conf",
    "60-overt.rules": "usr/lib/udev/rules.d",
    "network-camera.conf": DOCUMENTS,
}
_START = f"""#!/usr/bin/python3 -I
import sys

sys.path.insert(0, "/{LIBRARY}")

from overt.cli import main

main()
"""


def lay_out(repository: Path, wheels: list[Wheel], models: Path, chosen: cat.ModelSet, root: Path) -> None:
    """Put every file in its place below a folder.

    Args:
        repository: what the firmware is taken from.
        wheels: the Python packages that it runs with.
        models: the folder of built models.
        chosen: the model set that goes along; the catalogue is put beside it.
        root: where to put it all; empty.

    Raises:
        OSError: a file is missing, or there is no room.
        BadModel: a model file is not the one that the catalogue names.
    """
    library = root / LIBRARY
    for wheel in wheels:
        unpack(wheel, library)
    source = repository / "firmware" / "overt"
    shutil.copytree(source, library / "overt", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    _put(root / "usr/bin/overt-camera", _START.encode(), 0o755)
    for name, place in _PLACES.items():
        target = root / place
        target = target if target.suffix == ".conf" else target / name
        _put(target, (repository / "firmware" / "systemd" / name).read_bytes())
    for artefact in chosen.artefacts:
        content = (models / artefact.file).read_bytes()
        artefact.check(content)
        _put(root / MODELS / artefact.file, content)
    _put(root / MODELS / cat.FILE_NAME, (models / cat.FILE_NAME).read_bytes())
    _put(root / "etc/overt/camera.conf", (repository / "firmware" / "debian" / "camera.conf").read_bytes())
    copyright_ = (repository / "NOTICE").read_bytes() + b"\n" + (repository / "LICENSE").read_bytes()
    _put(root / DOCUMENTS / "copyright", copyright_)


def _put(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
