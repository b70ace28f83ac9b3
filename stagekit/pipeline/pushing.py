"""One image under one name to its registry, as long as trying again can help."""

from __future__ import annotations

from stagekit.cancel import Cancel
from stagekit.errors import BuildFailed, RegistryError
from stagekit.events import Emit, Noted, step
from stagekit.protocols import Engine
from stagekit.retry import patiently


def push_as(
    reference: str, image: str, engine: Engine, *, shared: bool, emit: Emit, cancel: Cancel
) -> str:
    """Push an image under a name, and return the digest that its registry has for it.

    Args:
        reference: the name.
        image: the image's id on the engine.
        engine: has it.
        shared: whether other builds give that name to theirs.
        emit: told of the step.
        cancel: stops it.

    Raises:
        BuildFailed: the registry did not take it.
    """
    with step(emit, "push", reference) as under_way:
        try:
            digest = patiently(
                lambda: _push(reference, image, engine, shared, emit, cancel),
                on_wait=lambda text: emit(Noted(f"push {reference}: {text}")),
                cancel=cancel,
            )
        except RegistryError as error:
            raise BuildFailed(
                f"the registry did not take it: {error.what}",
                where=reference,
                hint=error.hint,
                output=error.output,
            ) from error
        under_way.outcome = digest
    return digest


def _push(
    reference: str, image: str, engine: Engine, shared: bool, emit: Emit, cancel: Cancel
) -> str:
    """Push under a name that another build on this engine may move at any time."""
    engine.tag(image, reference)
    digest = engine.push(reference, shared=shared, emit=emit, cancel=cancel)
    found = engine.image(reference)
    if found is None or found.id != image:
        raise RegistryError(
            "another build on this engine has moved the tag while it was pushed",
            where=reference,
            hint="inv build, once that one is done",
            transient=True,
        )
    return digest
