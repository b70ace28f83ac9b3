"""What a commit of a shared ledger says of which records there are."""

from __future__ import annotations

from collections.abc import Iterable

from stagekit.ledger.git.entry import Addition, Seal
from stagekit.ledger.git.objects import Format, format_of, name_of
from stagekit.ledger.git.repository import Repository
from stagekit.ledger.git.series import INDEX, Kind, Listed, Series, series_named
from stagekit.ledger.names import checked_name


def files_listing(additions: Iterable[Addition], format: Format) -> dict[str, str]:
    """Return the files of an index that lists just those: their objects, by path."""
    lines: dict[str, list[str]] = {}
    for one in additions:
        lines.setdefault(one.series, []).append(f"{one.id} {one.object}\n")
    return {
        series_named(name).chunk(number): name_of(text.encode(), format)
        for name, added in lines.items()
        for number, text in Listed("".join(added)).chunks_from(0)
    }


class Index:
    """The index at one commit; of a ledger without an entry, an empty one. Read as it is needed.

    Args:
        repository: where it is.
        commit: the newest entry, None where there is none.
        seal: that entry's.
    """

    def __init__(self, repository: Repository, commit: str | None, seal: Seal | None) -> None:
        self.commit = commit
        self.seal = seal
        self._repository = repository
        self._listed: dict[Series, Listed] = {}
        self._environments: dict[Kind, list[str]] = {}

    @property
    def format(self) -> Format:
        """By which digest objects are named."""
        return format_of(self.commit) if self.commit else "sha1"

    def series(self, kind: Kind, env: str | None = None) -> Listed:
        """Return one series as it stands."""
        series = Series(kind=kind, env=env)
        if series not in self._listed:
            self._listed[series] = Listed(self._text(series))
        return self._listed[series]

    def environments(self, kind: Kind) -> list[str]:
        """Return the environments that have a series of a kind, by name."""
        if self.commit is None:
            return []
        if kind not in self._environments:
            below = f"{INDEX}/{kind.name}"
            found = self._repository.names_in(self.commit, below)
            self._environments[kind] = sorted(map(checked_name, found))
        return self._environments[kind]

    def apart(self, touched: Iterable[Series]) -> Index:
        """Return what this says as another one: what is added there to those series is not here."""
        other = Index(self._repository, self.commit, self.seal)
        copies = {one: self.series(one.kind, one.env).copy() for one in touched}
        other._listed = {**self._listed, **copies}
        return other

    def at(self, commit: str, seal: Seal) -> Index:
        """Return what this says, as the index of the commit that was made from it."""
        moved = Index(self._repository, commit, seal)
        moved._listed = self._listed
        return moved

    def _text(self, series: Series) -> str:
        if self.commit is None:
            return ""
        files = self._repository.below(self.commit, f"{INDEX}/{series.name}")
        chunks = self._repository.read([files[path] for path in sorted(files)])
        return b"".join(chunks).decode("utf-8", "replace")
