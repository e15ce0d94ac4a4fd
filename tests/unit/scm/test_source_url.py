"""SCM URLs: koji's own errors, no password in any text, no URL that is something else than it says."""

import koji
import pytest

from koji_adjutant.scm.source_url import hide_password, parse_source, user_and_password


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://host/repo#r", "Invalid scheme in scm url. Valid schemes are: "),
        ("git://a@b@host/repo#r", "Invalid username@hostname specified: "),
        ("git://me:word@host/repo#r", "username:password format not supported: me:***"),
        ("git://host#r", "Unable to parse SCM URL: git://host#r . Could not find the path element."),
        ("git://host/repo;x#r", "Params element x should be empty."),
        ("git://host/repo", "Could not find the fragment element."),
        ("git://[host/repo#r", "Invalid SCM URL: "),
    ],
)
def test_errors_are_kojis(url, text):
    """What koji says about a URL is said, but for passwords."""
    with pytest.raises(koji.GenericError) as error:
        parse_source(url)
    assert text in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "git://me:s3cret@host/repo#r",
        "git://me:s3cret@host#r",
        "git://me:s3cret@host/repo;x#r",
        "git://me:s3cret@x@host/repo#r",
        "git://me:s3cr%65t@host/repo",
        "git://me:s3cret@[host/repo#r",
        "git://me:s3cret@host/repo?-x#r",
        "git://me:s3cret@host/repo?../x#r",
        "git://me:s3cret@host/re\x01po#r",
        "git://me:s3cret%0Ahost=evil@host/repo#r",
    ],
)
def test_no_error_says_the_password(url):
    """Whatever is wrong with a URL, its password is not in the fault."""
    with pytest.raises(koji.GenericError) as error:
        parse_source(url, allow_password=";" in url or "-x" in url or ".." in url or "\x01" in url or "%0A" in url)
    assert "s3cr" not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("git://-oProxyCommand=x/repo#r", "host '-oProxyCommand=x'"),
        ("git://host/repo?-d#r", "module '-d'"),
        ("git://host/repo#--upload-pack=touch", "revision '--upload-pack=touch'"),
        ("git://host/repo#origin/--upload-pack=touch", "revision '--upload-pack=touch'"),
        ("svn+ssh://-oProxyCommand=x@host/repo?m#r", "user '-oProxyCommand=x'"),
        ("git+ssh://%2Dx@host/repo#r", "user '-x'"),
        ("git://host/repo?a/../../etc#r", "leads out of the repository"),
        ("git://host/re%0apo#r", "holds control characters"),
        ("git://host/repo#r\x1b[2J", "holds control characters"),
    ],
)
def test_tricks_are_refused_by_name(url, text):
    """Options, ways out and control characters do not get to any program."""
    with pytest.raises(koji.BuildError) as error:
        parse_source(url)
    assert text in str(error.value)
    assert str(error.value).isprintable()


def test_password_is_taken_apart():
    """The password is what the server should get; user and policy data stay as koji has them."""
    scm = parse_source("git+https://me:a%40b%3Ac@host/repo#r", allow_password=True)
    assert user_and_password(scm) == ("me", "a@b:c")
    assert user_and_password(parse_source("git://me@host/repo#r")) == ("me", None)
    assert user_and_password(parse_source("git://host/repo#r")) == ("", None)


def test_a_text_without_password_stays():
    """Nothing is replaced in a text about a URL that has none, ports included."""
    assert hide_password("git://host:99/r?x:y@z", "git://host:99/r?x:y@z") == "git://host:99/r?x:y@z"
