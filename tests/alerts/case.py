"""How one alarm is tried; see cases.py."""
import dataclasses


@dataclasses.dataclass
class Case:
    fires: dict  # series: values
    silent: list  # of such
    summary: str
    labels: dict = dataclasses.field(default_factory=dict)  # beside alertname and severity
    at: str = "40s"
    silent_at: str = "4m"
    step: str = "5s"
