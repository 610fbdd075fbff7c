"""Files of numbers read without running anything that is in them: NPY, NPZ and CSV, sorted into layers and gradients.

Every refusal is a ValueError that says what was found and what to do. `read` takes a path, `parse` the bytes of an
upload.
"""
from zz_core.reading.checks import (
    MOST_COLUMNS,
    UnfitColumns,
    check_shape,
    checked_matrix,
    checked_names,
    checked_targets,
    refuse_gaps,
)
from zz_core.reading.files import MOST_BYTES, kind_of, parse, read, with_target
from zz_core.reading.recording import Recording, sort_arrays
from zz_core.reading.text import Table, UnknownEncoding, parse_table

__all__ = ["MOST_BYTES", "MOST_COLUMNS", "Recording", "Table", "UnfitColumns", "UnknownEncoding", "check_shape",
           "checked_matrix", "checked_names", "checked_targets", "kind_of", "parse", "parse_table", "read",
           "refuse_gaps", "sort_arrays", "with_target"]
