"""Training: labelled photos, the loop, checkpoints."""
