import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from collection.services.webhooks import deliveries_forget, deliveries_send_due

EVERY_SECONDS = 5


class Command(BaseCommand):
    help = (
        "Send the webhooks' deliveries that are due, every five seconds until Ctrl-C: for a site whose "
        "worker does not run, or whose broker lost messages. No delivery is sent by two at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="send what is due now, and end; as for cron")

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            deliveries_forget()
            tried = deliveries_send_due()
            if tried or options["once"]:
                self.stdout.write(f"{tried} {'delivery' if tried == 1 else 'deliveries'} tried")
            if options["once"]:
                return
            try:
                time.sleep(EVERY_SECONDS)
            except KeyboardInterrupt:
                return
