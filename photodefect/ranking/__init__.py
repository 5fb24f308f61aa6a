"""Putting a folder in order: overall severity, bursts, hints, profiles and what to keep."""
