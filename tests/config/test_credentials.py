"""The settings of the dashboard's accounts: how they are written, what is wrong, and that no secret is shown."""

from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.config.credentials import MEMBER, ROLES, AccountSettings
from gateway.config.sources import load
from gateway.core.roles import Role
from tests.accounts.people import CHEAP
from tests.config.test_sources import problem

DIGEST = "ab" * 32


def file(folder: Path, content: str) -> str:
    path = folder / "gateway.toml"
    path.write_text(content)
    return str(path)


def test_a_role_is_the_same_word_everywhere() -> None:
    assert tuple(role.word for role in Role) == (MEMBER, *ROLES)


@pytest.mark.parametrize(
    "content",
    [
        f'[admin]\naccounts.ana = {{role = "admin", hash = "{CHEAP}"}}',
        f'[admin.accounts.ana]\nrole = "admin"\nhash = "{CHEAP}"',
        f'[admin]\naccounts = "ana:admin:{CHEAP}"',
    ],
)
def test_an_account_may_be_written_in_any_way(tmp_path: Path, content: str) -> None:
    assert load({}, {}, file(tmp_path, content)).settings.admin.accounts == {"ana": AccountSettings("admin", CHEAP)}


def test_the_environment_has_a_form_for_all_of_it() -> None:
    settings = load(
        {},
        {
            "GATEWAY_ADMIN__PASSWORD_HASH": CHEAP,
            "GATEWAY_ADMIN__ACCOUNTS": f"ana:operator:{CHEAP} vic:viewer:{CHEAP}",
            "GATEWAY_ADMIN__TOKENS": f"ci:viewer:{DIGEST},bot:admin:{DIGEST.upper()}",
        },
    ).settings

    assert settings.admin.password_hash == CHEAP
    assert settings.admin.accounts == {
        "ana": AccountSettings("operator", CHEAP),
        "vic": AccountSettings("viewer", CHEAP),
    }
    assert settings.admin.tokens == (f"ci:viewer:{DIGEST}", f"bot:admin:{DIGEST.upper()}")


def test_an_empty_variable_is_no_password() -> None:
    assert load({}, {"GATEWAY_ADMIN__PASSWORD_HASH": "", "GATEWAY_ADMIN__ACCOUNTS": ""}).settings.admin.accounts == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('password_hash = "hunter22"', "this is not an argon2 hash: `gateway passwd`"),
        ("password_hash = 7", "is not what `gateway passwd` prints"),
        (f'accounts.ana = {{role = "root", hash = "{CHEAP}"}}', "the role of ana is none of viewer, operator, admin"),
        ('accounts.ana = {role = "admin", hash = "hunter22"}', "`gateway passwd ana` prints one"),
        ('accounts.ana = {role = "admin"}', "a table [admin.accounts.NAME]"),
        (f'accounts.ana = {{rolle = "admin", hash = "{CHEAP}"}}', "a table [admin.accounts.NAME]"),
        ('accounts.ana = "hunter22"', "a table [admin.accounts.NAME]"),
        ('accounts = "ana:hunter22"', "at place 1 is not written NAME:ROLE:HASH"),
        (f'accounts = "ana:admin:{CHEAP} ana:viewer:{CHEAP}"', "ana is there twice"),
        (f'accounts."a b" = {{role = "admin", hash = "{CHEAP}"}}', "'a b' is not a valid account name"),
        (f'accounts.link = {{role = "viewer", hash = "{CHEAP}"}}', "'link' is not a valid account name"),
        (
            f'accounts.ana = {{role = "admin", hash = "{CHEAP}"}}\naccounts.Ana = {{role = "admin", hash = "{CHEAP}"}}',
            "Ana is there twice",
        ),
        (
            f'password_hash = "{CHEAP}"\naccounts.Admin = {{role = "admin", hash = "{CHEAP}"}}',
            "are both the account 'admin'",
        ),
        ('tokens = ["ci:viewer:hunter22"]', "the token at place 1 is not name:role:sha256"),
        ('tokens = ["hunter22"]', "the token at place 1 is not name:role:sha256"),
        (f'tokens = ["ci:root:{DIGEST}"]', "the role of ci is none of"),
        (f'tokens = ["c i:admin:{DIGEST}"]', "'c i' is not a valid account name"),
    ],
)
def test_a_mistake_is_told_with_what_to_do_and_without_the_secret(tmp_path: Path, content: str, said: str) -> None:
    words = problem(config=file(tmp_path, f"[admin]\n{content}\n"))

    assert (said in words and "gateway.toml" in words) or "both the account" in words
    assert "hunter22" not in words and CHEAP not in words and DIGEST not in words


def test_a_mistake_is_exit_code_78_and_check_shows_names_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--config", file(tmp_path, '[admin]\npassword_hash = "x"')]) == 78
    capsys.readouterr()
    content = f'[admin]\npassword_hash = "{CHEAP}"\ntokens = ["ci:viewer:{DIGEST}"]\naccounts = "ana:admin:{CHEAP}"'
    assert main(["check", "--config", file(tmp_path, content)]) == 0
    shown = capsys.readouterr().out

    assert "# admin.password_hash: (set) " in shown
    assert "# admin.accounts: (set) ana:admin " in shown and "# admin.tokens: (set) ci:viewer " in shown
    assert "$argon2" not in shown and DIGEST not in shown
