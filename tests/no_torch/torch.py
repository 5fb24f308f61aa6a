"""Stands in for torch where it isn't installed, for a Python process that has this folder on its PYTHONPATH."""

raise ModuleNotFoundError("No module named 'torch'", name="torch")
