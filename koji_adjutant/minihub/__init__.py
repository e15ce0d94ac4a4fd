"""An embedded hub for tests and for one-person use."""

from koji_adjutant.minihub.contents import Credentials
from koji_adjutant.minihub.faults import Call, DropConnection, HttpError
from koji_adjutant.minihub.hub import MiniHub
from koji_adjutant.minihub.options import HubOptions

__all__ = ["Call", "Credentials", "DropConnection", "HttpError", "HubOptions", "MiniHub"]
