"""Labelled photographs: tables of severities, and people's raw votes."""
