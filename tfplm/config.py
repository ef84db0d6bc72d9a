"""Strict configuration: YAML, then ``key.path=value`` overrides, then one validation that names every wrong key."""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tfplm.errors import UserError


class Config(BaseModel):
    """Base of every configuration: frozen, unknown keys are errors, nothing is coerced, numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)


ConfigType = TypeVar("ConfigType", bound=Config)

_UNION_MEMBER = re.compile(r"(literal|dict|list|constrained-)[\w-]*\[.*]$")  # pydantic's name for one, in a location


class _YamlLoader(yaml.SafeLoader):
    """SafeLoader that reads 1e-4 as a number (YAML 1.2) and refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key != "<<" and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' stands twice (first in line {seen[key]})", key_node.start_mark
                )
            seen[key] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep)


_YamlLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9][0-9_]*)(\.[0-9_]*)?[eE][-+]?[0-9]+$|^[-+]?\.[0-9]+[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)


def parse_yaml(text: str, origin: str) -> Any:
    """Parses YAML safely; ``origin`` names the text in errors. Raises UserError on malformed YAML."""
    try:
        return yaml.load(text, Loader=_YamlLoader)  # a SafeLoader: builds plain data only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{origin}, line {mark.line + 1}, column {mark.column + 1}" if mark else origin
        problem = getattr(error, "problem", None) or str(error)
        raise UserError(f"{where}: not valid YAML: {problem}.") from error


def read_yaml(path: str | Path) -> dict:
    """Reads a YAML file whose top level is a mapping. Raises UserError when it cannot."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        close = _similar_files(path)
        remedy = f"Did you mean {' or '.join(close)}?" if close else "Give the path of a YAML file."
        raise UserError(f"There is no file {path} (looked in {Path.cwd()}).", remedy=remedy) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    values = parse_yaml(text, str(path))
    if not isinstance(values, dict):
        raise UserError(f"{path} holds {type(values).__name__}.", "Expected a mapping of sections, 'key: value'.")
    return values


def _similar_files(path: Path) -> list[str]:
    """Up to three YAML files of a similar name: beside ``path``, below the working directory, in the checkout."""
    shipped = Path(__file__).resolve().parent.parent / "configs"
    folders = [path.parent, Path(), Path("configs"), shipped]
    found = {str(file): file.stem for folder in folders for file in folder.glob("*.y*ml")}
    found |= {str(file): file.stem for file in shipped.glob("*/*.y*ml")}
    close = difflib.get_close_matches(path.stem, set(found.values()), n=3, cutoff=0.6)
    return [next(file for file in found if found[file] == name) for name in close]


def apply_overrides(values: Mapping, overrides: Iterable[str]) -> dict:
    """Returns a copy of ``values`` with each ``key.path=value`` set; a number in the path is an index of a list.

    The value is read as YAML: ``a.b=1e-4``, ``a.paths=[x.csv]``, ``a.name=text``, ``a.limit=null``.
    """
    result: Any = _copy_tree(values)
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path or not all(path.split(".")):
            raise UserError(
                f"'{override}' is not an override.",
                "Expected key.path=value, for example pretrain.steps=1000.",
            )
        _set(result, path.split("."), parse_yaml(text, f"override '{override}'"), override)
    return result


def _copy_tree(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy_tree(item) for key, item in value.items()}
    return [_copy_tree(item) for item in value] if isinstance(value, list) else value


def _set(tree: Any, path: list[str], value: Any, override: str) -> None:
    for depth, key in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(tree, list):
            if not key.isdigit() or int(key) >= len(tree):
                raise UserError(
                    f"override '{override}': {'.'.join(path[:depth])} is a list of {len(tree)}.",
                    f"Expected an index from 0 to {len(tree) - 1}, got '{key}'.",
                )
            key = int(key)
        elif not isinstance(tree, dict):
            raise UserError(f"override '{override}': {'.'.join(path[:depth])} is a single value, not a section.")
        if last:
            tree[key] = value
        else:
            if isinstance(tree, dict) and tree.get(key) is None:
                tree[key] = {}
            tree = tree[key]


def validate(config_type: type[ConfigType], values: Mapping, origin: str) -> ConfigType:
    """Builds ``config_type``; raises one UserError that names every wrong key by its dotted path."""
    try:
        return config_type.model_validate(values)
    except ValidationError as error:
        lines = [_explain(problem, config_type) for problem in error.errors(include_url=False)]
        count = f"{len(lines)} mistake{'s' if len(lines) > 1 else ''}"
        raise UserError(f"{origin}: {count} in the configuration.\n" + "\n".join(lines)) from error


def load_config(config_type: type[ConfigType], path: str | Path, overrides: Iterable[str] = ()) -> ConfigType:
    """Reads a YAML file, applies the overrides and validates. Raises UserError."""
    return validate(config_type, apply_overrides(read_yaml(path), overrides), str(path))


def written_settings(config: Config) -> dict[str, Any]:
    """The settings as they were given, without the defaults: what a YAML file of them holds."""
    return _written(config)


def with_settings(config: ConfigType, settings: Mapping[tuple[str, ...], Any], origin: str) -> ConfigType:
    """The configuration with some settings replaced, by their paths, and validated anew.

    What was not given before still is not, so that defaults that hang on a replaced setting follow it. A path makes the
    sections that are not there.

    Raises:
        UserError: the configuration is wrong with them; ``origin`` names it.
    """
    values = written_settings(config)
    for path, value in settings.items():
        _set(values, list(path), value, f"{'.'.join(path)}={value!r}")
    return validate(type(config), values, origin)


def _written(value: Any) -> Any:
    if isinstance(value, Config):
        given = [name for name in type(value).model_fields if name in value.model_fields_set or name == "type"]
        return {name: _written(getattr(value, name)) for name in given}
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    return [_written(item) for item in value] if isinstance(value, list | tuple) else value


def dump_config(config: Config) -> str:
    """The configuration as YAML with every default spelled out; load_config reads it back to an equal object."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


