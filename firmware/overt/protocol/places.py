"""Whether a place is where an order says. Pure."""

import math

from overt.protocol.documents import Area, FixedSite

SITE_TOLERANCE_M = 250.0
"""A camera is put up beside the place that it looks at, not on the point that names it."""
_EARTH_RADIUS_M = 6_371_000.0  # mean radius, IUGG


def is_at(where: FixedSite, place: FixedSite | Area) -> bool:
    """Say whether a position is at an order's place: inside its polygon, or within 250 m of its point."""
    if isinstance(place, Area):
        return _inside(where.latitude, where.longitude, place.corners)
    return distance_m(where, place) <= SITE_TOLERANCE_M


def distance_m(one: FixedSite, other: FixedSite) -> float:
    """Return the great-circle distance in metres (haversine formula)."""
    lat1, lat2 = math.radians(one.latitude), math.radians(other.latitude)
    half_lat, half_lon = (lat2 - lat1) / 2, math.radians(other.longitude - one.longitude) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(half_lon) ** 2
    return 2 * _EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, chord)))


def _inside(latitude: float, longitude: float, corners: tuple[tuple[float, float], ...]) -> bool:
    """Count the edges that a ray to the east crosses (even-odd rule); good for polygons far smaller than the globe."""
    inside = False
    for (lat1, lon1), (lat2, lon2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (lat1 > latitude) != (lat2 > latitude):
            crossing = lon1 + (latitude - lat1) / (lat2 - lat1) * (lon2 - lon1)
            inside ^= longitude < crossing
    return inside
