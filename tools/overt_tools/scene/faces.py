"""stub"""
from dataclasses import dataclass
@dataclass(frozen=True)
class Face:
    middle: tuple
    eyes: float
    roll: float
