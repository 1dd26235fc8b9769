"""What makes a document lawful: signatures by the right roles, the right force, order and time, within the limits.

Pure functions of bytes, trusted values and the time. The unit decides with them, the force office checks with them
before it sends anything, a control room checks the order it works under.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec

from overt.protocol import envelope, evidence, limits, terms
from overt.protocol.documents import (
    Assurance,
    Cancellation,
    Charter,
    Entry,
    ForceLimits,
    Loan,
    Order,
    SignedTime,
    UnitRef,
    Visit,
    Watchlist,
)
from overt.protocol.envelope import Envelope
from overt.protocol.errors import Malformed, NotAuthorised, ProtocolError
from overt.protocol.reports import Greeting
from overt.protocol.vocabulary import Kind, Refusal, Role

D = TypeVar("D", Assurance, Charter, Order, Watchlist, Cancellation, Loan, SignedTime, Visit)


class Checked(msgspec.Struct, Generic[D], frozen=True):
    """A document whose signatures and rules were checked.

    Attributes:
        document: The decoded payload.
        digest: Its identity.
        data: The envelope as it came, for storing and handing on.
    """

    document: D
    digest: str
    data: bytes

    def __repr__(self) -> str:
        """Leave out the bytes: a watchlist's must not reach a log."""
        return f"Checked({type(self.document).__name__.lower()} {self.digest[:12]}…)"


def check_charter(data: bytes, now: datetime, current: Charter | None = None) -> Checked[Charter]:
    """Check a force's charter against itself and, when it replaces one, against the one in use.

    Args:
        data: Envelope as JSON bytes.
        now: The time.
        current: The charter in use; its root role must have signed the new one too.

    Raises:
        ProtocolError: Malformed, keys not bound to their ids, expired, rolled back, not signed by the root role(s).
    """
    parsed = envelope.parse(data, Kind.CHARTER)
    charter = envelope.decode(parsed, Charter)
    _check_keys(charter)
    _require(parsed, charter, Role.ROOT)
    if current is not None:
        if charter.force != current.force:
            raise ProtocolError(
                Refusal.WRONG_FORCE, f"expected a charter of {current.force}, found one of {charter.force}"
            )
        if charter.version <= current.version:
            raise ProtocolError(
                Refusal.ROLLED_BACK, f"expected a version above {current.version}, found {charter.version}"
            )
        _require(parsed, current, Role.ROOT)
    if now >= charter.expires:
        raise ProtocolError(
            Refusal.EXPIRED, f"this charter expired at {charter.expires.isoformat()}: ask the force for a new one"
        )
    return Checked(charter, parsed.digest(), data)


def check_order(
    data: bytes, charter: Charter, now: datetime, find_report: Callable[[Order], Assurance | None] = lambda _: None
) -> Checked[Order]:
    """Check an order: two officers' signatures, this force, a window that is not over, every limit, the evidence.

    Args:
        data: Envelope as JSON bytes.
        charter: The force's charter.
        now: The time.
        find_report: Returns the assurance report that an order stands on, checked; None when it is not known.

    Raises:
        ProtocolError: With the rule that is broken.
    """
    checked = check_order_signatures(data, charter)
    check_order_terms(checked.document, charter, now, find_report(checked.document))
    return checked


def check_order_terms(order: Order, charter: Charter, now: datetime, report: Assurance | None = None) -> None:
    """Check what an order asks for, whoever has signed it, with what `check_order` is given.

    It is for those who write an order, before the second officer has signed.

    Raises:
        ProtocolError: With the rule that is broken.
    """
    for broken in terms.broken(order, charter, now, report):
        raise broken


def check_order_signatures(data: bytes, charter: Charter) -> Checked[Order]:
    """Check that two officers of this force signed an order, whatever its window and whatever it asks for.

    Nothing may be recognised on the strength of this alone. It is for those who read what a unit did under the order:
    an alert may come late, and is still to be checked against the order that it was made under.

    Raises:
        ProtocolError: Malformed, of another force, not signed by both roles.
    """
    parsed = envelope.parse(data, Kind.ORDER)
    _require_two_officers(parsed, charter)
    order = envelope.decode(parsed, Order)
    _require_force(order.force, charter)
    return Checked(order, parsed.digest(), data)


def check_for_unit(order: Order, unit: str, key: str, model: str) -> None:
    """Check that an order names this unit, by name and key, and the model that it runs.

    Raises:
        ProtocolError: `WRONG_UNIT` or `WRONG_MODEL`.
    """
    _require_unit(order.units, unit, key, "order")
    if order.model != model:
        raise ProtocolError(
            Refusal.WRONG_MODEL, f"this order is for the model {order.model[:12]}…, this unit runs {model[:12]}…"
        )


