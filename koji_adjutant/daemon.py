"""The daemon: kojid's place in a Koji site. Composition root; order, texts and exit codes of contract 1.2 and 1.8."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog

from koji_adjutant.config.adjutant import load_adjutant_config
from koji_adjutant.config.kojid_cli import ensure_workdir, load_kojid_options
from koji_adjutant.config.kojid_options import KojidOptions, log_levels
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.factory import create_container_manager
from koji_adjutant.container.interface import ImageKeeper
from koji_adjutant.control.start import start_control
from koji_adjutant.errors import AdjutantError, ConfigurationError, SessionLost
from koji_adjutant.hub.identity import HostIdentity, identify
from koji_adjutant.logs import KOJID_LOG_FILE, configure_logging
from koji_adjutant.manager.assembly import Supplies, assemble
from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.loop_errors import Reaction
from koji_adjutant.manager.notify import ServiceNotifier
from koji_adjutant.manager.parts import LoopEnd, Parts
from koji_adjutant.manager.process import apply_rlimits, exec_successor, go_to_background, set_topdir
from koji_adjutant.manager.reload import LiveSettings
from koji_adjutant.manager.service_state import ServiceState, ServiceView
from koji_adjutant.manager.sign_in import Login, sign_in
from koji_adjutant.manager.signals import SignalThread
from koji_adjutant.manager.stopping import StopMode, stop, stop_mode
from koji_adjutant.monitoring.measured_runtime import measured
from koji_adjutant.monitoring.start import count_call, observe, start_monitoring
from koji_adjutant.tasks.plugin_task import plugin_handlers
from koji_adjutant.tasks.plugins import load_plugins
from koji_adjutant.tasks.registry import handler_table
from koji_adjutant.tasks.shared import SharedServices
from koji_adjutant.tracing import start_tracing

log = structlog.get_logger("koji_adjutant.daemon")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon and return its exit code; `argv` is the command line without the program's name."""
    configure_logging(log_file=KOJID_LOG_FILE)
    try:
        options = load_kojid_options(sys.argv[1:] if argv is None else argv)
        config = load_adjutant_config(os.environ)
        return _start(options, config)
    except AdjutantError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _start(options: KojidOptions, config: AdjutantConfig) -> int:
    """Do what kojid does before its loop, in its order (contract 1.2, steps 3 to 9)."""
    set_topdir(options.topdir)
    ensure_workdir(options)
    set_up_logs(options, config)
    for warning in options.warnings:
        log.warning("config.obsolete_option", text=warning)
    login = sign_in(options, config, count_call)
    if options.foreground and options.skip_main:
        login.session.close()
        return 0
    if not options.foreground:
        go_to_background()
    log.info("daemon.starting", stop=config.stop, runtime=config.runtime)
    apply_rlimits(options.rlimits)
    return _Daemon(config, login).run()


def set_up_logs(options: KojidOptions, config: AdjutantConfig) -> None:
    """Log as kojid does: its file beside stderr, its levels, mail for errors."""
    configure_logging(
        config.log_format, log_levels(options), log_file=KOJID_LOG_FILE, admin_emails=options.admin_emails
    )


