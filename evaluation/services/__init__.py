from evaluation.services.reports import ReportError, report_cancel, report_create, report_refused
from evaluation.services.simulations import SimulationRefused, raters_simulate

__all__ = [
    "ReportError",
    "SimulationRefused",
    "raters_simulate",
    "report_cancel",
    "report_create",
    "report_refused",
]
