"""Copying, linking and moving photos with what belongs to them: planned, journalled, undoable, never overwriting."""

from photodefect.files.companions import CompanionIndex, companions
from photodefect.files.journal import Journal, JournalRecord, default_journal_path, read_journal, state_folder
from photodefect.files.operations import DryRunOperations, FileOperations
from photodefect.files.plan import Action, Mode, Skipped, TransferPlan, plan_transfer, some_files
from photodefect.files.transfer import TransferOutcome, apply, undo_command
from photodefect.files.undo import UndoOutcome, undo

__all__ = [
    "Action",
    "CompanionIndex",
    "DryRunOperations",
    "FileOperations",
    "Journal",
    "JournalRecord",
    "Mode",
    "Skipped",
    "TransferOutcome",
    "TransferPlan",
    "UndoOutcome",
    "apply",
    "companions",
    "default_journal_path",
    "plan_transfer",
    "read_journal",
    "some_files",
    "state_folder",
    "undo",
    "undo_command",
]
