"""The cores load where only the few packages of a GPU machine are: everything else is imported by what uses it."""

import subprocess
import sys

from tests.test_imports import every_module_of

ABSENT = (
    "PyOpenColorIO", "lpips", "diffusers", "peft", "accelerate", "tensorboard", "matplotlib", "sklearn", "pandas", "ot",
    "krippendorff", "django", "celery", "rest_framework", "allauth", "redis",
)  # fmt: skip
"""Not installed there."""
NOT_AT_ONCE = (*ABSENT, "torchvision", "scipy", "jinja2", "huggingface_hub")
"""The others come with packages that are there, as torchvision with timm and scipy with scikit-image; yet our own
modules load none of them before they are used."""
CORES = (
    "learning.data", "learning.training", "learning.renderers", "learning.backbones", "learning.systems",
    "evaluation.metrics", "evaluation.protocol", "evaluation.simulation", "variants.tone", "variants.progress",
)  # fmt: skip
HOOK = """
import builtins, importlib.machinery, sys

class Lean(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in ABSENT else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Lean
real = builtins.__import__

def lean_import(name, globals=None, *rest, **named):
    ours = (globals or {}).get("__name__", "").partition(".")[0] in ("learning", "evaluation", "variants")
    if ours and name.partition(".")[0] in NOT_AT_ONCE:
        raise ModuleNotFoundError(f"{globals['__name__']} imports {name}")
    return real(name, globals, *rest, **named)

builtins.__import__ = lean_import
"""


def test_the_cores_load_without_what_they_do_not_always_need():
    modules = "\n".join(every_module_of(core) for core in CORES)
    program = f"ABSENT, NOT_AT_ONCE = {ABSENT!r}, {NOT_AT_ONCE!r}\n{HOOK}\n{modules}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr.splitlines()[-12:]
