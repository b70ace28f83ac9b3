"""environments/<env>/config.toml over base, with every mistake said by file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.inputs.environment import Environment, environment_names, load_environment
from stagekit.inputs.merge import Setting
from stagekit.inputs.project import Project, load_project
from stagekit.records import Deploy


def project_with(root: Path, **configs: str) -> Project:
    """A project whose environments are ``configs``: name → config.toml."""
    for name, text in configs.items():
        folder = root / "environments" / name
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(text, "utf-8")
    (root / "pyproject.toml").write_text('[tool.stagekit]\nname = "shop"\n')
    return load_project(root, {})


def load(root: Path, text: str, *given: str) -> Environment:
    return load_environment(project_with(root, dev=text), "dev", options=given)


def refusal(root: Path, text: str, *given: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load(root, text, *given)
    return caught.value


def test_base_lies_under_every_environment(tmp_path: Path) -> None:
    """A value of base holds until the environment says otherwise; origins name the files."""
    project = project_with(
        tmp_path,
        base='[stagekit]\ntimeout = 9\n[vars]\nA = "base"\nB = "base"\n',
        prod='[vars]\nB = "prod"\n',
    )
    environment = load_environment(project, "prod")
    assert environment.variables.values == {"A": "base", "B": "prod"}
    assert environment.variables.origins == {
        ("A",): "environments/base/config.toml:4",
        ("B",): "environments/prod/config.toml:2",
    }
    assert environment.deploy == Deploy(timeout=9.0)


def test_base_is_no_environment_and_names_are_sorted(tmp_path: Path) -> None:
    """One releases to every folder with a config but base."""
    project = project_with(tmp_path, prod="", base="", dev="")
    (tmp_path / "environments" / "empty").mkdir()
    assert environment_names(project) == ("dev", "prod")
    with pytest.raises(InputError):
        load_environment(project, "base")


def test_no_folder_means_no_environment(tmp_path: Path) -> None:
    """A fresh repository lists none instead of failing."""
    assert environment_names(load_project(tmp_path, {})) == ()


def test_an_unknown_environment_is_told_which_there_are(tmp_path: Path) -> None:
    """A typing mistake ends with the list of names."""
    with pytest.raises(InputError) as caught:
        load_environment(project_with(tmp_path, dev="", prod=""), "prdo")
    assert "prdo" in caught.value.what
    assert caught.value.hint == "there are: dev, prod"


@pytest.mark.parametrize("name", ["", "../dev", "dev/", "/etc", ".", "Dev", "a" * 64])
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """An environment's name becomes a path: nothing but a plain one is taken."""
    with pytest.raises(InputError):
        load_environment(project_with(tmp_path, dev=""), name)


def test_set_is_the_strongest_layer_with_an_origin_of_its_own(tmp_path: Path) -> None:
    """What was given on the command line wins, and the record will say so."""
    environment = load(tmp_path, '[vars]\nA = "x"\n[vars.web]\nport = 80\n', "A=y=z", "web.port=81")
    assert environment.variables.values == {"A": "y=z", "web": {"port": 81}}
    assert set(environment.variables.origins.values()) == {"--set"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("yes", "yes"),
        ("1", 1),
        ("01", "01"),
        ("1.0", 1.0),
        ("-1.5", -1.5),
        ("nan", "nan"),
        ("", ""),
        ("true ", "true "),
        ("null", "null"),
    ],
)
def test_set_knows_booleans_and_text(tmp_path: Path, text: str, value: object) -> None:
    """``true`` and ``false`` are what a template's ``if`` expects, a number replaces a number; the
    rest is as it was typed."""
    environment = load(tmp_path, "[vars.web]\ndebug = 1\n", f"web.debug={text}")
    assert environment.variables.values == {"web": {"debug": value}}
    assert type(environment.variables.values["web"]["debug"]) is type(value)


def test_numbers_of_both_kinds_replace_one_another(tmp_path: Path) -> None:
    """A whole one is a number, too, where there was a fraction."""
    ratio = load(tmp_path, "[vars]\nratio = 0.5\n", "ratio=2").variables.values["ratio"]
    assert (ratio, type(ratio)) == (2, int)


@pytest.mark.parametrize("text", ["0.70", "1_000", "+2", "1e3", "0x10"])
def test_a_number_that_is_not_written_as_it_is_must_be_said_otherwise(
    tmp_path: Path, text: str
) -> None:
    """It may be a version: neither 1.1 for 1.10, nor text where a template reckons."""
    error = refusal(tmp_path, "[vars]\nratio = 0.5\n", f"ratio={text}")
    assert error.what.startswith(f"{text} for ratio, which is a number, would become ")
    assert error.where == "--set"
    assert error.hint is not None
    assert "quote 0.5" in error.hint


