"""What a session is planned from."""

from collections import defaultdict

import numpy as np
from django.db import connection

from collection.design.plan import PAIR
from collection.models import Study, StudyPair
from variants.models import Rendition
from variants.pairing import compared_groups


def study_pairs_askable(study: Study) -> np.ndarray:
    """The study's pairs whose two images can be shown, (n,) of PAIR in the order of their keys."""
    columns = StudyPair.objects.filter(study=study).values_list(
        "pair_id", "pair__scene_id", "pair__image_a_id", "pair__image_b_id", "pair__source_type", "exposures"
    )
    with connection.cursor() as cursor:  # thousands of rows: the queryset's own way takes half as long again
        cursor.execute(*columns.order_by().query.sql_with_params())
        pairs = np.fromiter(cursor.fetchall(), PAIR)
    # Looking up the few images that cannot be shown takes less than half of joining all that can be.
    not_shown = Rendition.objects.filter(scene__studies=study).exclude(state=Rendition.State.RENDERED)
    hidden = list(not_shown.values_list("pk", flat=True))
    pairs = pairs[~(np.isin(pairs["image_a"], hidden) | np.isin(pairs["image_b"], hidden))]
    return pairs[np.argsort(pairs["pair"])]


def study_scene_groups(study: Study) -> dict[int, int]:
    """Key of each scene with pairs → groups of its renditions that are never compared with each other; 1 is whole."""
    couples = defaultdict(list)
    pairs = study_pairs_askable(study)
    for scene, a, b in zip(
        pairs["scene"].tolist(), pairs["image_a"].tolist(), pairs["image_b"].tolist(), strict=True
    ):
        couples[scene].append((a, b))
    return {scene: len(compared_groups(of_scene)) for scene, of_scene in couples.items()}
