"""How what stopped a stage is written into its record."""

from __future__ import annotations

from stagekit.errors import Cancelled, StagekitError
from stagekit.records import Failure


def failure_of(error: BaseException, *, step: str, subject: str) -> Failure:
    """Describe an error, with the last lines that tell why where it has them."""
    known = isinstance(error, StagekitError)
    return Failure(
        subject=subject,
        step=step,
        message=str(error) if known else f"{type(error).__name__}: {error}",
        output=error.output if isinstance(error, StagekitError) else (),
    )


def is_cancelled(error: BaseException) -> bool:
    """Tell whether somebody stopped the stage, by one Ctrl-C or by two."""
    return isinstance(error, Cancelled | KeyboardInterrupt)