def values(root: Path, text: str, **given: object) -> dict[str, object]:
    """What variables become by what the Python interface was given; ``__`` is a dot."""
    named = {name.replace("__", "."): value for name, value in given.items()}
    return load_environment(project_with(root, dev=text), "dev", values=named).variables.values


def test_values_of_the_python_interface_stay_what_they_are(tmp_path: Path) -> None:
    """Whatever they replace, and where nothing was: they have a type of their own."""
    found = values(
        tmp_path,
        "[vars]\nratio = 0.5\nn = 1\nhosts = []\n",
        ratio="0.70",
        n=1.0,
        hosts=("a", "b"),
        more=["c"],
        m=5,
        web__on="true",
    )
    expected = {"ratio": "0.70", "n": 1.0, "hosts": ["a", "b"], "more": ["c"], "m": 5}
    assert found == {**expected, "web": {"on": "true"}}
    assert type(found["n"]) is float


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"port": 1}, "neither text nor a number"),
        (None, "NoneType"),
        ([["a"]], "list"),
        (float("inf"), "is inf"),
        ("a\0", "NUL"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_value_that_no_container_could_be_told_is_refused(
    tmp_path: Path, value: object, says: str
) -> None:
    """By the key that was given."""
    with pytest.raises(InputError, match=says) as caught:
        values(tmp_path, "", web__port=value)
    assert caught.value.where == "set['web.port']"


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "[1.0, nan]"])
def test_a_number_that_equals_nothing_is_refused(tmp_path: Path, value: str) -> None:
    """JSON has none, and each release of it would be another one."""
    error = refusal(tmp_path, f"[vars]\nA = {value}\n")
    assert error.what.startswith("A is ")
    assert error.where == "environments/dev/config.toml:2 [vars]"
    assert error.hint == "write it as a string"


@pytest.mark.parametrize("text", ["A", "=x", "A B=x", "a-b=x", "web.=x", "1A=x", "A=1 B.A"])
def test_set_without_a_name_and_a_value_is_refused(tmp_path: Path, text: str) -> None:
    """The error shows what was typed and what is wanted."""
    if text == "A=1 B.A":  # a value may hold anything
        assert load(tmp_path, "", text).variables.values == {"A": "1 B.A"}
        return
    error = refusal(tmp_path, "", text)
    assert error.where == "--set"
    assert text in error.what


@pytest.mark.parametrize("text", ["A=\udcff", "A=a\0b"])
def test_set_takes_text_only(tmp_path: Path, text: str) -> None:
    """What no environment variable or record could hold is refused before it gets anywhere."""
    assert refusal(tmp_path, "", text).where == "--set"


@pytest.mark.parametrize("value", ['"a\\u0000b"', '["a", "\\u0000"]'])
def test_a_nul_in_a_value_is_refused(tmp_path: Path, value: str) -> None:
    """Also within a list."""
    error = refusal(tmp_path, f"[vars]\nA = {value}\n")
    assert error.what.startswith("A holds a NUL")
    assert error.where == "environments/dev/config.toml:2 [vars]"


def test_set_below_a_value_is_refused(tmp_path: Path) -> None:
    """``--set a=1 --set a.b=2`` cannot both be meant, in either order."""
    assert refusal(tmp_path, "", "a=1", "a.b=2").where == "--set"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("A = \n", "environments/dev/config.toml", "Invalid value"),
        ("[secrets]\nA = 1\n", "environments/dev/config.toml", "unknown key 'secrets'"),
        ('vars = "x"\n', "environments/dev/config.toml", "vars is not a table"),
        ("[vars]\nday = 2026-01-01\n", "environments/dev/config.toml:2 [vars]", "day is a date"),
        ("[vars.web]\nat = [[1]]\n", "environments/dev/config.toml:2 [vars]", "web.at is a list"),
        ('[vars]\n"a-b" = 1\n', "environments/dev/config.toml:2 [vars]", "'a-b' is not a variable"),
        ('[vars.web]\n"1" = 1\n', "environments/dev/config.toml:2 [vars]", "'web.1' is not a"),
        ("[stagekit]\ntimeot = 1\n", "environments/dev/config.toml:2 [stagekit]", "'timeot'"),
        ('[stagekit]\ntimeout = "1"\n', "environments/dev/config.toml:2 [stagekit]", "timeout"),
        (
            "[stagekit]\ntimeout = 0\n",
            "environments/dev/config.toml:2 [stagekit]",
            "timeout must be",
        ),
        (
            "[stagekit]\ntimeout = nan\n",
            "environments/dev/config.toml:2 [stagekit]",
            "timeout must be",
        ),
        (
            "[stagekit]\ntimeout = inf\n",
            "environments/dev/config.toml:2 [stagekit]",
            "timeout must be",
        ),
        (
            "[stagekit]\nsettle = -1\n",
            "environments/dev/config.toml:2 [stagekit]",
            "settle must be",
        ),
        (
            "[stagekit]\nsettle = 3601\n",
            "environments/dev/config.toml:2 [stagekit]",
            "settle must be",
        ),
    ],
)
def test_every_mistake_is_said_by_file_and_key(
    tmp_path: Path, text: str, where: str, what: str
) -> None:
    """A wrong config is one line that says where."""
    error = refusal(tmp_path, text)
    assert error.where == where
    assert what in error.what


