"""The published contract is generated from the types, is valid, and accepts and refuses what the types do."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest

from overt.protocol import envelope, schema
from overt.protocol.vocabulary import Kind
from overt_tools import contract
from tests import builders
from tests.test_house import ROOT

FORCE = builders.make_force()
ORDER = builders.make_order(FORCE, builders.UnitRef(unit="u", key="0" * 64))
SCHEMAS = schema.document_schemas()


def test_the_committed_contract_is_what_the_types_say() -> None:
    assert contract.stale(ROOT / "docs" / "contract") == []


def test_a_contract_that_differs_is_noticed(tmp_path: Any) -> None:
    assert len(contract.stale(tmp_path)) == len(SCHEMAS) + 1


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_a_valid_one_of_its_draft(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


DOCUMENTS = {
    Kind.CHARTER: FORCE.charter_data,
    Kind.ORDER: ORDER.data,
    Kind.WATCHLIST: builders.make_watchlist(FORCE, ORDER.digest),
    Kind.CANCELLATION: builders.make_cancellation(FORCE, ORDER.digest),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_real_document_and_its_envelope_fit_their_schemas(kind: Kind) -> None:
    parsed = envelope.parse(DOCUMENTS[kind], kind)
    jsonschema.validate(json.loads(parsed.payload), SCHEMAS[kind.value])
    jsonschema.validate(json.loads(DOCUMENTS[kind]), schema.envelope_schema(kind))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("force",), "Not A Slug"),
        (("force",), "x/y"),
        (("threshold",), 0.1),
        (("units",), []),
        (("units", 0, "key"), "0" * 63),
        (("place", "latitude"), 91),
        (("notice", "address"), "http://insecure.example"),
        (("surprise",), 1),
        (("purpose",), "bell\x07"),
    ],
)
def test_the_schema_refuses_what_the_types_refuse(path: tuple[str | int, ...], value: object) -> None:
    payload = json.loads(envelope.parse(ORDER.data).payload)
    node = payload
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(payload, SCHEMAS["order"])
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(payload), type=envelope.TYPES[Kind.ORDER])


def test_asyncapi_names_every_topic_and_every_reference_leads_somewhere() -> None:
    described = schema.asyncapi("1")
    assert set(described["channels"]) == {*schema.Up, *schema.Down}

    def follow(node: object) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                target: Any = described
                for step in reference.removeprefix("#/").split("/"):
                    target = target[step]
            for value in node.values():
                follow(value)
        elif isinstance(node, list):
            for value in node:
                follow(value)

    follow(described)


def test_p1_no_report_of_a_unit_has_a_field_for_an_image_a_template_or_a_name() -> None:
    text = json.dumps({name: body for name, body in SCHEMAS.items() if name not in {"watchlist", "loan"}}).lower()
    for word in ("base64", "image_data", 'pixels":', "embedding", '"surname', '"person"'):
        assert word not in text
    assert 'templates":' not in json.dumps(SCHEMAS["alert"])
