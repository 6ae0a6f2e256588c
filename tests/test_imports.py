"""What must not be loaded, seen at run time in fresh processes; import-linter says the same statically."""

import subprocess
import sys

CORES = [
    "variants.tone",
    "variants.progress",
    "collection.design",
    "collection.export.format",
    "learning.data",
    "learning.backbones",
    "learning.renderers",
    "learning.systems",
    "learning.training",
    "evaluation.metrics",
    "evaluation.protocol",
    "evaluation.simulation",
]


def loaded_after(code: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter holds after `code`."""
    program = f"{code}\nimport sys; print(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def every_module_of(package: str) -> str:
    return (
        f"import importlib, pkgutil, {package} as package\n"
        "for m in pkgutil.walk_packages(getattr(package, '__path__', []), package.__name__ + '.'):\n"
        "    m.name.endswith('__main__') or importlib.import_module(m.name)"
    )


def test_no_core_loads_django():
    """One after another in one process, which ends at the first that does."""
    looked_at = "import sys\nif 'django' in sys.modules: sys.exit('{core} loads Django')"
    code = "\n".join(f"{every_module_of(core)}\n{looked_at.format(core=core)}" for core in CORES)
    assert "learning" in loaded_after(code)


def test_the_web_process_loads_no_torch():
    code = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'\n"
        "import django; django.setup()\n"
        "from django.urls import get_resolver; get_resolver().url_patterns; import config.wsgi"
    )
    loaded = loaded_after(code)
    assert "django" in loaded
    assert not loaded & {"torch", "torchvision", "transformers", "timm", "lpips", "diffusers", "accelerate"}
    assert "sentry_sdk" not in loaded  # only with SENTRY_DSN
