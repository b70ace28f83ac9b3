"""All that is measured."""

from __future__ import annotations

from benchmarks.measure import Measure
from benchmarks.measures import building, memory, records, releasing, running, starting

MEASURES: tuple[Measure, ...] = (
    *starting.MEASURES,
    *building.MEASURES,
    *releasing.MEASURES,
    *running.MEASURES,
    *records.MEASURES,
    *memory.MEASURES,
)
"""In the order of the table."""
