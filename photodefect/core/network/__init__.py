"""The networks: trunks, columns, the registry of models, and weights."""
