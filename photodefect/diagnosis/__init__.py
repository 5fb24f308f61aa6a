"""From photos to records: scoring, worker processes, the cache and the Diagnoser that ties them together."""
