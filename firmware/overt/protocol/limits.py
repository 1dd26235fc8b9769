"""Limits that no document can widen, only tighten. Each names its source; REGISTER ids in brackets."""

from datetime import timedelta
from typing import Final

# A watchlist is made at most a day before use and alerts go within a day of it.
WATCHLIST_MAX_AGE: Final = timedelta(hours=24)  # [O7] Met/Croydon practice: list made <= 24 h before
ALERT_MAX_RETENTION: Final = timedelta(hours=24)  # [O11] South Wales Police: alerts deleted after use or within 24 h
ORDER_MAX_WINDOW: Final = timedelta(hours=24)  # [O21-22] a set start and end; an extension is a new order
LOAN_MAX_WINDOW: Final = timedelta(days=31)  # [M1] mutual aid is for an operation; longer is another loan
ORDER_MAX_LEAD: Final = timedelta(days=31)  # an order is for a planned deployment, not kept in a drawer
ADJUDICATION_MAX: Final = timedelta(minutes=10)  # the probe image of an alert leaves memory after minutes

WATCHLIST_MAX_ENTRIES: Final = 20_000  # what a unit searches in 1 ms; forces set theirs lower ([O19]: 2,000)
WATCHLIST_MAX_TEMPLATES_PER_ENTRY: Final = 8
# How old a watchlist image may be. [O5] asks for the most suitable image and names no age, so these are defaults of
# Overt's own (U), which a force can tighten: adults as long as the photograph of a UK passport serves, children less,
# because their faces change.
IMAGE_MAX_AGE: Final = timedelta(days=3653)
IMAGE_MAX_AGE_UNDER_18: Final = timedelta(days=731)
TEMPLATE_VALUES: Final = 128  # what both embedders of the catalogue give
TEMPLATE_BYTES: Final = TEMPLATE_VALUES * 4  # float32, little-endian

THRESHOLD_MIN: Final = 0.35  # cosine; below it nothing is a match with any model: SFace's published point is 0.363
THRESHOLD_MAX: Final = 0.95

FALSE_ALERT_CEILING_MAX: Final = 0.001  # [O19] South Wales Police, 2018: at most 1 false alert in 1,000 faces

# What an assurance report has to show before an order can stand on it. [O18] and [O20] name no figures, so those marked
# (U) are defaults of Overt's own, chosen to fail closed; a report's own tolerance can only be tighter.
ASSURANCE_MAX_AGE: Final = timedelta(days=366)  # [O18] regular assessment; (U) yearly
ASSURANCES_MAX: Final = 8  # models that a unit keeps a report on
RECOGNITION_GAP_MAX: Final = 0.05  # (U) of TRR between groups; 14 points made a force pause its system in March 2026
FALSE_ALERT_GAP_MAX: Final = 0.0005  # (U) of FPIR between groups: half of what is allowed at all
GROUP_MIN_PASSAGES: Final = 200  # (U) a rate near a half is then known to 3.5 points (standard error)
GROUP_UNSTATED_MAX: Final = 0.05  # (U) of those measured, who are in no group: a group left out cannot hide there
GROUP_MIN_FACES: Final = 3000  # none false in so many shows 1 in 1,000 with 95 % confidence (rule of three)

# Sizes checked before anything is parsed.
DOCUMENT_MAX_BYTES: Final = 256 * 1024
CHARTER_MAX_BYTES: Final = 96 * 1024  # so that a loan, which carries one, is no larger than any document
WATCHLIST_MAX_BYTES: Final = 32 * 1024 * 1024  # 20,000 entries of about 1.2 kB as JSON, and room
ALERT_MAX_BYTES: Final = 16 * 1024
SIGNATURES_MAX: Final = 16

CLOCK_TOLERANCE: Final = timedelta(seconds=5)  # between a document's maker and the unit
# A signed time is wrong by at most half of this: it was signed somewhere between challenge and answer.
SIGNED_TIME_MAX_AGE: Final = timedelta(minutes=2)
PASSAGE_GAP: Final = timedelta(seconds=4)  # the same entry seen again sooner is the same passage
HEALTH_INTERVAL: Final = timedelta(seconds=2)
CHECKPOINT_INTERVAL: Final = timedelta(seconds=30)
CHECKPOINT_KEPT_EVERY: Final = timedelta(hours=1)  # on the unit; and one at the end of each deployment
