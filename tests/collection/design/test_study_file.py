import time
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from collection.design.plain_yaml import YamlError, read_yaml, write_yaml
from collection.design.protocol import LANGUAGES, PHASES, Protocol, RuleSet
from collection.design.recruiting import Recruiting
from collection.design.study_file import Scenes, StudyFile, read_study_file, write_study_file
from variants.sources.cameras import camera_recipes
from variants.sources.controlled import controlled_recipes, lut_recipes

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
words = st.one_of(
    st.sampled_from(
        ["no", "yes", "null", "~", "1e3", "08", "0x1F", "2026-11-20", "12:30", "=", "<<", "- a", "a: b"]
    ),
    st.text(characters, max_size=40),
    st.lists(
        st.sampled_from(["line", " lead", "trail ", "", "\t", "# no", "\u2028", "é", "🙂"]), max_size=7
    ).map("\n".join),
)
texts = words.filter(lambda text: text.strip())
shares = st.floats(0, 1)
rule_sets = st.builds(
    RuleSet,
    version=texts,
    min_response_ms=st.integers(0, 60_000),
    max_fast_share=shares,
    min_consistency=st.one_of(shares, st.sampled_from([0, 1])),
    require_levels=st.booleans(),
)
protocols = st.builds(
    Protocol,
    phases=st.sets(st.sampled_from(PHASES)).map(lambda some: tuple(some | {"main"})),
    n_main=st.integers(500, 1000),
    n_checks=st.integers(0, 500),
    source_quotas=st.sampled_from([{}, {"A": 0.25, "D": 0.75}, {"E": 1}]),
    allow_tie=st.booleans(),
    abandon_after_hours=st.floats(0.1, 8760),
    title=st.one_of(st.just(""), texts),
    language=st.sampled_from(LANGUAGES),
    question=texts,
    consent=texts,
    translations=st.dictionaries(
        st.sampled_from(LANGUAGES), st.fixed_dictionaries({}, optional={"question": texts, "consent": texts})
    ),
    min_delta_e=st.floats(0, 24),
    max_delta_e=st.one_of(st.floats(25, 200), st.integers(25, 200)),
    seed=st.integers(0, 2**63 - 1),
    rules=rule_sets,
)
MINE = StudyFile(
    name="Looks: spring",
    slug="no",
    simulated=True,
    purpose="Why\n\nnot",
    licence="cc-by-4.0",
    citation="Somebody, 2026",
    scenes=Scenes(categories=("people", ""), sources=("A",), ids=("1e3", "007")),
    recruiting=Recruiting(
        access="panel", panel="prolific", completion_code="0012", closed_url="https://x.org/{code}"
    ),
)


@settings(max_examples=50)
@given(protocols)
def test_a_protocol_reads_back_as_it_was_written(protocol):
    file = replace(MINE, protocol=protocol)
    found = read_study_file(write_study_file(file, with_codes=True).encode())
    assert found == file
    assert found.protocol.sha256 == protocol.sha256  # 25 is not 25.0 there


@given(st.dictionaries(words, st.one_of(words, st.lists(words), st.integers(), st.booleans()), max_size=4))
def test_other_readers_of_yaml_see_the_same(data):
    text = write_yaml(data)
    assert read_yaml(text.encode()).value == data
    assert yaml.safe_load(text) == data


def test_texts_of_several_lines_are_blocks():
    text = write_study_file(replace(MINE, protocol=Protocol(consent="First.\n\nSecond.\n")))
    assert "  consent: |\n    First.\n\n    Second.\n" in text
    assert "purpose: |-\n  Why\n\n  not\n" in text


def test_every_setting_is_written():
    data = yaml.safe_load(write_study_file(StudyFile(name="S")))
    assert data == {"name": "S", "licence": "other", "protocol": Protocol().to_json()} | {
        "recruiting": {"access": "open"}
    }


