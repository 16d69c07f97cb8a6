"""The report of a study: one page that opens offline, with its figures beside it as vectors.

`words` says what a table shows, `charts` draws it with Altair, `portraits` trains a few of its nets again to look at
them over and beyond their range, and `page` puts it all into `report.html`. Only `words` is imported at once, so that
studies can use it for their answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from arithjax.report.words import default_words, percent, rate_of, share

__all__ = ["default_words", "percent", "rate_of", "share", "write"]


def write(folder: Path, nets: pd.DataFrame, described: dict[str, Any], portraits: int = 4) -> Path:
    """Write `report.html` and its figures into a study's folder; the path of the page.

    nets: the table, finished or not. described: what `study.json` says. portraits: nets to train again and show.
    """
    from arithjax.report import page

    return page.write(Path(folder), nets, described, portraits)
