"""Mails about builds and tags, in a conversation with a mail server."""

import socket

import koji
import pytest

from koji_adjutant.errors import Interrupted, MailError
from koji_adjutant.tasks.build_notification import BuildNotificationTask
from koji_adjutant.tasks.tag_notification import TagNotificationTask, operation, tag_message
from tests.support.smtp_server import SMTPServer
from tests.support.task_scene import TASK, Killed, Scene

SENDER = "Koji <koji@example.com>"
PEOPLE = ["al@example.com", "bo@example.com"]
BUILD = {
    "id": 7,
    "name": "hello",
    "package_name": "hello",
    "version": "1",
    "release": "2",
    "epoch": None,
    "draft": False,
    "owner_name": "al",
    "state": koji.BUILD_STATES["FAILED"],
    "creation_ts": 1700000000.0,
    "completion_ts": 1700000100.0,
    "task_id": 10,
    "volume_name": "DEFAULT",
}
STATES = {name: number for number, name in enumerate(koji.TASK_STATES)}


class Hub:
    """Knows one build, its tasks and some tags."""

    def __init__(self):
        self.tasks = {
            10: {"method": "build", "arch": "noarch", "label": None, "state": STATES["FAILED"], "host_id": 1},
            11: {"method": "buildArch", "arch": "x86_64", "label": "x86_64", "state": STATES["FAILED"], "host_id": 1},
            12: {
                "method": "buildArch",
                "arch": "noarch",
                "label": "noarch",
                "state": STATES["CLOSED"],
                "host_id": None,
            },
        }

    def getBuild(self, build):
        return BUILD

    def getUser(self, user):
        return {"name": "al" if user == 3 else "bo"}

    def getTag(self, tag):
        return {"name": f"tag-{tag}"}

    def getTaskInfo(self, task):
        if task == TASK:
            return {"id": TASK, "owner": 4}
        return {"id": task, **self.tasks[task]} if task in self.tasks else None

    def getHost(self, host):
        return {"name": "builder1"}

    def getTaskResult(self, task):
        if task == 12:
            return {"rpms": []}
        raise koji.BuildError("error building package (arch x86_64)")

    def listTaskOutput(self, task, all_volumes):
        if task == 10:
            return {}
        files = ["build.log", "hello-1-2.src.rpm", f"hello-1-2.{self.tasks[task]['label']}.rpm", "reproduce.sh"]
        return {name: ["DEFAULT"] for name in files}

    def getTaskRequest(self, task):
        return ["a.src.rpm", "t"] if task == 10 else ["a.src.rpm", 2, self.tasks[task]["label"], True, {}]

    def getTaskChildren(self, task):
        return [{"id": 11}, {"id": 12}] if task == 10 else []

    def getChangelogEntries(self, build, queryOpts):
        date = koji.util.datetime.datetime(2023, 11, 14)
        return [{"date": date, "date_ts": 1700000000, "author": "Al - 1-2", "text": "- First"}]


def tag_scene(tmp_path, server, *params, **options):
    return Scene(tmp_path, TagNotificationTask, Hub(), *params, smtphost=server.address, from_addr=SENDER, **options)


def build_scene(tmp_path, server, build, hub=None, target=None):
    """Make a buildNotification."""
    params = (PEOPLE, build, target, "http://web")
    return Scene(tmp_path, BuildNotificationTask, hub or Hub(), *params, smtphost=server.address, from_addr=SENDER)


def test_tagged(tmp_path):
    """The mail says what, where and by whom; the result says who was told."""
    with SMTPServer() as server:
        result = tag_scene(tmp_path, server, PEOPLE, True, 1, None, 7, 3).run()
    assert result == f"sent notification of tag operation {TASK} to: al@example.com, bo@example.com"
    (mail,) = server.mails
    assert (mail.sender, mail.recipients, mail.login) == ("koji@example.com", tuple(PEOPLE), None)
    assert mail.data.decode() == (
        "From: Koji <koji@example.com>\r\n"
        "Subject: hello-1-2 successfully tagged into tag-1 by al\r\n"
        "To: al@example.com, bo@example.com\r\n"
        "X-Koji-Package: hello\r\n"
        "X-Koji-NVR: hello-1-2\r\n"
        "X-Koji-Draft: False\r\n"
        "X-Koji-User: al\r\n"
        "X-Koji-Status: complete\r\n"
        "X-Koji-Tag: tag-1\r\n"
        "\r\n"
        "Package: hello\r\n"
        "NVR: hello-1-2\r\n"
        "User: al\r\n"
        "Status: complete\r\n"
        "Tag Operation: tagged\r\nInto Tag: tag-1\r\n\r\n"
        "hello-1-2 successfully tagged into tag-1 by al\r\n"
        "\r\n"
    )


def test_failed_move(tmp_path):
    """A failure is told with its error."""
    with SMTPServer() as server:
        tag_scene(tmp_path, server, PEOPLE, False, 1, 2, 7, 3, True, "<class 'koji.TagError'>: blocked").run()
    text = server.mails[0].data.decode()
    assert "Subject: hello-1-2 unsuccessfully moved from tag-2 into tag-1 by al\r\n" in text
    assert "X-Koji-Tag: tag-2\r\nX-Koji-Tag: tag-1\r\n" in text
    assert "Operation failed with the error:\r\n    <class 'koji.TagError'>: blocked\r\n" in text


