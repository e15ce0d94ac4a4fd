"""What the hub stores as a task's result: one place for results and for every kind of error (contract 2.8).

kojid sends the traceback of whatever is not one of koji's errors; here the user reads a sentence, and the traceback stands
in the builder's log (contract 8.2, point 10). Texts of koji's own errors, and of those that kojid would have raised, are
kojid's, byte for byte.
"""

from __future__ import annotations

import re
from typing import Any
from xmlrpc.client import Fault

import koji
import koji.xmlrpcplus

from koji_adjutant.buildroot.faults import InfrastructureFault, RootFault
from koji_adjutant.errors import AdjutantError, OutOfMemory

NO_KOJI_CLASS = 1
"""Fault code of everything that is not one of koji's errors."""

_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def encode_result(value: Any) -> str:
    """Return the document for `closeTask`.

    Raises:
        TypeError, ValueError, OverflowError: XML-RPC has no form for the value (dict keys must be strings).
    """
    document: str = koji.xmlrpcplus.dumps((value,), methodresponse=1, allow_none=1)
    return document


def encode_fault(error: BaseException) -> str:
    """Return the document for `failTask`; every exception has one."""
    document: str = koji.xmlrpcplus.dumps(fault_for(error))
    return document


def fault_for(error: BaseException) -> Fault:
    """Return the fault with which a task fails because of `error`."""
    if isinstance(error, InfrastructureFault):
        error = error.final
    if isinstance(error, Fault):
        return _fault(error.faultCode, str(error.faultString))
    if isinstance(error, RootFault):
        return _fault(getattr(koji, error.koji_class).faultCode, str(error))
    if isinstance(error, koji.GenericError):
        return _fault(error.faultCode, str(error))
    if isinstance(error, OutOfMemory):
        return _fault(koji.BuildError.faultCode, str(error))
    if isinstance(error, AdjutantError):
        return _fault(NO_KOJI_CLASS, str(error))
    # Plugins give their errors codes of their own.
    code = getattr(type(error), "faultCode", NO_KOJI_CLASS)
    return _fault(
        code, f"{type(error).__name__}: {error}\nThis is an error of the builder; its log holds the traceback."
    )


def _fault(code: int, text: str) -> Fault:
    # The hub keeps the document and others parse it later: what XML cannot hold must not get into it.
    return Fault(code, _NOT_XML.sub("?", text))
