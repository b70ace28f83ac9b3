"""What a Swarm keeps of a stack besides what it runs, in a config of its own.

Its content is the key of the fingerprints of the stack's secrets: who may read that could mount the
secrets themselves. Its labels are the digests of the services as the last run left them: whatever
else changes a service (``docker service update``) changes its digest.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable

from stagekit import digest
from stagekit.engine.swarm.api import Found, Swarm, fitting
from stagekit.engine.swarm.tasks import own_services
from stagekit.errors import EngineError

_STACK = "stagekit.stack"
_LEFT = "stagekit.left."
_TRIES = 20


def key_of(swarm: Swarm, stack: str) -> bytes:
    """Return the key of the fingerprints of a stack's secrets; the first to ask makes it."""
    found = swarm.object("configs", _name(stack))
    if found is None:
        swarm.create("configs", _name(stack), secrets.token_bytes(32), {_STACK: stack})
        found = swarm.object("configs", _name(stack))  # another one's, who was faster
    if found is None:
        raise EngineError(f"the Swarm does not keep {_name(stack)}", where=swarm.url)
    return base64.b64decode(found["Spec"]["Data"])


def keep(swarm: Swarm, stack: str) -> None:
    """Write down the services of a stack as they are."""
    left = {
        _LEFT + name: _digest(service)
        for name, service in own_services(swarm.services(stack), stack).items()
    }
    for _ in range(_TRIES):
        found = swarm.object("configs", _name(stack))
        if found is None or swarm.relabel(found, {_STACK: stack, **left}):
            return


def changed(swarm: Swarm, stack: str, services: Iterable[Found]) -> frozenset[str]:
    """Return the services that somebody changed since they were written down."""
    found = swarm.object("configs", _name(stack))
    labels = (found["Spec"].get("Labels") or {}) if found else {}
    return frozenset(
        name
        for name, service in own_services(services, stack).items()
        if labels.get(_LEFT + name, _digest(service)) != _digest(service)
    )


def _digest(service: Found) -> str:
    """Return the digest of what a service's tasks are made from; to start them anew is no other."""
    template = {k: v for k, v in service["Spec"]["TaskTemplate"].items() if k != "ForceUpdate"}
    return digest.of_bytes(json.dumps(template, sort_keys=True).encode())


def _name(stack: str) -> str:
    return fitting(f"stagekit-stack-{stack}")
