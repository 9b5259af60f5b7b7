"""Drills: break a part of the running system under load, measure, judge. What they share is in drill.py."""
from . import flap, hang_app, hang_kill_app, kill_all_apps, kill_app, rolling_restart

ALL = {drill.NAME: drill for drill in (kill_app, hang_app, hang_kill_app, rolling_restart, kill_all_apps, flap)}
