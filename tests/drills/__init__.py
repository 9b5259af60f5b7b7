"""Drills: break a part of the running system under load, measure, judge. What they share is in drill.py."""
from . import flap, hang_app, hang_kill_app, kill_all_apps, kill_app, rolling_restart, stores

# What docs/zero-drop.md tells of: the instances'.
INSTANCES = {drill.NAME: drill for drill in (kill_app, hang_app, hang_kill_app, rolling_restart, kill_all_apps, flap)}
STORES = {drill.NAME: drill for drill in stores.ALL}
# Those that a report can be made of; the last one needs a system of its own.
REPORTED = {**STORES, stores.FAIL_OVER.NAME: stores.FAIL_OVER}
ALL = {**INSTANCES, **STORES}
