"""What the hub stores for each kind of end (contract 2.8)."""

from xmlrpc.client import Fault, loads

import koji
import koji.tasks
import pytest

from koji_adjutant.buildroot.faults import BuildFault, BuildrootFault, InfrastructureFault, RootFault
from koji_adjutant.errors import AdjutantError, ContainerTimeout, OutOfMemory
from koji_adjutant.tasks.faults import encode_fault, encode_result, fault_for


class PluginError(Exception):
    """As plugins define them."""

    faultCode = 2001


CASES = [
    (koji.BuildError("a\ttext\n"), 1005, "a\ttext\n"),
    (koji.ParameterError("b"), 1019, "b"),
    (koji.GenericError("c"), 1000, "c"),
    (Fault(1, "d"), 1, "d"),
    (RootFault("e"), 1000, "e"),
    (BuildFault("f"), 1005, "f"),
    (BuildrootFault("g"), 1012, "g"),
    (
        InfrastructureFault("repo away", reason="metadata", final=BuildrootFault("could not init")),
        1012,
        "could not init",
    ),
    (OutOfMemory("too much", details="limit 5"), 1005, "too much\nlimit 5"),
    (ContainerTimeout("late", resolution="wait"), 1, "late\nwait"),
    (AdjutantError("h", details="i", resolution="j"), 1, "h\ni\nj"),
    (koji.BuildError("bad \x1b[1m \x00 \ud800 \ufffe"), 1005, "bad ?[1m ? ? ?"),
]


@pytest.mark.parametrize(("error", "code", "text"), CASES)
def test_each_kind_of_error_has_its_code_and_text(error, code, text):
    """And the document can be read back as the hub and its users do."""
    fault = fault_for(error)
    assert (fault.faultCode, fault.faultString) == (code, text)
    with pytest.raises(Fault) as caught:
        loads(encode_fault(error))
    assert (caught.value.faultCode, caught.value.faultString) == (code, text)


def test_an_error_of_ours_is_a_sentence_and_no_traceback():
    """Kojid would send the whole traceback."""
    fault = fault_for(KeyError("x"))
    assert fault.faultCode == 1
    assert fault.faultString == "KeyError: 'x'\nThis is an error of the builder; its log holds the traceback."


def test_a_plugins_own_code_is_kept():
    """Plugins set it on their classes."""
    assert fault_for(PluginError("x")).faultCode == 2001


def test_results_are_the_hubs_documents():
    """None, nested data, numbers beyond 32 bit."""
    value = {"rpms": ["a"], "brootid": 5, "size": 1 << 40, "none": None}
    document = encode_result(value)
    assert loads(document) == ((value,), None)
    assert document.startswith("<?xml version='1.0'?>\n<methodResponse>")
    assert "<i8>1099511627776</i8>" in document


@pytest.mark.parametrize(("value", "error"), [({1: 2}, TypeError), (1 << 70, OverflowError)])
def test_what_xmlrpc_cannot_say_is_an_error(value, error):
    """The task then fails, and the reason is told."""
    with pytest.raises(error):
        encode_result(value)
