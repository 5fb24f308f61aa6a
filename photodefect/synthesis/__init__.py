"""Graded synthetic defects: clean photographs in, photographs with known severities out."""
