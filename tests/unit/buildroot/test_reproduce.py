"""reproduce.sh is valid shell whatever a tag or a package is called, and adjutant-env.json holds no secret."""

import json
import subprocess

import pytest

from koji_adjutant.buildroot.dnf import DnfLayout, Flavour, PackageManager
from koji_adjutant.buildroot.environment_report import (
    ImageUsed,
    RootReport,
    environment_report,
    to_json,
    without_password,
)
from koji_adjutant.buildroot.host_report import hw_info_command
from koji_adjutant.buildroot.per_task import per_task_files
from koji_adjutant.buildroot.reproduce import Recipe, reproduce_script
from koji_adjutant.container.interface import ResourceLimits

HOSTILE = '\'; touch HACKED; "$(touch HACKED)" `touch HACKED`\n} \\'


@pytest.fixture
def recipe(settings_of):
    """Make a recipe of settings."""

    def make(settings, **more):
        values = {
            "srpm_name": "hello-1.0-1.src.rpm",
            "spec": "/builddir/build/SPECS/hello.spec",
            "dynamic": False,
            "tools": ImageUsed("registry.example.com/tools:1", "sha256:" + "0" * 64),
            **more,
        }
        return Recipe(
            task_id=12,
            settings=settings,
            layout=DnfLayout(),
            manager=PackageManager(Flavour.DNF4, "/usr/bin/dnf-3"),
            files=per_task_files(settings, machine_id="0" * 32),
            **values,
        )

    return make


def shell_accepts(script):
    """Whether bash parses it."""
    return subprocess.run(["bash", "-n"], input=script.encode(), check=False).returncode == 0


def test_a_plain_script_is_as_before(settings_of, recipe, golden):
    """One root, static BuildRequires."""
    script = reproduce_script(recipe(settings_of(build_host="builder1")))
    assert shell_accepts(script)
    golden("reproduce.sh", script)


def test_a_script_with_dynamic_buildrequires_loops(settings_of, recipe):
    """-br until nothing is missing, then -ba --noprep."""
    script = reproduce_script(recipe(settings_of(), dynamic=True, memory_bytes=1 << 30))
    assert shell_accepts(script)
    assert "rpmbuild -br --noprep " in script
    assert "rpmbuild -ba --noprep " in script
    assert "--memory 1073741824" in script


def test_hostile_values_stay_values(settings_of, recipe, tmp_path):
    """Run with a podman that only writes down its arguments: nothing else is executed."""
    settings = settings_of(
        {"rpm.env.EVIL": HOSTILE, "rpm.macro.evil": HOSTILE, "mock.releasever": HOSTILE},
        repo_urls=[f"http://hub/{HOSTILE}"],
        install_group=HOSTILE,
    )
    script = reproduce_script(
        recipe(settings, srpm_name=HOSTILE, spec=f"/builddir/build/SPECS/{HOSTILE}", tools=ImageUsed(HOSTILE, HOSTILE))
    )
    assert shell_accepts(script)
    seen = tmp_path / "seen"
    (tmp_path / "podman").write_text(f'#!/bin/sh\ncat > /dev/null\nprintf "%s\\0" "$@" >> {seen}\n')
    (tmp_path / "podman").chmod(0o755)
    (tmp_path / "reproduce.sh").write_text(script)
    (tmp_path / "in.src.rpm").write_bytes(b"srpm")
    (tmp_path / "out/root/builddir/build/SRPMS").mkdir(parents=True)
    (tmp_path / "out/root/builddir/build/RPMS").mkdir()
    ran = subprocess.run(
        ["bash", "reproduce.sh", "in.src.rpm", "out"],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    words = seen.read_bytes().decode().split("\0")
    assert f"EVIL={HOSTILE}" in words
    assert f"@{HOSTILE}" in words
    assert HOSTILE in words
    assert not list(tmp_path.rglob("HACKED"))


def test_passwords_are_left_out(settings_of, recipe, options):
    """Of the site's proxy and of repository addresses."""
    options.yum_proxy = "http://user:sekret@proxy:3128"
    settings = settings_of(repo_urls=["https://user:sekret@hub/repos"])
    assert "sekret" not in reproduce_script(recipe(settings))
    assert without_password("https://user:sekret@hub:8443/x?y=1") == "https://hub:8443/x?y=1"
    assert without_password("file:///repo") == "file:///repo"


def test_the_environment_report_is_plain_data(settings_of, ended):
    """Images, repository, macros, limits, and each step with time and peak memory."""
    settings = settings_of({"mock.new_chroot": 1}, repo_urls=["https://u:sekret@hub/r"]).with_cpu_limit(2)
    report = RootReport(
        task_id=12,
        buildroot_id=5,
        host="builder1",
        version="1.0",
        runtime="podman 4.3.1",
        settings=settings,
        repo_id=9,
        repomd_sha256="aa",
        tools=ImageUsed("tools:1", "sha256:bb"),
        prepared=None,
        limits=ResourceLimits(cpus=2),
        notes=("eth0 stays up",),
    )
    document = json.loads(to_json(environment_report(report, [("init", ended(0, peak_memory=77))])))
    assert document["images"] == {"tools": {"reference": "tools:1", "digest": "sha256:bb"}, "prepared": None}
    assert document["repo"]["urls"] == ["https://hub/r"]
    assert document["macros"]["%_smp_ncpus_max"] == "2"
    assert document["ignored_settings"][0]["name"] == "mock.new_chroot"
    assert document["steps"][0]["seconds"] == 60.0
    assert document["steps"][0]["peak_memory_bytes"] == 77
    assert "sekret" not in json.dumps(document)


def test_the_machine_report_has_mocks_sections():
    """Headings as in mock's hw_info.log; a missing program does not matter."""
    ran = subprocess.run(
        hw_info_command("/", "/tmp"), capture_output=True, check=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert ran.stdout.startswith("CPU info:\n")
    assert "\n\n\nMemory:\n" in ran.stdout
    assert "\n\n\nStorage (chroot, cache_topdir):\n" in ran.stdout
    bare = subprocess.run(
        hw_info_command("/"), capture_output=True, check=True, executable="/bin/sh", env={"PATH": "/nowhere"}
    )
    assert b"Storage (chroot" in bare.stdout
