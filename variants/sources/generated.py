"""Type C: what generative models make, as recipes: an edit of a photo by an instruction, a picture from a prompt.

As JSON an edit is {"diffusion_edit": {"model": …, "revision": …, "seed": …, "steps": …, "guidance": …,
"megapixels": …, "instruction": …}}, with "writer": {"model": …, "revision": …, "question": …, "seed": …} where
a vision-language model writes the instruction; a picture is {"text_to_image": {"model": … to "guidance",
"size": [width, height], "prompt": …}}. What an order leaves open (null, or "" for the instruction and the
revision) stands in the recipe once it has been carried out.
"""

import hashlib
import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

EDITOR = "black-forest-labs/FLUX.1-Kontext-dev"
WRITER = "llava-hf/llava-v1.6-mistral-7b-hf"
GENERATOR = "black-forest-labs/FLUX.1-Krea-dev"

LICENCES = {
    "black-forest-labs/FLUX.1-Krea-dev": "as the FLUX.1 [dev] Non-Commercial License allows",
    "black-forest-labs/FLUX.1-dev": "as the FLUX.1 [dev] Non-Commercial License allows",
    "Qwen/Qwen-Image": "as Apache-2.0, the model's licence, allows",
}
"""What is known of pictures that these models make."""

QUESTION = (
    "You are a professional photo retoucher. Write one instruction, a single sentence of at most 30 words, for a "
    "photo-realistic retouching of this photo, above all of {aspect}. Change colour and tone only: nothing is added, "
    "removed, moved or reshaped. Answer with the instruction and nothing else."
)
ASPECTS = (
    "its exposure",
    "its white balance",
    "its contrast",
    "its saturation",
    "its highlights and shadows",
    "the mood of its light",
    "a cinematic colour grade",
    "soft and natural tones",
)
"""Asked for in turn, so that the edits of one photo differ."""
MAX_INSTRUCTION = 300
"""Characters of a written instruction: some 60 words, and CLIP reads 77 tokens."""
MAX_SIDE = 4096
SEEDS = 2**63


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which model, and how it is run; None where the model's own default is taken."""

    model: str
    """Name on the Hugging Face hub, or a folder."""
    revision: str = ""
    """Commit, tag or branch on the hub; "" for the newest."""
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ValueError("model is empty; name one of the hub, or a folder")
        if not 0 <= self.seed < SEEDS:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")
        if self.steps is not None and not 1 <= self.steps <= 1000:
            raise ValueError(f"steps is {self.steps}; it must be from 1 to 1000")
        if self.guidance is not None and not (math.isfinite(self.guidance) and 0 <= self.guidance <= 100):
            raise ValueError(f"guidance is {self.guidance}; it must be from 0 to 100")


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Which vision-language model writes the instruction, and what it is asked."""

    model: str
    question: str
    revision: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ValueError("the writer's model is empty; name one of the hub, or a folder")


class _Keyed(ABC):
    @abstractmethod
    def to_json(self) -> dict[str, Any]: ...

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class EditRecipe(_Keyed):
    sampling: Sampling
    instruction: str = ""
    """Empty until the writer has written it."""
    writer: Writing | None = None
    megapixels: float | None = None
    """At which the model works; None for the size that it was trained at."""

    def __post_init__(self) -> None:
        if not self.instruction.strip() and not self.writer:
            raise ValueError("the instruction is empty, and no model is named that writes one")
        if self.megapixels is not None and not 0 < self.megapixels <= MAX_SIDE**2 / 2**20:
            raise ValueError(
                f"megapixels is {self.megapixels}; it must be above 0 and at most {MAX_SIDE**2 / 2**20:.0f}"
            )

    def to_json(self) -> dict[str, Any]:
        data = asdict(self.sampling) | {"megapixels": self.megapixels, "instruction": self.instruction}
        if self.writer:
            data["writer"] = asdict(self.writer)
        return {"diffusion_edit": data}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        fields = dict(data["diffusion_edit"])
        writer = fields.pop("writer", None)
        instruction, megapixels = fields.pop("instruction"), fields.pop("megapixels")
        return cls(
            sampling=Sampling(**fields),
            instruction=instruction,
            writer=Writing(**writer) if writer else None,
            megapixels=megapixels,
        )

    def written(self, instruction: str, revision: str) -> Self:
        """The recipe with what its writer, at this revision, has written."""
        assert self.writer is not None
        return replace(self, instruction=instruction, writer=replace(self.writer, revision=revision))


@dataclass(frozen=True, kw_only=True)
class PictureRecipe(_Keyed):
    sampling: Sampling
    prompt: str
    size: tuple[int, int] = (1024, 1024)
    """Width and height in pixels."""

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise ValueError("the prompt is empty")
        if not all(64 <= side <= MAX_SIDE for side in self.size):
            width, height = self.size
            raise ValueError(f"size is {width}×{height}; each side must have from 64 to {MAX_SIDE} pixels")

    def to_json(self) -> dict[str, Any]:
        return {"text_to_image": asdict(self.sampling) | {"size": list(self.size), "prompt": self.prompt}}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        fields = dict(data["text_to_image"])
        prompt, size = fields.pop("prompt"), tuple(fields.pop("size"))
        return cls(sampling=Sampling(**fields), prompt=prompt, size=size)


def instructed_recipes(
    n: int, sampling: Sampling, instructions: Sequence[str], megapixels: float | None = None
) -> list[EditRecipe]:
    """`n` edits that take the instructions in turn, each with a seed of its own; none without instructions."""
    return [
        EditRecipe(
            sampling=replace(sampling, seed=(sampling.seed + k) % SEEDS),
            instruction=instructions[k % len(instructions)],
            megapixels=megapixels,
        )
        for k in range(n if instructions else 0)
    ]


def written_recipes(
    n: int, sampling: Sampling, writer: str, revision: str = "", megapixels: float | None = None
) -> list[EditRecipe]:
    """`n` edits whose instructions a model writes for each photo, above all of another aspect each time."""
    recipes = []
    for k in range(n):
        seed = (sampling.seed + k) % SEEDS
        question = QUESTION.format(aspect=ASPECTS[k % len(ASPECTS)])
        recipes.append(
            EditRecipe(
                sampling=replace(sampling, seed=seed),
                writer=Writing(model=writer, revision=revision, question=question, seed=seed),
                megapixels=megapixels,
            )
        )
    return recipes


def clean_instruction(answer: str) -> str:
    """What a model answered as one plain line of at most MAX_INSTRUCTION characters, whole sentences where it can.

    Raises:
        ValueError: nothing is left.
    """
    text = "".join(c if c.isprintable() else " " for c in answer)
    text = " ".join(re.sub(r"[*_`#]+", "", text).split())
    text = re.sub(r"^(?:\d+[.)]|[-•])\s+", "", text)
    text = re.sub(r"^(?:the\s+)?(?:retouching\s+)?instructions?\s*:\s*", "", text, flags=re.IGNORECASE)
    text = text.strip(" \"'“”‘’")
    if len(text) > MAX_INSTRUCTION:
        text = _shortened(text)
    if not any(c.isalpha() for c in text):
        raise ValueError(f"the model wrote no instruction: its answer was {answer.strip()[:80]!r}")
    return text


def _shortened(text: str) -> str:
    """Up to the last sentence, else the last word, that fits."""
    text = text[: MAX_INSTRUCTION + 1]
    sentences = list(re.finditer(r"[.!?](?=\s)", text))
    if sentences:
        return text[: sentences[-1].end()]
    return text.rpartition(" ")[0] or text[:MAX_INSTRUCTION]


def working_size(size: tuple[int, int], megapixels: float, multiple: int) -> tuple[int, int]:
    """Width and height of a picture of these proportions at so many pixels (2^20 to a megapixel), in whole multiples."""
    width, height = size
    scale = math.sqrt(megapixels * 2**20 / (width * height))
    wide, high = (max(1, round(side * scale / multiple)) * multiple for side in (width, height))
    return wide, high
