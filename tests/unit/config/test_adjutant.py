"""adjutant.yaml and the ADJUTANT_* variables as one validated whole."""

import re

import pytest
from pydantic import ValidationError

from koji_adjutant.config.adjutant import AdjutantConfig, load_adjutant_config
from koji_adjutant.config.environment import FIXED, merge, variables
from koji_adjutant.errors import ConfigurationError


@pytest.fixture
def load(tmp_path):
    """Return a function that writes the YAML given and loads it with the variables given."""

    def run(text="", **environ):
        path = tmp_path / "adjutant.yaml"
        path.write_text(text, encoding="utf-8")
        return load_adjutant_config({"ADJUTANT_CONFIG": str(path), **environ})

    return run


def problems(load, *args, **kwargs) -> list[str]:
    """Return the lines of a refusal."""
    with pytest.raises(ConfigurationError) as caught:
        load(*args, **kwargs)
    assert caught.value.exit_code == 1
    return [line.strip() for line in caught.value.details.splitlines()]


def test_empty_file_is_the_defaults(load):
    """An empty file changes nothing, nor do section names with nothing below."""
    assert load() == load("build:\nimages:\n  pull:\n") == AdjutantConfig()


def test_missing_default_file(monkeypatch, tmp_path):
    """No default file means defaults; a file that is named must be there."""
    monkeypatch.setattr("koji_adjutant.config.adjutant.DEFAULT_FILE", tmp_path / "none.yaml")
    assert load_adjutant_config({}) == AdjutantConfig()
    with pytest.raises(ConfigurationError, match="ADJUTANT_CONFIG names it") as caught:
        load_adjutant_config({"ADJUTANT_CONFIG": str(tmp_path / "other.yaml")})
    assert "other.yaml" in caught.value.brief


def test_default_file_is_read(monkeypatch, tmp_path):
    """Without ADJUTANT_CONFIG the default file counts."""
    path = tmp_path / "adjutant.yaml"
    path.write_text("stop: drain\n")
    monkeypatch.setattr("koji_adjutant.config.adjutant.DEFAULT_FILE", path)
    assert load_adjutant_config({}).stop == "drain"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("build:\n  pids: [1\n", "line 3, column 1"),
        ("a: b: c\n", "line 1, column 5"),
        ("build:\n\tpids: 1\n", "line 2, column 1"),
        ("stop: keep\nstop: free\n", "line 2, column 1: key 'stop' stands here a second time"),
    ],
)
def test_broken_yaml(load, text, where):
    """Broken YAML names file, line and column."""
    with pytest.raises(ConfigurationError) as caught:
        load(text)
    assert f"adjutant.yaml: broken YAML at {where}" in caught.value.brief


@pytest.mark.parametrize("text", ["- a\n- b\n", "only text\n", "5\n"])
def test_not_a_mapping(load, text):
    """A file that is no mapping is refused as that."""
    with pytest.raises(ConfigurationError, match="not a mapping"):
        load(text)


def test_everything_at_once(load):
    """All problems of file and environment are named together, each with source, key, value and what is wanted."""
    text = """
runtim: podman
state_dir: var/lib
build: {pids: many, memory: 4 apples}
images: {rules: [{tag: f40, imag: x}]}
hosts: [{name: a}]
sweep: 5
"""
    lines = problems(load, text, ADJUTANT_POLL_CHECK_IN="500", ADJUTANT_LOG_FORMAT="xml")
    found = "\n".join(lines)
    assert "adjutant.yaml: runtim: unknown key: did you mean runtime?" in found
    assert "adjutant.yaml: state_dir: 'var/lib' is not an absolute path" in found
    assert "adjutant.yaml: build.pids: 'many': should be a valid integer" in found
    assert "adjutant.yaml: build.memory: '4 apples' is not a size such as" in found
    assert "adjutant.yaml: images.rules[0].imag: unknown key: did you mean image?" in found
    assert "adjutant.yaml: images.rules[0].image: field required" in found
    assert "host 'a' has 0 ways to log in" in found
    assert "adjutant.yaml: sweep: 5: should be a mapping" in found
    assert "ADJUTANT_POLL_CHECK_IN: poll.check_in: 500: should be less than or equal to 170" in found
    assert "ADJUTANT_LOG_FORMAT: log_format: 'xml': should be 'kojid', 'console' or 'json'" in found
    assert len(lines) == 10


def test_unknown_key_without_neighbour(load):
    """Where nothing is near, the keys that exist are listed."""
    assert "remove it; known here: interval, min_age" in problems(load, "sweep: {zzz: 1}\n")[0]


