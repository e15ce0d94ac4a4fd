"""What counts as a difference of two package headers."""

from tests.compare.headers import differences, files, parse_header


def _header(**tags):
    rows = "".join(
        f'<rpmTag name="{name}">' + "".join(f"<string>{value}</string>" for value in values) + "</rpmTag>"
        for name, values in tags.items()
    )
    return parse_header(f"<rpmHeader>{rows}</rpmHeader>".encode())


FILES = {"Dirnames": ["/usr/bin/", "/etc/"], "Dirindexes": ["1", "0"], "Basenames": ["x.conf", "x"]}


def test_what_no_two_builds_share_is_no_difference():
    """Time, host, cookie and digests differ with every build."""
    one = _header(Name=["x"], Buildtime=["1"], Buildhost=["a"], Sha256header=["1"], Payloaddigest=["1"])
    other = _header(Name=["x"], Buildtime=["2"], Buildhost=["b"], Sha256header=["2"], Payloaddigest=["2"])
    assert differences(one, other) == frozenset()


def test_a_difference_of_a_file_names_the_file():
    """So that what two builds of kojid differ in can be taken out file by file."""
    one = _header(**FILES, Filedigests=["aa", "bb"])
    other = _header(**FILES, Filedigests=["aa", "cc"])
    assert differences(one, other) == {"Filedigests[/usr/bin/x]"}


def test_a_tag_that_only_one_has_is_a_difference():
    """Nothing is compared by the tags of one side alone."""
    assert differences(_header(Name=["x"]), _header(Name=["x"], Vendor=["y"])) == {"Vendor"}
    assert differences(_header(Name=["x"], Vendor=["y"]), _header(Name=["x"])) == {"Vendor"}
    assert differences(_header(Name=["x", "y"]), _header(Name=["x"])) == {"Name"}


def test_the_build_hosts_name_in_another_tag_is_the_build_hosts_name():
    """A spec that prints its macros brings it into the source package."""
    one = _header(Buildhost=["a"], Spec=["echo buildhost=a target=noarch"])
    assert differences(one, _header(Buildhost=["b"], Spec=["echo buildhost=b target=noarch"])) == frozenset()
    assert differences(one, _header(Buildhost=["b"], Spec=["echo buildhost=b target=x86_64"])) == {"Spec[0]"}


def test_files_are_read_with_owner_and_mode():
    """Modes, owners, flags and capabilities of the payload are compared by path."""
    header = _header(**FILES, Filemodes=["33188", "35309"], Fileusername=["root", "mail"], Filecaps=["", "=ep"])
    assert files(header)["/usr/bin/x"][:3] == ("35309", "mail", "")
    assert "=ep" in files(header)["/usr/bin/x"]
    assert set(files(header)) == {"/etc/x.conf", "/usr/bin/x"}
