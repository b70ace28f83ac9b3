"""What this machine's copy of a shared ledger has: commits, the index, records. No network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from stagekit.ledger.git.objects import contents_of, entries_of, format_of, in_batches
from stagekit.ledger.git.program import Git

_HELD = 64 * 2**20
"""Bytes of records that are read at a time."""

_FOLDERS = 500
"""Folders whose files are listed at a time."""


class ObjectStore:
    """Args:
    git: called on the copy.
    """

    def __init__(self, git: Git) -> None:
        self._git = git

    def continues(self, new: str, old: str) -> bool:
        """Tell whether a commit comes after another one."""
        return self._git.call("merge-base", "--is-ancestor", old, new).ok

    def messages(
        self, new: str, *, since: str | None = None, whole: bool = False
    ) -> list[tuple[str, list[str], str]]:
        """Return each commit after ``since`` up to ``new``, the oldest first: its name, those of
        its parents, and its message. Without ``since``, the newest alone, or the ``whole``
        history."""
        alone = () if whole else ("--max-count=1",)
        commits = (f"{since}..{new}",) if since else (*alone, new)
        log = self._git.said("log", "-z", "--reverse", "--format=%H%n%P%n%B", *commits, "--")
        found = (text.split("\n", 2) for text in log.stdout.split("\0") if text)
        return [(commit, parents.split(), body) for commit, parents, body in found]

    def changed(self, old: str, new: str, below: str) -> list[tuple[str, str, str]]:
        """Return which files below a folder differ in two commits: the path, and the two objects;
        one that is nowhere has a name of zeros."""
        options = ("-r", "-z", "--raw", "--no-renames", "--no-abbrev")
        words = self._git.said("diff-tree", *options, old, new, "--", below).stdout.split("\0")
        return [
            (path, *fields.split()[2:4])  # type: ignore[misc]  # of ":mode mode object object M"
            for fields, path in zip(words[::2], words[1::2], strict=False)
        ]

    def below(self, commit: str, path: str) -> dict[str, str]:
        """Return the files below a folder of a commit, by path, with their objects."""
        options = ("-r", "-z", "--full-tree")
        listed = self._git.said("ls-tree", *options, commit, "--", f"{path}/").stdout
        lines = (line.partition("\t") for line in listed.split("\0") if line)
        return {name: fields.split()[2] for fields, _, name in lines}

    def names_in(self, commit: str, path: str) -> list[str]:
        """Return the names of what is in a folder of a commit."""
        listed = self._git.said("ls-tree", "--name-only", "-z", commit, "--", f"{path}/").stdout
        return [name.rpartition("/")[2] for name in listed.split("\0") if name]

    def read(self, objects: Sequence[str]) -> list[bytes]:
        """Return the content of objects, all of which are here."""
        if not objects:
            return []
        asked = "".join(f"{name}\n" for name in objects).encode()
        data = self._git.said("cat-file", "--batch", "--buffer", stdin=asked, binary=True).data
        return list(contents_of(data, objects, where=str(self._git.folder)))

    def each(self, objects: Sequence[str]) -> Iterator[bytes]:
        """Yield the content of objects, all of which are here; however much that is in all, little
        is held at a time."""
        for batch in in_batches(objects, self._sizes(objects), _HELD):
            distinct = [*dict.fromkeys(batch)]
            found = dict(zip(distinct, self.read(distinct), strict=True))
            yield from (found[name] for name in batch)

    def each_folder(self, trees: Sequence[str]) -> Iterator[dict[str, bytes]]:
        """Yield the files of folders by their paths in them, as `each` does."""
        for start in range(0, len(trees), _FOLDERS):
            folders = self._files_in(trees[start : start + _FOLDERS])
            contents = self.each([object for files in folders for object in files.values()])
            for files in folders:
                yield {path: next(contents) for path in files}

    def lacks(self, object: str) -> bool:
        """Tell whether an object would have to be asked for."""
        return bool(self.missing([object]))

    def missing(self, objects: Iterable[str]) -> list[str]:
        """Return which objects would have to be asked for."""
        asked = "".join(f"{name}\n" for name in objects).encode()
        said = self._git.said("cat-file", "--batch-check=%(objectname)", stdin=asked).stdout
        return [line.split()[0] for line in said.splitlines() if line.endswith(" missing")]

    def _files_in(self, trees: Sequence[str]) -> list[dict[str, str]]:
        """Return the objects of the files in folders, by path. However many folders, git is called
        once for each level."""
        files: list[dict[str, str]] = [{} for _ in trees]
        level = [(number, "", tree) for number, tree in enumerate(trees)]
        while level:
            read = self.read([tree for _, _, tree in level])
            next_level = []
            for (number, path, tree), data in zip(level, read, strict=True):
                for name, object, is_folder in entries_of(data, format_of(tree)):
                    if is_folder:
                        next_level.append((number, f"{path}{name}/", object))
                    else:
                        files[number][f"{path}{name}"] = object
            level = next_level
        return files

    def _sizes(self, objects: Iterable[str]) -> Mapping[str, int]:
        asked = "".join(f"{name}\n" for name in objects).encode()
        said = self._git.said("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked)
        words = (line.split() for line in said.stdout.splitlines())
        return {name: int(size) for name, size in words if size != "missing"}
