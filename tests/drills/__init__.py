"""Drills: break a part of the running system under load, measure, judge. What they share is in drill.py."""
from . import balancer, flap, hang_app, hang_kill_app, instances, kill_all_apps, kill_app, queue, rolling_restart, stores

# What docs/zero-drop.md tells of: the instances'.
INSTANCES = {drill.NAME: drill for drill in (kill_app, hang_app, hang_kill_app, rolling_restart, kill_all_apps, flap)}
STORES = {drill.NAME: drill for drill in (*stores.ALL, *queue.ALL, *balancer.ALL)}
# Those that a report can be made of, as they are for that; the last one needs a system of its own.
REPORTED = {**{drill.NAME: drill for drill in instances.ALL}, **STORES, stores.FAIL_OVER.NAME: stores.FAIL_OVER}
ALL = {**INSTANCES, **STORES}
