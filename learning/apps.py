from django.apps import AppConfig


class LearningConfig(AppConfig):
    name = "learning"

    def ready(self) -> None:
        from django.db.models.signals import post_delete

        from collection.signals import look_asked, looks_asked, session_data_asked
        from learning import looks
        from learning.models import Look, StudyLook
        from learning.services.events import run_event
        from learning.services.looks import files_follow_rows
        from variants.jobs import job_over

        job_over.connect(run_event)
        look_asked.connect(looks.look_asked)
        looks_asked.connect(looks.looks_asked)
        session_data_asked.connect(looks.session_data_asked)
        post_delete.connect(files_follow_rows, Look)
        post_delete.connect(files_follow_rows, StudyLook)
