"""Deciding: a page served on this machine, where a person looks at photos and marks them."""
