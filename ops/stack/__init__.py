"""The parts of the system as processes on this machine: used by ops/ and by the tests. Standard library only."""
