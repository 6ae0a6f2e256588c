"""What a study's page says of the blind test that it belongs to; the pages of studies know nothing of learners."""

from typing import Any

from django import template

from collection.models import Study
from learning.blind_test_tables import win_line
from learning.models import TasteStudy
from learning.selectors import taste_results

register = template.Library()


@register.inclusion_tag("researcher/_blind_test_note.html")
def blind_test_note(study: Study) -> dict[str, Any]:
    taste = TasteStudy.objects.filter(study=study).select_related("test__learner", "test__rival").first()
    if taste is None:
        return {}
    taste.study = study
    (result,) = taste_results([taste])
    return {"study": study, "taste": taste, "line": win_line("", result.answers)}
