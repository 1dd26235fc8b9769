"""The storage key on a unit with a TPM: nowhere in the clear on the disk, and destroyed with the last deployment."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from overt.protocol import sealing
from overt.protocol.errors import ProtocolError
from overt.protocol.topics import Down
from overt.protocol.vocabulary import State
from overt.runtime.cli import RESTART
from overt.warden import decommission, seal
from overt.warden.enrolment import make_identity
from overt.warden.seal import Done, SealProblem, SystemdCreds, ensure
from tests.builders import make_cancellation
from tests.simulators.tpm import SimulatedTpm
from tests.warden.bench import Bench
from tests.warden.desk_bench import DeskBench

CREDENTIAL = "sealed_storage.key"


class Supervisor:
    """What systemd does before each start of the warden."""

    def __init__(self, state: Path, credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state, self.credentials, self.tpm = state, credentials, SimulatedTpm()
        credentials.mkdir()
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
        monkeypatch.setattr(seal, "_BETWEEN_S", 0)

    @property
    def sealed(self) -> Path:
        return self.state / "sealed" / "storage.key"

    def prepare(self) -> Done:
        done = ensure(self.state, self.tpm)
        (self.credentials / CREDENTIAL).write_bytes(self.tpm.open(CREDENTIAL, self.sealed))
        return done


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    state = tmp_path / "state"
    state.mkdir()
    return Supervisor(state, tmp_path / "credentials", monkeypatch)


@pytest.fixture
def bench(supervisor: Supervisor, tmp_path: Path) -> Iterator[DeskBench]:
    """A unit with a TPM, enrolled and awake."""
    assert supervisor.prepare() is Done.MADE
    made = DeskBench(tmp_path)
    yield made
    made.close()


def keys_on_disk(state: Path) -> list[str]:
    """Return each age key that lies in the clear in any file."""
    words = [word for path in state.rglob("*") if path.is_file() for word in path.read_bytes().split()]
    return [word.decode() for word in words if word.startswith(b"AGE-SECRET-KEY-")]


def test_p3_no_key_on_the_disk_opens_a_deployment_even_while_it_lasts(bench: DeskBench, tmp_path: Path) -> None:
    """The gap of a unit without a TPM, closed: a copy of the whole disk is ciphertext."""
    bench.recognise()
    copy = shutil.copytree(bench.state, tmp_path / "copy")
    assert not (copy / "keys" / "storage.key").exists()
    assert keys_on_disk(copy) == []
    with pytest.raises(SealProblem):
        SimulatedTpm().open(CREDENTIAL, copy / "sealed" / "storage.key")


def test_a_deployment_survives_a_power_cut(bench: DeskBench, supervisor: Supervisor) -> None:
    bench.recognise()
    assert supervisor.prepare() is Done.KEPT
    bench.cut_power()
    assert bench.unit.loaded is not None


def test_p3_at_the_end_the_sealed_key_is_destroyed_and_the_supervisor_makes_another(
    bench: DeskBench, supervisor: Supervisor
) -> None:
    order = bench.recognise()
    kept = {path.name: path.read_bytes() for path in bench.left_of_deployments()}
    before = (supervisor.credentials / CREDENTIAL).read_text()
    assert sealing.unseal(kept["key.sealed"], before)
    assert bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest)).accepted
    bench.clear()
    assert not supervisor.sealed.exists()
    assert bench.vault.key_destroyed
    assert supervisor.prepare() is Done.MADE
    with pytest.raises(ProtocolError):
        sealing.unseal(kept["key.sealed"], (supervisor.credentials / CREDENTIAL).read_text())
    bench.cut_power()
    bench.recognise(operation="EXERCISE-2")
    bench.cut_power()
    assert bench.unit.loaded is not None, "the next deployment is kept under the new key"


def test_no_deployment_is_kept_under_a_key_that_is_destroyed(bench: DeskBench) -> None:
    order = bench.recognise()
    bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest))
    bench.clear()
    with pytest.raises(OSError, match="the storage key is destroyed"):
        bench.vault.new_deployment(order.document, order.digest, order.data)


def test_a_key_that_lies_in_the_clear_is_sealed_and_overwritten(supervisor: Supervisor) -> None:
    """A unit that was given a TPM, or whose TPM did not work when it was made."""
    make_identity(supervisor.state, "unit-1")
    clear = supervisor.state / "keys" / "storage.key"
    before = clear.read_bytes()
    assert supervisor.prepare() is Done.MOVED
    assert not clear.exists()
    assert (supervisor.credentials / CREDENTIAL).read_bytes() == before
    assert keys_on_disk(supervisor.state) == []


def test_after_a_power_cut_before_the_clear_key_was_removed_it_is(supervisor: Supervisor) -> None:
    make_identity(supervisor.state, "unit-1")
    clear = supervisor.state / "keys" / "storage.key"
    before = clear.read_bytes()
    supervisor.prepare()
    clear.write_bytes(before)
    assert supervisor.prepare() is Done.MOVED
    assert not clear.exists()


def test_a_tpm_that_is_busy_is_asked_again(bench: DeskBench, supervisor: Supervisor) -> None:
    before = supervisor.sealed.read_bytes()
    supervisor.tpm.busy = 2
    assert supervisor.prepare() is Done.KEPT
    assert supervisor.sealed.read_bytes() == before
    assert bench.unit.state is State.IDLE


def test_p10_on_another_board_a_deployment_is_lost_and_nothing_is_recognised(
    bench: DeskBench, supervisor: Supervisor
) -> None:
    bench.recognise()
    supervisor.tpm = SimulatedTpm()  # the card was put into another unit
    assert supervisor.prepare() is Done.MADE
    bench.cut_power()
    bench.unit.vision_came("0" * 64)
    assert bench.unit.state is not State.RECOGNISING
    assert bench.unit.loaded is None


def test_a_tpm_that_does_not_work_leaves_everything_as_it_was(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_identity(supervisor.state, "unit-1")
    before = (supervisor.state / "keys" / "storage.key").read_bytes()

    def broken(*_: object) -> bytes:
        raise SealProblem("the TPM cannot encrypt: no answer")

    monkeypatch.setattr(supervisor.tpm, "seal", broken)
    with pytest.raises(SealProblem, match="no answer"):
        ensure(supervisor.state, supervisor.tpm)
    assert (supervisor.state / "keys" / "storage.key").read_bytes() == before
    assert not supervisor.sealed.exists()


def test_decommissioning_destroys_the_sealed_key(bench: DeskBench, supervisor: Supervisor) -> None:
    decommission.begin(bench.state, b"certificate")
    bench.close()
    assert decommission.finish(bench.state)
    assert not supervisor.sealed.exists()
    assert supervisor.prepare() is Done.MADE


def test_the_warden_ends_after_a_deployment_so_that_its_next_start_brings_another_key(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.prepare()
    with Bench(tmp_path) as running:
        running.start()
        order = running.order()
        receipt = running.deliver(Down.ORDER, order.data)
        assert receipt.recipient
        assert running.deliver(Down.CANCEL, make_cancellation(running.force, order.digest)).accepted
        assert running.process is not None
        assert running.process.wait(10) == RESTART
        assert not supervisor.sealed.exists()
        supervisor.prepare()
        running.start()
        assert running.status().state is State.IDLE


# With TPMs as systemd drives them


def two_free_ports() -> int:
    """Return the first of two neighbours: the second is for control, and has to be the next."""
    while True:
        with socket.socket() as command, socket.socket() as control:
            command.bind(("127.0.0.1", 0))
            port = int(command.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                control.bind(("127.0.0.1", port + 1))
                return port


@pytest.fixture
def tpm(tmp_path: Path) -> Iterator[Callable[[str], SystemdCreds]]:
    """Makes software TPMs."""
    if missing := [name for name in ("swtpm", "systemd-creds") if shutil.which(name) is None]:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    running = []

    def make(name: str) -> SystemdCreds:
        (tmp_path / name).mkdir()
        port = two_free_ports()
        running.append(
            subprocess.Popen(
                ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={tmp_path / name}", "--flags", "startup-clear",
                 "--server", f"type=tcp,port={port}", "--ctrl", f"type=tcp,port={port + 1}"]
            )
        )  # fmt: skip
        return SystemdCreds(f"swtpm:host=127.0.0.1,port={port}")

    yield make
    for process in running:
        process.kill()
        process.wait()


def settled(work: Callable[[], bytes]) -> bytes:
    """Wait until a TPM has started."""
    for _ in range(50):
        with contextlib.suppress(SealProblem):
            return work()
        time.sleep(0.1)
    try:
        return work()
    except SealProblem as error:
        pytest.skip(f"systemd-creds and swtpm do not come together here: {error}")


def test_systemd_seals_with_a_tpm_and_only_that_one_opens_it(
    tpm: Callable[[str], SystemdCreds], tmp_path: Path
) -> None:
    own, another = tpm("own"), tpm("another")
    sealed = tmp_path / "sealed.key"
    sealed.write_bytes(settled(lambda: own.seal(CREDENTIAL, b"the secret")))
    assert b"the secret" not in sealed.read_bytes()
    assert own.open(CREDENTIAL, sealed) == b"the secret"
    with pytest.raises(SealProblem):
        another.open(CREDENTIAL, sealed)
    with pytest.raises(SealProblem):
        own.open("sealed_another.key", sealed)


def test_the_command_seals_and_never_prints_a_secret(tpm: Callable[[str], SystemdCreds], tmp_path: Path) -> None:
    device = tpm("own")
    settled(lambda: device.seal("probe", b"x"))
    state = tmp_path / "state"
    make_identity(state, "unit-1")
    secret = (state / "keys" / "storage.key").read_text()
    program = Path(sys.executable).with_name("overt-camera")
    done = subprocess.run(
        [program, "seal", "--state", state, "--tpm", device._tpm],
        capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{Done.MOVED.value}\n"
    assert secret not in done.stdout + done.stderr
    assert keys_on_disk(state) == []
    assert device.open(CREDENTIAL, state / "sealed" / "storage.key") == secret.encode()