class _Daemon:
    """What lives as long as the process: settings, runtime, manager, signals."""

    def __init__(self, config: AdjutantConfig, login: Login) -> None:
        self._settings = LiveSettings(login.options, config)
        self._login = login
        self._notifier = ServiceNotifier()

    def run(self) -> int:
        """Adopt, take tasks until told to end, end; return the exit code. A failed start gives the lock back."""
        try:
            identity = identify(self._login.session, self._settings().options)
            self._login.check(identity)
            runtime = self._runtime(identity)
            manager, parts = self._assemble(identity, runtime)
            section = self._settings().config.monitoring
            stop_tracing = start_tracing(section.traces, identity.host_name)
            observer = observe(manager, parts)
            monitoring = start_monitoring(section, observer)
            control = start_control(self._settings().config, observer.view, manager, parts)
        except AdjutantError as error:
            self._login.session.close()
            self._login.leave(logged_out=True)
            if not self._settings().options.foreground:
                log.exception("daemon.not_started", error=str(error))  # nobody reads stderr any more
            raise
        signals = self._take_signals(manager)
        self._login.tell(manager.report_fatal)
        try:
            end = manager.run()
            tell = self._notifier.restarting if end.reaction is Reaction.RESTART else self._notifier.stopping
            tell(end.text)
            return self._finish(end, parts)
        finally:
            for server in (control, monitoring):
                if server is not None:
                    server.stop()
            observer.survey.stop()
            signals.close()
            runtime.close()
            stop_tracing()

    def _runtime(self, identity: HostIdentity) -> ImageKeeper:
        settings = self._settings()
        runtime = create_container_manager(
            settings.config,
            topdir=settings.options.topdir,
            worker=identity.worker_label,
            epoch=self._login.epoch,
        )
        health = runtime.health_check()
        for problem in health.problems:
            log.warning("runtime.problem", problem=problem)
        log.info("runtime.found", runtime=health.runtime, version=health.version, rootless=health.rootless)
        return measured(runtime)

    def _assemble(self, identity: HostIdentity, runtime: ImageKeeper) -> tuple[HostManager, Parts]:
        settings = self._settings()
        plugins = load_plugins(settings.options.plugin, settings.options.pluginpath)
        plugins.register_callbacks(settings.options)
        state_dir = Path(settings.config.state_dir)
        _make_directory(state_dir)
        service = ServiceState(self._notifier, identity.host_name, lambda: _look(manager, parts))
        self._login.session.on_retry = service.waiting_for_hub
        manager, parts = assemble(
            Supplies(
                session=self._login.session,
                identity=identity,
                settings=self._settings,
                handlers=handler_table(
                    plugin_handlers(plugins), privileged_images=settings.config.privileged_images == "on"
                ),
                runtime=runtime,
                shared=SharedServices.create(settings.options, settings.config, runtime),
                disk_paths=(state_dir, Path(settings.options.workdir)),
                local=settings.config.runtime != "kubernetes",
                on_check_in=service.checked_in,
                on_pass=service.passed,
            )
        )
        return manager, parts

    def _take_signals(self, manager: HostManager) -> SignalThread:
        # A watchdog that has had enough sends SIGABRT: where each thread stood then goes to stderr.
        faulthandler.enable()
        asked = threading.Event()

        def terminate() -> None:
            if self._settings().config.stop == "drain" and not asked.is_set():
                asked.set()
                manager.request_drain()
            else:
                # A second signal does not wait for the tasks: they go on, and the next daemon adopts them.
                manager.request_stop()

        signals = SignalThread(
            {
                signal.SIGTERM: terminate,
                signal.SIGINT: terminate,
                signal.SIGUSR1: manager.request_restart,
                signal.SIGHUP: self._reload,
            }
        )
        signals.install()
        return signals

    def _reload(self) -> None:
        self._settings.reload(lambda settings: set_up_logs(settings.options, settings.config))

    def _finish(self, end: LoopEnd, parts: Parts) -> int:
        mode = stop_mode(end, self._settings().config.stop)
        logged_out = stop(parts, mode)
        if end.reaction is Reaction.RESTART:
            exec_successor(locked=not logged_out)
        # A session that another took is not ours to close, and its name not to be fought for.
        self._login.leave(logged_out=logged_out or mode is StopMode.ABANDON)
        if end.error is None:
            return 0
        if isinstance(end.error, AdjutantError):
            sys.stderr.write(f"{end.error}\n")
        log.error("daemon.failed", reason=end.text, exc_info=None if isinstance(end.error, SessionLost) else end.error)
        return 1


def _look(manager: HostManager, parts: Parts) -> ServiceView:
    """Look at the daemon as the service manager shows it."""
    running = parts.table.all()
    return ServiceView(
        said=parts.check_in.said,
        running=len(running),
        waiting=sum(1 for task in running if task.context.awaited),
        adopted=manager.adopted,
        ending=manager.draining or manager.restart_pending,
    )


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"state_dir {path} cannot be made: {error.strerror}",
            resolution="Set state_dir in adjutant.yaml to a directory the daemon may write.",
        ) from error


if __name__ == "__main__":
    sys.exit(main())
