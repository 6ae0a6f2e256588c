"""One study of the site."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tonalist_client.errors import error_of
from tonalist_client.rows import Row, Rows
from tonalist_client.wire import json_of, parameters_of

if TYPE_CHECKING:
    from tonalist_client.client import Client


class Study:
    """One study of the site. Nothing is read before it is asked for."""

    def __init__(self, client: "Client", slug: str) -> None:
        self.client, self.slug = client, slug

    def __repr__(self) -> str:
        return f"Study({self.slug!r})"

    def read(self) -> Row:
        return self.client.get(self._path())

    def change(self, **fields: Any) -> Row:
        """`protocol={"n_main": 60}`; what is left out stays. Raises ChangedMeanwhile where somebody was faster."""
        read = self.client.request("GET", self._path())
        headers = {"If-Match": read.headers["ETag"]}
        return json_of(self.client.request("PATCH", self._path(), json=fields, headers=headers))

    def yaml(self) -> str:
        """All of it as one file, from which it can be made again."""
        return self.client.request("GET", self._path("file/")).text

    def open(self) -> Row:
        return self.client.post(self._path("open/"))

    def pause(self) -> Row:
        return self.client.post(self._path("pause/"))

    def close(self) -> Row:
        """For good."""
        return self.client.post(self._path("close/"))

    def clone(self, name: str) -> "Study":
        """A draft with the same protocol, scenes and pairs."""
        return Study(self.client, self.client.post(self._path("clone/"), {"name": name})["slug"])

    def scenes(self, **filters: Any) -> Rows:
        return self.client.rows(self._path("scenes/"), **filters)

    def renditions(self, **filters: Any) -> Rows:
        return self.client.rows(self._path("renditions/"), **filters)

    def pairs(self, **filters: Any) -> Rows:
        return self.client.rows(self._path("pairs/"), **filters)

    def raters(self, **filters: Any) -> Rows:
        return self.client.rows(self._path("raters/"), **filters)

    def sessions(self, **filters: Any) -> Rows:
        return self.client.rows(self._path("sessions/"), **filters)

    def judgments(self, **filters: Any) -> Rows:
        """`kind`, `rater`, `scene`, `since`, `until`."""
        return self.client.rows(self._path("judgments/"), **filters)

    def judgments_stream(self, **filters: Any) -> Iterator[Row]:
        """All at once, the oldest first: quicker than pages, but it does not go on where it broke off."""
        with self.client._http.stream(
            "GET", self._path("judgments.ndjson"), params=parameters_of(filters)
        ) as response:
            if not response.is_success:
                response.read()
                raise error_of(response)
            for line in response.iter_lines():
                yield json.loads(line)

    def verdicts(self, **filters: Any) -> Rows:
        return self.client.rows(self._path("verdicts/"), **filters)

    def webhooks(self) -> Rows:
        return self.client.rows(self._path("webhooks/"))

    def add_webhook(self, address: str, events: list[str]) -> Row:
        """The new webhook, with its `secret`, which is told now and never again."""
        return self.client.post(self._path("webhooks/"), {"address": address, "events": events})

    def statistics(self) -> Row:
        """As they were computed last."""
        return self.client.get(self._path("statistics/"))

    def exports(self) -> Rows:
        return self.client.rows(self._path("exports/"))

    def export(self, layout: str = "folder") -> Row:
        """Order a dataset; `client.wait` for it, then `client.download`."""
        return self.client.post(self._path("exports/"), {"layout": layout})

    def _path(self, rest: str = "") -> str:
        return f"studies/{self.slug}/{rest}"
