"""Reading the results of ``diagnose --ray`` as records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from photodefect.errors import DataError
from photodefect.extras import require
from photodefect.records import Diagnosis

_MAGIC = b"PAR1"


def is_results(path: Path) -> bool:
    """Whether there is a Parquet file, or a folder of parts."""
    if path.is_dir():
        return any(path.glob("part-*.parquet"))
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read_results(path: Path) -> Iterator[Diagnosis]:
    """The records of a part, or of a folder of parts; its other files are passed over.

    Raises:
        DataError: it isn't Parquet with the columns of results, or the package that reads it isn't installed.
    """
    require("ray", "pyarrow", what=f"reading {path}")
    import pyarrow as pa  # noqa: PLC0415  an extra
    import pyarrow.parquet as pq  # noqa: PLC0415

    from photodefect.distributed.rows import SCHEMA, from_table  # noqa: PLC0415

    for part in sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]:
        try:
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches():
                    yield from from_table(pa.Table.from_batches([batch]).select(SCHEMA.names))
        except (pa.ArrowException, KeyError, OSError) as error:
            raise DataError(f"{part} is not a part of the results of diagnose --ray: {error}") from error
