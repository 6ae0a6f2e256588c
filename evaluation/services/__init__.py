from evaluation.services.reports import ReportError, report_create
from evaluation.services.simulations import SimulationRefused, raters_simulate

__all__ = ["ReportError", "SimulationRefused", "raters_simulate", "report_create"]
