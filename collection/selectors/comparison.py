"""A study's raters judged by two rule sets at once. Nothing is stored."""

from collection.design.comparison import Comparison, compare_rules
from collection.design.protocol import RuleSet
from collection.models import Rater, Study
from collection.selectors.measures import raters_records


def study_rules_compare(study: Study, ours: RuleSet, other: RuleSet) -> Comparison:
    """From the raw answers of everybody who did not withdraw."""
    raters = Rater.objects.filter(study=study, withdrawn_at=None).order_by("pk")
    names = dict(raters.values_list("pk", "public_id"))
    return compare_rules(
        (names[record.rater], record.judged_by(ours), record.judged_by(other))
        for record in raters_records(raters, simulated=study.is_simulated, remembered=True)
    )
