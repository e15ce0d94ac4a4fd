"""Looks at what may take its time (disks, the runtime's images) in a thread of its own, so that nobody who asks waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from koji_adjutant.buildroot.prepared import PreparedImage
from koji_adjutant.errors import ContainerError
from koji_adjutant.manager.readiness import Machine

log = structlog.get_logger(__name__)

MACHINE_SECONDS = 5.0
IMAGES_SECONDS = 60.0
"""How old what is shown may be."""


class Survey:
    """The last findings, read by anybody. `start` and `stop` are the daemon's."""

    def __init__(
        self,
        machine: Callable[[], Machine],
        images: Callable[[], Sequence[PreparedImage]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_at_machine = machine
        self._list_images = images
        self._clock = clock
        self._halted = threading.Event()
        self._images_due = 0.0
        self.machine = Machine()
        self.images: tuple[PreparedImage, ...] = ()
        self.images_problem = ""

    def start(self) -> None:
        """Look now and then from now on."""
        threading.Thread(target=self._run, name="survey", daemon=True).start()

    def stop(self) -> None:
        """Look no more; a look under way is not waited for."""
        self._halted.set()

    def look(self) -> None:
        """Look at the machine, and at the images if they are due."""
        self.machine = self._look_at_machine()
        if self._clock() < self._images_due:
            return
        self._images_due = self._clock() + IMAGES_SECONDS
        try:
            self.images, self.images_problem = tuple(self._list_images()), ""
        except ContainerError as error:
            self.images_problem = error.brief

    def _run(self) -> None:
        while not self._halted.is_set():
            try:
                self.look()
            except Exception as error:  # top of the thread
                log.exception("survey.failed", error=str(error))
            self._halted.wait(MACHINE_SECONDS)
