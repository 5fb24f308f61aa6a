"""Diagnosing photos: scoring, worker processes, the cache of results, and the Diagnoser that ties them together."""
