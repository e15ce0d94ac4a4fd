"""What the self-test makes of a root that is not as its package has it."""

import pytest

from koji_adjutant.cli.checks.self_test_package import judge

LOOKS = "setuid 4755 0 0\ncapable 755 0 0\nowned 640 77 88\nran\n"
CAPABILITIES = "/var/lib/adjutant-check/capable cap_net_raw=ep\n"


def test_as_it_should_be():
    """Nothing to say."""
    assert judge(LOOKS, CAPABILITIES, "") == []


@pytest.mark.parametrize(
    ("looks", "capabilities", "verification", "what", "remedy"),
    [
        (LOOKS.replace("4755", "755"), CAPABILITIES, "", "found `setuid 755 0 0`", "local file system"),
        (LOOKS.replace("77 88", "65534 65534"), CAPABILITIES, "", "found `owned 640 65534 65534`", "podman.userns"),
        ("", CAPABILITIES, "", "found `nothing`", "local file system"),
        (LOOKS.replace("ran\n", ""), CAPABILITIES, "", "scriptlet has not run", "Lua"),
        (LOOKS, "", "", "nothing of file capabilities", "libcap"),
        (LOOKS, CAPABILITIES, "........P    /x\n", "`rpm -Va` of the installed package says: ........P", "NFS"),
    ],
)
def test_what_is_wrong_has_a_remedy(looks, capabilities, verification, what, remedy):
    """Mode, owner, scriptlet, capability, verification: each is told with what to do."""
    wrong = judge(looks, capabilities, verification)
    assert any(what in each.what and remedy in each.remedy for each in wrong)
