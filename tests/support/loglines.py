"""Every line that the code may log, read from its source: its level, its codes, and the fields beside its text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.environment import ROOT

CODE = ("shared", "services", "deploy")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
ALARMS = {"alarm", "raised"}
"""What raises an alarm, `raised` by way of services/audit/cosigning.py's Sparing."""
BY_STATE = {"f'event_{state}'": {"event_parked", "event_blocking"}}
"""Codes made of a letter's state; see shared/projection.py."""
SPOKEN = re.compile(r"'([a-z_]+) [a-z_]+=%")
"""What `samen up` writes to the terminal: no JSON, the code comes first."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """`level` is the method's name: `alarm` is an ERROR line that is counted too."""

    where: str
    level: str
    codes: frozenset[str]
    fields: frozenset[str]


def log_lines() -> Iterator[LogLine]:
    """Yields them all; one whose code or fields can't be read from the source is an error of that source."""
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from lines_in(path.read_text(), path)


def lines_in(source: str, path: Path) -> Iterator[LogLine]:
    """Yields the lines that one module may log."""
    tree = ast.parse(source)
    for outer in ast.walk(tree):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in _own(outer):
                if isinstance(node, ast.Call) and (level := _level(node)):
                    yield from _line(level, node, _Around(tree, outer, f"{path}:{node.lineno}"))


@dataclass(frozen=True, slots=True)
class _Around:
    """The module and function of a call, where its `**facts` and helpers are looked up."""

    tree: ast.Module
    function: ast.FunctionDef | ast.AsyncFunctionDef
    where: str

    def dict_of(self, value: ast.expr) -> ast.Dict:
        """Returns the dict that an argument stands for: itself, a local name's, or what a function here returns."""
        if isinstance(value, ast.Dict):
            return value
        if isinstance(value, ast.Name):
            for node in ast.walk(self.function):
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == value.id:
                    return self.dict_of(node.value)
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            for helper in ast.walk(self.tree):
                if isinstance(helper, ast.FunctionDef) and helper.name == value.func.id:
                    (told,) = [node.value for node in ast.walk(helper) if isinstance(node, ast.Return)]
                    assert told is not None
                    return self.dict_of(told)
        raise AssertionError(f"{self.where}: the fields of a log line must be plain to read")


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """Yields what is in a function, but not in those within it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from _own(node)


def _level(call: ast.Call) -> str | None:
    if isinstance(call.func, ast.Name):
        return call.func.id if call.func.id in ALARMS else None
    if not isinstance(call.func, ast.Attribute):
        return None
    if call.func.attr in ALARMS:
        return call.func.attr
    return call.func.attr if ast.unparse(call.func.value) in {"log", "LOG"} and call.func.attr in LEVELS else None


def _line(level: str, call: ast.Call, around: _Around) -> Iterator[LogLine]:
    extra = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
    if level in ALARMS:
        level, code = "alarm", call.args[0]
    elif isinstance(extra, ast.Call):
        code = extra.args[0]
    elif extra is not None:
        code = _value(around.dict_of(extra), "code")
    else:
        spoken = SPOKEN.match(ast.unparse(call.args[0]))
        assert spoken, f"{around.where}: a log line has a code"
        code = ast.Constant(spoken[1])
    if isinstance(code, ast.Name):  # handed on: it is read where it was said
        return
    fields = {"code", *(keyword.arg for keyword in call.keywords if keyword.arg and level == "alarm")}
    for told in [keyword.value for keyword in call.keywords if keyword.arg is None or keyword.arg == "extra"]:
        fields |= _keys(around.dict_of(told), around)
    yield LogLine(around.where, level, frozenset(_codes(code, around)), frozenset(fields))


def _value(told: ast.Dict, name: str) -> ast.expr:
    return next(v for k, v in zip(told.keys, told.values, strict=True) if k and ast.unparse(k) == repr(name))


def _codes(argument: ast.expr, around: _Around) -> set[str]:
    if isinstance(argument, ast.Constant):
        return {str(argument.value)}
    made = BY_STATE.get(ast.unparse(argument))
    assert made, f"{around.where}: the code of a log line must be plain to read"
    return made


def _keys(fields: ast.Dict, around: _Around) -> set[str]:
    keys = {key.value for key in fields.keys if isinstance(key, ast.Constant)}
    assert len(keys) == len(fields.keys), f"{around.where}: the fields of a log line must be plain to read"
    return {str(key) for key in keys}