def test_secret_values_are_not_repeated(load):
    """A refused value that is a secret is not shown."""
    found = "\n".join(
        problems(load, "hosts: [{name: a, cert: /c, password: hunter2}]\npodman: {socket: 'ssh://u:hunter3@h'}\n")
    )
    assert "did you mean password_file?" in found
    assert "hunter" not in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("build: {memory: 1GiB, tmp_size: 4GiB}", "tmp_size (4GiB) is larger than memory (1GiB)"),
        ("hosts: [{name: a, cert: /c}, {name: a, cert: /d}]", "hosts names a more than once"),
        ("hosts: [{name: a, keytab: /k}]", "keytab and principal go together"),
        ("hosts: [{name: a, user: u, cert: /c}]", "user and password_file go together"),
        ("hosts: [{name: a, cert: /c, user: u, password_file: /p}]", "has 2 ways to log in"),
        ("runtime: kubernetes\nprivileged_images: on", "privileged_images: on needs runtime: podman"),
    ],
)
def test_contradictions(load, text, said):
    """Settings that exclude each other are refused with the remedy."""
    assert said in problems(load, text + "\n")[0]


@pytest.mark.parametrize("text", ["build: {pids: yes}", "podman: {request_timeout: on}", "build: {memory: true}"])
def test_truth_value_is_no_number(load, text):
    """YAML's yes is not 1."""
    assert "truth value" in problems(load, text + "\n")[0]


def test_bare_off_stays_a_word(load):
    """`bootstrap: off` is the word, though YAML reads false."""
    assert load("images: {bootstrap: off}\n").images.bootstrap == "off"


@pytest.mark.parametrize("word", ["on", "off"])
def test_bare_switch_stays_a_word(load, word):
    """`privileged_images: on` is the word, though YAML reads true."""
    assert load(f"privileged_images: {word}\n").privileged_images == word


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GiB", 4 << 30),
        ("4G", 4 << 30),
        ("4 gb", 4 << 30),
        ("1.5GiB", 3 << 29),
        ("4294967296", 4 << 30),
        ("8589934592b", 8 << 30),
    ],
)
def test_sizes(load, text, size):
    """Sizes take the usual units, all in 1024s."""
    assert load(f"build: {{memory: {text}}}\n").build.memory == size


@pytest.mark.parametrize("text", ["-4GiB", "0", "4XB", "GiB", "4iB", "''"])
def test_bad_sizes(load, text):
    """What is no size, or none above zero, is refused."""
    assert "build.memory" in problems(load, f"build: {{memory: {text}, tmp_size: 1}}\n")[0]


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("12h", 43200), ("7 d", 604800)])
def test_durations(load, text, seconds):
    """Times take seconds or a unit."""
    assert load(f"build: {{init_timeout: {text}}}\n").build.init_timeout == seconds


def test_variables_beat_the_file(load):
    """Variables override single keys, and leave their neighbours; an empty one counts as not set."""
    config = load(
        "build: {pids: 100, nofile: 2000}\nstop: drain\n",
        ADJUTANT_BUILD_PIDS="200",
        ADJUTANT_STOP="",
        ADJUTANT_IMAGES_PREPARED_MAX_BYTES="1GiB",
        ADJUTANT_PODMAN_USERNS="false",
        ADJUTANT_BUILD_CPUS="1.5",
    )
    assert (config.build.pids, config.build.nofile, config.stop) == (200, 2000, "drain")
    assert (config.images.prepared.max_bytes, config.podman.userns, config.build.cpus) == (1 << 30, False, 1.5)


def test_fixed_variables(load):
    """The names from the first sketch set their keys."""
    config = load(
        ADJUTANT_CONTAINER_RUNTIME="kubernetes",
        ADJUTANT_K8S_NAMESPACE="builds",
        ADJUTANT_K8S_CONFIG="/etc/kube",
        ADJUTANT_K8S_SERVICE_ACCOUNT="sa",
        ADJUTANT_K8S_NODE_SELECTOR="disk=ssd, zone=a",
        ADJUTANT_K8S_STORAGE_CLASS="fast",
    )
    assert config.runtime == "kubernetes"
    assert config.kubernetes.model_dump(mode="json", exclude_defaults=True) == {
        "namespace": "builds",
        "config": "/etc/kube",
        "service_account": "sa",
        "node_selector": {"disk": "ssd", "zone": "a"},
        "storage_class": "fast",
    }


def test_bad_node_selector(load):
    """A selector that is no list of label=value names the variable."""
    found = problems(load, ADJUTANT_K8S_NODE_SELECTOR="ssd")
    assert found[0].startswith("ADJUTANT_K8S_NODE_SELECTOR: kubernetes.node_selector: 'ssd' is no node selector")


