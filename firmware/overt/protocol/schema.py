"""JSON Schema and AsyncAPI, generated from the types: one definition for wire, store and schema."""

from typing import Any

import msgspec

from overt.protocol import limits
from overt.protocol.envelope import TYPES, Payload, payload_type
from overt.protocol.topics import BRINGS, CARRIES, RETAINED, ROOT, Down, Up
from overt.protocol.vocabulary import Kind

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SUMMARIES = {
    Down.ORDER: "A signed order.",
    Down.WATCHLIST: "A signed watchlist, encrypted with age to the recipient in the order's receipt.",
    Down.CANCEL: "A signed cancellation.",
    Down.LOAN: "A signed loan, with the borrower's charter in it.",
    Down.CHARTER: "A newer charter, signed by the root keys of the one in use and its own.",
    Down.ASSURANCE: "An assurance body's signed report on a model; a newer one takes the place of the one before.",
    Down.TIME: "A technician's word on the time, in answer to a challenge that was fetched at the unit.",
}
_SEALED = frozenset({Kind.ALERT, Kind.WATCHLIST})


def envelope_schema(kind: Kind) -> Schema:
    """Return the schema of the DSSE envelope around one kind of document."""
    base64 = {"type": "string", "contentEncoding": "base64"}
    signature = _object({"keyid": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "sig": base64})
    return _object(
        {
            "payload": base64 | {"description": f"The {kind.value} as JSON"},
            "payloadType": {"const": payload_type(kind)},
            "signatures": {"type": "array", "maxItems": limits.SIGNATURES_MAX, "items": signature},
        }
    )


def document_schemas() -> dict[str, Schema]:
    """Return one self-contained JSON Schema for each kind of document that exists, by its name."""
    return {kind.value: _document_schema(kind, type_) for kind, type_ in TYPES.items()}


def asyncapi(version: str) -> Schema:
    """Return the AsyncAPI 3.0 description of all MQTT traffic.

    Args:
        version: The release that this describes.
    """
    _, components = msgspec.json.schema_components(list(TYPES.values()), ref_template="#/components/schemas/{name}")
    channels: Schema = {}
    operations: Schema = {}
    for leaf, kinds in CARRIES.items():
        channels[leaf.value] = _channel(leaf, kinds)
        operations[f"publish_{leaf.value}"] = _operation("send", leaf, kinds)
    for down, kind in BRINGS.items():
        kinds = (kind,) if kind in TYPES else ()
        channels[down.value] = _channel(down, kinds) | {"summary": _SUMMARIES[down]}
        operations[f"receive_{down.value}"] = _operation("receive", down, kinds)
    described: Schema = _ecma_patterns(
        {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Overt unit",
                "version": version,
                "description": "What a unit publishes and listens to, seen from the unit. QoS 1 throughout.",
                "license": {"name": "Apache-2.0"},
            },
            "defaultContentType": "application/json",
            "channels": channels,
            "operations": operations,
            "components": {
                "messages": {kind.value: _message(kind) for kind in TYPES},
                "schemas": components,
            },
        }
    )
    return described


def _document_schema(kind: Kind, type_: type[Payload]) -> Schema:
    (reference,), definitions = msgspec.json.schema_components([type_], ref_template="#/$defs/{name}")
    schema: Schema = {"$schema": _DIALECT, "title": kind.value, **reference, "$defs": definitions}
    fixed: Schema = _ecma_patterns(schema)
    return fixed


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _channel(leaf: Up | Down, kinds: tuple[Kind, ...]) -> Schema:
    return {
        "address": f"{ROOT}/{{force}}/{{unit}}/{leaf.value}",
        "parameters": {"force": {"description": "The force's slug"}, "unit": {"description": "The unit's slug"}},
        "messages": {kind.value: {"$ref": f"#/components/messages/{kind.value}"} for kind in kinds},
    }


def _operation(action: str, leaf: Up | Down, kinds: tuple[Kind, ...]) -> Schema:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{leaf.value}"},
        "messages": [{"$ref": f"#/channels/{leaf.value}/messages/{kind.value}"} for kind in kinds],
        "bindings": {"mqtt": {"qos": 1, "retain": leaf in RETAINED}},
    }


def _message(kind: Kind) -> Schema:
    document = {
        "description": f"Inside the envelope: {kind.value}",
        "$ref": f"#/components/schemas/{TYPES[kind].__name__}",
    }
    if kind in _SEALED:
        return {
            "name": kind.value,
            "contentType": "application/vnd.age",
            "summary": "An age file. Decrypted, it is the DSSE envelope under `x-plaintext`.",
            "payload": {"type": "string", "format": "binary"},
            "x-plaintext": envelope_schema(kind),
            "x-document": document,
        }
    return {
        "name": kind.value,
        "contentType": "application/json",
        "payload": envelope_schema(kind),
        "x-document": document,
    }


def _ecma_patterns(node: Any) -> Any:  # noqa: ANN401 - JSON
    r"""Write Python's end-of-text `\Z` as JSON Schema's (ECMA 262) `$`, which does not match before a newline."""
    if isinstance(node, dict):
        return {
            key: value.replace("\\Z", "$") if key == "pattern" and isinstance(value, str) else _ecma_patterns(value)
            for key, value in node.items()
        }
    return [_ecma_patterns(item) for item in node] if isinstance(node, list) else node