def check_watchlist(data: bytes, charter: Charter, order: Checked[Order], now: datetime) -> Checked[Watchlist]:
    """Check a decrypted watchlist: the office's signature, made for this order and model, fresh, within its limits.

    Raises:
        ProtocolError: With the rule that is broken. It names no entry by anything but its opaque reference.
    """
    parsed = envelope.parse(data, Kind.WATCHLIST)
    _require(parsed, charter, Role.WATCHLIST_OFFICER)
    watchlist = envelope.decode(parsed, Watchlist)
    _require_force(watchlist.force, charter)
    if watchlist.order != order.digest:
        raise ProtocolError(
            Refusal.WRONG_ORDER,
            f"this watchlist was made for the order {watchlist.order[:12]}…, in hand is {order.digest[:12]}…",
        )
    if watchlist.model != order.document.model:
        raise ProtocolError(
            Refusal.WRONG_MODEL, "this watchlist's templates were made with another model than the order names"
        )
    if watchlist.made > now + limits.CLOCK_TOLERANCE:
        raise ProtocolError(
            Refusal.NOT_YET, "this watchlist says that it was made in the future: check the office's clock"
        )
    if now - watchlist.made > limits.WATCHLIST_MAX_AGE:
        raise ProtocolError(
            Refusal.EXPIRED, "this watchlist was made more than 24 hours ago (O7): review it and make it anew"
        )
    _check_entries(watchlist, order.document, charter.limits, now)
    return Checked(watchlist, parsed.digest(), data)


def check_cancellation(data: bytes, charter: Charter, order: str) -> Checked[Cancellation]:
    """Check a cancellation: one officer's signature suffices, and it must name the order in hand.

    Raises:
        ProtocolError: With the rule that is broken.
    """
    parsed = envelope.parse(data, Kind.CANCELLATION)
    officers = _signed_by(parsed, charter, Role.AUTHORISING_OFFICER) | _signed_by(parsed, charter, Role.SECOND_OFFICER)
    if not officers:
        raise NotAuthorised(
            "expected a cancellation signed by an authorising or a second officer, found neither signature"
        )
    cancellation = envelope.decode(parsed, Cancellation)
    _require_force(cancellation.force, charter)
    if cancellation.order != order:
        raise ProtocolError(
            Refusal.WRONG_ORDER, f"this cancels the order {cancellation.order[:12]}…, in hand is {order[:12]}…"
        )
    return Checked(cancellation, parsed.digest(), data)


def check_loan(data: bytes, lender: Charter, now: datetime) -> Checked[Loan]:
    """Check a loan: two of the lender's officers, a window within its limit, a borrower's charter that can stand in.

    Raises:
        ProtocolError: With the rule that is broken.
    """
    parsed = envelope.parse(data, Kind.LOAN)
    _require_two_officers(parsed, lender)
    loan = envelope.decode(parsed, Loan)
    _require_force(loan.force, lender)
    check_loan_terms(loan, lender, now)
    return Checked(loan, parsed.digest(), data)


def check_loan_terms(loan: Loan, lender: Charter, now: datetime) -> None:
    """Check what a loan asks for, whoever has signed it.

    It is for those who write a loan, before the second officer has signed.

    Raises:
        ProtocolError: With the rule that is broken.
    """
    window = loan.window
    if window.end <= window.start:
        raise ProtocolError(Refusal.LIMIT, "this loan's window ends before it starts")
    if window.end - window.start > limits.LOAN_MAX_WINDOW:
        raise ProtocolError(Refusal.LIMIT, f"a loan lasts at most {limits.LOAN_MAX_WINDOW.days} days (M1)")
    if now >= window.end:
        raise ProtocolError(Refusal.EXPIRED, f"this loan ended at {window.end.isoformat()}")
    if window.start - now > limits.ORDER_MAX_LEAD:
        raise ProtocolError(Refusal.NOT_YET, f"this loan starts more than {limits.ORDER_MAX_LEAD.days} days from now")
    borrower = check_charter(loan.charter, now).document
    if loan.borrower == loan.force or borrower.force != loan.borrower:
        raise ProtocolError(
            Refusal.WRONG_FORCE, f"expected a loan to {loan.borrower} with its charter, found {borrower.force}'s"
        )
    _require_no_common_key(lender, borrower)
    if borrower.expires < window.end:
        raise ProtocolError(Refusal.LIMIT, "this loan would outlive the borrower's charter: ask for a newer one")


def check_loan_for_unit(loan: Loan, unit: str, key: str) -> None:
    """Check that a loan names this unit, by name and key.

    Raises:
        ProtocolError: `WRONG_UNIT`.
    """
    _require_unit(loan.units, unit, key, "loan")


