"""A unified diff as other tools read it, with the place of each section."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stagekit.pipeline.lines import unified

SERVICE = """\
  {name}:
    command: null
    environment:
      A: "1"
      B: "2"
      GREETING: "{greeting}"
    image: "x"
"""


def document(**greetings: str) -> str:
    services = (SERVICE.format(name=name, greeting=text) for name, text in greetings.items())
    return '# Sealed.\nname: "shop"\nservices:\n' + "".join(services)


def test_a_section_says_which_service_it_is_of() -> None:
    """Two services that changed are two sections; lines are numbered as in the whole file."""
    old = document(**dict.fromkeys(("api", "db", "redis", "web"), "a"))
    new = document(api="a", db="b", redis="a", web="b")
    heads = [line for line in unified(old, new, "o/", "n/") if line.startswith("@@")]
    assert heads == ["@@ -13,7 +13,7 @@ services.db", "@@ -27,5 +27,5 @@ services.web"]


def test_a_new_service_names_itself() -> None:
    """The first line that is another one counts."""
    found = unified(document(api="a"), document(api="a", web="a"), "o/", "n/")
    assert next(line for line in found if line.startswith("@@")).endswith("services.web")


def test_nothing_is_said_of_the_same() -> None:
    """No lines, no heads."""
    assert unified("a\n", "a\n", "o/", "n/") == ()


TEXTS = st.lists(st.sampled_from(["a", "b", "c", "services:", "  web:", ""]), max_size=40)


@given(TEXTS, TEXTS)
def test_it_makes_the_one_of_the_other(old: list[str], new: list[str]) -> None:
    """Whatever the two are: applied to the old one it gives the new one."""
    found = unified("".join(f"{x}\n" for x in old), "".join(f"{x}\n" for x in new), "o/", "n/")
    assert applied(old, found) == new


def applied(old: list[str], diff: tuple[str, ...]) -> list[str]:
    """Apply a unified diff by its numbers."""
    result: list[str] = []
    at = 0
    for line in diff[2:]:
        if line.startswith("@@"):
            first, _, count = line.split()[1][1:].partition(",")
            start = int(first) - (0 if count == "0" else 1)
            result += old[at:start]
            at = start
        elif line[0] == "+":
            result.append(line[1:])
        else:
            assert old[at] == line[1:]
            result += [line[1:]] if line[0] == " " else []
            at += 1
    return result + old[at:]
