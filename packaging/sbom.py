r"""Writes the bill of materials (CycloneDX, JSON) of one thing that is given to others; the same thing gives the same bytes.

    sbom.py --name koji-adjutant --version 1.0 --purl-type pypi --wheels dist/wheels/run --output X.cdx.json
    podman run --rm IMAGE rpm -qa --qf '%{name}\t%{version}-%{release}\t%{arch}\n' | sbom.py ... --packages rpm:fedora=-

The wheels are those that are in it; packages of its distribution come as a list of name, version and architecture.
"""

from __future__ import annotations

import argparse
import email.parser
import hashlib
import os
import sys
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

NAMESPACE = uuid.UUID("5a9f3a52-6c5b-5f0d-9d3a-6f2d0f1c7b11")
"""Of the serial numbers, which are made from what is in a bill."""


def wheel_component(path: Path) -> Component:
    """Describe one wheel by its metadata and the hash of the file."""
    metadata = _metadata(path)
    name, version = metadata["Name"], metadata["Version"]
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=PackageURL("pypi", name=name.lower().replace("_", "-"), version=version),
        bom_ref=f"pypi:{name}@{version}",
        description=metadata.get("Summary"),
        licenses=[LicenseFactory().make_from_string(text) for text in _licenses(metadata)],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(path.read_bytes()).hexdigest())],
    )


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (
            name for name in archive.namelist() if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
        )
        return email.parser.Parser().parsestr(archive.read(entry).decode())


def _licenses(metadata: Message) -> Iterator[str]:
    """The licence as it is given: as an expression, else as a short name. Whole texts are no names."""
    text = metadata.get("License-Expression") or metadata.get("License") or ""
    if text and len(text) < 100 and "\n" not in text:
        yield text


def package_components(kind: str, vendor: str, lines: Sequence[str]) -> Iterator[Component]:
    """Describe packages of a distribution; each line has name, version and architecture, by tabulators."""
    for line in sorted(set(lines)):
        name, version, arch = line.split("\t")
        yield Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            purl=PackageURL(kind, vendor or None, name, version, {"arch": arch}),
            bom_ref=f"{kind}:{name}@{version}.{arch}",
        )


def program_component(text: str) -> Component:
    """Describe a program that is no package: NAME:VERSION:PATH."""
    name, version, path = text.split(":", 2)
    return Component(
        type=ComponentType.APPLICATION,
        name=name,
        version=version,
        purl=PackageURL("generic", name=name, version=version),
        bom_ref=f"generic:{name}@{version}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(Path(path).read_bytes()).hexdigest())],
    )


def bill(main: Component, parts: Sequence[Component], epoch: int) -> str:
    """Return the document.

    Raises:
        SystemExit: it does not hold to the schema.
    """
    bom = Bom(components=parts)
    bom.metadata.component = main
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    known = "\n".join(sorted(f"{part.purl} {[one.content for one in part.hashes]}" for part in [main, *parts]))
    bom.serial_number = uuid.uuid5(NAMESPACE, known)
    bom.register_dependency(main, parts)
    text: str = JsonV1Dot6(bom).output_as_string(indent=1)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise SystemExit(f"the bill of materials of {main.name} is not valid: {problem}")
    return text + "\n"


def main() -> int:
    """Write what the arguments name."""
    parser = argparse.ArgumentParser(prog="sbom.py", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--purl-type", choices=["pypi", "rpm", "oci"], default="pypi")
    parser.add_argument("--wheels", type=Path, help="directory of the wheels in it")
    parser.add_argument("--packages", metavar="TYPE:VENDOR=FILE", help="list of packages, - is standard input")
    parser.add_argument("--program", metavar="NAME:VERSION:PATH", action="append", default=[], help="may be repeated")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    whole = Component(
        type=ComponentType.CONTAINER if arguments.purl_type == "oci" else ComponentType.APPLICATION,
        name=arguments.name,
        version=arguments.version,
        purl=PackageURL(arguments.purl_type, name=arguments.name, version=arguments.version),
        bom_ref=f"{arguments.purl_type}:{arguments.name}@{arguments.version}",
        licenses=[LicenseFactory().make_from_string("LGPL-2.1-or-later")],
    )
    parts = [wheel_component(path) for path in sorted(arguments.wheels.glob("*.whl"))] if arguments.wheels else []
    if arguments.packages:
        where, _, file = arguments.packages.partition("=")
        kind, _, vendor = where.partition(":")
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        parts += package_components(kind, vendor, text.splitlines())
    parts += [program_component(text) for text in arguments.program]
    parts = [part for part in parts if part.bom_ref != whole.bom_ref]
    arguments.output.write_text(bill(whole, parts, int(os.environ.get("SOURCE_DATE_EPOCH", "0"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