def check_within_loan(order: Order, loan: Loan) -> None:
    """Check that an order of the borrower's does not reach beyond the loan.

    Raises:
        ProtocolError: `LIMIT`.
    """
    window = loan.window
    if order.window.start < window.start or order.window.end > window.end:
        raise ProtocolError(
            Refusal.LIMIT,
            f"this unit is on loan from {window.start.isoformat()} until {window.end.isoformat()}; "
            "the order reaches beyond that",
        )


def check_end_of_loan(data: bytes, loan: str, charters: Iterable[Charter]) -> str:
    """Check a cancellation of a loan: one officer of the lender or of the borrower suffices.

    Args:
        data: Envelope as JSON bytes.
        loan: The digest of the loan in hand.
        charters: Of those who may end it.

    Returns:
        The force that ends it.

    Raises:
        ProtocolError: With the rule that is broken.
    """
    named = envelope.decode(envelope.parse(data, Kind.CANCELLATION), Cancellation).force
    charter = next((charter for charter in charters if charter.force == named), None)
    if charter is None:
        raise ProtocolError(Refusal.WRONG_FORCE, "expected a cancellation of the lender or of the borrower")
    check_cancellation(data, charter, loan)
    return charter.force


def check_assurance(data: bytes, charter: Charter, now: datetime) -> Checked[Assurance]:
    """Check an assurance report: signed by a body apart from the officers, this force, in force, figures that add up.

    Whether it is good enough for an order is another question: a report that shows a model to be unfit is a report too.

    Raises:
        ProtocolError: With the rule that is broken.
    """
    parsed = envelope.parse(data, Kind.ASSURANCE)
    _require_independent(parsed, charter)
    report = envelope.decode(parsed, Assurance)
    _require_force(report.force, charter)
    for reason in evidence.unfit(report, now):
        raise reason
    return Checked(report, parsed.digest(), data)


def check_time(data: bytes, charter: Charter, unit: str) -> Checked[SignedTime]:
    """Check a signed time: a technician's signature, of this force, for this unit.

    Whether it answers the unit's challenge, and soon enough, only the unit knows.

    Raises:
        ProtocolError: With the rule that is broken.
    """
    parsed = envelope.parse(data, Kind.TIME)
    _require(parsed, charter, Role.TECHNICIAN)
    signed = envelope.decode(parsed, SignedTime)
    _require_force(signed.force, charter)
    if signed.unit != unit:
        raise ProtocolError(Refusal.WRONG_UNIT, f"this time is for the unit {signed.unit}, this is {unit}")
    return Checked(signed, parsed.digest(), data)


def check_visit(data: bytes, charter: Charter, greeting: Greeting) -> Checked[Visit]:
    """Check a technician's word at the cable: signed by that role, for this unit, in the session of this greeting.

    That a number is used once, only the unit knows.

    Raises:
        ProtocolError: With the rule that is broken.
    """
    parsed = envelope.parse(data, Kind.VISIT)
    _require(parsed, charter, Role.TECHNICIAN)
    visit = envelope.decode(parsed, Visit)
    _require_force(visit.force, charter)
    if visit.key != greeting.key:
        raise ProtocolError(Refusal.WRONG_UNIT, "this visit is to a unit with another key: begin anew")
    if (visit.session, visit.challenge) != (greeting.session, greeting.challenge):
        raise ProtocolError(Refusal.REPLAYED, "this visit was signed for another session: begin anew")
    return Checked(visit, parsed.digest(), data)


def technician_of(data: bytes, charter: Charter) -> str:
    """Return the id of the technician's key that signed a visit which was checked. The first, where several have.

    Raises:
        NotAuthorised: None of them did.
    """
    signed = _require(envelope.parse(data, Kind.VISIT), charter, Role.TECHNICIAN)
    return min(envelope.key_id(key) for key in signed)


def _require_no_common_key(lender: Charter, borrower: Charter) -> None:
    """Demand two forces: a lender that held a key of the borrower's could order under the borrower's name."""
    if set(lender.keys) & set(borrower.keys):
        raise NotAuthorised("a borrower's charter lists keys of its own alone; this one shares a key with the lender's")


def _require_unit(units: Iterable[UnitRef], unit: str, key: str, what: str) -> None:
    if not any(ref.unit == unit and ref.key == key for ref in units):
        raise ProtocolError(Refusal.WRONG_UNIT, f"this {what} does not name the unit {unit} with the key that it has")


