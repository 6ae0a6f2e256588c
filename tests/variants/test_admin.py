import pytest
from django.urls import reverse

from tests.variants.factories import make_scene
from variants.rendering import pairs_build, renditions_render
from variants.services import renditions_plan
from variants.tone.recipes import NEUTRAL, Recipe


@pytest.mark.parametrize("model", ["scene", "rendition", "pair", "renderjob"])
def test_tables_can_be_looked_at_and_not_changed(admin_client, media, tmp_path, model):
    scene = make_scene(tmp_path)
    job = renditions_plan([scene], [NEUTRAL, Recipe(look="golden")], long_side=48, encoding="png")
    job.run(renditions_render)
    pairs_build([scene], min_delta_e=0, max_delta_e=99, max_per_scene=1, seed=0)
    rows = admin_client.get(reverse(f"admin:variants_{model}_changelist"))
    assert rows.status_code == 200
    assert rows.context["cl"].result_count > 0
    first = rows.context["cl"].queryset[0]
    assert admin_client.get(reverse(f"admin:variants_{model}_change", args=[first.pk])).status_code == 200
    assert admin_client.get(reverse(f"admin:variants_{model}_add")).status_code == 403
