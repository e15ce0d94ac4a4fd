#!/bin/bash
# Builds the packages of Koji task 12 again, with plain Podman. Made by koji-adjutant.
#     reproduce.sh SRPM [DIRECTORY]       needs podman; TOOLS_IMAGE names another image with dnf and rpm
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: $0 SRPM [DIRECTORY]" >&2; exit 2; }
srpm=$(realpath -- "$1")
work=$(realpath -m -- "${2:-reproduce-12}")
tools=${TOOLS_IMAGE:-registry.example.com/tools:1}
digest=sha256:0000000000000000000000000000000000000000000000000000000000000000
mkdir -p "$work/root" "$work/state"
found=$(podman image inspect --format '{{.Digest}}' "$tools" 2>/dev/null || :)
[ "$found" = "$digest" ] || echo "note: the task had tools $digest, here they are ${found:-not pulled yet}" >&2
srpm_name=hello-1.0-1.src.rpm
spec=/builddir/build/SPECS/hello.spec
host=mock
dnf_env=(HOME=/var/lib/adjutant/home HOSTNAME=mock LANG=C.UTF-8 LC_MESSAGES=C.UTF-8 PATH=/usr/bin:/bin:/usr/sbin:/sbin 'PROMPT_COMMAND=printf "\033]0;<mock-chroot>\007"' 'PS1=<mock-chroot> \s-\v\$ ' SHELL=/bin/bash TERM=vt100)
build_env=(HOME=/builddir HOSTNAME=mock LANG=C.UTF-8 PATH=/usr/bin:/bin:/usr/sbin:/sbin 'PROMPT_COMMAND=printf "\033]0;<mock-chroot>\007"' 'PS1=<mock-chroot> \s-\v\$ ' SHELL=/bin/bash TERM=vt100)
personality=()
limits=()
network=none

in_tools() { # argv: the package manager's side, with a network
    podman run --rm -i --cap-add SYS_ADMIN --security-opt label=disable --security-opt apparmor=unconfined \
        -v "$work/root:/buildroot" -v "$work/state:/var/lib/adjutant" "$tools" "$@"
}
install_in_root() { # argv
    in_tools sh -c 'mkdir -p "$0/proc" "$0/dev"; mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"; exec "$@"' \
        /buildroot env -i "${dnf_env[@]}" "${personality[@]}" "$@"
}
in_root_as() { # uid:gid argv
    podman run --rm -i --init --network "$network" --hostname "$host" --user "$1" --workdir / --security-opt label=disable \
        "${limits[@]}" --tmpfs /tmp:mode=1777,exec --rootfs "$work/root" "${@:2}"
}
build() { # argv: as the build user
    in_root_as 1000:135 env -i "${build_env[@]}" "${personality[@]}" "$@"
}
requires_of() { # suffix command: run the command and install what the package it writes requires, until nothing is missing
    local suffix=$1 round before found
    shift
    for round in $(seq 10); do
        "$@"
        found=$(find "$work/root/builddir/build/SRPMS" -name "*$suffix" -printf '%f\n' | head -n 1)
        [ -n "$found" ] || return 0
        before=$(in_root_as 0:0 rpm -qa | sort)
        install_in_root "${builddep[@]}" "/buildroot/builddir/build/SRPMS/$found"
        [ "$suffix" = .src.rpm ] || rm -f "$work/root/builddir/build/SRPMS/$found"
        [ "$before" != "$(in_root_as 0:0 rpm -qa | sort)" ] || return 0
    done
}

# The package manager's configuration, then the root.
in_tools mkdir -p /var/lib/adjutant/home /var/lib/adjutant/cache /var/lib/adjutant/log /var/lib/adjutant/vars /var/lib/adjutant/plugins /var/lib/adjutant/persist
printf %s W21haW5dCmRlYnVnbGV2ZWw9MQpyZXBvc2Rpcj0vZGV2L251bGwKcmV0cmllcz0yMApvYnNvbGV0ZXM9MQpncGdjaGVjaz0wCmFzc3VtZXllcz0xCmtlZXBjYWNoZT0xCmluc3RhbGxfd2Vha19kZXBzPTAKc3RyaWN0PTEKbWF4X3BhcmFsbGVsX2Rvd25sb2Fkcz0xMAoKW2J1aWxkXQpuYW1lPWJ1aWxkCmJhc2V1cmw9aHR0cDovL2h1Yi9yZXBvcy90YWctYnVpbGQvOS94ODZfNjQK | base64 -d | in_tools sh -c 'cat > "$1"' sh /var/lib/adjutant/dnf.conf
printf %s JV9kYnBhdGggL3Zhci9saWIvcnBtCiVfbmV0c2hhcmVkcGF0aCAvcHJvYzovc3lzOi9kZXY6L2V0Yy9ob3N0czovZXRjL3Jlc29sdi5jb25mCiVfcGtndmVyaWZ5X2xldmVsIG5vbmUK | base64 -d | in_tools sh -c 'cat > "$1"' sh /var/lib/adjutant/home/.rpmmacros
install_in_root /usr/bin/dnf-3 --config /var/lib/adjutant/dnf.conf --installroot /buildroot --setopt=cachedir=/../var/lib/adjutant/cache --setopt=logdir=/../var/lib/adjutant/log --setopt=persistdir=/var/lib/adjutant/persist --setopt=varsdir=/var/lib/adjutant/vars --setopt=pluginconfpath=/var/lib/adjutant/plugins --setopt=deltarpm=False --setopt=allow_vendor_change=yes --allowerasing --disableplugin=local --disableplugin=spacewalk --disableplugin=versionlock install @build

