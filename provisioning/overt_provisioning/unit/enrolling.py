"""`unit enrol`: from a blank unit to one of the force's, in one go. Torn half-way, the same command goes on."""

import argparse
from pathlib import Path
from typing import Any

import msgspec

from overt.protocol.cable import requests
from overt.protocol.code import unit_code
from overt.protocol.documents import FixedSite
from overt.protocol.reports import Receipt
from overt.protocol.vocabulary import Act, ClockQuality, Refusal
from overt.runtime.cli import NEGATIVE, OK, Failure
from overt_provisioning import certificates
from overt_provisioning.common import read_file, say
from overt_provisioning.unit import network_form, questions
from overt_provisioning.unit.fetching import save
from overt_provisioning.unit.handing import tell_time
from overt_provisioning.unit.session import Session
from overt_provisioning.unit.visiting import Visiting
from overt_provisioning.unit.watching import read_status


def enrol(arguments: argparse.Namespace) -> int:
    """Take the unit into the force."""
    visiting = Visiting(arguments)
    network = network_form.read(arguments.network) if arguments.network else None
    if not visiting.asks:
        _require_complete(arguments)
        _site(arguments)
    with visiting.session() as session:
        if visiting.asks:  # first that it is there, then the questions
            questions.complete(arguments, visiting.person, session.greeting.unit)
            network = network or network_form.ask(visiting.person)
            visiting.say(f"to go on without questions: {questions.command(arguments)}")
        site = _site(arguments)
        identified = _identify(visiting, session)
        known = visiting.known.keep(identified.unit, identified.key)
        visiting.say(f"{identified.unit} has its keys; they never leave it")
        certificate = _certificate(visiting, identified, known.parent)
        if certificate is None:
            return _carry(arguments, identified, known.parent)
        visiting.say("its certificate is made")
        if network is not None:
            session.ask("network", network, Act.NETWORK)
            visiting.say("it has its network settings")
        _install(visiting, session, site, certificate)
        visiting.say("it is enrolled, and has begun anew")
        receipt = _tell_time(visiting, session)
        status = read_status(session)
    facts: dict[str, Any] = {"unit": identified.unit, "code": unit_code(identified.key), "identity": str(known)}
    facts |= {"force": visiting.technician.charter.force, "enrolled": True}
    facts["time_set"] = receipt.accepted if receipt else None
    facts["doubts"] = [doubt.value for doubt in status.doubts] if status else []
    text = f"{identified.unit} is enrolled with {facts['force']}; its code, for the label, is {facts['code']}"
    text += f"\nits identity, for orders, is in {known}"
    if receipt is not None and not receipt.accepted:
        text += f"\nthe time was not taken ({receipt.detail}): try 'overt-provision unit time'"
    if arguments.indicator is None:
        text += "\nwithout an indicator it will not recognise anyone until it is enrolled again with one"
    say(arguments, text, **facts)
    return OK


def send_network(arguments: argparse.Namespace) -> int:
    """Give a unit its network settings."""
    network = network_form.read(arguments.form)
    visiting = Visiting(arguments)
    with visiting.session() as session:
        unit = session.greeting.unit
        session.ask("network", network, Act.NETWORK)
    ways = network_form.shown(network)
    text = f"{unit or 'the unit'} has its way to the network: {', then '.join(map(network_form.in_words, ways))}"
    say(arguments, f"{text}\ndelete {arguments.form}: it holds passwords", unit=unit, ways=ways)
    return OK


def _identify(visiting: Visiting, session: Session) -> requests.Identified:
    """Have the unit make its keys, or say which it has."""
    greeting = session.greeting
    name = visiting.arguments.unit or greeting.unit
    if name is None:
        raise Failure("this unit is blank: give it a name with --unit, such as --unit unit-1")
    asked = questions.named(name)
    identified = session.ask_for(requests.Identified, "identify", asked, Act.IDENTIFY)
    if identified.key != greeting.key:
        raise Failure("the unit gave another key than it greeted with: it is not to be trusted", NEGATIVE)
    return identified


def _certificate(visiting: Visiting, identified: requests.Identified, folder: Path) -> tuple[bytes, bytes] | None:
    """Return the unit's certificate and the authority's; None when it has to be carried to the office first."""
    arguments, pki = visiting.arguments, visiting.home / "pki"
    authority = arguments.authority or pki / "ca.pem"
    if arguments.certificate:
        return read_file(arguments.certificate), read_file(authority)
    if not (pki / "ca.key").exists():
        return None
    out = folder / "unit.crt"
    named = certificates.certify(visiting.home, identified.request, out, visiting.secrets)
    if named != identified.unit:
        raise Failure(f"the unit asks for a certificate of {named}, and is {identified.unit}", NEGATIVE)
    return read_file(out), read_file(authority)


def _carry(arguments: argparse.Namespace, identified: requests.Identified, folder: Path) -> int:
    request = folder / "unit.csr"
    save(request, identified.request)
    text = (
        f"{identified.unit} has its keys. The force's authority is not on this machine: take {request} to the office\n"
        f"(overt-provision certificate client --csr unit.csr --out unit.crt), then give the same command again with\n"
        f"--certificate unit.crt --authority ca.pem"
    )
    say(arguments, text, unit=identified.unit, code=unit_code(identified.key), request=str(request), enrolled=False)
    return OK


def _install(visiting: Visiting, session: Session, site: FixedSite | None, papers: tuple[bytes, bytes]) -> None:
    arguments, technician = visiting.arguments, visiting.technician
    certificate, authority = papers
    asked = requests.Enrol(
        charter=technician.charter_data,
        authority=authority,
        certificate=certificate,
        broker=arguments.broker,
        site=site,
        gps=arguments.gps,
        indicator=arguments.indicator,
        tamper=arguments.tamper,
    )
    session.ask_for(requests.Enrolled, "enrol", asked, Act.ENROL)
    session.begin_anew()  # the unit begins its life with the force
    if session.greeting.force is None:
        raise Failure("the unit took the enrolment and is blank still: give the command again", NEGATIVE)


def _tell_time(visiting: Visiting, session: Session) -> Receipt | None:
    """Tell the unit the time, if nothing else has; None when it knows it."""
    if session.greeting.clock is not ClockQuality.UNKNOWN:
        return None
    receipt = tell_time(visiting.technician, session)
    return None if receipt.refusal is Refusal.BUSY else receipt  # it has learnt it meanwhile, from a better source


def _require_complete(arguments: argparse.Namespace) -> None:
    """Demand everything that nobody is there to be asked for.

    Raises:
        Failure: Something is missing.
    """
    if not arguments.broker or not (arguments.site_name or arguments.gps):
        raise Failure("expected --broker, and a site (--site-name, --latitude, --longitude) or --gps, or both")


def _site(arguments: argparse.Namespace) -> FixedSite | None:
    given = (arguments.site_name, arguments.latitude, arguments.longitude)
    if all(value is None for value in given):
        return None
    if any(value is None for value in given):
        raise Failure("expected --site-name, --latitude and --longitude together")
    site = {"type": "fixed_site", "name": given[0], "latitude": given[1], "longitude": given[2]}
    try:
        return msgspec.convert(site, FixedSite)
    except msgspec.ValidationError as error:
        raise Failure(f"the site is not one: {error}") from error