def test_codes_and_addresses_stay_out_unless_asked_for():
    found = read_study_file(write_study_file(MINE).encode()).recruiting
    assert found == Recruiting(access="panel", panel="prolific")


def test_a_byte_order_mark_is_no_matter():
    assert read_study_file("\ufeffname: Größe\n".encode()).name == "Größe"


def test_only_true_and_false_are_booleans():
    text = b"{a: no, b: true, c: yes, d: off, e: 12:30, f: 2026-11-20, g: 0o17, h: 1_000, i: .5, j: 1e3, k: .nan}"
    assert read_yaml(text).value == {
        "a": "no", "b": True, "c": "yes", "d": "off", "e": "12:30", "f": "2026-11-20", "g": "0o17", "h": "1_000",
        "i": 0.5, "j": 1000.0, "k": ".nan",
    }  # fmt: skip


BILLION = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("- name: S\n", "line 1: StudyFile must be an object with named fields, not list"),
        ("just words", "line 1: StudyFile must be an object with named fields, not str"),
        ("slug: s\n", "line 1: a study needs a `name`"),
        ("name:\n", "line 1: 'name' has no value; write ''"),
        ("name: S\nprotocol:\n\tn_main: 3\n", "line 3: a tab cannot indent; use spaces"),
        ("name: S\nslug: a\nname: T\n", "line 3: 'name' is there twice, first in line 1"),
        (
            "name: S\nprotocol:\n  n_main: 9\n  n_main: 8\n",
            "line 4: 'n_main' is there twice, first in line 3",
        ),
        (BILLION, "line 1: anchors and aliases"),
        ("name: *x\n", "line 1: anchors and aliases"),
        ("&a name: S\n", "line 1: a name must be a plain word"),
        ("name: !!python/object/apply:os.system [ls]\n", "line 1: tags such as"),
        ("name: !!str 3\n", "line 1: tags such as"),
        ("? [a]\n: 3\n", "line 1: a name must be a plain word"),
        ("<<: {name: S}\n", "line 1: StudyFile has no field '<<'"),
        ("name: S\n---\nname: T\n", "line 2: a second document begins here"),
        ("%YAML 9.9\n---\nname: S\n", "line 1: found incompatible YAML document"),
        ("name: S\nlicense: MIT\n", "line 2: StudyFile has no field 'license'; did you mean 'licence'?"),
        ("name: S\nn_main: 3\n", "line 2: 'n_main' belongs under `protocol:`"),
        ("name: S\nprotocol: 3\n", "line 2: Protocol must be an object with named fields, not int"),
        ("name: S\nprotocol:\n  n_main: many\n", "line 3: n_main is 'many'; it must be a whole number"),
        ("name: S\nprotocol:\n  n_main: 5\n", "line 2: n_checks is 10; it must be at most n_main (5)"),
        ("name: S\nprotocol:\n  allow_tie: yes\n", "line 3: allow_tie is 'yes'; it must be true or false"),
        (
            "name: S\nprotocol:\n  languages:\n    - no\n",
            "line 3: languages is ('no',); it must be a list of",
        ),
        ("name: S\nprotocol:\n  phases: [[main]]\n", "line 3: phases is (['main'],); it must be a list of"),
        ("name: S\nprotocol: {rules: {min_consistancy: 1}}\n", "did you mean 'min_consistency'?"),
        ("name: S\nprotocol:\n  rules:\n    version: 3\n", "line 4: version is 3; it must be a name"),
        ("name: S\nprotocol: {seed: " + "9" * 5000 + "}\n", "line 2: seed is '999"),
        ("name: S\nprotocol: {min_delta_e: 1e999}\n", "line 2: min_delta_e is inf; it must be"),
        ("name: S\nrecruiting:\n  panel: mturkk\n", "line 3: panel is 'mturkk'; it must be prolific or"),
        ("name: S\nrecruiting: {completion_code: 12}\n", "line 2: completion_code is 12; it must be a code"),
        ("name: S\nscenes: {categories: people}\n", "line 2: categories is 'people'; it must be a list"),
        ("name: S\nscenes: {sources: [F]}\n", "line 2: sources is ('F',); it must be a list of some of A"),
        ("name: [S]\n", "line 1: name is ['S']; it must be a text"),
        ("name: S\nslug: Größe\n", "line 2: slug is 'Größe'; it must be at most 50 of a-z"),
        ("name: S\nsimulated: 'true'\n", "line 2: simulated is 'true'; it must be true or false"),
        ("name: a: b\n", "line 1: mapping values are not allowed here"),
        ("name: [S\n", "expected ',' or ']'"),
        ("name: 'S\n", "found unexpected end of stream"),
        ('name: "\\UFFFFFFFF"\n', "an escape or a number is impossible"),
        ('name: "\\ud800"\n', "line 1: a text holds a NUL or half a character"),
        ('name: "\\0"\n', "line 1: a text holds a NUL or half a character"),
        ("name: S\nslug: \x07\n", "line 2: the character U+0007 cannot stand here"),
        ("[" * 100_000, "line 1: is nested too deep"),
        ("name: S\nscenes: {ids: [" + "1, " * 300_000 + "]}", "there are more than 20,000 values"),
        ("#" * 10_000_000, "is larger than 1,000,000 bytes"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_its_place(text, message):
    started = time.process_time()
    with pytest.raises(YamlError) as caught:
        read_study_file(text.encode())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert time.process_time() - started < 20


@pytest.mark.parametrize("content", ["name: Größe".encode("latin-1"), "name: S".encode("utf-16")])
def test_other_encodings_are_named(content):
    with pytest.raises(YamlError, match=r"line 1: is not UTF-8; save it with that encoding"):
        read_study_file(content)


def test_recipes_read_back_as_they_were_written():
    recipes = (*controlled_recipes(20, 3), *camera_recipes(), *lut_recipes(["3f" * 32]))
    file = replace(MINE, recipes=recipes)
    assert read_study_file(write_study_file(file, with_codes=True).encode()) == file


def test_a_study_without_scenes_says_so():
    text = write_study_file(StudyFile(name="S", scenes=Scenes(ids=())))
    assert "scenes:\n  ids: []\n" in text
    assert read_study_file(text.encode()).scenes.ids == ()


@pytest.mark.parametrize(
    ("recipe", "why"),
    [
        ("{steps: [{concept: exposre, strength: 1}]}", "line 4: recipe 2: .*did you mean 'exposure'"),
        ("{stepps: []}", "line 4: recipe 2: .*did you mean 'steps'"),
        ("{steps: [], look: {name: [golden]}}", "line 4: recipe 2: "),
        ("{steps: [{concept: [1], strength: 1}]}", "line 4: recipe 2: "),
        ("dark", "line 4: recipe 2: the recipe is 'dark'"),
        ("{simulated_camera: [1], numbers: a}", "line 4: recipe 2: a simulated camera has the texts"),
        ("{simulated_camera: phone, numbers: a}", "line 4: recipe 2: 'phone' is no simulated camera"),
        ("{diffusion_edit: {instruction: dark}}", "line 4: recipe 2: .*no field 'diffusion_edit'"),
    ],
)
def test_recipes_that_cannot_be_carried_out_are_named(recipe, why):
    with pytest.raises(YamlError, match=why):
        read_study_file(f"name: S\nrecipes:\n- steps: []\n- {recipe}\n".encode())


def test_recipes_are_a_list_of_bounded_length():
    with pytest.raises(YamlError, match="line 2: recipes must be a list"):
        read_study_file(b"name: S\nrecipes: {steps: []}\n")
    with pytest.raises(YamlError, match="at most 1,000"):
        read_study_file(b"name: S\nrecipes:\n" + b"- steps: []\n" * 1001)
