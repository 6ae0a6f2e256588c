from django.apps import AppConfig
from django.urls import register_converter


class VariantsConfig(AppConfig):
    name = "variants"

    def ready(self) -> None:
        from variants.converters import PublicIdConverter

        register_converter(PublicIdConverter, "public_id")
