"""Profiles: a person's thresholds, weights and wishes, from TOML files."""
