"""The site."""

import contextlib
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tonalist_client.errors import DownloadChanged, JobFailed, JobTimeout, Unreachable, error_of
from tonalist_client.rows import Row, Rows
from tonalist_client.study import Study
from tonalist_client.tries import TRIED_AGAIN, TRIES, Tries
from tonalist_client.wire import id_of, json_of, parameters_of

TELLS_A_SECRET = re.compile(r"webhooks/[^/]+/secret/|studies/[^/]+/webhooks/")
"""Where a POST takes no idempotency key, as its reply is kept nowhere."""
PAGE = 1000
Files = Iterable[Path | str]


class Client:
    """A Tonalist site, asked with a token.

    Args:
        url: of the site, such as https://tonalist.example.
        token: made under Account, API tokens.
        tries: of a request that the site cannot answer at the moment. Between them it waits at most PATIENCE
            seconds, and AWAY_PATIENCE where nobody answers at all.
        sleep: waits so many seconds; tests give another.
        transport: of httpx, where requests are to go another way.

    Raises ValueError for what is no token.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        tries: int = TRIES,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not token or not re.fullmatch("[!-~]+", token):
            raise ValueError(
                "the token is empty, or has a space or a line's end in it; make one on the site under Account, API tokens"
            )
        self._tries, self._sleep = tries, sleep
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/",
            headers={"Authorization": f"Bearer {token}", "User-Agent": "tonalist-client/0.1"},
            timeout=httpx.Timeout(60, connect=5),
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def me(self) -> Row:
        """Whose token it is, and what it may do."""
        return self.get("me/")

    def studies(self, **filters: Any) -> Rows:
        return self.rows("studies/", **filters)

    def study(self, slug: str) -> Study:
        return Study(self, slug)

    def create_study(self, name: str, **fields: Any) -> Study:
        """A draft; fields as in a study's YAML file: protocol, scenes, recruiting, …"""
        return Study(self, self.post("studies/", {"name": name, **fields})["slug"])

    def runs(self, **filters: Any) -> Rows:
        return self.rows("runs/", **filters)

    def train(self, export: Row | str, system: str = "upe", preset: str = "tiny", **fields: Any) -> Row:
        """Start a run on a dataset; `wait` for it."""
        return self.post("runs/", {"export": id_of(export), "system": system, "preset": preset, **fields})

    def report(self, runs: list[Row | str], **fields: Any) -> Row:
        """Order a report of finished runs on one dataset; `wait` for it, then `report_data`."""
        return self.post("reports/", {"runs": [id_of(run) for run in runs], **fields})

    def report_data(self, report: Row | str) -> Row:
        """All figures of a report."""
        return self.get(f"reports/{id_of(report)}/report.json")

    def read_raters(self, run: Row | str, **fields: Any) -> Row:
        """Make the profiles of many raters of a run (`whose`, `references`); `wait` for it."""
        return self.post(f"runs/{id_of(run)}/adaptations/", fields)

    def style(
        self,
        liked: Files,
        photos: Files,
        *,
        strength: float = 1.0,
        run: Row | str = "",
        system: str = "",
        masks: Files = (),
        preset: Path | str = "",
        **fields: Any,
    ) -> Row:
        """Read a style from liked photos and give it to others; `wait` for it, then `save` what came of them.

        It is read by a finished `run`, or by a `system` that needs no training: pif_lite where neither is named.
        `masks` have the photos' names (deep_photo). Where `liked` is [] it is a `preset` of that run
        (neural_preset), or in `words=["exposure=dark"]` (pif). `name="Dusk"` names it.
        """
        reader = {"run": id_of(run)} if run else {"system": system or "pif_lite"}
        files = {"liked": liked, "photos": photos, "masks": masks, "preset": [preset] if preset else []}
        return self._send("styles/", {**reader, **fields, "strength": strength}, files)

    def mix_styles(self, style: Row | str, other: Row | str, *, share: float = 0.5, **fields: Any) -> Row:
        """A new style with this `share` of the other, on the photos of the first; `wait` for it."""
        return self.post(f"photos/{id_of(style)}/mix/", {"other": id_of(other), "share": share, **fields})

    def render(self, run: Row | str, rater: str, photos: Files, *, strength: float = 1.0) -> Row:
        """Give photos the taste of a rater of the run's dataset; `wait` for it, then `save` what came of them."""
        fields = {"rater": rater, "strength": strength}
        return self._send(f"runs/{id_of(run)}/photos/", fields, {"photos": photos})

    def change_style(self, style: Row | str, **fields: Any) -> Row:
        """`strength=0.5`, `strengths={"exposure": 0.25}`: its photos are rendered again; `wait` for it."""
        return self.post(f"photos/{id_of(style)}/change/", fields)

    def delete_photos(self, photos: Row | str) -> None:
        """Of a style, or of `render`: with all that was made of them."""
        self.request("DELETE", f"photos/{id_of(photos)}/")

    def save(self, address: str, path: Path | str) -> Path:
        """A file at an address that the site gave, such as `style["photos"][0]["files"]["result"]`."""
        path = Path(path)
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(self.request("GET", address).content)
        return part.replace(path)

    def _send(self, path: str, fields: Mapping[str, Any], files: Mapping[str, Files]) -> Row:
        """A form with files, under one key."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        with contextlib.ExitStack() as opened:
            parts = [
                (name, (Path(each).name, opened.enter_context(Path(each).open("rb"))))
                for name, paths in files.items()
                for each in paths
            ]
            return json_of(self.request("POST", path, data=dict(fields), files=parts, headers=headers))

    def wait(self, job: Row, *, timeout: float = 24 * 3600, every: float = 2.0) -> Row:
        """The job once it is done. Raises JobFailed, or JobTimeout after so many seconds."""
        path = job["address"]
        waited = 0.0
        while not (job := self.get(path))["is_over"]:
            if waited >= timeout:
                raise JobTimeout(
                    f"the job {job['id']} is {job['state']} after {timeout:g} seconds: {job['stage']}"
                )
            self._sleep(every)
            waited += every
        if job["state"] != "done":
            raise JobFailed(job)
        return job

    def download(self, export: Row | str, path: Path | str) -> Path:
        """The dataset as a tar file. What broke off goes on where it was, in this call or in a later one.

        It stands in `path`.part until it is whole. Raises DownloadChanged where the site has another
        file by now; delete the part then.
        """
        path = Path(path)
        part = path.with_name(f"{path.name}.part")
        noted = path.with_name(f"{path.name}.etag")
        tries = Tries(self._tries, self._sleep)
        while True:
            try:
                self._download_on(f"exports/{id_of(export)}/archive/", part, noted)
            except httpx.TransportError as error:
                if tries.another(error):
                    continue
                raise Unreachable(f"the download broke off, {tries}: {error}") from error
            part.replace(path)
            noted.unlink(missing_ok=True)
            return path

    def get(self, path: str, **parameters: Any) -> Row:
        """Any address below /api/v1/."""
        return json_of(self.request("GET", path, params=parameters_of(parameters)))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Row:
        """Done once, however often it has to be tried; where the reply tells a secret it is sent once."""
        if TELLS_A_SECRET.search(self._url(path).path):
            return json_of(self.request("POST", path, tries=1, json=dict(body or {})))
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return json_of(self.request("POST", path, json=dict(body or {}), headers=headers))

    def new_secret(self, webhook: Row | str) -> str:
        """Of a webhook: it is told now and never again, and the one before signs nothing any more."""
        return str(self.post(f"webhooks/{id_of(webhook)}/secret/")["secret"])

    def rows(self, path: str, **parameters: Any) -> Rows:
        def pages() -> Iterator[list[Row]]:
            page = self.get(path, **{"limit": PAGE, **parameters})
            yield page["results"]
            while page["next"]:
                page = self.get(page["next"])
                yield page["results"]

        return Rows(pages)

    def request(self, method: str, path: str, *, tries: int | None = None, **options: Any) -> httpx.Response:
        """With retries. Raises ApiError and Unreachable."""
        url, left = self._url(path), Tries(tries or self._tries, self._sleep)
        while True:
            try:
                response = self._http.request(method, url, **options)
            except httpx.TransportError as error:
                if left.another(error):
                    continue
                raise Unreachable(f"{method} {url}, {left}: {error}") from error
            if response.is_success:
                return response
            if response.status_code not in TRIED_AGAIN or not left.another(response):
                raise error_of(response)

    def _url(self, path: str) -> httpx.URL:
        """Of a path below /api/v1/, or of an address that the site gave: the token goes to the site alone."""
        base = self._http.base_url
        given = httpx.URL(path)
        return base.copy_with(raw_path=given.raw_path) if given.is_absolute_url else base.join(path)

    def _download_on(self, path: str, part: Path, noted: Path) -> None:
        have = part.stat().st_size if part.exists() and noted.exists() else 0
        headers = {"Range": f"bytes={have}-", "If-Range": noted.read_text()} if have else {}
        with self._http.stream("GET", path, headers=headers) as response:
            if response.status_code == 416:  # all of it is here already
                return
            if not response.is_success:
                response.read()
                if response.status_code in TRIED_AGAIN:
                    raise httpx.ReadError(f"status {response.status_code}")
                raise error_of(response)
            if have and response.status_code == 200:
                raise DownloadChanged(f"the site has another file by now; delete {part} and begin again")
            noted.write_text(response.headers.get("ETag", ""))
            with part.open("ab" if have else "wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
