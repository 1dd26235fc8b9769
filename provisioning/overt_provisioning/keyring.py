"""Where the key of each role is: `keys.toml` in the office's folder. A role that it does not name is in `keys/`.

[keys]
root = "pkcs11:token=force;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so"
second_officer = "public:0f3c…"       # kept elsewhere: this office can check its signatures, not make them
watchlist_officer = "file:/media/safe/watchlist.key"
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from overt.protocol import fields
from overt.protocol.vocabulary import Role
from overt.runtime.files import write_atomically
from overt_provisioning.keys import KeyProblem

FILE_NAME = "keys.toml"
FILE, _PUBLIC, _TOKEN = "file:", "public:", "pkcs11:"
_HEADING = """\
# Where the key of each role is. A role that is not named here is in keys/<role>.key, encrypted with the passphrase.
#   "pkcs11:token=…;object=…?module-path=…"  on a token; its PIN is asked for, or read from --pin-file
#   "public:…"                                kept elsewhere; here is its public part alone
#   "file:…"                                  another file; relative to this folder
"""


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: dict[Role, str] = {}


def read(home: Path) -> dict[Role, str]:
    """Return where keys are that are not in their own files.

    Raises:
        KeyProblem: The file is not what it should be.
    """
    path = home / FILE_NAME
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Form).keys
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise KeyProblem(f"expected TOML in {path}, cannot read it: {error}") from error
    except msgspec.ValidationError as error:
        raise KeyProblem(f"{path}: {error}") from error
    try:
        for role, where in found.items():
            check(role, where)
    except KeyProblem as error:
        raise KeyProblem(f"{path}: {error}") from error
    return found


def write(home: Path, places: Mapping[Role, str]) -> None:
    """Write where keys are that are not in their own files; no file when all are.

    Raises:
        OSError: It could not be written.
    """
    path = home / FILE_NAME
    if places:
        lines = [f"{role.value} = {json.dumps(places[role], ensure_ascii=False)}" for role in Role if role in places]
        write_atomically(path, "\n".join([f"{_HEADING}[keys]", *lines, ""]).encode(), mode=0o600)
    else:
        path.unlink(missing_ok=True)


def check(role: Role, where: str) -> None:
    """Check that a text names a key.

    Raises:
        KeyProblem: It does not.
    """
    if where.startswith(_TOKEN):
        from overt_provisioning import tokens  # noqa: PLC0415 - each needs the other

        tokens.parse(where)
    elif where.startswith(_PUBLIC):
        try:
            msgspec.convert(where.removeprefix(_PUBLIC), fields.PublicKeyHex)
        except msgspec.ValidationError as error:
            raise KeyProblem(f"{role.value}: expected public: and 64 hexadecimal digits") from error
    elif not where.removeprefix(FILE) or not where.startswith(FILE):
        raise KeyProblem(f"{role.value}: expected a key named by pkcs11:…, public:… or file:…, found another text")


def public_in(where: str) -> str | None:
    """Return the public key that a place is, when it is nothing else."""
    return where.removeprefix(_PUBLIC) if where.startswith(_PUBLIC) else None


def file_in(home: Path, where: str) -> Path | None:
    """Return the file that a place is, when it is one."""
    return home / where.removeprefix(FILE) if where.startswith(FILE) else None
