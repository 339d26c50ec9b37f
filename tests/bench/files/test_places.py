import os
from pathlib import Path

import pytest

from bench.files import places


def test_a_home_that_is_there_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places.expanded("~/cats") == tmp_path / "cats"
    assert places.expanded("cats") == Path("cats")
    assert places.user_cache() == tmp_path / ".cache" / "gan-loss-bench"


def test_nobodys_home_is_an_error_that_says_so():
    with pytest.raises(ValueError, match=r"^~nosuchuser/x: there is no user of that name; write the path"):
        places.expanded("~nosuchuser/x")


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_cache_is_a_folder_of_this_user_alone(tmp_path):
    folder = places.user_cache()
    assert folder == tmp_path / f"gan-loss-bench-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert places.user_cache() == folder


@pytest.mark.usefixtures("homeless")
def test_a_planted_cache_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"gan-loss-bench-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"belongs to somebody else: set \$HOME"):
        places.user_cache()


def test_links_in_a_circle_are_no_error_before_they_are_used(tmp_path):
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert places.resolved(tmp_path / "round").name == "round"
