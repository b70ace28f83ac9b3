"""What an index of records is made of: series of ids, each in the order in which they came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, takewhile
from string import ascii_letters, digits

from stagekit.errors import LedgerError
from stagekit.ledger.names import are_words
from stagekit.records import Part

INDEX = "index"
RESERVED = "-"
"""Stands for the object of an id that is taken and whose record is not written yet."""

CHUNK, _CHUNKS = 256, 64
"""Lines of one file of the index, and files of one folder: adding a line rewrites no more. Fewer
lines would make more objects of which a copy is begun."""

SHOWN = 50
"""How many of a series' newest records the branch has as files."""

_LENGTHS = {40, 64}
_IN_OBJECTS = "0123456789abcdef"
_NOT_FIRST = "._:+-"
_IN_IDS = f"{ascii_letters}{digits}{_NOT_FIRST}"
_LONGEST_ID = 200


class Kind(Part, frozen=True):
    """One kind of records: what its series is called, and where the files of a record lie."""

    name: str
    path: str
    folder: bool = False


BUILDS = Kind(name="builds", path="builds/{id}.toml")
INPUTS = Kind(name="inputs", path="builds/{id}.inputs")
PRUNED_BUILDS = Kind(name="pruned-builds", path="builds/{id}.pruned")
RELEASES = Kind(name="releases", path="releases/{env}/{id}", folder=True)
CANCELLED = Kind(name="cancelled", path="releases/{env}/{id}.cancelled.toml")
PRUNED = Kind(name="pruned", path="releases/{env}/{id}.pruned.toml")
RUNS = Kind(name="runs", path="runs/{env}/{id}.toml")
COMPARISONS = Kind(name="comparisons", path="comparisons/{id}.toml")
SIGNATURES = Kind(name="signatures", path="signatures/{env}/{id}.json")

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        *(BUILDS, INPUTS, PRUNED_BUILDS, RELEASES, CANCELLED),
        *(PRUNED, RUNS, COMPARISONS, SIGNATURES),
    )
}


class Series(Part, frozen=True):
    """The records of one kind; where each environment has its own, those of ``env``."""

    kind: Kind
    env: str | None = None

    @property
    def name(self) -> str:
        return f"{self.kind.name}/{self.env}" if self.env else self.kind.name

    def path(self, id: str) -> str:
        """Return where the file or the folder of a record lies."""
        return self.kind.path.format(env=self.env, id=id.replace(":", ""))

    def chunk(self, number: int) -> str:
        """Return the path of one file of the index."""
        high, low = divmod(number, _CHUNKS)
        return f"{INDEX}/{self.name}/{high:04}/{low:02}"


def signature_ids(release: str) -> Iterator[str]:
    """Yield the ids of a release's signatures, the oldest first: the last that there is counts."""
    folder = release.replace(":", "")
    return (f"{folder}+{number}" if number > 1 else folder for number in count(1))


def signatures_of(release: str, listed: Listed) -> list[str]:
    """Return the ids of the signatures that a release has, the oldest first."""
    return [*takewhile(lambda one: one in listed, signature_ids(release))]


def signed_by(id: str) -> str:
    """Return the release, as its folder is named, that a signature is of."""
    return id.partition("+")[0]


def series_named(name: str) -> Series:
    """Return the series of that name.

    Raises:
        LedgerError: none is called that.
    """
    kind, _, env = name.partition("/")
    if kind not in KINDS:
        raise LedgerError(
            f"there are records of an unknown kind, {kind!r}",
            hint="pip install --upgrade stagekit: a newer one wrote them",
        )
    return Series(kind=KINDS[kind], env=env or None)


def _are_objects(texts: Sequence[str]) -> bool:
    """Tell whether texts name objects, or stand for one to come."""
    named = [text for text in texts if text != RESERVED] if RESERVED in texts else texts
    well_made = are_words(named, _IN_OBJECTS, not_first="", longest=max(_LENGTHS))
    return well_made and {*map(len, named)} <= _LENGTHS


class Listed:
    """A series as it stands: its lines, and what they say.

    Of an id that has a record nothing later is heard: a record is never replaced. There may be
    very many: they are taken apart and looked at in one go, by what has no loop in Python.

    Args:
        text: the files of the index, one after the other.
    """

    def __init__(self, text: str = "") -> None:
        words = text.split()
        self._ids, self._objects = words[::2], words[1::2]
        well_formed = len(words) == 2 * text.count("\n") and text[-1:] in ("", "\n")
        if not well_formed or not _are_objects(self._objects):
            raise LedgerError("a file of the index has lines of another form than its own")
        if not are_words(self._ids, _IN_IDS, not_first=_NOT_FIRST, longest=_LONGEST_ID):
            # such an id could lead out of the folder that records lie in
            raise LedgerError("a file of the index has an id that no record could have")
        self._by_id = dict(zip(self._ids, self._objects, strict=True))
        self._twice = len(self._by_id) < len(self._ids) or RESERVED in self._by_id.values()
        if self._twice:
            self._by_id = _first_records(self._ids, self._objects)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._ids)

    def __contains__(self, id: object) -> bool:
        return id in self._by_id

    def object(self, id: str) -> str | None:
        """Return the object of an id's record; None where there is none, or not yet."""
        found = self._by_id.get(id)
        return None if found == RESERVED else found

    def taken(self) -> list[str]:
        """Return every id that was ever given, the oldest first."""
        return list(self._by_id) if self._twice else list(self._ids)

    def recorded(self) -> list[str]:
        """Return the ids that have a record, the one that was given first first."""
        if not self._twice:
            return list(self._ids)
        return [id for id, object in self._by_id.items() if object != RESERVED]

    def shown(self) -> set[str]:
        """Return the ids whose records the branch has as files: those that had theirs last."""
        newest: dict[str, None] = {}
        for id, object in zip(reversed(self._ids), reversed(self._objects), strict=True):
            if object != RESERVED:
                newest[id] = None
            if len(newest) == SHOWN:
                break
        return set(newest)

    def copy(self) -> Listed:
        """Return the same, to be added to."""
        other = Listed()
        other._ids, other._objects = [*self._ids], [*self._objects]
        other._by_id, other._twice = {**self._by_id}, self._twice
        return other

    def add(self, id: str, object: str) -> None:
        """Add a line."""
        self._twice = self._twice or object == RESERVED or id in self._by_id
        self._ids.append(id)
        self._objects.append(object)
        if self._by_id.get(id, RESERVED) == RESERVED:
            self._by_id[id] = object

    def chunks_from(self, line: int) -> Iterator[tuple[int, str]]:
        """Yield the files of the index that a line, counted from 0, and all after it are in: the
        number of each, and its text."""
        for number in range(line // CHUNK, -(-self.count // CHUNK)):
            part = slice(number * CHUNK, (number + 1) * CHUNK)
            lines = zip(self._ids[part], self._objects[part], strict=True)
            yield number, "".join(f"{id} {object}\n" for id, object in lines)


def _first_records(ids: Sequence[str], objects: Sequence[str]) -> dict[str, str]:
    """Return the object of each id: of those that it is listed with, the first of a record."""
    found: dict[str, str] = {}
    for id, object in zip(ids, objects, strict=True):
        if found.get(id, RESERVED) == RESERVED:
            found[id] = object
    return found
