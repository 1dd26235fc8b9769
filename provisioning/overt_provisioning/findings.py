"""Why a row of a manifest, or its image, cannot be used: a closed list, with the obligation and what to do."""

from enum import StrEnum

import msgspec

from overt.recognition.errors import Unsuitable


class Reason(StrEnum):
    """Why something is refused, or worth a look. The first part is recognition's own list of unsuitable faces."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    TURNED = "turned"
    TILTED = "tilted"
    CUT_OFF = "cut_off"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    TOO_FLAT = "too_flat"
    NO_IMAGE = "no_image"
    MALFORMED = "malformed"
    NO_LAWFUL_SOURCE = "no_lawful_source"
    CATEGORY = "category"
    NOT_REVIEWED = "not_reviewed"
    REVIEW_TOO_OLD = "review_too_old"
    UNDER_18 = "under_18"
    IMAGE_TOO_OLD = "image_too_old"
    EXPIRED = "expired"
    TOO_MANY_PEOPLE = "too_many_people"
    TOO_MANY_IMAGES = "too_many_images"
    OTHER_PARTICULARS = "other_particulars"
    DUPLICATE = "duplicate"
    UNLIKE = "unlike"


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, or worth a look.

    Attributes:
        reason: From the closed list.
        detail: What was expected and what was found, for a person.
    """

    reason: Reason
    detail: str


class Advice(msgspec.Struct, frozen=True):
    """What a reason means and what to do about it.

    Attributes:
        title: The reason in a few plain words.
        todo: What the office can do.
        obligation: Its id in the register of obligations; None where only recognition asks for it.
    """

    title: str
    todo: str
    obligation: str | None = None


ADVICE: dict[Reason, Advice] = {
    Reason.NO_FACE: Advice("No face found", "Use an image that shows the person's face from the front.", "O5"),
    Reason.SEVERAL_FACES: Advice(
        "Several faces", "Cut the image down to the one person who is meant, or use another image.", "O5"
    ),
    Reason.TOO_SMALL: Advice("Face too small", "Use the original rather than a reduced copy, or another image.", "O5"),
    Reason.BLURRED: Advice("Blurred", "Use a sharper image. Sharpening this one by software does not help.", "O5"),
    Reason.TURNED: Advice("Face turned away", "Use an image that shows the face from the front.", "O5"),
    Reason.TILTED: Advice("Face not upright", "Turn the image until the face is upright, and save it so.", "O5"),
    Reason.CUT_OFF: Advice("Face cut off", "Use an image that shows the whole face, forehead to chin.", "O5"),
    Reason.TOO_DARK: Advice("Too dark", "Use an image with light on the face.", "O5"),
    Reason.TOO_BRIGHT: Advice("Too bright", "Use an image in which the face is not washed out.", "O5"),
    Reason.TOO_FLAT: Advice("Too little contrast", "Use an image in which the features of the face stand out.", "O5"),
    Reason.NO_IMAGE: Advice("No usable image file", "Put the image into the folder, whole and under this very name."),
    Reason.MALFORMED: Advice("Row not filled in properly", "Correct the field that is named."),
    Reason.NO_LAWFUL_SOURCE: Advice(
        "No lawful source",
        "Say where the image comes from and on what legal basis the person is listed; if nobody can say, leave it out.",
        "O5",
    ),
    Reason.CATEGORY: Advice(
        "Category not in the order", "Leave the person out, or ask for an order that permits the category.", "O2"
    ),
    Reason.NOT_REVIEWED: Advice("Not reviewed", "Have the entry reviewed and say by which post and when.", "O5"),
    Reason.REVIEW_TOO_OLD: Advice(
        "Review too old", "Review the entry anew: every list is reviewed for its own deployment.", "O5"
    ),
    Reason.UNDER_18: Advice(
        "Under 18 without authority",
        "People under 18 are not ordinarily listed. State the significant risk of harm, and have a post other than the "
        "reviewer's authorise it; otherwise leave the person out.",
        "O9",
    ),
    Reason.IMAGE_TOO_OLD: Advice("Image too old", "Use a newer image: faces change.", "O5"),
    Reason.EXPIRED: Advice("Entry expired", "Leave the person out, or decide anew whether to list them.", "O5"),
    Reason.TOO_MANY_PEOPLE: Advice(
        "More people than the order permits", "Leave out those who are least likely to be there.", "O19"
    ),
    Reason.TOO_MANY_IMAGES: Advice("Too many images of one person", "Keep the best of them."),
    Reason.OTHER_PARTICULARS: Advice(
        "Rows of one person differ", "Say the same of the person in each row of the reference; only images differ."
    ),
    Reason.DUPLICATE: Advice(
        "Looks like another entry",
        "If both are one person, use one reference. If not, use other images: the unit could not tell them apart "
        "either.",
        "O5",
    ),
    Reason.UNLIKE: Advice(
        "Unlike the person's other images", "Make sure that all images of this reference show the same person.", "O5"
    ),
}


def of_face(reason: Unsuitable, detail: str) -> Finding:
    """Return the finding for an unsuitable face."""
    return Finding(Reason(reason.value), detail)
