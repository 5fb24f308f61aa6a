"""Hints for the editor: what to change about a photo and which way, measured where the network only says how much."""
