"""`network`: takes the settings into the console's own folder. Who may change the machine's network installs them.

The console has no right to the network manager's folder, and no network. A process of root's, begun by systemd when the
file changes (`overt-camera network apply`), reads the settings as strictly as the console did and writes the files.
"""

from pathlib import Path
from typing import Final

import msgspec

from overt.console import networkmanager
from overt.console.registry import Counter, Registry, Request
from overt.protocol.cable.network import Network
from overt.protocol.vocabulary import Act
from overt.runtime.files import erase_file, write_atomically

FILE: Final = "network.json"


class SettingsProblem(Exception):
    """There are no settings, or they are not what the console writes. The message says which."""


def add_to(registry: Registry) -> None:
    """Add it."""
    registry.add(Request("network", Act.NETWORK, Network, _keep, signed=True))


def _keep(counter: Counter, network: Network) -> bytes:
    write_atomically(counter.spool / FILE, msgspec.json.encode(network))
    return b""


def forget(spool: Path) -> None:
    """Erase the settings, and leave word that those which were installed are to go as well.

    Raises:
        OSError: It could not be done.
    """
    path = spool / FILE
    if path.exists():
        erase_file(path)
        write_atomically(path, b"")


def apply(spool: Path, folder: Path) -> list[str]:
    """Write the network manager's files, and remove those of earlier settings. Files of others are left alone.

    Args:
        spool: The console's folder.
        folder: The network manager's.

    Returns:
        The names of the files; none when the settings were forgotten.

    Raises:
        SettingsProblem: There is nothing to install.
        OSError: It could not be written.
    """
    try:
        kept = (spool / FILE).read_bytes()
        files = networkmanager.keyfiles(msgspec.json.decode(kept, type=Network)) if kept else {}
    except FileNotFoundError as error:
        raise SettingsProblem(f"expected network settings in {spool / FILE}, found none") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsProblem(f"the network settings in {spool / FILE} are damaged: give them anew") from error
    for name, content in files.items():
        write_atomically(folder / name, content, 0o600)  # the network manager takes no file that others can read
    for path in folder.glob(f"{networkmanager.PREFIX}*{networkmanager.SUFFIX}"):
        if path.name not in files:
            erase_file(path)
    return sorted(files)