def _explain(problem: Mapping, config_type: type[Config]) -> str:
    location, kind = problem["loc"], problem["type"]
    known, path = _known_keys(config_type, location[:-1] if kind == "extra_forbidden" else location)
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known) or 'nothing'}"
        return f"  {'.'.join([*path, str(location[-1])])}: unknown key; {hint}"
    if kind == "missing":
        return f"  {'.'.join(path)}: required and missing"
    message = problem["msg"].removeprefix("Value error, ")
    found = "" if isinstance(problem["input"], (dict, list)) else f" (found {problem['input']!r})"
    return f"  {'.'.join(path) or '(top level)'}: {message[:1].lower()}{message[1:]}{found}"


def _known_keys(config_type: type[Config], location: tuple) -> tuple[list[str], list[str]]:
    """Walks the types along a pydantic location; returns the keys known there and the path as the user writes it.

    Pydantic's location also names the members of unions (``model.bert.num_layers``); a user writes no such part.
    """
    path: list[str] = []
    current: Any = config_type
    for part in location:
        if isinstance(part, str) and _UNION_MEMBER.match(part):
            continue
        if isinstance(current, type) and issubclass(current, Config) and part in current.model_fields:
            path.append(str(part))
            current = current.model_fields[part].annotation
            continue
        members = _config_members(current)
        tagged = [m for m in members if part in (m.__name__, _tag(m))]
        if tagged:
            current = tagged[0]
        elif isinstance(part, int) or not members or _holds_values(current):
            path.append(str(part))
            current = members[0] if len(members) == 1 else current
        elif len(members) == 1 and part in members[0].model_fields:
            path.append(str(part))
            current = members[0].model_fields[part].annotation
        else:
            path.append(str(part)) if part not in ("list", "str", "float", "int", "bool") else None
    members = _config_members(current)
    return sorted({name for member in members for name in member.model_fields}), path


def _holds_values(annotation: Any) -> bool:
    return any(getattr(a, "__origin__", a) in (dict, list) for a in (annotation, *get_args(annotation)))


def _config_members(annotation: Any) -> list[type[Config]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [member for argument in get_args(annotation) for member in _config_members(argument)]


def _tag(config_type: type[Config]) -> str | None:
    field = config_type.model_fields.get("type")
    return field.default if field is not None else None
