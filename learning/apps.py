from django.apps import AppConfig


class LearningConfig(AppConfig):
    name = "learning"

    def ready(self) -> None:
        from learning.services.events import run_event
        from variants.jobs import job_over

        job_over.connect(run_event)
