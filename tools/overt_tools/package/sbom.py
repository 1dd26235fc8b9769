"""What is in the package, in words that other tools read: CycloneDX 1.6 (ECMA-424)."""

import json
import uuid
from typing import Any
from urllib.parse import quote

from overt.recognition.catalogue import Artefact, Catalogue

from .wheels import Arch, Wheel

_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://overt.invalid/sbom")


def bill(arch: Arch, version: str, wheels: list[Wheel], catalogue: Catalogue, artefacts: list[Artefact]) -> bytes:
    """Return the bill of materials: the same bytes for the same parts.

    Args:
        arch: of the package.
        version: likewise.
        wheels: Python packages in it.
        catalogue: of the models.
        artefacts: the model files in it.
    """
    parts = [_library(wheel) for wheel in wheels] + [_model(catalogue, artefact) for artefact in artefacts]
    parts.sort(key=lambda part: str(part["bom-ref"]))
    serial = uuid.uuid5(_SPACE, json.dumps([arch, version, parts], sort_keys=True))
    root = f"pkg:deb/overt/overt-camera@{quote(version)}?arch={arch}"
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "firmware",
                "bom-ref": root,
                "name": "overt-camera",
                "version": version,
                "purl": root,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": parts,
        "dependencies": [{"ref": root, "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _library(wheel: Wheel) -> dict[str, Any]:
    purl = f"pkg:pypi/{wheel.name.lower().replace('_', '-')}@{wheel.version}"
    part = _part("library", purl, wheel.name, wheel.version, wheel.sha256, wheel.licence)
    return {**part, "purl": purl}


def _model(catalogue: Catalogue, artefact: Artefact) -> dict[str, Any]:
    source = catalogue.find_source(artefact.source)
    part = _part(
        "machine-learning-model",
        f"model:{artefact.name}",
        artefact.name,
        source.version,
        artefact.sha256,
        artefact.licence,
    )
    origin = f"made from {artefact.member} of {source.package} {source.version}, sha256 {source.sha256}"
    return {**part, "description": origin}


def _part(kind: str, reference: str, name: str, version: str, sha256: str, licence: str) -> dict[str, Any]:
    part: dict[str, Any] = {"type": kind, "bom-ref": reference, "name": name, "version": version}
    part["hashes"] = [{"alg": "SHA-256", "content": sha256}]
    if licence:
        part["licenses"] = [{"license": {"name": licence}}]
    return part