# Users, work area, macros.
printf %s c2V0IC1ldQpiPScnCnB1dCgpIHsgIyBwYXRoIG1vZGUgb3duZXIgYmFzZTY0OiBrZWVwcyBhIG1vdW50LCByZXBsYWNlcyBhIHN5bWxpbmsKICAgICRiIG1rZGlyIC1wICIkKCRiIGRpcm5hbWUgIiQxIikiCiAgICBbICEgLWggIiQxIiBdIHx8ICRiIHJtIC1mICIkMSIKICAgIHByaW50ZiAlcyAiJDQiIHwgJGIgYmFzZTY0IC1kID4gIiQxIgogICAgJGIgY2htb2QgIiQyIiAiJDEiCiAgICAkYiBjaG93biAiJDMiICIkMSIKfQplbnRyeSgpIHsgIyBmaWxlIG5hbWUgbGluZTogcmVwbGFjZXMgdGhlIGxpbmUgb2YgdGhhdCBuYW1lLCBrZWVwcyBtb2RlIGFuZCBvd25lciBvZiB0aGUgZmlsZQogICAgJGIgYXdrIC1GOiAtdiBuYW1lPSIkMiIgJyQxICE9IG5hbWUnICIkMSIgPiAiJDEuYWRqdXRhbnQiCiAgICBwcmludGYgJyVzXG4nICIkMyIgPj4gIiQxLmFkanV0YW50IgogICAgJGIgY2F0ICIkMS5hZGp1dGFudCIgPiAiJDEiCiAgICAkYiBybSAtZiAiJDEuYWRqdXRhbnQiCn0KJGIgbWtkaXIgLXAgL2V0YwpbIC1lIC9ldGMvcGFzc3dkIF0gfHwgOiA+IC9ldGMvcGFzc3dkClsgLWUgL2V0Yy9ncm91cCBdIHx8IDogPiAvZXRjL2dyb3VwCmVudHJ5IC9ldGMvcGFzc3dkIG1vY2tidWlsZCBtb2NrYnVpbGQ6eDoxMDAwOjEzNTo6L2J1aWxkZGlyOi9iaW4vYmFzaAplbnRyeSAvZXRjL2dyb3VwIG1vY2sgbW9jazp4OjEzNToKWyAhIC1lIC9ldGMvc2hhZG93IF0gfHwgZW50cnkgL2V0Yy9zaGFkb3cgbW9ja2J1aWxkICdtb2NrYnVpbGQ6ISE6Ojo6Ojo6JwpbICEgLWUgL2V0Yy9nc2hhZG93IF0gfHwgZW50cnkgL2V0Yy9nc2hhZG93IG1vY2sgJ21vY2s6ITo6JwokYiBta2RpciAtcCAvYnVpbGRkaXIgL2J1aWxkZGlyL2J1aWxkIC9idWlsZGRpci9idWlsZC9SUE1TIC9idWlsZGRpci9idWlsZC9TUEVDUyAvYnVpbGRkaXIvYnVpbGQvU1JQTVMgL2J1aWxkZGlyL2J1aWxkL1NPVVJDRVMgL2J1aWxkZGlyL2J1aWxkL0JVSUxEIC9idWlsZGRpci9idWlsZC9CVUlMRFJPT1QgL2J1aWxkZGlyL2J1aWxkL29yaWdpbmFscwokYiBjaG93biAxMDAwOjEzNSAvYnVpbGRkaXIgL2J1aWxkZGlyL2J1aWxkIC9idWlsZGRpci9idWlsZC9SUE1TIC9idWlsZGRpci9idWlsZC9TUEVDUyAvYnVpbGRkaXIvYnVpbGQvU1JQTVMgL2J1aWxkZGlyL2J1aWxkL1NPVVJDRVMgL2J1aWxkZGlyL2J1aWxkL0JVSUxEIC9idWlsZGRpci9idWlsZC9CVUlMRFJPT1QgL2J1aWxkZGlyL2J1aWxkL29yaWdpbmFscwpwdXQgL2V0Yy9tYWNoaW5lLWlkIDY0NCAwOjAgTURBd01EQXdNREF3TURBd01EQXdNREF3TURBd01EQXdNREF3TURBd01EQUsKcHV0IC9ldGMvaG9zdHMgNjQ0IDA6MCBNVEkzTGpBdU1DNHhJR3h2WTJGc2FHOXpkQ0JzYjJOaGJHaHZjM1F1Ykc5allXeGtiMjFoYVc0S09qb3hJQ0FnSUNBZ0lHeHZZMkZzYUc5emRDQnNiMk5oYkdodmMzUXViRzlqWVd4a2IyMWhhVzRnYkc5allXeG9iM04wTmlCc2IyTmhiR2h2YzNRMkxteHZZMkZzWkc5dFlXbHVOZ289CnB1dCAvZXRjL3Jlc29sdi5jb25mIDY0NCAwOjAgJycKcHV0IC9idWlsZGRpci8ucnBtbWFjcm9zIDY0NCAxMDAwOjEzNSBKVjlpZFdsc1pHaHZjM1FnWW5WcGJHUmxjakVLSlY5b2IzTjBJSGc0Tmw4Mk5DMXJiMnBwTFd4cGJuVjRMV2R1ZFFvbFgyaHZjM1JmWTNCMUlIZzRObDgyTkFvbFgzQnNZWFJtYjNKdFgyMTFiSFJwY0d4cFpYSWdNUW9sWDNKd2JXWnBiR1Z1WVcxbElDVWxlMDVCVFVWOUxTVWxlMVpGVWxOSlQwNTlMU1VsZTFKRlRFVkJVMFY5TGlVbGUwRlNRMGg5TG5Kd2JRb2xYM1J2Y0dScGNpQXZZblZwYkdSa2FYSXZZblZwYkdRS0pXUnBjM1J5YVdKMWRHbHZiaUJFYVhOMGNtbGlkWFJwYjI0S0pYQmhZMnRoWjJWeUlGQmhZMnRoWjJWeUNpVjJaVzVrYjNJZ1ZtVnVaRzl5Q2c9PQokYiBta2RpciAtcCAvdmFyL2xpYi9kYnVzClsgLWggL3Zhci9saWIvZGJ1cy9tYWNoaW5lLWlkIF0gfHwgJGIgcm0gLWYgL3Zhci9saWIvZGJ1cy9tYWNoaW5lLWlkClsgLWggL3Zhci9saWIvZGJ1cy9tYWNoaW5lLWlkIF0gfHwgJGIgbG4gLXMgLi4vLi4vLi4vZXRjL21hY2hpbmUtaWQgL3Zhci9saWIvZGJ1cy9tYWNoaW5lLWlkCg== | base64 -d | in_root_as 0:0 sh -s

