"""SoftHSM, which stands in for a hardware token."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
MODULE = next(
    (path for folder in _FOLDERS if (path := Path(folder) / "softhsm" / "libsofthsm2.so").exists()),
    None,
)
needed = pytest.mark.skipif(
    MODULE is None or shutil.which("softhsm2-util") is None or importlib.util.find_spec("pkcs11") is None,
    reason="SoftHSM or python-pkcs11 is not installed: keys on tokens are not tested",
)


def make(folder: Path, label: str, pin: str) -> Path:
    """Make a token in a folder; return the configuration that SOFTHSM2_CONF is to name."""
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "so-pin-1"]
    environment = {**os.environ, "SOFTHSM2_CONF": str(configuration)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return configuration
