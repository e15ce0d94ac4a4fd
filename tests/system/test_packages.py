"""What `make dist` makes, used as its receivers would: the RPM built by this project, installed and started; the image too."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from koji_adjutant.cli.manual import man_pages
from koji_adjutant.minihub import MiniHub
from tests.distro.make import Distro
from tests.system.machine_image import ROOT

pytestmark = [pytest.mark.podman, pytest.mark.distro, pytest.mark.system]
HOST = "builder"
ADJUTANT = "runtime: memory\nmonitoring: {listen: 'off'}\n"
COMPLETIONS = (
    "/usr/share/bash-completion/completions/koji-adjutant",
    "/usr/share/zsh/site-functions/_koji-adjutant",
    "/usr/share/fish/vendor_completions.d/koji-adjutant.fish",
)
LIMIT = 300


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything of `make dist`."""
    out = tmp_path_factory.mktemp("dist") / "dist"
    run(sys.executable, str(ROOT / "packaging/dist.py"), "--output", str(out))
    return out


@pytest.fixture(scope="module")
def rpms(
    dist: Path, distro: Distro, podman_socket: Path, tools_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The binary RPMs, built from the source RPM by `koji-adjutant build` for the test distribution."""
    out = tmp_path_factory.mktemp("rpms")
    (srpm,) = dist.glob("*.src.rpm")
    command = [sys.executable, "-m", "koji_adjutant.cli.main", "build", str(srpm), "--repo", str(distro.repo)]
    command += ["--define", "_binary_payload w1.zstdio", "--define", "_source_payload w1.zstdio"]
    run(
        *[*command, "--tools-image", tools_image, "--result", str(out / "result")],
        XDG_CACHE_HOME=str(out / "cache"),
        ADJUTANT_PODMAN_SOCKET=f"unix://{podman_socket}",
    )
    return out / "result"


@contextmanager
def hub_and_configuration(directory: Path) -> Iterator[MiniHub]:
    """A hub with one host, and the two configuration files of its builder in `directory`."""
    with MiniHub(directory / "hub") as hub:
        hub.add_host(HOST, "x86_64", password="of the builder", capacity=2.0)
        conf = {"server": hub.url, "topurl": hub.topurl, "user": HOST, "password": "of the builder", "minspace": 1}
        (directory / "kojid.conf").write_text("[kojid]\n" + "".join(f"{key}={value}\n" for key, value in conf.items()))
        (directory / "adjutant.yaml").write_text(ADJUTANT)
        yield hub


@contextmanager
def heard_by_systemd(directory: Path) -> Iterator[socket.socket]:
    """A socket `notify` in `directory`, as systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(directory / "notify"))
        (directory / "notify").chmod(0o666)
        listener.settimeout(60)
        yield listener


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory for containers, with a path short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="adjutant-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def run(*command: str, **environ: str) -> str:
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert result.returncode == 0, f"{command}:\n{result.stdout[-6000:]}\n{result.stderr[-6000:]}"
    return result.stdout


@contextmanager
def container(image: str, *words: str) -> Iterator[str]:
    """A container that runs until the end of the block."""
    name = run("podman", "run", "--detach", "--init", *words, image, "sleep", "600").strip()
    try:
        yield name
    finally:
        run("podman", "rm", "--force", "--time=0", name)


