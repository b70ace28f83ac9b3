"""On which line of a TOML file each value stands."""

from __future__ import annotations

import tomllib

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from stagekit.inputs.merge import leaves
from stagekit.inputs.positions import lines_of

TEXT = '''\
# a comment [not.a.table]
extends = "staging"

[vars]
A = 1 # [x]
"b c" = """
[d]
e = 1
"""
web.port = 80
hosts = [
  "a", # ]
  "b]",
]
inline = { x = 1, y = { z = 2 } }

  [vars.db]
  name = \'\'\'
x = """\'\'\'
[stagekit]
timeout = 1
[[many]]
x = 1
'''


def test_each_value_has_the_line_it_begins_on() -> None:
    """Comments, strings and arrays over several lines do not mislead it."""
    assert lines_of(TEXT) == {
        ("extends",): 2,
        ("vars", "A"): 5,
        ("vars", "b c"): 6,
        ("vars", "web", "port"): 10,
        ("vars", "hosts"): 11,
        ("vars", "inline", "x"): 15,
        ("vars", "inline", "y", "z"): 15,
        ("vars", "db", "name"): 18,
        ("stagekit", "timeout"): 21,
        ("many", "x"): 23,
    }


def test_lines_that_end_as_windows_has_them_count_the_same() -> None:
    """An editor's line ends move nothing."""
    assert lines_of(TEXT.replace("\n", "\r\n")) == lines_of(TEXT)


VALUES = st.integers() | st.text() | st.booleans() | st.lists(st.text(max_size=4), max_size=3)


@given(
    tree=st.recursive(
        st.dictionaries(st.text(max_size=5), VALUES, max_size=4),
        lambda below: st.dictionaries(st.text(max_size=5), VALUES | below, max_size=4),
        max_leaves=8,
    ),
    multiline=st.booleans(),
)
def test_no_value_is_missed(tree: dict[str, object], *, multiline: bool) -> None:
    """Whatever a document holds: each of its values is found, on a line that names its key."""
    text = tomli_w.dumps(tree, multiline_strings=multiline)
    found = lines_of(text)
    assert set(found) == {key for key, _ in leaves(tomllib.loads(text))}
    assert all(0 < line <= text.count("\n") for line in found.values())
