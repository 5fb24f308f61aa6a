"""Hints: what to change about a photo and which way, measured on its pixels where the network only says how much."""
