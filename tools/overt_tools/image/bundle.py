"""A signed update: the system of a slot, as RAUC takes it."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from .errors import ImageError, Unavailable
from .programs import PACKAGES, run

_MANIFEST: Final = """\
[update]
compatible={compatible}
version={release}

[bundle]
format=verity

[image.rootfs]
filename=overt.squashfs
"""


def write(system: Path, release: str, compatible: str, certificate: Path, key: str, out: Path) -> None:
    """Write a bundle.

    Args:
        system: The squashed system.
        release: Its version.
        compatible: For which units.
        certificate: Of who signs, PEM.
        key: File of its private key, PEM, or a token's URI.
        out: The file to write; it appears whole or not at all.

    Raises:
        Unavailable: RAUC is not here.
        ImageError: Something given is not as it has to be, or RAUC refuses.
    """
    if shutil.which("rauc") is None or shutil.which("mksquashfs") is None:
        raise Unavailable(f"expected the programs rauc and mksquashfs; install {PACKAGES['rauc']} squashfs-tools")
    for path in (system, certificate, *([] if key.startswith("pkcs11:") else [Path(key)])):
        if not path.is_file():
            raise ImageError(f"expected a file, found none at {path}")
    with tempfile.TemporaryDirectory(prefix="overt-bundle-", dir=out.resolve().parent) as folder:
        content, made = Path(folder) / "content", Path(folder) / "bundle.raucb"
        content.mkdir()
        image = content / "overt.squashfs"
        try:
            os.link(system, image)
        except OSError:  # another file system
            shutil.copyfile(system, image)
        (content / "manifest.raucm").write_text(_MANIFEST.format(compatible=compatible, release=release))
        run("rauc", "bundle", f"--cert={certificate}", f"--key={key}", content, made)
        made.replace(out)
