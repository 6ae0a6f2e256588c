"""The dataset folder's tables, as data. Everything that writes or reads a folder goes by these.

Pure: pyarrow only, so that learners read folders on machines without the site.
"""

import pyarrow as pa

ROW_GROUP = 100_000
MAX_ID = 32
"""Characters of an id: letters, digits, `-`, `_` and `.`; the site makes 32 hex digits."""
SOURCE_TYPES = ("A", "B", "C", "D", "E")
SPLITS = ("train", "validation", "none")
SIDES = ("left", "right")
TIE = "tie"
"""Stands for a side where "no difference" was answered."""
SCREENINGS = ("color_vision", "levels", "practice")
OUTCOMES = ("passed", "failed", "unknown")
"""Of a screening; unknown where it could not be run."""
QUESTIONNAIRE = {
    "night_mode": ("yes", "no", "unsure"),
    "room_light": ("dark", "dim", "normal", "bright"),
    "device_kind": ("phone_in_hand", "tablet", "laptop", "monitor", "other"),
}
"""Column → what raters could say at the end; null where they said nothing."""

SCENES = pa.schema(
    [
        pa.field("scene_id", pa.string(), nullable=False),
        ("category", pa.string()),
        pa.field("source_type", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        ("licence", pa.string()),
        ("attribution", pa.string()),
        pa.field("split", pa.string(), nullable=False),
    ]
)
IMAGES = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("scene_id", pa.string(), nullable=False),
        pa.field("file_name", pa.string(), nullable=False),  # relative to the folder: images/<image_id>.<ext>
        pa.field("source_type", pa.string(), nullable=False),
        pa.field("recipe", pa.string(), nullable=False),  # JSON text; {"steps": []} is the neutral rendition
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
    ]
)
PAIRS = pa.schema(
    [
        pa.field("pair_id", pa.string(), nullable=False),
        pa.field("scene_id", pa.string(), nullable=False),
        pa.field("image_a", pa.string(), nullable=False),
        pa.field("image_b", pa.string(), nullable=False),
        pa.field("delta_e", pa.float32(), nullable=False),
    ]
)
RATERS = pa.schema(
    [
        pa.field("rater_id", pa.string(), nullable=False),
        pa.field("person_id", pa.string(), nullable=False),
        pa.field("device_id", pa.string(), nullable=False),
        ("screen_width", pa.int32()),
        ("screen_height", pa.int32()),
        ("pixel_ratio", pa.float32()),
        ("color_gamut", pa.string()),
        ("dynamic_range", pa.string()),
        ("color_depth", pa.int16()),
        ("platform", pa.string()),
        ("language", pa.string()),  # of the pages, such as de
        *((name, pa.string()) for name in (*SCREENINGS, *QUESTIONNAIRE)),
        pa.field("n_answers", pa.int32(), nullable=False),  # rows in judgments: main and checks
        ("consistency", pa.float32()),  # checks that agree / checks answered; null where none was
        ("median_response_ms", pa.int32()),  # over the main answers with a known time
        pa.field("valid", pa.bool_(), nullable=False),
        ("exclusion_reason", pa.string()),  # names of the failed rules, comma between; null where valid
        pa.field("split", pa.string(), nullable=False),
        pa.field("simulated", pa.bool_(), nullable=False),
        ("simulation", pa.string()),  # JSON text: the taste of a simulated rater; null for people
    ]
)
JUDGMENTS = pa.schema(
    [
        pa.field("judgment_id", pa.string(), nullable=False),
        pa.field("rater_id", pa.string(), nullable=False),
        pa.field("pair_id", pa.string(), nullable=False),
        ("preferred_image", pa.string()),  # null in a tie
        ("rejected_image", pa.string()),
        pa.field("left_image", pa.string(), nullable=False),
        pa.field("right_image", pa.string(), nullable=False),
        pa.field("chosen_side", pa.string(), nullable=False),
        ("response_ms", pa.int32()),
        pa.field("is_check", pa.bool_(), nullable=False),
        ("repeats_judgment", pa.string()),
        pa.field("question_index", pa.int16(), nullable=False),
        ("policy", pa.string()),  # what chose the pair; see docs/active-questions.md
        (
            "propensity",
            pa.float64(),
        ),  # with which chance, above 0; null where no pair was chosen, as for checks
        pa.field("answered_at", pa.timestamp("ms", tz="UTC"), nullable=False),
    ]
)
"""judgments: main and check answers (never practice), by rater, then in the order they were asked."""
DOCUMENTS = ("README.md", "DATASHEET.md", "croissant.json", "protocol.json")
IMAGE_SUFFIXES = (".png", ".webp", ".jpg")
TABLES = {"scenes": SCENES, "images": IMAGES, "pairs": PAIRS, "raters": RATERS, "judgments": JUDGMENTS}
VERSION = 3
"""1: without ties and without the raters' columns of LATER_COLUMNS; 2: without those of the judgments."""
LATER_COLUMNS = {
    "raters": ("language", *SCREENINGS, *QUESTIONNAIRE),
    "judgments": ("policy", "propensity"),
}
"""Folders of an older version lack them; they are read as if all were null there."""
