from typing import Any

from django.core.management.base import BaseCommand

from learning.services import photos_expire


class Command(BaseCommand):
    help = "Delete uploaded photos whose time is over, and what was rendered of them. Let it run once a day."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{photos_expire()} uploads deleted")
