"""A task whose handler is a plugin's: it runs in a process of its own, and what it says goes to the hub from here."""

from __future__ import annotations

from typing import Any

import koji.tasks

from koji_adjutant.errors import TaskCancelled
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.plugin_process import PluginProcess
from koji_adjutant.tasks.plugins import PluginHandler, PluginSet, result_of


class PluginTask(ThreadedTask):
    """Base of the classes that `plugin_handlers` makes."""

    plugins: PluginSet

    def run(self) -> Any:
        """Run the plugin's handler to its end.

        A plugin knows nothing of adoption: a task that another daemon has begun is given back and begun anew, which is
        what a restart of kojid does to every task.
        """
        if self.context.adopted:
            raise koji.tasks.ServerRestart
        session = self.context.new_session()
        try:
            request = self.plugins.request("task", session, self.options, task_id=self.id)
            process = PluginProcess(request, what=f"{self.method} {self.id}")
            interruption = self.context.interruption
            reply = process.end(interruption.event, interruption.error, self.context.wake)
        finally:
            # The child logs the session out, or it dies with the daemon's.
            session.rsession.close()
        if reply["kind"] == "unfit":
            # Hard, as kojid refuses before it opens a task: this host is not asked again.
            self.session.host.refuseTask(self.id, soft=False, msg=reply["text"])
            raise TaskCancelled(f"refused: {reply['text']}")
        if reply["kind"] == "refuse":
            raise koji.tasks.RefuseTask(reply["text"])
        return result_of(reply)


def plugin_handlers(plugins: PluginSet) -> list[type[PluginTask]]:
    """Return a handler class for each of the plugins'."""
    return [_made(plugins, handler) for handler in plugins.handlers]


def _made(plugins: PluginSet, handler: PluginHandler) -> type[PluginTask]:
    members = {"Methods": list(handler.methods), "_taskWeight": handler.weight, "plugins": plugins}
    return type(handler.name, (PluginTask,), members)
