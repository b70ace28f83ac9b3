"""Layers of variables become one tree, and each leaf knows where it came from."""

from __future__ import annotations

import copy
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagekit.errors import InputError
from stagekit.inputs.merge import Layer, dotted, leaves, merge

SCALARS = st.one_of(st.integers(), st.booleans(), st.text(max_size=4), st.lists(st.integers()))
TREES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), SCALARS, max_size=3),
    lambda below: st.dictionaries(st.sampled_from("abc"), SCALARS | below, max_size=3),
    max_leaves=8,
)


def test_tables_merge_and_the_rest_is_replaced() -> None:
    """A table keeps what the layer above does not name; scalars and arrays are taken whole."""
    low = Layer("low", {"web": {"port": 80, "host": "a"}, "tags": [1, 2], "debug": True})
    high = Layer("high", {"web": {"port": 81}, "tags": [3], "extra": "x"})
    merged = merge([low, high])
    assert merged.values == {
        "web": {"port": 81, "host": "a"},
        "tags": [3],
        "debug": True,
        "extra": "x",
    }


def test_each_leaf_has_the_origin_that_set_it_last() -> None:
    """The origin is that of the strongest layer which names the leaf."""
    merged = merge(
        [Layer("low", {"web": {"port": 80, "host": "a"}}), Layer("high", {"web": {"port": 80}})]
    )
    assert merged.origins == {("web", "port"): "high", ("web", "host"): "low"}


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        ({"web": {"port": 80}}, {"web": 1}, "web is a value here and a table in low"),
        ({"web": 1}, {"web": {"port": 80}}, "web is a table here and a value in low"),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": 2}}, "a.b is a value here and a table in low"),
        ({"web": {}}, {"web": 1}, "web is a value here and a table in low"),
        ({"web": 1}, {"web": {}}, "web is a table here and a value in low"),
        ({"a": {"web": {}}}, {"a": 1}, "a is a value here and a table in low"),
    ],
)
def test_a_table_and_a_value_of_one_name_clash(
    low: dict[str, object], high: dict[str, object], text: str
) -> None:
    """The error names the key, both kinds and both layers."""
    with pytest.raises(InputError) as caught:
        merge([Layer("low", low), Layer("high", high)])
    assert str(caught.value) == f"high: {text}"


def test_a_table_is_told_by_the_layer_and_line_where_it_stands() -> None:
    """Also where a layer between has emptied or removed it."""
    low = Layer("low", {"web": {"port": 1}}, lines={("web", "port"): 7})
    between = Layer("between", {"web": {}}, unset=[("web",)])
    for layers, said in (([low], "low:7"), ([low, between], "between")):
        with pytest.raises(InputError, match=f"a table in {said}$"):
            merge([*layers, Layer("high", {"web": 1})])
    with pytest.raises(InputError, match="a table here and a value in first") as caught:
        merge([Layer("first", {"web": 1}), low])
    assert caught.value.where == "low:7"


@given(st.lists(TREES, max_size=3))
def test_merging_changes_no_layer(trees: list[dict[str, object]]) -> None:
    """Layers are read only: a second environment merges from the same ones."""
    before = copy.deepcopy(trees)
    with suppress(InputError):
        merge([Layer(str(number), tree) for number, tree in enumerate(trees)])
    assert trees == before


@given(TREES, TREES)
def test_every_leaf_is_some_layers_and_the_top_layer_always_wins(
    low: dict[str, object], high: dict[str, object]
) -> None:
    """Nothing is invented or lost, and each leaf has exactly one origin."""
    try:
        merged = merge([Layer("low", low), Layer("high", high)])
    except InputError:
        return
    above, below = dict(leaves(high)), dict(leaves(low))
    assert dict(leaves(merged.values)) == {**below, **above}
    assert merged.origins == {key: "high" if key in above else "low" for key in {**below, **above}}


def test_a_key_is_written_with_dots() -> None:
    """Errors and records name a key as a person types it."""
    assert dotted(("web", "port")) == "web.port"
