"""Farms: an embedded hub, the daemon as a process, real Podman."""

from tests.support.farm_fixtures import farm, make_farm, make_source

__all__ = ["farm", "make_farm", "make_source"]
