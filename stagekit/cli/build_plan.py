"""What `inv build` would do, shown."""

from __future__ import annotations

from collections.abc import Sequence

from stagekit.cli.console import Console
from stagekit.cli.foreseen import Foreseen, shown
from stagekit.errors import InputError
from stagekit.pipeline.build import Plan, lacks
from stagekit.protocols import Builder
from stagekit.records import Build, Stored


def show(
    console: Console, plan: Plan, builder: Builder, foreseen: Sequence[Foreseen], *, json: bool
) -> None:
    lacking = list(lacks(plan, builder))
    if json:
        console.data(
            {
                "id": plan.id,
                "unchanged": False,
                "push": plan.push,
                "tags": list(plan.tags),
                "cannot": lacking,
                "needs": [item.data for item in foreseen],
                "images": [
                    {
                        "name": image.spec.name,
                        "context": str(image.spec.context),
                        "repositories": list(image.spec.repositories),
                        "build": image.known is None,
                        "why": image.reason,
                    }
                    for image in plan.images
                ],
            }
        )
        return
    _show_needs(console, foreseen)
    for image in plan.images:
        verb = "reuse" if image.known else "build"
        console.result(f"{verb}  {image.spec.name}  {image.spec.context}  ({image.reason})")
    for image in plan.images if plan.push else ():
        for reference in image.spec.references:
            console.result(f"push   {reference}")
    for what in lacking:
        console.warn(f"builder {builder.name} cannot: {what}")


def _show_needs(console: Console, foreseen: Sequence[Foreseen]) -> None:
    if not foreseen:
        return
    for line in shown(foreseen):
        console.result(line)
    if any(item.runs is not False for item in foreseen):
        console.note("what they make may change what is said of images here")


def say_current(
    console: Console, stored: Stored[Build], foreseen: Sequence[Foreseen], *, json: bool
) -> None:
    if json:
        needs = [item.data for item in foreseen]
        console.data({"id": stored.record.id, "unchanged": True, "needs": needs, "images": []})
    else:
        _show_needs(console, foreseen)
        console.result(f"nothing to do: build {stored.record.id} is what the source makes")


def say_unknown(
    console: Console, error: InputError, foreseen: Sequence[Foreseen], *, json: bool
) -> None:
    """Say which tasks would run, where what they make is not there to be looked at."""
    if json:
        needs = [item.data for item in foreseen]
        console.data({"id": None, "unchanged": False, "needs": needs, "images": []})
    else:
        _show_needs(console, foreseen)
    warn_unknown(console, error)


def warn_unknown(console: Console, error: InputError) -> None:
    """Say that images cannot be looked at before the tasks ran that would."""
    console.warn(f"{error}: what would be built can be told after these tasks ran")
