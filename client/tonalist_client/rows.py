"""Lists that may be long."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


class Rows:
    """Rows of the site, read a page at a time as they are asked for; each loop begins anew."""

    def __init__(self, pages: Callable[[], Iterator[list[Row]]]) -> None:
        self._pages = pages

    def __iter__(self) -> Iterator[Row]:
        for page in self._pages():
            yield from page

    def first(self) -> Row | None:
        return next(iter(self), None)

    def to_list(self) -> list[Row]:
        return list(self)

    def to_dataframe(self) -> "pd.DataFrame":
        """A column for each field, those of nested objects under names with dots; times as times."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError('a DataFrame needs pandas: pip install "tonalist-client[pandas]"') from error
        frame = pd.json_normalize(self.to_list())
        for name in frame.columns:
            if name.endswith("_at"):
                frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
        return frame
