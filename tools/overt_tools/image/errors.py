"""What keeps an image from being made."""


class ImageError(Exception):
    """Something that was given is not as it has to be."""


class Unavailable(ImageError):
    """Something that making an image needs is not here."""
