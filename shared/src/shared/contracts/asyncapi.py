"""docs/asyncapi.json: the AsyncAPI 3 document of the bus, made from the registry of messages."""

from __future__ import annotations

import inspect
import json
from typing import Any

import msgspec

from . import registry, subjects
from .errors import ErrorReply
from .message import Message, tag_of

Json = dict[str, Any]

RAW = "raw.bytes"
SIGNED: Json = {
    "Wa-Signature": {
        "type": "string",
        "description": "The sender and its Ed25519 signature (base64) over subject, other headers and body.",
    }
}
SIGNED_HEADERS: Json = {"type": "object", "required": ["Wa-Signature"], "properties": SIGNED}
HEADERS: Json = {
    "type": "object",
    "required": ["Wa-Signature", "Deadline", "Command-Id"],
    "properties": {
        **SIGNED,
        "Deadline": {"type": "string", "format": "date-time", "description": "After this the request is not executed."},
        "Command-Id": {"type": "string", "description": "The same id gets the recorded result of the first."},
        "Correlation-Id": {"type": "string", "description": "Joins the log lines of all services."},
    },
}


def document() -> Json:
    """The whole document; the same registry gives the same document."""
    kinds = registry.messages()
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():  # Python 3.13 strips the indentation of docstrings, 3.11 does not
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
    channels: Json = {}
    operations: Json = {}
    for command in registry.COMMANDS:
        _add_command(channels, operations, command)
    for fact in (*registry.EVENTS, *registry.TELEMETRY):
        _add_fact(channels, operations, fact)
    for bucket in registry.BUCKETS:
        _add_bucket(channels, operations, bucket)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Persistent Session",
            "version": "1",
            "description": "Messages between gateway, browser-worker, backup and health over NATS.",
        },
        "defaultContentType": "application/json",
        "servers": {"nats": {"host": "127.0.0.1:4222", "protocol": "nats"}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": _messages(kinds), "schemas": schemas},
    }


def text() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _messages(kinds: tuple[type[Message], ...]) -> Json:
    described: Json = {
        tag_of(kind): {
            "name": tag_of(kind),
            "title": kind.__name__,
            "headers": SIGNED_HEADERS,
            "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        }
        for kind in kinds
    }
    for command in registry.COMMANDS:
        described[tag_of(command.request)]["headers"] = HEADERS
    described[RAW] = {
        "name": RAW,
        "title": "Raw bytes",
        "headers": SIGNED_HEADERS,
        "contentType": "application/octet-stream",
        "payload": True,
    }
    return described


def _add_command(channels: Json, operations: Json, command: subjects.Command) -> None:
    name = command.verb
    channels[name] = _channel(subjects.command(command, "{session}"), command.request)
    answers = [tag_of(command.reply) if command.reply is not None else RAW, tag_of(ErrorReply)]
    channels[f"{name}.reply"] = {"address": None, "messages": _named(answers)}
    operations[name] = {
        "action": "receive",
        "title": f"{command.server} serves {name}",
        "description": f"Asked by {' and '.join(command.askers)}."
        + (" Private: encrypted for the owner's process." if command.request.private else ""),
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [_of_channel(name, tag_of(command.request))],
        "reply": {
            "channel": {"$ref": f"#/channels/{name}.reply"},
            "messages": [_of_channel(f"{name}.reply", answer) for answer in answers],
        },
    }


def _add_fact(channels: Json, operations: Json, fact: registry.Fact) -> None:
    name = ".".join(fact.subject.split(".")[1:-1])
    channels[name] = _channel(fact.subject, fact.message)
    operations[name] = _sending(name, f"{fact.sender} sends", fact.message)


def _add_bucket(channels: Json, operations: Json, bucket: registry.KeyValue) -> None:
    name = f"kv.{bucket.bucket}"
    channels[name] = _channel(f"$KV.{bucket.bucket}.{{session}}", bucket.message)
    operations[name] = _sending(name, f"{bucket.writer} writes the bucket {bucket.bucket}", bucket.message)


def _sending(channel: str, title: str, message: type[Message]) -> Json:
    return {
        "action": "send",
        "title": title,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [_of_channel(channel, tag_of(message))],
    }


def _channel(address: str, message: type[Message]) -> Json:
    parameter = address.rsplit("{", 1)[1].rstrip("}")
    return {"address": address, "parameters": {parameter: {}}, "messages": _named([tag_of(message)])}


def _named(tags: list[str]) -> Json:
    return {tag: {"$ref": f"#/components/messages/{tag}"} for tag in tags}


def _of_channel(channel: str, tag: str) -> Json:
    return {"$ref": f"#/channels/{channel}/messages/{tag}"}
