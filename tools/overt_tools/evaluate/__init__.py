"""Measures recognition on labelled sets of stills, through the steps that a unit and an office take."""
