"""ops/drill soak: its options, its system, its page."""
import json
import os

from bench.app_parts import precedence

from . import checker, sabotage, soak, soak_report
from .soak_schedule import schedule

NAME, ABOUT = soak.NAME, soak.ABOUT
SABOTAGE = sabotage.SOAK


def add_options(parser):
    group = parser.add_argument_group("of soak (beside --rate, --burst, --seed, --sabotage, --json, --report, --precedence)")
    group.add_argument("--minutes", type=float, default=soak.Options.minutes, help="how long (%(default)s)")
    group.add_argument("--dry-run", action="store_true", help="print what would be broken and when, of this seed and these minutes")
    group.add_argument("--page-of", metavar="FILE", help="no run: write docs/ops/soak.md of the figures that --json has left there")


def run(options, private_system, say):
    if options.page_of:
        with open(options.page_of) as kept:
            say(soak_report.write(json.loads(kept.readlines()[-1])))
        return 0
    if options.dry_run:
        if options.seed is None:
            say("--dry-run wants a --seed")
            return 1
        for fault in schedule(options.seed, options.minutes * 60):
            say(fault.line())
        return 0
    if options.sabotage in checker.SABOTAGE:
        say(f"--sabotage {options.sabotage} is the checker's; the soak's: {', '.join(SABOTAGE)}")
        return 1
    chosen = soak.Options(options.minutes, options.rate, options.burst, options.links or soak.Options.links, options.seed,
                          (options.sabotage,) if options.sabotage else ())
    # With production's durability and time-outs: what is measured is to be published.
    with private_system(is_durable=True, is_patient=False) as stack, precedence([os.getpid()], options.precedence):
        figures = soak.run(stack, chosen, say=lambda text: say("  " + text))
    soak.show(figures, say)
    if options.json:
        with open(options.json, "a") as out:
            out.write(json.dumps(figures) + "\n")
    if options.report:
        say("  " + os.path.relpath(soak_report.write(figures)))
    return 0 if figures["held"] else 1
