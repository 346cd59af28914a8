"""Schemathesis reads `/openapi.json` and asks what it can think of: no answer may be 5xx or unlike the schema."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bridge.gateways import NO_PACE, Start

TOKEN = "schemathesis"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
LEFT_OUT = r"(/(raw|events|watch|ws)|/admin/api/(drain|maintenance))$"
"""What does not end, and what closes the doors for all the others: then 503 is right."""
SECONDS_OF_ONE = 240


@pytest.mark.timeout(SECONDS_OF_ONE + 60)
def test_no_generated_request_finds_a_5xx_or_an_answer_unlike_the_schema(start: Start, tmp_path: Path) -> None:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    gateway = start("--memory", *NO_PACE, "--admin.tokens", f"robot:admin:{digest}")
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{gateway.web}/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing",
        "--mode", "all", "--max-examples", "3", "--exclude-path-regex", LEFT_OUT, "--seed", "1", "--no-color",
        "--request-timeout", "10", "--suppress-health-check", "all",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS_OF_ONE)

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
