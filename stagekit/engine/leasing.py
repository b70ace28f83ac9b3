"""The leases of an engine, wherever it keeps its locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stagekit.cancel import Cancel
from stagekit.events import Emit
from stagekit.records import Holder

if TYPE_CHECKING:
    from stagekit.engine.lease import Lock
    from stagekit.protocols import Lease


class Leasing:
    """The part of a `stagekit.protocols.Engine` that gives leases; who inherits it says where the
    lock of an environment is kept."""

    def _lock(self, name: str) -> Lock:
        raise NotImplementedError

    def lease(
        self,
        name: str,
        holder: Holder,
        *,
        seconds: float,
        wait: float,
        emit: Emit,
        cancel: Cancel,
    ) -> Lease:
        from stagekit.engine.lease import take

        lock = self._lock(name)
        return take(lock, holder, seconds=seconds, wait=wait, emit=emit, cancel=cancel)

    def lock_holder(self, name: str) -> tuple[Holder, float] | None:
        from stagekit.engine.lease import held

        return held(self._lock(name))

    def break_lock(self, name: str) -> Holder | None:
        from stagekit.engine.lease import break_open

        return break_open(self._lock(name))