def test_two_variables_one_key(load):
    """Two variables that set one key to different values are refused; equal ones are fine."""
    both = {"ADJUTANT_RUNTIME": "podman", "ADJUTANT_CONTAINER_RUNTIME": "memory"}
    assert "both set runtime: unset one of them" in problems(load, **both)[0]
    assert load(**{**both, "ADJUTANT_RUNTIME": "memory"}).runtime == "memory"


def test_misspelt_variable(load):
    """A variable near a known one is a problem; the test harness's and Kubernetes' own are not."""
    assert "did you mean ADJUTANT_STATE_DIR?" in problems(load, ADJUTANT_STATEDIR="/x")[0]
    load(ADJUTANT_TEST_HUB="http://h", ADJUTANT_PORT="tcp://1.2.3.4:80", ADJUTANT_SERVICE_HOST="1.2.3.4")


def test_every_scalar_has_a_variable():
    """Each documented leaf of the model that is no list can be set by a variable."""
    paths = {".".join(path) for name, path in variables().items() if name not in FIXED}
    leaves = set()

    def walk(values, prefix):
        for name, value in values.items():
            if isinstance(value, dict) and name != "node_selector":
                walk(value, f"{prefix}{name}.")
            elif not isinstance(value, list):
                leaves.add(prefix + name)

    walk(AdjutantConfig().model_dump(mode="json"), "")
    assert paths == leaves
    assert "images.prepared.max_age" in paths


def test_merge_changes_nothing_in_place():
    """Merging is pure, and a scalar gives way to a mapping."""
    base = {"a": {"b": 1}, "c": 2}
    assert merge(base, {"a": {"d": 3}, "c": {"e": 4}}) == {"a": {"b": 1, "d": 3}, "c": {"e": 4}}
    assert base == {"a": {"b": 1}, "c": 2}


def test_immutable():
    """The configuration cannot be changed after it was loaded."""
    with pytest.raises(ValidationError, match="frozen"):
        AdjutantConfig().build.pids = 5


def test_socket(load):
    """The socket's default depends on the user; a bare path is taken as a unix socket; other schemes are refused."""
    podman = load().podman
    assert podman.socket_url({}, 0) == "unix:///run/podman/podman.sock"
    assert podman.socket_url({"XDG_RUNTIME_DIR": "/run/u"}, 7) == "unix:///run/u/podman/podman.sock"
    assert podman.socket_url({}, 7) == "unix:///run/user/7/podman/podman.sock"
    assert load("podman: {socket: /run/x.sock}\n").podman.socket_url({}, 0) == "unix:///run/x.sock"
    assert re.search("is no socket", problems(load, "podman: {socket: x.sock}\n")[0])


def test_tools_image(load):
    """The first rule whose three globs match names the tools image, else the default."""
    images = load(
        "images: {tools: d, rules: [{tag: 'f4?-*', arch: i686, image: a}, {method: createrepo, image: b}, "
        "{tag: f*, image: c}]}\n"
    ).images
    assert images.tools_for("f40-build", "i686", "buildArch") == "a"
    assert images.tools_for("f40-build", "noarch", "createrepo") == "b"
    assert images.tools_for("f40-build", "x86_64", "buildArch") == "c"
    assert images.tools_for("el9", "x86_64", "buildArch") == "d"


def test_allowed_images(load):
    """Images named in the file, made here, or matched by the list may run; others may not."""
    images = load("images: {tools: r.io/t, rules: [{image: r.io/u}], allowed: ['q.io/k/*']}\n").images
    assert all(images.allows(name) for name in ("r.io/t", "r.io/u", "q.io/k/x:1", "localhost/koji-adjutant/empty"))
    assert not images.allows("r.io/other")
    assert load().images.allows("localhost/any")
    assert not load().images.allows("docker.io/library/fedora")


def test_pull_policy(load):
    """The first rule that matches decides; local images are never pulled."""
    pull = load("images: {pull: {default: always, rules: [{image: 'r.io/*', policy: missing}]}}\n").images.pull
    assert pull.policy_for("r.io/x") == "missing"
    assert pull.policy_for("q.io/x") == "always"
    assert pull.policy_for("localhost/x") == "never"


def test_tmp_bytes(load):
    """The size of /tmp is the one set, else 4GiB, else half of a small memory limit."""
    assert load().build.tmp_bytes == 4 << 30
    assert load("build: {memory: 1GiB}\n").build.tmp_bytes == 1 << 29
    assert load("build: {memory: 1GiB, tmp_size: 1GiB}\n").build.tmp_bytes == 1 << 30
