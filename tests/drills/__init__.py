"""Drills: break a part of the running system under load, measure, judge. Each is a module with NAME, ABOUT and run()."""
