"""JSON Schema 2020-12 of models, told in the words of their docstrings: a class's own, and the one below each field."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Mapping
from functools import cache
from types import ModuleType
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

REF = "#/components/schemas/{model}"


class InWords(GenerateJsonSchema):
    """Schemas with the docstrings of fields as descriptions, and without a title for each field."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Adds what stands below each field in the source."""
        made = super().model_schema(schema)
        words = words_of(schema["cls"])
        for name, field in made.get("properties", {}).items():
            if name in words and "description" not in field:
                field["description"] = words[name]
        return made

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        """Tells so many of one kind as such: `prefixItems` means nothing to whoever reads draft 7."""
        made = super().tuple_schema(schema)
        kinds = made.get("prefixItems", [])
        if kinds and all(kind == kinds[0] for kind in kinds):
            made["items"] = made.pop("prefixItems")[0]
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401  pydantic's union of schemas
        """A field's name says as much as a title made from it."""
        del schema
        return False


def schemas(models: Iterable[type[BaseModel]]) -> tuple[dict[type[BaseModel], dict[str, str]], dict[str, Any]]:
    """Returns a reference for each model, and the schemas of all that they need by name, in the names' order."""
    wanted = list(dict.fromkeys(models))
    refs, made = models_json_schema(
        [(model, "validation") for model in wanted], ref_template=REF, schema_generator=InWords
    )
    told = {model: {"$ref": str(refs[model, "validation"]["$ref"])} for model in wanted}
    return told, dict(sorted(made.get("$defs", {}).items()))


def words_of(model: type[BaseModel]) -> Mapping[str, str]:
    """Returns the docstring below each field of a model, its bases' fields too."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        module = inspect.getmodule(cls)
        if module is not None and issubclass(cls, BaseModel) and cls is not BaseModel:
            found |= _module(module).get(cls.__qualname__, {})
    return found


@cache
def _module(module: ModuleType) -> dict[str, dict[str, str]]:
    classes = (node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.ClassDef))
    return {one.name: dict(_fields(one)) for one in classes}


def _fields(cls: ast.ClassDef) -> Iterable[tuple[str, str]]:
    for line, below in zip(cls.body, cls.body[1:], strict=False):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and isinstance(below, ast.Expr):
            text = below.value.value if isinstance(below.value, ast.Constant) else None
            if isinstance(text, str):
                yield line.target.id, inspect.cleandoc(text)
