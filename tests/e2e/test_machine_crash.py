"""The machine goes down before a prepared image is on its disk: the image is not used, and made anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.farm import Farm
from tests.support.farm_fixtures import MakeFarm


def _prepared(farm: Farm, source: Path) -> Any:
    """Build a package; the prepared image that its root came from, None if it was installed."""
    task = farm.build_arch(source)
    farm.closed(task)
    return json.loads(farm.output(task, "adjutant-env.json"))["images"]["prepared"]


def _record(farm: Farm) -> dict[str, Any]:
    """What is noted of the one prepared image, empty while there is none."""
    found = [json.loads(path.read_text()) for path in farm.directory.glob("state/prepared-records/*[!w]")]
    return dict(found[0]) if found else {}


def test_prepared_image_after_a_crash(make_farm: MakeFarm, samples: Mapping[str, Path]) -> None:
    """After a restart of the daemon the image is used; after one of the machine, which is told by its boot id, it is not."""
    farm = make_farm()
    farm.start()
    assert _prepared(farm, samples["noarch-data"]) is None
    farm.prepared()
    farm.stop()
    farm.start()
    assert _prepared(farm, samples["noarch-data"]) is not None
    farm.stop()
    first = _record(farm)
    (path,) = farm.directory.glob("state/prepared-records/*")
    path.write_text(json.dumps(first | {"boot": "that of the run before"}))
    farm.start()
    assert _prepared(farm, samples["noarch-data"]) is None
    farm.until(lambda: _record(farm).get("id") not in {None, first["id"]}, "the new image")
    assert _prepared(farm, samples["noarch-data"]) is not None
