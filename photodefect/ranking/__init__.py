"""Ranking a folder: overall severity, bursts, hints, profiles and what to keep."""
