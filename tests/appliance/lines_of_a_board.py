"""Run by test_arm64.py on an emulated board, whose lines lead nowhere. Prints one JSON object."""

import importlib
import json
import sys

sys.path.insert(0, "/usr/lib/overt")

gpiod = importlib.import_module("gpiod")
devices = importlib.import_module("overt.warden.devices")
indicator = importlib.import_module("overt.warden.indicator")
lid = importlib.import_module("overt.warden.lid")

LABEL, LAMP, READ_BACK, SWITCH = "9030000.pl061", 0, 1, 2


def taken() -> str:
    try:
        indicator.GpioIndicator(LABEL, LAMP, READ_BACK)
    except devices.DeviceError as error:
        return str(error)
    return ""


def said_of_the_lamp() -> dict[str, object]:
    with gpiod.Chip(str(indicator.find_chip(gpiod, LABEL))) as chip:
        line = chip.get_line_info(LAMP)
        return {"used": line.used, "consumer": line.consumer, "driven": line.direction is gpiod.line.Direction.OUTPUT}


light = indicator.GpioIndicator(LABEL, LAMP, READ_BACK)
light.show(True)
found = {"lit": light.is_lit(), "taken": taken(), "held": said_of_the_lamp()}
light.close()
found["let go of"] = said_of_the_lamp()
switch = lid.GpioLid(LABEL, SWITCH)
found["closed"] = switch.is_closed()
switch.close()
sys.stdout.write(json.dumps(found) + "\n")
