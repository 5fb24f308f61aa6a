"""Copying, linking and moving photos with what belongs to them: planned, journalled, undoable, never overwriting."""
