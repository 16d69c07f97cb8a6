"""The report of a study: one page that opens offline, with its figures beside it as vector files.

`words` puts results into sentences, `charts` draws them with Altair, `sections` arranges charts under headings,
`portraits` trains a few nets again and draws what they predict, and `page` renders everything as `report.html`.
`write` is imported when it is first used, since Altair takes half a second that sentences do not need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from arithjax.report.words import default_words, percent, rate_of, share

if TYPE_CHECKING:
    from arithjax.report.page import write

__all__ = ["default_words", "percent", "rate_of", "share", "write"]


def __getattr__(name: str) -> Any:
    if name != "write":
        raise AttributeError(f"module 'arithjax.report' has no attribute '{name}'")
    return importlib.import_module("arithjax.report.page").write
