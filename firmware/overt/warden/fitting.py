"""The parts that an enrolled unit has. One that cannot be had is a doubt, and is tried again; it ends nothing."""

from overt.warden.config import UnitConfig
from overt.warden.devices import Devices, Indicator, Lid
from overt.warden.gps import Receiver
from overt.warden.indicator import GpioIndicator, NoIndicator, Reopened
from overt.warden.lid import GpioLid, NoLid
from overt.warden.place import GpsPlace, attested
from overt.warden.steering import Kernel, SteeredClock
from overt.warden.thermometer import SysfsThermometer
from overt.warden.vault import Vault


def fitted(vault: Vault) -> Devices:
    """Return the parts of an enrolled unit, at work."""
    config, floor = vault.config, vault.charter.issued
    lamp, heat, lid = _lamp(config), SysfsThermometer(), _lid(config)
    closing = [part.close for part in (lamp, lid) if isinstance(part, Reopened | GpioLid)]
    if config.gps is None:
        return Devices(SteeredClock(Kernel(), floor), attested(config.site), lamp, heat, lid, tuple(closing))
    receiver = Receiver(config.gps.device, config.gps.baud)
    receiver.start()
    clock = SteeredClock(Kernel(), floor, receiver.times)
    return Devices(clock, GpsPlace(receiver, config.site), lamp, heat, lid, (*closing, receiver.close))


def _lid(config: UnitConfig) -> Lid:
    return NoLid() if config.tamper is None else GpioLid(config.tamper.chip, config.tamper.line)


def _lamp(config: UnitConfig) -> Indicator:
    lines = config.indicator
    if lines is None:
        return NoIndicator()
    return Reopened(lambda: GpioIndicator(lines.chip, lines.lamp, lines.read_back))
