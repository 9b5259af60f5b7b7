"""Node and npm packages, for tests that need a program which there is only for them; skipped where they are missing."""
import os
import shutil

import pytest
from stack.programs import ROOT

WEB = os.path.join(ROOT, "tests", "web")


def modules(package):
    """The folder of npm packages that has this one; skips the test where there is none."""
    folder = os.path.join(WEB, "node_modules")
    if os.path.isdir(os.path.join(folder, package)):
        return folder
    pytest.skip(f"the npm package {package} is missing: ./tests/web/install")


def node():
    found = shutil.which("node") or shutil.which("nodejs")
    return found or pytest.skip("node is missing: ./ops/install ci")
