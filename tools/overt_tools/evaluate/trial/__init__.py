"""Seeded field trials: testers pass a unit, some of them listed; what they wrote down is held against its alerts."""
