from typing import Any

from django.core.management.base import BaseCommand

from learning.services import looks_expire, photos_expire


class Command(BaseCommand):
    help = "Delete uploaded photos whose time is over, and what was rendered of them. Let it run once a day."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{photos_expire() + looks_expire()} uploads deleted")