def _check_keys(charter: Charter) -> None:
    for keyid, key in charter.keys.items():
        if envelope.key_id(key.public) != keyid:
            raise Malformed(f"the key id {keyid[:12]}… is not the SHA-256 of its key")
    if len({key.post for key in charter.keys.values()}) != len(charter.keys):
        raise Malformed("every key in a charter belongs to a post of its own: two keys name the same post")
    for role, held in charter.roles.items():
        if not set(held.keys) <= set(charter.keys):
            raise Malformed(f"the role {role.value} names a key that the charter does not list")
        if len(set(held.keys)) != len(held.keys) or held.threshold > len(held.keys):
            raise Malformed(
                f"the role {role.value} asks for {held.threshold} signatures of {len(set(held.keys))} different keys"
            )


def _signed_by(parsed: Envelope, charter: Charter, role: Role) -> frozenset[str]:
    """Return the public keys of a role that validly signed."""
    held = charter.roles.get(role)
    return parsed.signers(charter.keys[keyid].public for keyid in held.keys) if held else frozenset()


def _require(parsed: Envelope, charter: Charter, role: Role) -> frozenset[str]:
    signed = _signed_by(parsed, charter, role)
    needed = charter.roles[role].threshold if role in charter.roles else 1
    if len(signed) < needed:
        raise NotAuthorised(f"expected {needed} valid signature(s) of the role {role.value}, found {len(signed)}")
    return signed


def _require_two_officers(parsed: Envelope, charter: Charter) -> None:
    """Demand both roles, by people who differ: a key that holds both roles counts for one of them."""
    first = _require(parsed, charter, Role.AUTHORISING_OFFICER)
    second = _require(parsed, charter, Role.SECOND_OFFICER)
    needed = charter.roles[Role.AUTHORISING_OFFICER].threshold + charter.roles[Role.SECOND_OFFICER].threshold
    if len(first | second) < needed:
        raise NotAuthorised(
            "expected two different people as authorising and second officer, found one key in both roles"
        )


def _require_force(force: str, charter: Charter) -> None:
    if force != charter.force:
        raise ProtocolError(Refusal.WRONG_FORCE, f"expected a document of {charter.force}, found one of {force}")


def _require_independent(parsed: Envelope, charter: Charter) -> None:
    """Demand the assurance body's signature, by keys that hold no part in ordering: nobody vouches for their own."""
    signed = _require(parsed, charter, Role.ASSURANCE_BODY)
    ordering = (Role.AUTHORISING_OFFICER, Role.SECOND_OFFICER, Role.WATCHLIST_OFFICER)
    parties = {
        charter.keys[keyid].public for role in ordering if role in charter.roles for keyid in charter.roles[role].keys
    }
    if len(signed - parties) < charter.roles[Role.ASSURANCE_BODY].threshold:
        raise NotAuthorised("expected an assurance body apart from the officers who order, found one key in both roles")


def _check_entries(watchlist: Watchlist, order: Order, limit: ForceLimits, now: datetime) -> None:
    entries = watchlist.entries
    if len(entries) > order.watchlist_max_entries:
        raise ProtocolError(
            Refusal.LIMIT,
            f"expected at most {order.watchlist_max_entries} entries (the order's limit), found {len(entries)}",
        )
    if len({entry.reference for entry in entries}) != len(entries):
        raise Malformed("two entries have the same reference")
    for entry in entries:
        if entry.category not in order.categories:
            raise ProtocolError(
                Refusal.LIMIT, f"the entry {entry.reference} is in a category that the order does not permit (O2)"
            )
        _check_age(entry, limit, watchlist.made)
        if entry.expires <= now:
            raise ProtocolError(Refusal.EXPIRED, f"the entry {entry.reference} has expired")
        if entry.reviewed > watchlist.made or watchlist.made - entry.reviewed > limits.WATCHLIST_MAX_AGE:
            raise ProtocolError(Refusal.LIMIT, f"the entry {entry.reference} was not reviewed for this deployment (O5)")


def _check_age(entry: Entry, limit: ForceLimits, made: datetime) -> None:
    """Check what depends on a person's age: who authorised it (O9), and how old the image may be (O5)."""
    days = limit.image_max_age_days
    if entry.under_18:
        days = limit.image_max_age_days_under_18
        if not entry.under_18_rationale:
            raise ProtocolError(Refusal.LIMIT, f"the entry {entry.reference} is under 18 and gives no rationale (O9)")
        second = entry.under_18_authorised_by
        if second is None or second.strip().casefold() == entry.reviewed_by.strip().casefold():
            raise ProtocolError(
                Refusal.LIMIT,
                f"the entry {entry.reference} is under 18 and no post other than its reviewer's authorised it (O9)",
            )
    if not -limits.CLOCK_TOLERANCE <= made - entry.image_date <= timedelta(days=days):
        raise ProtocolError(
            Refusal.LIMIT, f"the entry {entry.reference} has an image older than {days:,} days, or not yet taken (O5)"
        )