def test_an_unknown_setting_of_base_is_blamed_on_base(tmp_path: Path) -> None:
    """The file that holds the mistake is named, not the one on top."""
    project = project_with(tmp_path, base="[stagekit]\ntimeot = 1\n", dev="")
    with pytest.raises(InputError) as caught:
        load_environment(project, "dev")
    assert caught.value.where == "environments/base/config.toml:2 [stagekit]"


def test_set_above_a_value_is_refused(tmp_path: Path) -> None:
    """The table that was begun is not replaced by a value without a word."""
    error = refusal(tmp_path, "", "a.b=2", "a=1")
    assert error.where == "--set"
    assert error.what.startswith("a is a value here and a table in --set")


@pytest.mark.parametrize("value", ["1", '"x"', "[]", "true", "2026-01-01"])
@pytest.mark.parametrize("table", ["vars", "stagekit"])
def test_a_value_where_a_table_should_be_is_said(tmp_path: Path, table: str, value: str) -> None:
    """With the table's head to write instead."""
    error = refusal(tmp_path, f"{table} = {value}\n")
    assert error.what == f"{table} is not a table"
    assert error.where == "environments/dev/config.toml"
    assert error.hint == f"write [{table}]"


@pytest.mark.parametrize("setting", ["timeout = 0", "settle = 3601", "timeout = 86401"])
@pytest.mark.parametrize("holder", ["base", "dev"])
def test_a_number_out_of_range_is_blamed_on_its_file(
    tmp_path: Path, setting: str, holder: str
) -> None:
    """The file that says so, not the one on top of it."""
    text = f"[stagekit]\n{setting}\n"
    configs = {"base": "[stagekit]\ntimeout = 9\n", "dev": "[stagekit]\nengine = 'x'\n"}
    with pytest.raises(InputError, match=setting.partition(" ")[0]) as caught:
        load_environment(project_with(tmp_path, **{**configs, holder: text}), "dev")
    assert caught.value.where == f"environments/{holder}/config.toml:2 [stagekit]"


def test_the_limits_themselves_are_fine(tmp_path: Path) -> None:
    """A day to come up, an hour to settle, or no time to settle at all."""
    assert load(tmp_path, "[stagekit]\ntimeout = 86400\nsettle = 3600\n").deploy.settle == 3600
    (tmp_path / "other").mkdir()
    assert load(tmp_path / "other", "[stagekit]\ntimeout = 0.1\nsettle = 0\n").deploy.settle == 0


