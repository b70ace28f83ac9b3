"""A project that things happen to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle, takewhile, zip_longest
from logging import getLogger

from tests.faults.in_force import InForce
from tests.faults.nursery import Ended
from tests.faults.prepared import Prepared
from tests.faults.promises import Look, Promises
from tests.faults.saboteur import Fault, Point
from tests.faults.scenarios import AUDITS, Scenario, Words

_LOG = getLogger(__name__)
_ANSWER_LIMIT = 2.0


class Stage:
    """A project, prepared for a scenario, and commands in it.

    Args:
        scenario: what it is prepared for.
        prepared: prepares it.
        sabotage: what of stagekit is broken on purpose once that is done.
    """

    def __init__(self, scenario: Scenario, prepared: Prepared, *, sabotage: str = "") -> None:
        self.scenario = scenario
        self._prepared = prepared
        self._sabotage = sabotage
        self._typed = cycle((scenario.command, scenario.other or scenario.command))
        ground = prepared.ground
        self._promises = Promises(
            prepared.here,
            shared=prepared.shared if scenario.ledger else None,
            in_force=[
                InForce(each, f"{prepared.name}-prod", "prod", swarm=ground.swarm, host=host)
                for each, host in zip_longest(ground.clients, ground.hosts, fillvalue="")
            ],
        )
        self._begin()
        if scenario.in_place:
            for words in scenario.before[len(self._on_disk) :]:
                prepared.do(words, ledger=scenario.ledger)

    def close(self) -> None:
        """Remove what it left on the engines."""
        self._prepared.clear()

    def strike(self, what: str, at: int) -> list[str]:
        """Let something happen at a point; return what is broken then and after what comes next."""
        command, before = self._about_to()
        hit = self._run(*command, fault=Fault(at, what))
        said = [f"{what}{text}" for text in self._broken(command, before, hit)]
        _LOG.info(
            "%s: %s at %d, exit code %d, broken: %s", self.scenario.name, what, at, hit.code, said
        )
        return said

    def reach(
        self, prepare: Callable[[], None], mend: Callable[[], None], **environ: str
    ) -> list[str]:
        """Type the command where an engine or a registry does not do what it should; return what is
        broken.

        Args:
            prepare: called just before.
            mend: called just after.
            environ: what leads there.
        """
        command, before = self._about_to()
        prepare()
        hit = self._run(*command, limit=_ANSWER_LIMIT, **environ)
        mend()
        said = list(self._broken(command, before, hit))
        _LOG.info("%s: exit code %d, broken: %s", self.scenario.name, hit.code, said)
        return said

    def points(self) -> tuple[Point, ...]:
        """Return the points that the scenario's command comes by where nothing happens."""
        command, _ = self._about_to()
        went = self._run(*command)
        assert went.code == 0, went.text
        return went.points

    def audit(self) -> list[str]:
        """Return what is found wrong with all that was recorded."""
        found = []
        for words in AUDITS if self.scenario.ledger else AUDITS[:1]:
            ended = self._run(*words)
            if ended.code != 0:
                found.append(f"{words[0]} ends with {ended.code}: {ended.text[-600:]}")
        return found

    def _broken(self, command: Words, before: Look, hit: Ended) -> Iterator[str]:
        yield from (f": {text}" for text in self._promises.broken(before, hit))
        between = self._promises.look()
        then = self._run(*(self.scenario.after or command))
        if then.code != 0:
            yield f": what comes next ends with {then.code}: {then.text[-600:]}"
        for text in self._promises.broken(between, then, settled=True):
            yield f", and after it: {text}"
        if not self.scenario.in_place:
            yield from (f", and after it: {text}" for text in self.audit())

    @property
    def _on_disk(self) -> tuple[Words, ...]:
        """What was done before, as far as it is not on an engine."""
        return tuple(takewhile(lambda words: words[0] not in ("run", "up"), self.scenario.before))

    def _begin(self) -> None:
        ledger = self.scenario.ledger and not self.scenario.moves_in
        self._prepared.bring(self._on_disk, ledger=ledger)

    def _about_to(self) -> tuple[Words, Look]:
        """Return what is about to be typed, and what there is then."""
        if self.scenario.in_place:
            for words in self.scenario.again:
                self._prepared.do(words, ledger=self.scenario.ledger)
        else:
            self._begin()
        return next(self._typed), self._promises.look()

    def _run(
        self, *words: str, fault: Fault | None = None, limit: float = 0, **environ: str
    ) -> Ended:
        return self._prepared.run(
            words,
            ledger=self.scenario.ledger,
            stdin=self.scenario.stdin,
            fault=fault,
            sabotage=self._sabotage,
            limit=limit,
            environ=environ,
        )
