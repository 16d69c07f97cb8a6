"""The kernel's machine code, kept for the next process: damaged, it is never run and always mended."""

import os
import shutil

import pytest

from arithjax.training.engines import fused

if not fused.available():
    pytest.skip(str(fused.obstacle()), allow_module_level=True)

from arithjax.training.engines import compiling


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The files of `kernel.predict` in a folder of their own."""
    fused.warm()
    before = compiling.cache_folder()
    monkeypatch.setattr(compiling.vectors.config, "CACHE_DIR", str(tmp_path))
    if before.exists():  # to save the time
        shutil.copytree(before, compiling.cache_folder())
    compiling._compile.__wrapped__("predict", "float32")
    files = [path for path in compiling._kept(compiling.cache_folder()) if "predict" in path.name]
    assert files and all(compiling._checksum(path).exists() for path in files)
    return files


def test_machine_code_that_changed_on_the_disk_is_not_run(kept, caplog):
    """A disk that forgets a bit changes no time of a file."""
    caplog.set_level("INFO", "arithjax")
    compiling._compile.__wrapped__("predict", "float32")
    assert not caplog.messages
    code = max(kept, key=lambda path: path.stat().st_size)
    times, whole = code.stat(), code.read_bytes()
    code.write_bytes(whole[:-50] + bytes([whole[-50] ^ 1]) + whole[-49:])
    os.utime(code, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.warns(UserWarning, match="damaged; it is compiled anew"):
        compiling._compile.__wrapped__("predict", "float32")
    assert caplog.messages == ["compiling the kernel for this processor, a few seconds, once on this machine"]
    now = compiling._kept(compiling.cache_folder())
    assert now and all(compiling._checksum(path).read_text() == compiling._digest(path) for path in now)


@pytest.mark.parametrize("damage", [b"", b"damaged"])
def test_machine_code_that_was_never_whole_is_compiled_anew(kept, damage):
    for path in kept:
        compiling._checksum(path).unlink()
        path.write_bytes(damage)
    with pytest.warns(UserWarning, match="damaged; it is compiled anew"):
        assert compiling._compile.__wrapped__("predict", "float32")
    assert all(path.stat().st_size > 100 for path in compiling._kept(compiling.cache_folder()))
