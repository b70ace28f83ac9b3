"""How many containers of each service a run brings up; and what going back does not undo."""

from __future__ import annotations

from collections.abc import Mapping

from stagekit.errors import InputError
from stagekit.events import Noted, Warned
from stagekit.inputs.near import known_names
from stagekit.pipeline.history import commands_since, last_run
from stagekit.pipeline.run.platform import Platform
from stagekit.records import Release


def numbers_for(scale: Mapping[str, int] | None, release: Release, on: Platform) -> dict[str, int]:
    """Return the numbers of containers of a run: those that were asked for, else those that the
    run in force was given, where it is of the same release.

    Raises:
        InputError: no such service, or no number.
    """
    return _kept_scale(release, on) if scale is None else _checked_scale(scale, release)


def _kept_scale(release: Release, on: Platform) -> dict[str, int]:
    """Return the numbers that the run in force was given, where it is of the same release."""
    last = last_run(on.ledger, release.env, on.emit)
    if last is None or not last.record.scale:
        return {}
    kept = ", ".join(f"{name}={number}" for name, number in sorted(last.record.scale.items()))
    if last.record.release.id != release.id:
        on.emit(Warned(f"the scale of {last.record.release.id} does not go on: {kept}"))
        return {}
    on.emit(Noted(f"scale, as before: {kept}"))
    return last.record.scale


def _checked_scale(scale: Mapping[str, int], release: Release) -> dict[str, int]:
    for name, number in scale.items():
        if type(number) is not int or number < 0:
            raise InputError(
                f"{number!r} is no number of containers of {name}",
                where="--set",
                hint=f"a whole number, such as {name}=3; 0 for none",
            )
        if name not in release.pins:
            raise InputError(
                f"{release.name} has no service {name!r}",
                where="--set",
                hint=known_names(name, release.pins),
            )
    return dict(scale)


def warn_of_commands(release: Release, on: Platform) -> None:
    """Warn of release commands that going back to a release does not undo."""
    for ran in commands_since(on.ledger, release.env, release.id, on.emit):
        on.emit(
            Warned(
                f"run {ran.n} ran the release command of {release.env}/{ran.release.id}: "
                "going back does not undo it"
            )
        )
