"""Study files: a study in a Python file, by path, or a built-in one by name."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from arithjax.errors import ArithjaxError, nearest
from arithjax.studies.study import Study


def study_of(source: str, path: str) -> Study:
    """The study in a Python file's text, its one variable `study`."""
    space: dict[str, Any] = {"__name__": f"study_{Path(path).stem}", "__file__": path}
    try:
        exec(compile(source, path, "exec"), space)
    except ArithjaxError as error:
        raise ArithjaxError(f"the study file {path}: {error}") from None
    except Exception as error:
        line = error.lineno if isinstance(error, SyntaxError) else traceback.extract_tb(error.__traceback__)[-1].lineno
        raise ArithjaxError(f"the study file {path}, line {line}: {type(error).__name__}: {error}") from None
    study = space.get("study")
    if not isinstance(study, Study):
        what = "holds no variable `study`" if study is None else f"has a {type(study).__name__} as `study`"
        raise ArithjaxError(f"the study file {path} {what}; end it with `study = aj.Study(...)`.")
    return replace(study, source=source)


def sweeps() -> Path:
    """The folder of the built-in studies: in the package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "sweeps"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "sweeps"


def find_study(name: str) -> Study:
    """A built-in study by name, or the one in a file by path."""
    if name.endswith(".py") or "/" in name:
        return load_study(Path(name))
    names = [path.stem for path in sorted(sweeps().glob("*.py"))]
    if name not in names:
        raise ArithjaxError(
            f"unknown study '{name}'{nearest(name, names)} 'arithjax list studies' shows them all; a study file is "
            f"given by its path, such as ./{name}.py."
        )
    return load_study(sweeps() / f"{name}.py")


def load_study(path: Path) -> Study:
    """The study in a Python file, its one variable `study`."""
    try:
        source = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ArithjaxError(f"the study file {path} cannot be read ({error}); check the path.") from None
    return study_of(source, str(path))


def about_file(path: Path) -> str:
    """The first line of a study file's docstring."""
    return path.read_text().split('"""')[1].splitlines()[0]
