"""What goes into the test distribution, and how Debian's packages are renamed, joined and split on the way (data only).

Debian's metadata says most of it; what stands here is what an RPM user expects to be different.
"""

from __future__ import annotations

import re


def _words(text: str) -> list[str]:
    return text.split()


RELEASEVER = "1"
DIST = ".adj1"
EPOCH = 1735689600
"""2025-01-01: build time and newest file time of every package, so that the same debs give the same RPMs."""

SEEDS = _words("""
bash bzip2 coreutils cpio diffutils findutils gawk grep gzip patch sed passwd login tar unzip zip util-linux mount
debianutils xz-utils zstd make gcc g++ libc6-dev libc-bin install-info info file binutils debugedit elfutils rpm
rpm-common python3-rpm rpm2cpio dnf dnf-plugins-core createrepo-c git python3 python3-dev python3-setuptools
python3-wheel python3-distutils perl pkgconf autoconf automake libtool m4 bison flex gettext ca-certificates curl
procps less hostname iproute2 strace ncurses-bin ncurses-base netbase tzdata openssl zlib1g-dev libssl-dev
libpopt-dev libacl1-dev libpam-modules libcap2-bin sysvinit-utils
""")
"""Debian names; apt computes what else they need."""

DROP = frozenset(
    _words("""
base-files base-passwd dpkg dpkg-dev debconf debconf-2.0 usrmerge usr-is-merged init-system-helpers ucf
sensible-utils adduser lsb-base libpam-runtime dash libdebconfclient0 cdebconf tex-common apt libjs-sphinxdoc
libjs-jquery libjs-underscore sphinx-rtd-theme-common media-types gcc-12-base libgcc-s1-dev mailcap default-mta
"""),
)
"""Make no sense among RPMs: dependencies on them are dropped; `setup` and `filesystem` do their work."""

RENAME = {
    "createrepo-c": "createrepo_c",
    "debianutils": "which",
    "g++": "gcc-c++",
    "git": "git-core",
    "gnupg": "gnupg2",
    "iproute2": "iproute",
    "libacl1": "libacl",
    "libacl1-dev": "libacl-devel",
    "libattr1": "libattr",
    "libattr1-dev": "libattr-devel",
    "libc-bin": "glibc-common",
    "libc-dev-bin": "glibc-devel-bin",
    "libc6": "glibc",
    "libc6-dev": "glibc-devel",
    "libcap2-bin": "libcap",
    "libexpat1": "expat",
    "libgcc-s1": "libgcc",
    "libpopt-dev": "popt-devel",
    "libpopt0": "popt",
    "librpm9": "rpm-libs",
    "librpmbuild9": "rpm-build-libs",
    "librpmio9": "rpmio-libs",
    "librpmsign9": "rpm-sign-libs",
    "libselinux1": "libselinux",
    "libssl-dev": "openssl-devel",
    "libssl3": "openssl-libs",
    "libstdc++-12-dev": "libstdc++-devel",
    "libstdc++6": "libstdc++",
    "linux-libc-dev": "kernel-headers",
    "passwd": "shadow-utils",
    "procps": "procps-ng",
    "python3-dev": "python3-devel",
    "xz-utils": "xz",
    "zlib1g": "zlib",
    "zlib1g-dev": "zlib-devel",
}
"""Debian's name to Fedora's; the Debian name stays as a Provide."""

PROVIDES = {
    "bash": ["sh"],
    "createrepo_c": ["createrepo"],
    "dnf": ["yum"],
    "dnf-plugins-core": ["dnf-command(builddep)", "dnf-command(download)", "python3-dnf-plugins-core"],
    "gcc": ["/usr/bin/cc"],
    "gettext": ["gettext-devel"],
    "glibc": ["rtld(GNU_HASH)", "ld-linux-x86-64.so.2()(64bit)"],
    "glibc-common": ["glibc-minimal-langpack", "glibc-langpack-en", "glibc-all-langpacks", "ldconfig"],
    "glibc-devel": ["glibc-headers"],
    "perl": ["perl-interpreter"],
    "pkgconf": ["pkgconfig", "pkgconf-pkg-config"],
    "procps-ng": ["procps"],
    "python3": ["python3-libs", "/usr/bin/python3"],
    "python3-minimal": ["python(abi) = 3.11"],
    "util-linux": ["util-linux-core"],
    "which": ["/usr/bin/which"],
}

