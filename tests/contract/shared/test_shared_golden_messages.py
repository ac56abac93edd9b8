"""The wire format of every message, frozen in golden/<tag>.json. A file changes only by a field added with a default;
anything else is a new major version with a new tag."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

import shared.contracts
from shared.contracts import asyncapi, registry, subjects
from shared.contracts.message import BadMessage, Message, decode, encode, tag_of

GOLDEN = Path(__file__).parent / "golden"
MESSAGES = registry.messages()


def golden(kind: type[Message]) -> bytes:
    return (GOLDEN / f"{tag_of(kind)}.json").read_bytes()


def contract_modules() -> list[ModuleType]:
    names = [module.name for module in pkgutil.iter_modules(shared.contracts.__path__)]
    return [importlib.import_module(f"shared.contracts.{name}") for name in names]


def every_message_class() -> set[type[Message]]:
    assert contract_modules()
    return set(Message.__subclasses__())


def required_only(kind: type[Message], fields: dict[str, Any]) -> dict[str, Any]:
    required = {field.encode_name for field in msgspec.structs.fields(kind) if field.required}
    return {name: value for name, value in fields.items() if name in {*required, "type"}}


def test_every_message_is_in_the_registry() -> None:
    assert set(MESSAGES) == every_message_class()


def test_every_message_has_a_golden_file_and_every_file_a_message() -> None:
    assert {file.stem for file in GOLDEN.glob("*.json")} == {tag_of(kind) for kind in MESSAGES}


def test_every_tag_names_its_area_its_major_version_and_its_fact_once() -> None:
    tags = [tag_of(kind) for kind in MESSAGES]
    assert len(set(tags)) == len(tags)
    assert [tag for tag in tags if not re.fullmatch(r"wa\.[a-z]+\.v[1-9][0-9]*\.[a-z_]+", tag)] == []


@pytest.mark.parametrize("kind", MESSAGES, ids=tag_of)
def test_a_message_is_written_as_its_golden_file_says(kind: type[Message]) -> None:
    message = decode(golden(kind), kind)
    assert json.loads(encode(message)) == json.loads(golden(kind)), "update the golden file when a field was added"


@pytest.mark.parametrize("kind", MESSAGES, ids=tag_of)
def test_a_message_from_an_older_writer_without_later_fields_is_read(kind: type[Message]) -> None:
    fields = required_only(kind, json.loads(golden(kind)))
    decode(json.dumps(fields).encode(), kind)


@pytest.mark.parametrize("kind", MESSAGES, ids=tag_of)
def test_a_message_from_a_newer_writer_with_unknown_fields_is_read(kind: type[Message]) -> None:
    fields = {**json.loads(golden(kind)), "added_later": {"deep": [1]}}
    assert decode(json.dumps(fields).encode(), kind) == decode(golden(kind), kind)


@pytest.mark.parametrize("kind", MESSAGES, ids=tag_of)
def test_a_message_of_another_type_is_refused(kind: type[Message]) -> None:
    fields = {**json.loads(golden(kind)), "type": "wa.other.v1.message"}
    with pytest.raises(BadMessage):
        decode(json.dumps(fields).encode(), kind)


def test_every_command_of_the_contracts_is_in_the_registry_once() -> None:
    named = {
        id(value): value
        for module in contract_modules()
        for value in vars(module).values()
        if isinstance(value, subjects.Command)
    }
    verbs = [command.verb for command in registry.COMMANDS]
    assert sorted(verbs) == sorted(command.verb for command in named.values())
    assert len(set(verbs)) == len(verbs)


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi.document()
    for reference in references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place is not None


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []
