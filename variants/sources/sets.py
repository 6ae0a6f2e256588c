"""Sets of files that show one scene, brought into one frame: editors' versions and cameras' pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from variants.sources.alignment import (
    FEATURES_AT,
    AlignmentError,
    Matrix,
    Size,
    offset_between,
    register,
    scale_of,
    shared_crop,
    warp,
)
from variants.tone.images import Pixels, fit_long_side

SHAPE_TOLERANCE = 0.01
"""By which part the proportions of two edits may differ: some exports are a few pixels short."""
MIN_CAMERA_SIMILARITY = 0.35
"""Of two cameras' structure once registered: parallax and things that moved leave less than tone edits do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """One file of a set: a small copy to compare by, and the size that it has."""

    small: Pixels
    size: Size

    @classmethod
    def of(cls, photo: Pixels) -> "Member":
        return cls(small=fit_long_side(photo, FEATURES_AT), size=(photo.shape[1], photo.shape[0]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Alignment:
    reference: int
    """Index of the member that the others were compared with."""
    frame: Size
    """What all members share, in pixels that none of them has to be scaled up for."""
    matrices: dict[int, Matrix | None]
    """Index of each member that fits → homography from the frame to it; None where scaling is all."""
    measures: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What was measured of each member that fits."""
    left_out: dict[int, str] = field(default_factory=dict)
    """Index of each member that does not fit → why."""


Align = Callable[[Sequence[Member]], Alignment]


def align_edits(members: Sequence[Member]) -> Alignment:
    """Edits of one file lie on each other; sizes differ, and the smallest decides.

    The reference is the member that most others lie on, so that one cropped edit costs itself only.
    """
    fits = [[_edit_fault(one, other) for other in members] for one in members]
    reference = max(range(len(members)), key=lambda i: (fits[i].count(""), -i))
    left_out = {i: fault for i, fault in enumerate(fits[reference]) if fault}
    inside = [i for i in range(len(members)) if i not in left_out]
    frame = min((members[i].size for i in inside), key=lambda size: (size[0] * size[1], size))
    return Alignment(reference=reference, frame=frame, matrices=dict.fromkeys(inside), left_out=left_out)


def align_cameras(members: Sequence[Member], seed: int = 0) -> Alignment:
    """Pictures by several cameras are registered to one of them and cropped to what all show.

    The reference is the first to which at least half of the others can be registered, else the
    one with most.

    Raises:
        AlignmentError: nothing is left that all of them show.
    """
    found: list[tuple[dict[int, tuple[Matrix, dict[str, Any]]], dict[int, str]]] = []
    for reference in range(len(members)):
        found.append(_register_all(members, reference, seed))
        if 2 * len(found[-1][0]) >= len(members) - 1:
            break
    reference = max(range(len(found)), key=lambda i: (len(found[i][0]), -i))
    registered, left_out = found[reference]
    size = members[reference].size
    left, top, right, bottom = shared_crop(size, [(m, members[i].size) for i, (m, _) in registered.items()])
    crop = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], dtype=float)
    to_file = {reference: crop} | {i: matrix @ crop for i, (matrix, _) in registered.items()}
    wide, high = right - left, bottom - top
    scale = min(1.0, *(scale_of(matrix, (wide, high)) for matrix in to_file.values()))
    frame = (max(1, round(wide * scale)), max(1, round(high * scale)))
    enlarge = np.diag([wide / frame[0], high / frame[1], 1.0])
    return Alignment(
        reference=reference,
        frame=frame,
        matrices={i: matrix @ enlarge for i, matrix in sorted(to_file.items())},
        measures={i: measure for i, (_, measure) in registered.items()},
        left_out=left_out,
    )


def _edit_fault(one: Member, other: Member) -> str:
    if one is other:
        return ""
    ratio = (other.size[0] * one.size[1]) / (other.size[1] * one.size[0])
    if abs(ratio - 1) > SHAPE_TOLERANCE:
        return f"it is {other.size[0]}×{other.size[1]}, another shape than the others' {one.size[0]}×{one.size[1]}"
    offset = offset_between(one.small, other.small)
    if offset.is_aligned:
        return ""
    return (
        f"it does not lie on the others: shifted by {offset.shift:.1%} of the long side, "
        f"similarity of structure {offset.similarity:.2f}"
    )


def _register_all(
    members: Sequence[Member], reference: int, seed: int
) -> tuple[dict[int, tuple[Matrix, dict[str, Any]]], dict[int, str]]:
    registered, left_out = {}, {}
    for index, member in enumerate(members):
        if index == reference:
            continue
        try:
            registered[index] = _register(members[reference], member, seed)
        except AlignmentError as error:
            left_out[index] = f"it could not be aligned: {error}"
    return registered, left_out


def _register(reference: Member, member: Member, seed: int) -> tuple[Matrix, dict[str, Any]]:
    """Homography between the full-size pictures, from their small copies, and what was measured."""
    found = register(reference.small, member.small, seed)
    height, width = reference.small.shape[:2]
    warped = warp(member.small, found.matrix, (width, height))
    seen = warp(np.ones_like(member.small), found.matrix, (width, height))[..., :1] > 0.99
    similarity = offset_between(reference.small * seen, warped * seen).similarity
    if similarity < MIN_CAMERA_SIMILARITY:
        raise AlignmentError(
            f"registered, the similarity of its structure is {similarity:.2f}; at least {MIN_CAMERA_SIMILARITY} is needed"
        )
    matrix = _from_small(member) @ found.matrix @ np.linalg.inv(_from_small(reference))
    error = found.error * member.size[0] / member.small.shape[1]
    measure = {"inliers": found.inliers, "error_px": round(error, 2), "similarity": round(similarity, 3)}
    return matrix, measure


def _from_small(member: Member) -> Matrix:
    height, width = member.small.shape[:2]
    return np.diag([member.size[0] / width, member.size[1] / height, 1.0])
