"""Diagnosing on a Ray cluster: photos on shared or object storage in, Parquet files out, resumable part by part.

The parts of a run: :mod:`~photodefect.distributed.storage` finds and reads photos by path or URL,
:mod:`~photodefect.distributed.plan` divides them into parts, :mod:`~photodefect.distributed.worker` holds the model on
a worker, :mod:`~photodefect.distributed.rows` says what a row is, and :mod:`~photodefect.distributed.run` has it done.
"""
