"""The closed lists: every word that a document, a message or a log may use for a kind of thing."""

from enum import StrEnum


class Kind(StrEnum):
    """Kinds of signed document."""

    CHARTER = "charter"
    ORDER = "order"
    WATCHLIST = "watchlist"
    CANCELLATION = "cancellation"
    LOAN = "loan"
    ASSURANCE = "assurance"
    TIME = "time"
    CHALLENGE = "challenge"
    VISIT = "visit"
    GREETING = "greeting"
    DECOMMISSION = "decommission"
    INSPECTION = "inspection"
    RECEIPT = "receipt"
    ERASURE = "erasure"
    HANDBACK = "handback"
    CHECKPOINT = "checkpoint"
    ALERT = "alert"
    STATUS = "status"
    HEALTH = "health"


class Act(StrEnum):
    """What a technician does at a unit, over the cable."""

    VISIT = "visit"
    IDENTIFY = "identify"
    ENROL = "enrol"
    NETWORK = "network"
    DELIVER = "deliver"
    TIME = "time"
    STATUS = "status"
    DIAGNOSE = "diagnose"
    LOG = "log"
    RECEIPTS = "receipts"
    AIM = "aim"
    TEST = "test"
    UPDATE = "update"
    DECOMMISSION = "decommission"


class Role(StrEnum):
    """Roles that a charter gives to keys."""

    ROOT = "root"
    AUTHORISING_OFFICER = "authorising_officer"
    SECOND_OFFICER = "second_officer"
    WATCHLIST_OFFICER = "watchlist_officer"
    ASSURANCE_BODY = "assurance_body"
    TECHNICIAN = "technician"


class UseCase(StrEnum):
    """What a deployment is for. A blue watchlist lists consenting volunteers only, to measure recognition."""

    BLUE_WATCHLIST = "blue_watchlist"
    WANTED_PERSONS = "wanted_persons"
    MISSING_PERSONS = "missing_persons"
    SERIOUS_HARM = "serious_harm"


class Characteristic(StrEnum):
    """By what an assurance report divides its testers, as they described themselves. Never inferred from anyone."""

    SEX = "sex"
    ETHNICITY = "ethnicity"
    AGE = "age"


class Category(StrEnum):
    """Why a person may be on a watchlist (Bridges [2020] EWCA Civ 1058, 121-124: objective and published)."""

    VOLUNTEER = "volunteer"
    WANTED_BY_COURT = "wanted_by_court"
    WANTED_FOR_ARREST = "wanted_for_arrest"
    MISSING = "missing"
    RISK_OF_SERIOUS_HARM = "risk_of_serious_harm"


class State(StrEnum):
    """The unit's life."""

    IDLE = "idle"
    ARMED = "armed"
    RECOGNISING = "recognising"
    PAUSED = "paused"
    ERASING = "erasing"
    MAINTENANCE = "maintenance"


class Doubt(StrEnum):
    """Why recognition is off although an order is in force (promise 10)."""

    CLOCK = "clock"
    PLACE = "place"
    INDICATOR = "indicator"
    CAMERA = "camera"
    MODEL = "model"
    STORAGE = "storage"
    TEMPERATURE = "temperature"
    ENCLOSURE = "enclosure"
    VISION = "vision"


class Part(StrEnum):
    """Parts of a unit that it tests itself."""

    CAMERA = "camera"
    LIGHT = "light"
    INDICATOR = "indicator"
    PLACE = "place"
    CLOCK = "clock"
    STORAGE = "storage"
    ENCLOSURE = "enclosure"
    NETWORK = "network"
    BROKER = "broker"
    TEMPERATURE = "temperature"
    SUPPLY = "supply"


class Cause(StrEnum):
    """What is behind a doubt, or what else somebody has to see to. `sentences` says each in words for a technician."""

    CLOCK_UNSET = "clock_unset"
    CLOCK_BACKWARDS = "clock_backwards"
    CLOCK_UNKNOWN = "clock_unknown"
    PLACE_UNKNOWN = "place_unknown"
    RECEIVER_SILENT = "receiver_silent"
    RECEIVER_UNSURE = "receiver_unsure"
    RECEIVER_ELSEWHERE = "receiver_elsewhere"
    PLACE_NOT_ORDERED = "place_not_ordered"
    LAMP_ABSENT = "lamp_absent"
    LAMP_UNREADABLE = "lamp_unreadable"
    LAMP_DARK = "lamp_dark"
    CAMERA_ABSENT = "camera_absent"
    CAMERA_SILENT = "camera_silent"
    CAMERA_FROZEN = "camera_frozen"
    CAMERA_BLACK = "camera_black"
    CAMERA_UNFIT = "camera_unfit"
    FOOTAGE_OVER = "footage_over"
    MODEL_OTHER = "model_other"
    MODEL_FAILED = "model_failed"
    STORAGE_FULL = "storage_full"
    STORAGE_READ_ONLY = "storage_read_only"
    STORAGE_FAILING = "storage_failing"
    TOO_HOT = "too_hot"
    TEMPERATURE_UNKNOWN = "temperature_unknown"
    ENCLOSURE_OPEN = "enclosure_open"
    ENCLOSURE_UNREADABLE = "enclosure_unreadable"
    VISION_ABSENT = "vision_absent"
    VISION_REFUSED = "vision_refused"
    UPLINK_ABSENT = "uplink_absent"
    BROKER_UNREACHABLE = "broker_unreachable"
    BROKER_REFUSES = "broker_refuses"
    SUPPLY_WEAK = "supply_weak"
    ACCELERATOR_LOST = "accelerator_lost"


class Engine(StrEnum):
    """What computes the networks."""

    CPU = "cpu"
    ACCELERATOR = "accelerator"
    FALLBACK = "fallback"


class Ending(StrEnum):
    """Why a deployment or a loan ended."""

    WINDOW_OVER = "window_over"
    CANCELLED = "cancelled"
    LOAN_OVER = "loan_over"
    RECALLED = "recalled"
    REVOKED = "revoked"
    KEY_LOST = "key_lost"
    TAMPER = "tamper"


class CancellationReason(StrEnum):
    """Why an officer ends an order before its time."""

    FULFILLED = "fulfilled"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    TAMPER = "tamper"


class Refusal(StrEnum):
    """Why a document was refused. Fit for the log and the receipt: none repeats the sender's text."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    NOT_AUTHORISED = "not_authorised"
    NOT_READABLE = "not_readable"
    WRONG_FORCE = "wrong_force"
    WRONG_UNIT = "wrong_unit"
    WRONG_ORDER = "wrong_order"
    WRONG_MODEL = "wrong_model"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    ROLLED_BACK = "rolled_back"
    REPLAYED = "replayed"
    LIMIT = "limit"
    NO_ASSURANCE = "no_assurance"
    NO_ORDER = "no_order"
    BUSY = "busy"
    LOCKED = "locked"
    NO_VISIT = "no_visit"


class ClockQuality(StrEnum):
    """How well the unit knew the time."""

    SYNCHRONISED = "synchronised"
    HOLDOVER = "holdover"
    UNKNOWN = "unknown"


class Operation(StrEnum):
    """The six logged operations of DPA 2018 s.62, and two of the unit's own."""

    COLLECTION = "collection"
    ALTERATION = "alteration"
    CONSULTATION = "consultation"
    DISCLOSURE = "disclosure"
    COMBINATION = "combination"
    ERASURE = "erasure"
    AUTHORITY = "authority"
    CONDITION = "condition"
