"""Nothing that is read can run: no pickle, no other YAML than plain, weights only, no shell, no unpacking of archives."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("bench", "client", "collection", "config", "evaluation", "learning", "variants")
FORBIDDEN_MODULES = {"cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "xml"}
ERRORS_ALONE = {"pickle": "UnpicklingError", "zipfile": "BadZipFile"}
"""Of these modules only what is caught may be named: PyTorch raises it."""
FORBIDDEN_CALLS = {"eval", "exec", "os.system", "os.popen", "shutil.unpack_archive"}
FORBIDDEN_METHODS = {"extractall", "extract", "unsafe_load", "full_load"}
WORDS = [
    "pickle",
    "zipfile",
    "torch.load",
    "yaml.load",
    "_load",
    "eval(",
    "exec(",
    "os.system",
    "os.popen",
    "unpack_archive",
    "extract",
    "shell",
    "xml",
    "joblib",
    "marshal",
    "dill",
    "shelve",
]
"""A module with none of them is not parsed."""
NEEDS = {"torch.load": ("weights_only", True)}


def files():
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def faults_of(source):
    """What stands in a module that could run what it reads; line numbers first."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            yield from ((node.lineno, name) for name in names if name.partition(".")[0] in FORBIDDEN_MODULES)
            if isinstance(node, ast.ImportFrom) and node.module in ERRORS_ALONE:
                yield node.lineno, f"from {node.module} import"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            alone = ERRORS_ALONE.get(node.value.id, node.attr)
            if node.attr != alone:
                yield node.lineno, f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, fault) for fault in call_faults(node))


def call_faults(call):
    name = ast.unparse(call.func)
    given = {keyword.arg: getattr(keyword.value, "value", None) for keyword in call.keywords}
    if name in FORBIDDEN_CALLS or name.rpartition(".")[2] in FORBIDDEN_METHODS:
        yield name
    if name in NEEDS and given.get(NEEDS[name][0]) is not NEEDS[name][1]:
        yield f"{name} without {NEEDS[name][0]}={NEEDS[name][1]}"
    if given.get("allow_pickle"):
        yield f"{name} with allow_pickle"
    if given.get("shell"):
        yield f"{name} with shell"
    if name == "yaml.load" and "Safe" not in ast.unparse(call):
        yield "yaml.load with a loader that makes objects"


def test_no_module_runs_what_it_reads():
    sources = {path: path.read_text("utf-8") for path in files()}
    suspects = {path: text for path, text in sources.items() if any(word in text for word in WORDS)}
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path, text in suspects.items()
        for line, what in faults_of(text)
    ]
    assert found == []
    assert len(sources) > 300


@pytest.mark.parametrize(
    "source",
    [
        "import pickle; pickle.loads(b'')",
        "from pickle import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
        "subprocess.run(text, shell=True)",
        "zipfile.ZipFile(path).extractall()",
        "import xml.etree",
    ],
)
def test_the_rule_sees_it(source):
    assert any(word in source for word in WORDS)
    assert list(faults_of(source))
