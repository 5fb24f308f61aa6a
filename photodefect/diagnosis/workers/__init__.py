"""Processes and threads that work on photos side by side, one photo each."""
