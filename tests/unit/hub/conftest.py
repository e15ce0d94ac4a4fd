"""A tiny hub and sessions at it."""

import pytest

from koji_adjutant.hub.session import AdjutantSession
from tests.support.xmlrpc_hub import TinyHub


@pytest.fixture
def hub():
    tiny = TinyHub()
    yield tiny
    tiny.stop()


@pytest.fixture
def make_session(hub):
    """Return a function that logs in; options and keyword arguments are the session's."""
    sessions = []

    def make(opts=None, **kwargs):
        defaults = {"user": "builder", "password": "pw", "max_retries": 3, "retry_interval": 0, "timeout": 20}
        session = AdjutantSession(hub.url, {**defaults, **(opts or {})}, **kwargs)
        sessions.append(session)
        session.login()
        hub.seen.clear()
        return session

    yield make
    for session in sessions:
        session.rsession.close()


@pytest.fixture
def session(make_session):
    return make_session()
