"""Rules of the code base that no linter has; see CONTRIBUTING.md."""

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "backend").rglob("*.py"), *(ROOT / "connectors").rglob("*.py")])
ROOT_MODULES = {
    "__init__.py", "client.py", "real_parts.py", "rq_entry.py", "settings.py", "use_cases.py",
    "wiring.py",
}  # fmt: skip
VAGUE = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
SHARED_ALIASES = {"Floats", "Targets", "Rows", "Pixels", "Json", "JsonObject"}
MAX_LINES = 40
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
LAYOUT_TOKENS = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(tree(path))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_sources_are_found():
    assert len(SOURCES) > 100


def test_no_class_name_exists_twice():
    names = Counter(
        node.name for path in SOURCES for node in nodes(path) if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_every_init_file_is_empty():
    inits = [path for path in SOURCES if path.name == "__init__.py"]
    assert inits
    assert [relative(path) for path in inits if path.stat().st_size] == []


def test_every_package_has_an_init_file():
    folders = {path.parent for path in SOURCES}
    assert [relative(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_root_of_the_backend_holds_only_the_composition_root_settings_and_entry():
    assert {path.name for path in (ROOT / "backend").glob("*.py")} == ROOT_MODULES


def test_benches_start_label_studio_as_people_install_it():
    """The tests' one is quicker in some ways, which once made large projects look slow."""
    benches = sorted((ROOT / "tests" / "bench").glob("*.py"))
    starting = {path.name for path in benches if _imports(path, "tests.e2e.label_studio")}
    assert starting == {"installed_label_studio.py"}


def _imports(path: Path, module: str) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == module for node in nodes(path))


def test_no_module_or_package_has_a_vague_name():
    parts = {part for path in SOURCES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert parts & VAGUE == set()


@pytest.mark.parametrize("package", ["backend", "connectors"])
def test_shared_type_aliases_are_declared_once_in_each_package(package: str):
    # connectors import nothing of the backend, so they have a JsonObject of their own
    sources = [path for path in SOURCES if path.relative_to(ROOT).parts[0] == package]
    declared = Counter(name for path in sources for name in assigned_names(path))
    assert {name for name in SHARED_ALIASES if declared[name] > 1} == set()
    assert package != "backend" or declared.keys() >= SHARED_ALIASES - {"Rows", "Pixels"}


def assigned_names(path: Path) -> Iterator[str]:
    """Names assigned at the top of a module, and by `type` statements."""
    for node in tree(path).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_long_functions_say_why_they_are_not_split():
    # a comment anywhere inside the function, or right above it, counts as the reason
    assert [one for path in SOURCES for one in unexplained_long_functions(path)] == []


def unexplained_long_functions(path: Path) -> Iterator[str]:
    functions = [node for node in nodes(path) if isinstance(node, FUNCTION)]
    functions = [node for node in functions if len(lines_of(node)) > MAX_LINES]
    if not functions:
        return
    tokens = list(tokenize.generate_tokens(io.StringIO(path.read_text()).readline))
    comments = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    code = {
        line
        for token in tokens
        if token.type not in LAYOUT_TOKENS
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in functions:
        lines = set(lines_of(node))
        docstring = set(lines_of(node.body[0])) if ast.get_docstring(node) is not None else set()
        explained = comments & (lines | {node.lineno - 1})
        if len((lines & code) - docstring) > MAX_LINES and not explained:
            yield f"{relative(path)}:{node.lineno} {node.name}"


def lines_of(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)