@pytest.mark.parametrize(
    ("places", "phrase"),
    [(("a", None), "untagged from a"), ((None, "b"), "tagged into b"), (("a", "b"), "moved from a into b")],
)
def test_words_of_an_operation(places, phrase):
    """Tags that are named tell what was done."""
    assert operation(*places).phrase == phrase


@pytest.mark.parametrize("params", [([], True, 1, None, 7, 3), (PEOPLE, True, 1, None, 7, 3, True)])
def test_nobody_to_tell(tmp_path, params):
    """Without recipients, or for a success that nobody wants to hear of, no server is needed."""
    scene = Scene(tmp_path, TagNotificationTask, Hub(), *params, smtphost="127.0.0.1:1")
    assert scene.run() is None
    assert scene.session.calls == []


def test_failed_build(tmp_path):
    """The mail lists tasks by state, with hosts and links, and quotes the fault."""
    target = {"dest_tag_name": "t"}
    with SMTPServer() as server:
        result = build_scene(tmp_path, server, BUILD, target=target).run()
    assert result == "sent notification of build 7 to: al@example.com, bo@example.com"
    text = server.mails[0].data.decode()
    assert "Subject: Package: hello-1-2 Tag: t Status: failed Built by: al\r\n" in text
    assert "hello-1-2 (7) failed on builder1 (noarch), builder1 (x86_64):\r\n  BuildError: error building" in text
    assert "SRPMS:\r\n  hello-1-2.src.rpm\r\n\r\nFailed tasks:\r\n-------------\r\n\r\nTask 10 on builder1\r\n" in text
    assert (
        "Task 12\r\nTask Type: buildArch (a.src.rpm, noarch)\r\n"
        "logs:\r\n http://web/getfile?taskID=12&name=build.log&volume=DEFAULT\r\n"
        "rpms:\r\n http://hub.example.com/kojifiles/packages/hello/1/2/noarch/hello-1-2.noarch.rpm\r\n"
        "misc:\r\n http://web/getfile?taskID=12&name=reproduce.sh&volume=DEFAULT\r\n\r\n"
    ) in text
    assert "Changelog:\r\n* Tue Nov 14 2023 Al - 1-2\r\n- First\r\n" in text
    assert text.endswith("Build Info: http://web/buildinfo?buildID=7\r\n")


def test_cancelled_build(tmp_path):
    """Whoever cancelled the build owns the notification."""
    with SMTPServer() as server:
        build_scene(tmp_path, server, {**BUILD, "state": koji.BUILD_STATES["CANCELED"]}).run()
    text = server.mails[0].data.decode()
    assert "Status: canceled\r\nCanceled by: bo\r\n" in text
    assert "X-Koji-Tag: None\r\n" in text


def test_mail_holds_no_second_header():
    """An address with an end of line in it begins no header of its own."""
    hostile = ["a@example.com", "b\r\nBcc: x@example.com"]
    text = tag_message(BUILD, "al", operation(None, "t"), from_addr=SENDER, recipients=hostile, failure=None)
    assert "\r\nBcc:" not in text


def test_login(tmp_path):
    """User and password of kojid.conf are used if both are there."""
    with SMTPServer(logins={"koji": "secret"}) as server:
        scene = tag_scene(tmp_path, server, PEOPLE, True, 1, None, 7, 3, smtp_user="koji", smtp_pass="secret")
        scene.run()
    assert server.mails[0].login == ("koji", "secret")


def test_wrong_password(tmp_path):
    """The error names the server and what it said, not the password."""
    with SMTPServer(logins={"koji": "secret"}) as server:
        scene = tag_scene(tmp_path, server, PEOPLE, True, 1, None, 7, 3, smtp_user="koji", smtp_pass="wrong-one")
        with pytest.raises(MailError, match=f"mail server {server.address} did not take") as caught:
            scene.run()
    assert "535" in str(caught.value)
    assert "wrong-one" not in str(caught.value)


def test_some_recipients_are_refused(tmp_path):
    """The others get the mail; the task succeeds, as under kojid."""
    with SMTPServer(refused=frozenset(PEOPLE[:1])) as server:
        tag_scene(tmp_path, server, PEOPLE, True, 1, None, 7, 3).run()
    assert server.mails[0].recipients == ("bo@example.com",)


def test_all_recipients_are_refused(tmp_path):
    """Nobody was told: the task fails."""
    with SMTPServer(refused=frozenset(PEOPLE)) as server, pytest.raises(MailError, match="no such user"):
        tag_scene(tmp_path, server, PEOPLE, True, 1, None, 7, 3).run()
    assert server.mails == []


def test_no_server(tmp_path):
    """A server that does not answer is named with the option that names it."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
        scene = Scene(tmp_path, TagNotificationTask, Hub(), PEOPLE, True, 1, None, 7, 3, smtphost=host)
        with pytest.raises(MailError, match="Check smtphost"):
            scene.run()


def test_adopted_notification_is_sent(tmp_path):
    """A daemon that dies before the mail leaves it to the next one."""
    with SMTPServer() as server:
        scene = tag_scene(tmp_path, server, PEOPLE, True, 1, None, 7, 3)
        with pytest.raises((Killed, Interrupted)):
            scene.run(die_before="getTag")
        scene.run()
    assert len(server.mails) == 1
