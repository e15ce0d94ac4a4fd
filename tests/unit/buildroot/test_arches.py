"""Architectures under the names that Koji, mock and the kernel give them."""

import koji
import pytest

from koji_adjutant.buildroot.arches import canonical_arch, personality, target_arch

ARCHES = [
    "i386",
    "i486",
    "i586",
    "i686",
    "athlon",
    "ia32e",
    "x86_64",
    "x86_64_v2",
    "ppc",
    "ppc64",
    "ppc64p7",
    "ppc64le",
    "sparc",
    "sparcv9",
    "sparc64",
    "sparc64v",
    "alpha",
    "alphaev6",
    "armv5tel",
    "armv7l",
    "armv7hl",
    "armv7hnl",
    "armhfp",
    "aarch64",
    "s390",
    "s390x",
    "riscv64",
    "noarch",
    "src",
]


@pytest.mark.parametrize("arch", ARCHES)
def test_canonical_arch_is_kojis(arch):
    """The restated table gives what koji's own function gives."""
    assert canonical_arch(arch) == koji.canonArch(arch)


def test_only_armhfp_is_renamed_for_rpmbuild():
    """Autoconf knows no armhfp; every other arch goes to rpmbuild literally."""
    assert target_arch("armhfp") == "armv7hl"
    assert [target_arch(arch) for arch in ("i686", "x86_64", "noarch")] == ["i686", "x86_64", "noarch"]


@pytest.mark.parametrize("arch", ["i386", "i686", "armv7hl", "armv8l", "ppc", "s390", "mipsel", "riscv32"])
def test_32_bit_targets_get_the_32_bit_personality(arch):
    """These are the targets for which mock sets PER_LINUX32."""
    assert personality(arch) == "linux32"


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "ppc64le", "s390x", "noarch", "sparc64", "mips64el"])
def test_other_targets_keep_the_machines_personality(arch):
    """A noarch build says what the machine is."""
    assert personality(arch) is None
