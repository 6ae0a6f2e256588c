"""DATASHEET.md, README.md and croissant.json of one folder: the headings of Gebru et al., and the same numbers."""

import json

import pytest

from collection.export.card import UNKNOWN
from collection.export.datasheet import ACTIVE, ASKED_LEAST, NO_PEOPLE
from collection.export.folder import write_folder
from tests.collection.export import small

HEADINGS = [
    "Motivation", "Composition", "Collection process", "Preprocessing, cleaning, labelling", "Uses", "Distribution",
    "Maintenance",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return small.write_small(tmp_path / "study")


def test_it_has_the_headings_and_says_what_is_unknown(folder):
    text = (folder / "DATASHEET.md").read_text()
    assert [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")] == HEADINGS
    assert f"**Were they paid?** {UNKNOWN}" in text
    assert f"**Was it reviewed by an ethics board?** {UNKNOWN}" in text


def test_the_three_documents_agree(folder):
    sheet, card = (folder / "DATASHEET.md").read_text(), (folder / "README.md").read_text()
    croissant = json.loads((folder / "croissant.json").read_text())
    assert (
        "2 scenes, 6 images, 4 pairs, 3 raters, 15 judgments. Of the judgments 12 are main answers" in sheet
    )
    assert "(12 main answers and 3 checks" in card
    assert croissant["description"].endswith(
        "15 pairwise judgments by 3 raters on 6 renditions of 2 photographed scenes."
    )
    for field, text in (
        ("rai:annotationsPerItem", "The 4 pairs have 3 main judgments each, median 3"),
        ("rai:dataCollectionMissingData", "0 of 15 judgments have no response time"),
    ):
        assert text in croissant[field]
        assert croissant[field] in sheet
    assert "2 of 3 raters passed" in card
    filtered = croissant["rai:dataAnnotationProtocol"][1]
    assert filtered.startswith("2 of 3 raters passed the study's rules; theirs are 10 of the 15 judgments.")
    assert filtered in sheet
    assert all(bias for bias in croissant["rai:dataBiases"])


def test_a_pair_that_nobody_judged_counts_as_none(tmp_path):
    judgments = [row for row in small.tables()["judgments"] if row["pair_id"] != "scene-1-pair-2"]
    folder = small.write_small(tmp_path / "study", judgments=judgments)
    assert "The 4 pairs have 0 to 3 main judgments each, median 3" in (folder / "DATASHEET.md").read_text()


@pytest.mark.parametrize(
    ("selection", "said"), [("active", ACTIVE), ("random", ASKED_LEAST), (None, UNKNOWN)]
)
def test_it_says_which_pairs_were_asked(tmp_path, selection, said):
    document = {"protocol": {"selection": selection} if selection else {}}
    folder = tmp_path / "study"
    write_folder(folder, small.tables(), small.images().items(), {"protocol.json": json.dumps(document)})
    assert f"**Which pairs were asked?** {said}" in (folder / "DATASHEET.md").read_text()
    biases = json.loads((folder / "croissant.json").read_text())["rai:dataBiases"]
    assert (ACTIVE in biases) == (selection == "active")


def test_simulated_raters_are_called_so(tmp_path):
    raters = [row | {"simulated": True} for row in small.tables()["raters"]]
    folder = small.write_small(tmp_path / "study", raters=raters)
    assert "**SIMULATED.** 3 of the 3 raters" in (folder / "DATASHEET.md").read_text()
    croissant = json.loads((folder / "croissant.json").read_text())
    assert croissant["rai:hasSyntheticData"] is True
    assert "simulated raters" in croissant["rai:machineAnnotationTools"][0]


def test_what_the_study_does_not_say_is_unknown_everywhere(tmp_path):
    folder = tmp_path / "study"
    document = {"protocol.json": json.dumps({"study": {"name": "Grey days"}})}
    write_folder(folder, small.tables(), small.images().items(), document)
    sheet, card = (folder / "DATASHEET.md").read_text(), (folder / "README.md").read_text()
    assert f"**For what purpose was it made?** {UNKNOWN}" in sheet
    assert f"**Who made it, and who paid for it?** {UNKNOWN}" in sheet
    assert f"## Purpose\n\n{UNKNOWN}\n" in card
    cited = "None was given; cite it as “Grey days”."
    assert f"## Citation\n\n{cited}" in card
    assert f"**How is it cited?** {cited}" in sheet
    assert "creator" not in json.loads((folder / "croissant.json").read_text())


def test_nothing_is_said_of_people_where_all_raters_are_simulated(tmp_path):
    raters = [row | {"simulated": True} for row in small.tables()["raters"]]
    folder = small.write_small(tmp_path / "study", raters=raters)
    for name in ("DATASHEET.md", "README.md", "croissant.json"):
        text = (folder / name).read_text()
        for said in (
            "raters' own",
            "people agreed to",
            "before they began",
            "withdrew before",
            "were not asked",
            "may try to find out",
        ):
            assert said not in text, (name, said)
        assert "they saw no display" in text or name == "DATASHEET.md"
    assert f"**Did people agree?** {NO_PEOPLE}" in (folder / "DATASHEET.md").read_text()


def test_people_beside_simulated_raters_are_spoken_of(tmp_path):
    first, *others = small.tables()["raters"]
    folder = small.write_small(tmp_path / "study", raters=[first | {"simulated": True}, *others])
    card = (folder / "README.md").read_text()
    assert "Displays were the raters' own" in card
    assert "Simulated raters are programs" in card


def test_text_of_the_study_cannot_make_headings(tmp_path):
    document = {
        "study": {"name": "A\n# B", "purpose": "To learn.\n\n## Maintenance\n\nfake"},
        "dataset_version": 7,
    }
    write_folder(
        tmp_path / "study", small.tables(), small.images().items(), {"protocol.json": json.dumps(document)}
    )
    text = (tmp_path / "study" / "DATASHEET.md").read_text()
    assert text.count("\n## Maintenance") == 1
    assert text.startswith("# Datasheet of A # B\n")
    assert "version 7 of the study's dataset" in text
    assert json.loads((tmp_path / "study" / "croissant.json").read_text())["version"] == "7.0.0"