# The build.
in_root_as 0:0 sh -c 'cat > "$1"' sh /builddir/build/originals/hello-1.0-1.src.rpm < "$srpm"
build /bin/rpm -Uvh --nodeps /builddir/build/originals/hello-1.0-1.src.rpm
builddep=(/usr/bin/dnf-3 --config /var/lib/adjutant/dnf.conf --installroot /buildroot --setopt=cachedir=/../var/lib/adjutant/cache --setopt=logdir=/../var/lib/adjutant/log --setopt=persistdir=/var/lib/adjutant/persist --setopt=varsdir=/var/lib/adjutant/vars --setopt=pluginconfpath=/var/lib/adjutant/plugins --setopt=deltarpm=False --setopt=allow_vendor_change=yes --allowerasing --disableplugin=local --disableplugin=spacewalk --disableplugin=versionlock builddep)
static() { build bash --login -c '/usr/bin/rpmbuild -bs --noclean --target x86_64 --nodeps /builddir/build/SPECS/hello.spec'; }
requires_of '.src.rpm' static
build bash --login -c '/usr/bin/rpmbuild -bb --noclean --target x86_64 --nodeps /builddir/build/SPECS/hello.spec'
ls -l "$work/root"/builddir/build/RPMS "$work/root"/builddir/build/SRPMS
