"""Files: read with bounds, written whole; no link, pipe or device leads anything elsewhere."""

import os
import stat

import pytest

from arithjax import disk


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "large", "link to a pipe"])
def test_only_regular_files_of_a_bounded_size_are_read(tmp_path, kind):
    path = tmp_path / "file"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"12345")
    with pytest.raises(OSError):
        disk.read(path, 4)


def test_a_file_that_is_not_there_is_that():
    with pytest.raises(FileNotFoundError):
        disk.read("nowhere")


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "file").symlink_to("elsewhere")
    disk.write(tmp_path, "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new" and not (tmp_path / "file").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "file"]


def test_a_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "study/figures").symlink_to("../elsewhere")
    with pytest.raises(OSError):
        disk.write(tmp_path / "study", "figures/rates.svg", b"new")
    assert not os.listdir(tmp_path / "elsewhere")


def test_folders_inside_are_made_but_never_the_folder_itself(tmp_path):
    disk.write(tmp_path, "inside/file", b"new")
    assert (tmp_path / "inside/file").read_bytes() == b"new"
    with pytest.raises(FileNotFoundError):
        disk.write(tmp_path / "gone", "file", b"new")


def test_what_cannot_take_its_place_leaves_nothing(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        disk.write(tmp_path, "file", b"new")
    assert os.listdir(tmp_path) == ["file"]


def test_permissions_are_the_users_own(tmp_path):
    (tmp_path / "usual").write_text("")
    disk.write(tmp_path, "file", b"")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_a_path_of_the_users_is_followed_and_a_device_stays_one(tmp_path):
    (tmp_path / "link").symlink_to("file")
    disk.save(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"new"
    disk.save("/dev/null", b"new")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize(("path", "reason"), [("", "a folder"), ("no/file", "no folder"), ("file", "")])
def test_what_stands_in_the_way_is_known_before(tmp_path, path, reason):
    assert reason in disk.obstacle(tmp_path / path)
    assert bool(disk.obstacle(tmp_path / path)) == bool(reason)