def test_a_config_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are an input error, not a traceback."""
    project = project_with(tmp_path, dev="")
    (tmp_path / "environments/dev/config.toml").write_bytes(b'A = "\xff"\n')
    with pytest.raises(InputError) as caught:
        load_environment(project, "dev")
    assert caught.value.where == "environments/dev/config.toml"


def family(root: Path, **configs: str) -> Project:
    """The project of several generations that the next tests load."""
    return project_with(
        root,
        **{
            "base": '[stagekit]\ntimeout = 9\n[vars]\nA = "base"\nB = "base"\n',
            "eu": '[vars]\nB = "eu"\n[vars.web]\nport = 80\nhost = "a"\n',
            "staging": 'extends = "eu"\n[vars]\nC = "staging"\n',
            "prod": 'extends = ["staging"]\n[vars.web]\nport = 443\n',
            **configs,
        },
    )


def test_an_environment_lies_over_all_it_extends(tmp_path: Path) -> None:
    """Base is under everything, parents under children, and each value says what it replaced."""
    prod = load_environment(family(tmp_path), "prod")
    assert prod.chain == ("base", "eu", "staging", "prod")
    assert prod.variables.values == {
        "A": "base",
        "B": "eu",
        "C": "staging",
        "web": {"port": 443, "host": "a"},
    }
    assert prod.variables.origins["web", "port"] == "environments/prod/config.toml:3"
    assert prod.variables.overridden == {
        ("B",): (Setting("base", "environments/base/config.toml:5"),),
        ("web", "port"): (Setting(80, "environments/eu/config.toml:4"),),
    }
    assert prod.deploy.timeout == 9


def test_a_parent_of_two_parents_counts_once(tmp_path: Path) -> None:
    """The later of two parents beats the earlier; what both extend lies under both."""
    project = family(
        tmp_path, us='extends = "eu"\n[vars]\nC = "us"\n', prod='extends=["staging", "us"]'
    )
    prod = load_environment(project, "prod")
    assert prod.chain == ("base", "eu", "staging", "us", "prod")
    assert prod.variables.values["C"] == "us"


@pytest.mark.parametrize(
    ("eu", "what"),
    [
        ('extends = "prod"', "prod → staging → eu → prod"),
        ('extends = "eu"', "prod → staging → eu → eu"),
        ('extends = "stagin"', "extends 'stagin'"),
        ("extends = 1", "extends is not a list of names"),
        ("extends = [1]", "extends is not a list of names"),
    ],
)
def test_parents_that_cannot_be_are_refused(tmp_path: Path, eu: str, what: str) -> None:
    """The line that says so is named."""
    with pytest.raises(InputError) as caught:
        load_environment(family(tmp_path, eu=f"# eu\n{eu}\n"), "prod")
    assert what in caught.value.what
    assert caught.value.where == "environments/eu/config.toml:2"


def test_unset_removes_what_a_parent_set(tmp_path: Path) -> None:
    """A value, or a table whole, which may then become a value; nothing of it is left."""
    project = family(
        tmp_path, prod='extends = "staging"\nunset = ["A", "web"]\n[vars]\nweb = "x"\n'
    )
    variables = load_environment(project, "prod").variables
    assert variables.values == {"B": "eu", "C": "staging", "web": "x"}
    assert set(variables.origins) == {("B",), ("C",), ("web",)}
    assert ("web", "port") not in variables.overridden


def test_unset_of_nothing_is_a_mistake(tmp_path: Path) -> None:
    """A misspelt one would leave in what was to go."""
    project = family(tmp_path, prod='extends = "staging"\nunset = ["web.prt"]\n')
    with pytest.raises(InputError, match=r"unset names web\.prt") as caught:
        load_environment(project, "prod")
    assert caught.value.where == "environments/prod/config.toml"
    assert caught.value.hint == "did you mean web.port?"


def test_a_value_over_a_table_names_both_files(tmp_path: Path) -> None:
    """One of the two was not meant."""
    project = family(tmp_path, prod='extends = "staging"\n[vars]\nweb = 1\n')
    with pytest.raises(InputError) as caught:
        load_environment(project, "prod")
    assert caught.value.what == ("web is a value here and a table in environments/eu/config.toml:4")
    assert caught.value.where == "environments/prod/config.toml:3"


def test_variables_of_the_shell_are_layers_below_set(tmp_path: Path) -> None:
    """``__`` stands for the dot that no shell takes; each is its own origin."""
    shell = {
        "STAGEKIT_VAR_web__port": "8080",
        "STAGEKIT_VAR_A": "shell",
        "STAGEKIT_VAR_A__B": "two",
        "A": "never looked at",
    }
    project = family(tmp_path, prod='extends = "staging"\n[vars]\nA__B = "one"\n')
    variables = load_environment(project, "prod", options=["A=option"], environ=shell).variables
    assert variables.values["web"] == {"port": 8080, "host": "a"}
    assert variables.values["A"] == "option"
    assert variables.values["A__B"] == "two"
    assert variables.origins["web", "port"] == "$STAGEKIT_VAR_web__port"
    assert variables.overridden["A",][-1] == Setting("shell", "$STAGEKIT_VAR_A")


@pytest.mark.parametrize("name", ["STAGEKIT_VAR_", "STAGEKIT_VAR_1", "STAGEKIT_VAR_web__"])
def test_a_variable_of_the_shell_that_names_nothing_is_refused(tmp_path: Path, name: str) -> None:
    """It was meant for something."""
    with pytest.raises(InputError) as caught:
        load_environment(family(tmp_path), "prod", environ={name: "x"})
    assert caught.value.where == f"${name}"


def test_an_array_is_replaced_by_an_array(tmp_path: Path) -> None:
    """``--set`` of an array takes TOML's own notation, and nothing else."""
    hosts = '[vars]\nhosts = ["a"]\n'
    assert load(tmp_path, hosts, 'hosts=["b", "c"]').variables.values == {"hosts": ["b", "c"]}
    (tmp_path / "other").mkdir()
    assert "would replace an array" in refusal(tmp_path / "other", hosts, "hosts=b").what


def test_protected_sets_what_is_not_said(tmp_path: Path) -> None:
    """Each of its parts can be set by itself, for it and against it."""
    policy = load(tmp_path, "[stagekit]\nprotected = true\nrequire_pushed = false\n").policy
    assert policy.wants("require_clean")
    assert policy.wants("confirm")
    assert not policy.wants("require_pushed")
