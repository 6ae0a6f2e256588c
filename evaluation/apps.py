from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    name = "evaluation"

    def ready(self) -> None:
        from evaluation.services.events import report_event
        from variants.jobs import job_over

        job_over.connect(report_event)
