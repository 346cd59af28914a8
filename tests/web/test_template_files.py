"""The templates are found in an installed package and in a checkout, and nowhere by accident."""

from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.web.static_files import templates


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_an_installed_package_has_its_templates_inside(tmp_path: Path) -> None:
    inside = folder(tmp_path / "gateway" / "templates")
    folder(tmp_path / "templates")

    assert templates(tmp_path / "gateway") == inside


def test_a_checkout_has_them_beside_the_package(tmp_path: Path) -> None:
    beside = folder(tmp_path / "templates")
    (tmp_path / "pyproject.toml").touch()

    assert templates(tmp_path / "gateway") == beside


def test_a_folder_of_that_name_in_site_packages_is_not_ours(tmp_path: Path) -> None:
    folder(tmp_path / "templates")

    with pytest.raises(StartError, match="templates are missing"):
        templates(tmp_path / "gateway")
