"""Study files: Python files that define one study, given by path, or by name for the built-in ones.

A study file is loaded as a module of its own, as `import` would load it: it may hold dataclasses and Flax modules, and
import helper modules from its own folder.
"""

from __future__ import annotations

import ast
import importlib.util
import itertools
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.abc import ExecutionLoader
from pathlib import Path
from types import ModuleType

from arithjax.errors import ArithjaxError, nearest
from arithjax.registry import first_sentence
from arithjax.studies.study import Study


def study_of(source: str, path: str) -> Study:
    """The study that a Python file's text defines as its variable `study`.

    source: the text. path: the file's path, also for messages; the file need not exist on this machine.

    Raises `ArithjaxError` when the text cannot be run or defines no study.
    """
    module = _loaded(_Loader(source, str(Path(path).absolute())), path)
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        what = "holds no variable `study`" if study is None else f"has a {type(study).__name__} as `study`"
        raise ArithjaxError(f"the study file {path} {what}; end it with `study = aj.Study(...)`.")
    return replace(study, source=source, path=str(Path(path).absolute()))


class _Loader(ExecutionLoader):
    """A module loader for source text; tracebacks take their lines from the text where the file does not exist."""

    def __init__(self, source: str, path: str):
        self.source, self.path = source, path

    def get_source(self, fullname: str) -> str:
        return self.source

    def get_filename(self, fullname: str) -> str:
        return self.path


_numbers = itertools.count()


def _loaded(loader: _Loader, path: str) -> ModuleType:
    """The module that a loader makes, under a name of its own in `sys.modules`, where dataclasses look for it."""
    stem = re.sub(r"\W", "_", Path(path).stem)
    name = f"_arithjax_study_{next(_numbers)}_{stem}"
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        with _importable(str(Path(loader.path).parent)):
            loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception | SystemExit):
            raise _mistake(error, loader.path, path) from None
        raise
    return module


@contextmanager
def _importable(folder: str) -> Iterator[None]:
    """Let a folder's modules be imported: first of all within this context, afterwards last of all.

    What a question imports only when it is asked is found then, and the folder's modules hide no installed ones.
    """
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)


def _mistake(error: Exception | SystemExit, file: str, path: str) -> ArithjaxError:
    """The error that a study file raised, in one line, with the file's own line where it is known."""
    if isinstance(error, ArithjaxError):
        return ArithjaxError(f"the study file {path}: {error}")
    if isinstance(error, SyntaxError) and error.filename == file:
        line = error.lineno
    else:
        line = next(
            (at.lineno for at in reversed(traceback.extract_tb(error.__traceback__)) if at.filename == file), None
        )
    where = f"the study file {path}" if line is None else f"the study file {path}, line {line}"
    if isinstance(error, SystemExit):
        return ArithjaxError(f"{where}: it calls sys.exit(); take that out, since a study file only defines its study.")
    return ArithjaxError(f"{where}: {type(error).__name__}: {' '.join(str(error).split())}")


def sweeps() -> Path:
    """The folder of the built-in studies: in the installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "sweeps"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "sweeps"


def find_study(name: str) -> Study:
    """The built-in study of a name, or the study of the file at a path.

    name: a path when it ends with `.py` or contains `/`. Raises `ArithjaxError` for an unknown name or a broken file.
    """
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
    """The study that a Python file defines as its variable `study`; raises `ArithjaxError` when there is none."""
    try:
        source = importlib.util.decode_source(path.read_bytes())  # heeds an encoding comment and a byte order mark
    except (OSError, ValueError, SyntaxError) as error:
        raise ArithjaxError(f"the study file {path} cannot be read ({error}); check the path.") from None
    return study_of(source, str(path))


def about_file(path: Path) -> str:
    """The first sentence of a study file's docstring."""
    return first_sentence(ast.get_docstring(ast.parse(path.read_bytes())) or "")
