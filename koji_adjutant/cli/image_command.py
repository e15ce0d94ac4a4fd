"""`koji-adjutant image`: the images that the daemon makes of tags' repos, for roots to start from."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from koji_adjutant.cli.control_socket import add_socket_arguments, client_of, print_json
from koji_adjutant.cli.terminal_text import duration, harmless, size_text, table
from koji_adjutant.errors import UsageError

EXAMPLES = """\
koji-adjutant image list
koji-adjutant image prepare f42-build --wait
koji-adjutant image prepare epel10-build --arch aarch64
koji-adjutant image evict 3f2a9c
koji-adjutant image evict --all
"""
SHORT = 12
"""Digits of a digest that are shown; `evict` takes as many as tell it apart."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this subcommand and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list", help="list the images, the longest unused first", description="List the images."
    )
    prepare = actions.add_parser(
        "prepare",
        help="make the image of a tag's newest repo, before its first build asks for it",
        description="Make the image of a tag's newest repo, before its first build asks for it.",
    )
    prepare.add_argument("tag", metavar="TAG", help="build tag")
    prepare.add_argument("--arch", metavar="ARCH", help="arch of the root (default: the one that host and tag share)")
    prepare.add_argument("--wait", action="store_true", help="return when it is made, and fail if it cannot be")
    evict = actions.add_parser(
        "evict",
        help="remove images; those in use stay",
        description="Remove images. Those that a container uses, or that a task has just asked for, stay.",
    )
    evict.add_argument("images", metavar="IMAGE", nargs="*", help="reference, or the first digits of its digest")
    evict.add_argument("--all", action="store_true", dest="everything", help="all images of this daemon")
    bootstrap = actions.add_parser(
        "bootstrap",
        help="make an image of a tag's own repo for tasks of one container (clusters only)",
        description="Make an image of a tag's own repo for clusters that allow a task one container only. Refused elsewhere.",
    )
    bootstrap.add_argument("tag", metavar="TAG", help="build tag")
    for action in (listing, prepare, evict, bootstrap):
        add_socket_arguments(action)


def run(arguments: argparse.Namespace) -> int:
    """Do one action; `evict` is 1 if an image that was named is in use."""
    client, action = client_of(arguments), arguments.action
    code = 0
    if action == "prepare":
        data = client.call("image-prepare", tag=arguments.tag, arch=arguments.arch, wait=arguments.wait)
        text = _prepared_text(data)
    elif action == "evict":
        if bool(arguments.images) == arguments.everything:
            raise UsageError("name the images to evict, or give --all")
        data = client.call("image-evict", references=arguments.images, everything=arguments.everything)
        text = _evicted_text(data)
        code = int(bool(data["in_use"]) and not arguments.everything)
    else:
        data = client.call(f"image-{action}")
        text = list_text(data, time.time())
    if arguments.json:
        print_json(data)
    else:
        sys.stdout.write(text)
    sys.stdout.flush()
    return code


def list_text(data: dict[str, Any], now: float) -> str:
    """Return the images for people; `now` is unix time."""
    if not data["images"]:
        return "this daemon has made no images\n"
    rows = [
        (
            _digest(row["reference"]),
            row["kind"],
            row["tag"],
            "" if row["repo_id"] is None else str(row["repo_id"]),
            size_text(row["size"]),
            f"{duration(now - row['created'])} ago",
            f"{duration(now - row['last_used'])} ago",
        )
        for row in data["images"]
    ]
    total = size_text(sum(row["size"] for row in data["images"]))
    return table(("IMAGE", "KIND", "TAG", "REPO", "SIZE", "MADE", "LAST USED"), rows) + f"{len(rows)} images, {total}\n"


def _prepared_text(data: dict[str, Any]) -> str:
    what = f"tag {data['tag']}, repo {data['repo_id']}, {data['arch']}"
    if not data["waited"]:
        return harmless(f"asked for: {what}; `koji-adjutant image list` shows it when it is made\n")
    return harmless(f"ready: {what}\n") + list_text(data, time.time())


def _evicted_text(data: dict[str, Any]) -> str:
    lines = [f"evicted {reference}\n" for reference in data["evicted"]]
    lines += [f"in use, or about to be: {reference}\n" for reference in data["in_use"]]
    return harmless("".join(lines)) or "there was nothing to evict\n"


def _digest(reference: str) -> str:
    return reference.rpartition(":")[2][:SHORT]
