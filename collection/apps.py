from django.apps import AppConfig


class CollectionConfig(AppConfig):
    name = "collection"

    def ready(self) -> None:
        from collection.services.exports import export_over
        from collection.services.webhooks import export_event
        from variants.jobs import job_over

        job_over.connect(export_event)
        job_over.connect(export_over)