REQUIRES = {
    "curl": ["ca-certificates"],
    # Debian: build-essential, which nobody names.
    "gcc": ["glibc-devel", "make"],
    "glibc": ["glibc-common"],
    "rpm": ["coreutils", "sed", "curl"],
    "rpm-build": _words("""rpm redhat-rpm-config debugedit elfutils binutils bzip2 coreutils cpio diffutils file findutils gawk
        grep gzip make patch sed tar unzip which xz zstd bash perl pkgconf"""),
    # Only recommended in Debian; holds the macros.
    "rpm-libs": ["rpm-common"],
    "shadow-utils": ["login"],
}

LINKS = {
    "bash": {"/usr/bin/sh": "bash"},
    "bison": {"/usr/bin/yacc": "bison.yacc"},
    "gawk": {"/usr/bin/awk": "gawk", "/usr/bin/nawk": "gawk"},
    "gcc": {"/usr/bin/cc": "gcc", "/usr/bin/c89": "c89-gcc", "/usr/bin/c99": "c99-gcc"},
    "gcc-c++": {"/usr/bin/c++": "g++"},
    "less": {"/usr/bin/pager": "less"},
    "maven": {"/usr/bin/mvn": "../share/maven/bin/mvn"},
    "openjdk-17-jre-headless": {"/usr/bin/java": "../lib/jvm/java-17-openjdk-amd64/bin/java"},
    "pinentry-curses": {"/usr/bin/pinentry": "pinentry-curses"},
    "pkgconf-bin": {"/usr/bin/pkg-config": "pkgconf"},
    "which": {"/usr/bin/which": "which.debianutils"},
    "xz": {"/usr/bin/lzma": "xz", "/usr/bin/unlzma": "xz", "/usr/bin/lzcat": "xz"},
}
"""Links that update-alternatives or maintainer scripts would have made."""

SPLIT = {
    "rpm": (
        "rpm-build",
        re.compile(
            r"^/usr/bin/(rpmbuild|rpmspec|gendiff)$|^/usr/lib/rpm/(brp-|check-|elfdeps|fileattrs|find-|fontconfig|mkinst"
            r"|ocaml|perl|pkgconfig|pythondist|rpm_macros|rpmdeps|rpmuncompress|script)",
        ),
    ),
}
"""Files that go into a package of their own: Debian's rpm holds rpmbuild too."""

_BUILD = _words("""bash bzip2 coreutils cpio diffutils distro-release findutils gawk glibc-common grep gzip info patch
    redhat-rpm-config rpm-build sed shadow-utils tar unzip util-linux which xz""")

GROUPS = {
    "build": [*_BUILD, "gcc", "make"],
    "build-minimal": _BUILD,
    "srpm-build": _words("bash distro-release git-core make redhat-rpm-config rpm-build shadow-utils tar unzip xz"),
    "kiwi-build": _words("bash coreutils distro-release image-tools make shadow-utils"),
    "livemedia-build": _words("bash coreutils distro-release image-tools shadow-utils"),
    "oddities": ["adjutant-oddities"],
    "tools": _words("""bash coreutils createrepo_c curl distro-release dnf dnf-plugins-core findutils git-core glibc-common
        grep gzip hostname iproute procps-ng python3 rpm rpm-build sed shadow-utils tar util-linux which xz zstd"""),
}
"""comps groups: the buildroots of Koji's groups, one package full of traps, and the tools image.

kiwi and livemedia-creator are not among Debian's packages: their groups bring stand-ins.
"""