def starts(command: list[str], listener: socket.socket) -> None:
    """Run a daemon until it says that it is ready, then end it."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as daemon:
        try:
            while "READY=1" not in listener.recv(1000).decode().split("\n"):
                pass
        except TimeoutError:
            daemon.kill()
            pytest.fail(f"the daemon did not start:\n{daemon.communicate()[0].decode()[-4000:]}")
        daemon.terminate()


def test_rpm_is_installed_and_starts(rpms: Path, distro: Distro, tools_image: str, shared: Path) -> None:
    """On the distribution it was built for: installs with what that has, verifies, and the daemon reaches its hub."""
    mounts = [
        f"--volume={path}:{place}"
        for path, place in ((rpms, "/rpms:ro"), (distro.repo, "/repo:ro"), (shared, "/shared"))
    ]
    with (
        container(tools_image, "--network=host", *mounts) as name,
        hub_and_configuration(shared),
        heard_by_systemd(shared) as listener,
    ):
        inside = ["podman", "exec", name]
        install = ["dnf", "-q", "-y", "--repofrompath=distro,file:///repo", "--repo=distro", "--nogpgcheck", "install"]
        packages = [f"/rpms/{path.name}" for path in rpms.glob("*.rpm") if not path.name.endswith(".src.rpm")]
        run(*inside, *install, *packages)
        files = set(run(*inside, "rpm", "-ql", "koji-adjutant").split())
        pages = {
            path.rpartition("/")[2].removesuffix(".gz") for path in files if path.startswith("/usr/share/man/man1/")
        }
        assert pages == set(man_pages())
        assert set(COMPLETIONS) <= files
        assert "_shtab" in run(*inside, "cat", COMPLETIONS[0])
        assert run(*inside, "rpm", "-V", "koji-adjutant", "koji-adjutant-kojid") == ""
        assert "koji-adjutant-kojid" in run(*inside, "rpm", "-q", "--whatprovides", "koji-builder")
        assert "bundled(python3dist(koji))" in run(*inside, "rpm", "-q", "--provides", "koji-adjutant")
        places = "/usr/lib/koji-adjutant/bin /usr/lib/koji-adjutant/pyvenv.cfg"
        left = f"grep -rl /builddir/build/BUILDROOT {places} || :"
        assert run(*inside, "sh", "-c", left) == ""
        run(*inside, "sh", "-c", "cp /shared/kojid.conf /etc/kojid/ && cp /shared/adjutant.yaml /etc/koji-adjutant/")
        assert "runtime: memory" in run(*inside, "koji-adjutant", "config")
        daemon = ["podman", "exec", "--env=NOTIFY_SOCKET=/shared/notify", name, "/usr/sbin/kojid", "--fg"]
        starts(daemon, listener)


def test_image_is_built_offline_and_starts(dist: Path, tools_image: str, shared: Path) -> None:
    """Built without a network on a local image; runs as nobody in particular with a read-only root, and reaches its hub."""
    context = shared / "context"
    (context / "dist").mkdir(parents=True)
    for name in ("wheels", "static"):
        shutil.copytree(dist / name, context / "dist" / name)
    image = f"localhost/koji-adjutant-test-daemon:{os.getpid()}"
    build = ["podman", "build", "--quiet", "--pull=never", "--network=none", f"--build-arg=BASE={tools_image}"]
    run(*build, "--file", str(ROOT / "packaging/Containerfile"), "--tag", image, str(context))
    try:
        with hub_and_configuration(shared), heard_by_systemd(shared) as listener:
            command = ["podman", "run", "--rm", "--read-only", "--network=host", "--cap-drop=all"]
            command += [f"--volume={shared}:/shared", "--tmpfs=/var/lib/koji-adjutant:mode=0777"]
            command += ["--tmpfs=/var/tmp/koji:mode=0777"]
            assert run(*command, image, "id", "-u").strip() == "1000"
            assert "koji-adjutant" in run(*command, image, "koji-adjutant", "--version")
            command += ["--env=ADJUTANT_CONFIG=/shared/adjutant.yaml", "--env=ADJUTANT_CONTAINER_RUNTIME=memory"]
            starts(
                [*command, "--env=NOTIFY_SOCKET=/shared/notify", image, "kojid", "--fg", "-c", "/shared/kojid.conf"],
                listener,
            )
            bill = image_bill(image, dist, shared)
    finally:
        run("podman", "rmi", "--force", image)
    names = {part["name"] for part in bill["components"]}
    assert {"koji", "podman", "glibc", "busybox"} <= names
    assert bill["metadata"]["component"]["type"] == "container"


def image_bill(image: str, dist: Path, shared: Path) -> dict:
    """The bill of materials of the image: packages of its base, our wheels, the static programs."""
    form = "%{name}\\t%{version}-%{release}\\t%{arch}\\n"
    (shared / "packages").write_text(run("podman", "run", "--rm", image, "rpm", "-qa", "--qf", form))
    run(
        *[sys.executable, str(ROOT / "packaging/sbom.py"), "--name=koji-adjutant", "--version=1", "--purl-type=oci"],
        *[f"--wheels={dist / 'wheels/run'}", f"--packages=rpm:test={shared / 'packages'}"],
        *[f"--program=busybox:1:{dist / 'static/busybox'}", f"--output={shared / 'bill.json'}"],
    )
    return json.loads((shared / "bill.json").read_text())


def test_bills_name_what_is_in_it(dist: Path) -> None:
    """Wheel and source RPM each have a bill of materials with every library, its version and its hash."""
    bills = sorted(dist.glob("*.cdx.json"))
    assert [path.name.partition("-0")[0].partition("-1")[0] for path in bills] == ["koji-adjutant", "koji_adjutant"]
    for path in bills:
        parts = {part["name"]: part for part in json.loads(path.read_text())["components"]}
        assert {"koji", "podman", "pydantic", "starlette"} <= set(parts)
        assert all(part["hashes"] and part["purl"].startswith("pkg:pypi/") for part in parts.values())
