"""One object per host identity: adopts, takes, wakes, cancels and gives back tasks (design section 8; contract 2).

`run` is the main loop. Everything slow happens in other threads: tasks, check-in, sweep, cancels. The hub is asked by the
main loop's own session only.
"""

from __future__ import annotations

from typing import Any

import koji.tasks
import structlog

from koji_adjutant.errors import ContainerError, DaemonStopping
from koji_adjutant.manager.foreground import run_foreground
from koji_adjutant.manager.loop_errors import Reaction, gives_up, rule_for
from koji_adjutant.manager.open_tasks import Comparison, Fate, OpenTask, compare, fate_of
from koji_adjutant.manager.pacing import Schedule, back_off
from koji_adjutant.manager.parts import LoopEnd, Parts
from koji_adjutant.manager.readiness import HostState, Look, Readiness, judge
from koji_adjutant.manager.running import RunningTask
from koji_adjutant.manager.self_assign import SelfAssigner
from koji_adjutant.manager.take import SURVIVABLE, TaskTaker

log = structlog.get_logger(__name__)

LINGER_LIMIT = 60.0
"""Seconds a task's thread may go on after the hub shows the task as ended."""


class HostManager:
    """The main loop. `request_*` may be called by any thread; `restart_pending` and `start_ts` are koji's names."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._taker = TaskTaker(parts.starter, lambda handler: run_foreground(handler, self, parts.session))
        self._self_assigner = SelfAssigner(
            parts.starter, self._taker, lambda: parts.starter.settings().config.self_assign == "auto"
        )
        self.start_ts = parts.starter.identity.session_start_ts
        self.restart_pending = False
        """Take no more tasks and restart when none runs (SIGUSR1, the `restart` task)."""
        self.draining = False
        """Take no more tasks and stop when none runs."""
        self.adopted = False
        self.load = 0.0
        self.look: Look | None = None
        """What readiness was last judged by."""
        self._stop_requested = False
        self._fatal: BaseException | None = None
        self._schedule = Schedule.start(parts.clock.monotonic(), parts.pace())
        self._failures = 0

    def run(self) -> LoopEnd:
        """Pass until something ends the loop. Tasks still run then; `stopping` decides what becomes of them."""
        self._parts.check_in.start()
        while True:
            pause = self._guarded_pass()
            if isinstance(pause, LoopEnd):
                log.warning("loop.ended", reaction=pause.reaction.value, reason=pause.text)
                return pause
            self._parts.clock.wait(self._parts.wake, pause)
            self._parts.wake.clear()

    def request_stop(self) -> None:
        """End the loop at once; a hub call under way is interrupted."""
        self._stop_requested = True
        self._parts.session.interrupt.set()
        self._parts.wake.set()

    def request_drain(self) -> None:
        """Take nothing more and end the loop when no task runs."""
        self.draining = True
        self.hasten()

    def request_restart(self) -> None:
        """Take nothing more and restart when no task runs."""
        log.warning("daemon.restart_pending")
        self.restart_pending = True
        self.hasten()

    def report_fatal(self, error: BaseException) -> None:
        """Another thread met what ends the daemon (the session is lost)."""
        self._fatal = error
        self._parts.session.interrupt.set()
        self._parts.wake.set()

    def hasten(self) -> None:
        """Look for tasks, and judge whether this host is ready, at once."""
        self._schedule = Schedule.start(self._parts.clock.monotonic(), self._parts.pace())
        self._parts.wake.set()

    def _guarded_pass(self) -> LoopEnd | float:
        """Make one pass; return the seconds until the next, or why there is none (the table is in `loop_errors`)."""
        try:
            self._pass()
        except BaseException as error:  # noqa: BLE001 - top of the loop: what ends it is a table
            return self._react(self._fatal or error)
        self._failures = 0
        return max(0.0, self._schedule.next_due(len(self._parts.table)) - self._parts.clock.monotonic())

    def _react(self, error: BaseException) -> LoopEnd | float:
        rule = rule_for(error)
        self._failures += 1
        if rule.reaction in {Reaction.STOP, Reaction.RESTART}:
            return LoopEnd(rule.reaction, rule.text, by_task=isinstance(error, koji.tasks.ServerExit))
        if gives_up(rule, self._failures):
            return LoopEnd(Reaction.ABANDON, rule.text, error)
        unforeseen = error if rule.reaction is Reaction.UNFORESEEN else None
        log.error("loop.pass_failed", text=rule.text, error=str(error), failures=self._failures, exc_info=unforeseen)
        self._parts.check_in.passed()
        return back_off(self._failures)

    def _pass(self) -> None:
        parts = self._parts
        self._raise_requests()
        if not self.adopted:
            self._adopt()
        self._reap()
        if self._self_assigner.news():
            self.hasten()
        now = parts.clock.monotonic()
        if now >= self._schedule.next_due(len(parts.table)):
            self._update_tasks()
            self._raise_if_drained()
            if now >= self._schedule.tasks_due:
                taken = self._next_task()
                now = parts.clock.monotonic()
                self._schedule = self._schedule.after_tasks(now, parts.pace(), taken=taken, running=len(parts.table))
        parts.check_in.passed()

    def _raise_requests(self) -> None:
        if self._fatal is not None:
            raise self._fatal
        if self._stop_requested:
            raise DaemonStopping("the daemon was asked to stop")

    def _adopt(self) -> None:
        self._parts.adopter.adopt()
        self.adopted = True
        self._parts.sweeper.start()
        self._parts.on_adopted()

    def _reap(self) -> None:
        for task in self._parts.table.reap():
            log.info("task.reaped", task_id=task.task_id)
            # Room for another one, and perhaps a parent to wake.
            self.hasten()

    def _update_tasks(self) -> None:
        """Compare the hub's open tasks with ours: wake, cancel, give back (contract 2.10)."""
        parts = self._parts
        rows = [OpenTask.from_row(row) for row in parts.session.host.getHostTasks()]
        found = compare(rows, parts.table.ids())
        self.load = found.load
        self._wake_parents(found)
        for task_id in found.vanished:
            task = parts.table.get(task_id)
            if task is not None and not task.ended.is_set():
                self._judge_vanished(task)
        if found.stale:
            self._give_back(found.stale)
        self._schedule = self._schedule.after_host_tasks(parts.clock.monotonic(), parts.pace())

    def _wake_parents(self, found: Comparison) -> None:
        for task_id in found.wake:
            task = self._parts.table.get(task_id)
            if task is not None:
                log.debug("task.woken", task_id=task_id)
                task.context.wake.set()

    def _judge_vanished(self, task: RunningTask) -> None:
        parts = self._parts
        fate = fate_of(parts.session.getTaskInfo(task.task_id), parts.starter.identity.host_id)
        if fate in {Fate.CANCELED, Fate.REASSIGNED}:
            parts.canceller.cancel(task, f"the hub says that task {task.task_id} is {fate.value}")
        elif fate is Fate.ENDED:
            now = parts.clock.monotonic()
            task.ended_at_hub_since = task.ended_at_hub_since or now
            if now - task.ended_at_hub_since > LINGER_LIMIT:
                parts.canceller.cancel(task, f"task {task.task_id} has ended at the hub")

    def _give_back(self, stale: tuple[int, ...]) -> None:
        """Free tasks that are open for us and that nobody runs; what they left goes first."""
        parts = self._parts
        try:
            containers = parts.containers.all()
        except ContainerError as error:
            # Nobody may begin anew beside what still runs. The pass goes on: the hub must hear that we are not ready.
            log.warning("task.stale_kept", task_ids=list(stale), error=str(error))
            return
        log.warning("task.stale_freed", task_ids=list(stale))
        parts.containers.remove(c for c in containers if c.task_id in stale)
        for task_id in stale:
            parts.starter.directories.remove(task_id)
        parts.session.host.freeTasks(list(stale))

    def _raise_if_drained(self) -> None:
        running = self._parts.table.all()
        # Whoever only waits for children goes on in the next daemon. Waited for, they might wait for ever: their children
        # may have no other host than this one, which takes nothing more.
        if not all(task.context.awaited for task in running):
            return
        if self.restart_pending:
            raise koji.tasks.ServerRestart
        if self.draining:
            raise DaemonStopping("all tasks have ended, or wait for children")

    def _next_task(self) -> bool:
        """Take at most one task; return whether one was taken (contract 2.1, steps 3 to 6)."""
        parts = self._parts
        host = parts.session.host.getHost()
        readiness = self._readiness(host)
        parts.check_in.publish(readiness, self.load)
        if readiness.disk_short:
            parts.sweeper.hasten()
        if not readiness.ready:
            return False
        return self._take_first(parts.session.host.getTasks(), host) or self._self_assigner.take_one(host, self.load)

    def _readiness(self, host: dict[str, Any]) -> Readiness:
        state = HostState(
            enabled=bool(host["enabled"]),
            capacity=float(host["capacity"]),
            task_load=self.load,
            open_tasks=len(self._parts.table),
            restart_pending=self.restart_pending,
            stopping=self.draining,
            drained=self._parts.drain.sentence,
        )
        machine = self._parts.observe()
        self.look = Look(state, machine, str(host.get("arches") or ""), self._parts.clock.time())
        return judge(state, machine, self._parts.limits)

    def _take_first(self, rows: list[dict[str, Any]], host: dict[str, Any]) -> bool:
        """Take the first row that can be taken; one that makes trouble does not keep the others waiting."""
        trouble: BaseException | None = None
        for row in rows:
            try:
                if self._taker.take(row, host):
                    return True
            except SURVIVABLE as error:
                if rule_for(error).reaction is not Reaction.SURVIVE:
                    raise
                log.warning("task.not_taken", task_id=row["id"], error=str(error))
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        return False
