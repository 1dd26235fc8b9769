"""An order in plain words: what a unit will and will not do under it, and what is left to people."""

import textwrap
from datetime import timedelta

from overt.protocol import limits
from overt.protocol.documents import Area, FixedSite, Order
from overt.protocol.vocabulary import Category, UseCase

_CATEGORIES = {
    Category.VOLUNTEER: "consenting volunteers",
    Category.WANTED_BY_COURT: "people wanted by a court",
    Category.WANTED_FOR_ARREST: "people wanted for arrest",
    Category.MISSING: "missing people",
    Category.RISK_OF_SERIOUS_HARM: "people who risk, or pose a risk of, serious harm",
}


_USES = {
    UseCase.BLUE_WATCHLIST: "an exercise with volunteers (a blue watchlist)",
    UseCase.WANTED_PERSONS: "finding wanted people",
    UseCase.MISSING_PERSONS: "finding missing people",
    UseCase.SERIOUS_HARM: "keeping people from serious harm",
}
_WIDTH = 110


def explain(order: Order, digest: str | None) -> str:
    """Return what an order means, for the people who sign it; `digest` is None before anyone has."""
    called = f"Order {digest[:12]}…" if digest else "Not signed yet: an order"
    return "\n".join(
        [
            f"{called}, operation {order.operation}, of {order.force}.",
            "",
            "It is for",
            *_reasons(order),
            "",
            "Under this order",
            *_will(order),
            "",
            "It will not",
            *_will_not(order),
            "",
            "It is left to people to",
            *_people(order),
        ]
    )


def _reasons(order: Order) -> list[str]:
    """Say what the officers put their names to, in the words of the form."""
    return [
        f"  - {_USES[order.use_case]} (O2).",
        *_item(f"Purpose: {order.purpose}"),
        *_item(f"Legal basis: {order.legal_basis} (O25-27)"),
        *_item(f"Why it is necessary: {order.necessity} (O25-27)"),
        *_item(f"Why it is proportionate: {order.proportionality} (O25-27)"),
        *_item(f"Why listed people are expected there: {order.expectation} (O3)"),
    ]


def _item(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)


def _will(order: Order) -> list[str]:
    window = order.window
    start, end = (f"{time:%A %d %B %Y, %H:%M:%S %Z}" for time in (window.start, window.end))
    units = f"the unit{'s' if len(order.units) > 1 else ''} {', '.join(unit.unit for unit in order.units)}"
    rooms = " and ".join(room.name for room in order.control_rooms)
    categories = "; ".join(_CATEGORIES[category] for category in order.categories)
    return [
        f"  - {units} will compare every face that passes with a watchlist of",
        f"    {categories}; at most {order.watchlist_max_entries:,} of them (O2, O19),",
        f"  - {_where(order.place)} (O3),",
        f"  - from {start}",
        f"    until {end}: {_length(window.end - window.start)}, and not a second longer (O21-22),",
        f"  - with the model {order.model[:12]}… and no other; an alert is raised from a score of {order.threshold:g},",
        *_stands_on(order),
        f"  - sending each alert, a possible match, to {rooms} and to nobody else, without name, image or template,",
        "  - only while its lamp is proven lit, its clock is right, it is at the place, and it can keep its log.",
    ]


def _stands_on(order: Order) -> list[str]:
    if order.assurance is None:
        return []
    return [f"    which stands on the assurance report {order.assurance[:12]}… (O18, O20),"]


def _length(length: timedelta) -> str:
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = (f"{number} {unit}" for number, unit in ((hours, "h"), (minutes, "min"), (seconds, "s")) if number)
    return " ".join(parts)


def _where(place: FixedSite | Area) -> str:
    if isinstance(place, Area):
        return f"inside {place.name}, an area of {len(place.corners)} corners, for as long as it knows that it is there"
    return f"at {place.name} ({place.latitude:.4f}, {place.longitude:.4f}), where it was put up"


def _will_not(order: Order) -> list[str]:
    hours = limits.WATCHLIST_MAX_AGE.total_seconds() / 3600
    return [
        "  - recognise anyone elsewhere, earlier, later, with another model, or with the lamp dark,",
        f"  - accept a watchlist made more than {hours:g} hours ago (O7) or not reviewed for this deployment (O5), of",
        "    other categories (O2), of more people (O19), or with anyone under 18 whose listing a second post did not",
        "    authorise (O9),",
        "  - keep an image or template of anyone who raises no alert (O10), or record video at all,",
        f"  - keep an alert that could not be delivered for more than {order.retention.alerts_hours} hours (O11),",
        "  - keep the watchlist, or the key to it, once the order has ended or was cancelled (O7): it signs a",
        "    certificate of the erasure,",
        "  - run on: more time, another place or other people need a new order, signed by two officers (O21-22).",
    ]


def _people(order: Order) -> list[str]:
    minutes = order.retention.adjudication_minutes
    stands_on = (order.impact_assessment, order.equality_assessment, order.policy)
    papers = ", ".join(f'"{paper.title}"' for paper in stands_on)
    return [
        *_item(
            f"judge each alert within {minutes} minutes, and give reasons: {', '.join(order.operators)}. Nobody acts "
            "on the score alone; identity is established by ordinary means (O15-17),"
        ),
        *_item(
            f"put up the signs, and publish at {order.notice.address} before the start: “{order.notice.text}” A unit "
            "cannot see whether they did (O23),"
        ),
        *_item(f"stop {_too_many(order.false_alert_ceiling)} (O19), or when they see cause: one officer can cancel,"),
        *_item(f"stand by the papers {papers} (O20, O25-27)."),
    ]


def _too_many(ceiling: float) -> str:
    if not ceiling:
        return "at the first false alert"
    return f"when more than 1 in {1 / ceiling:,.0f} faces seen raise a false alert"
