"""`lines.parquet`: the table with its types, for who analyses. It needs pyarrow (`pip install samenkracht[parquet]`).

Rows are those of `lines.csv`, an empty cell being null; numbers, truths and moments (UTC) are typed.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from deploy.pack.layout import COLUMNS, MORE, PARQUET
from deploy.pack.source import BadPack, Source

NUMBERS = frozenset(
    {"idx", "things", "consent_version", "revision", "epoch", "seq", "network_epoch", "network_seq", "v"}
)
TRUTHS, MOMENTS = frozenset({"emergency"}), frozenset({"occurred_at", "recorded_at"})
HOW = "install pyarrow (pip install 'samenkracht[parquet]')"


def available() -> bool:
    """Tells whether this machine can read and write Parquet."""
    return find_spec("pyarrow") is not None


def _types() -> dict[str, Any]:
    import pyarrow as pa

    return {
        name: pa.int64()
        if name in NUMBERS
        else pa.bool_()
        if name in TRUTHS
        else pa.timestamp("us", "UTC")
        if name in MOMENTS
        else pa.string()
        for name in (*COLUMNS, MORE)
    }


def arrow(rows: bytes | bytearray) -> Any:  # noqa: ANN401  pyarrow has no types
    """Returns rows of the table (RFC 4180, without header) as an Arrow table; raises ValueError if one does not fit."""
    import pyarrow as pa
    from pyarrow import csv

    types = _types()
    try:
        return csv.read_csv(
            pa.BufferReader(rows),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=True
            ),
            read_options=csv.ReadOptions(block_size=1 << 24, column_names=list(types)),
        ).combine_chunks()
    except pa.ArrowInvalid as error:
        msg = f"{PARQUET}: a line does not fit its columns' types ({error})"
        raise ValueError(msg) from None


class ParquetFile:
    """Writes the file, a block of rows at a time."""

    def __init__(self, path: Path) -> None:
        """Begin it; where pyarrow is missing, write nothing."""
        self._writer: Any = None
        if available():
            import pyarrow as pa
            from pyarrow import parquet

            schema = pa.schema(_types())
            self._writer = parquet.ParquetWriter(
                path, schema, compression="zstd", write_statistics=False, store_schema=False
            )

    def write(self, rows: bytes | bytearray) -> None:
        """Add rows of the table."""
        if self._writer is not None:
            self._writer.write_table(arrow(rows))

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()


class ParquetRows:
    """Reads the file beside the table: the same blocks of the same rows, and nothing else."""

    def __init__(self, file: IO[bytes] | Path) -> None:
        """Open it; a zip can't be read in any order, `copied` out of it can. Raises BadPack."""
        import pyarrow as pa
        from pyarrow import parquet

        try:
            self._file = parquet.ParquetFile(file)
            fits = self._file.schema_arrow.equals(pa.schema(_types()))
        except (pa.ArrowException, OSError) as error:
            raise BadPack(f"{PARQUET}: cannot be read: {error}") from None
        if not fits or (self._file.metadata.metadata or {}):
            raise BadPack(f"{PARQUET}: has other columns than belong here")

    def same(self, number: int, rows: bytes | bytearray) -> bool:
        """Tells whether block `number` holds these rows of the table."""
        import pyarrow as pa

        try:
            return bool(self._file.read_row_group(number).equals(arrow(rows)))
        except (pa.ArrowException, OSError, IndexError, ValueError):
            return False

    @property
    def blocks(self) -> int:
        """How many it has."""
        return int(self._file.num_row_groups)


def copied(source: Source, copy: IO[bytes]) -> IO[bytes]:
    """Returns `copy`, filled with a pack's file."""
    with source.open(PARQUET) as file:
        shutil.copyfileobj(file, copy)
    return copy
