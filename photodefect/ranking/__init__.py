"""Ranking a folder: overall severity, series, hints, profiles and what to keep."""
