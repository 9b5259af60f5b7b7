"""Each alarm of config/alerts.yml: series that make it fire, the text that it fires with, and series that must not.

A series has a sample every 5 s, in promtool's notation (a+bxN); rows of `silent` are what comes nearest to the fault
without being one. `at` is when it must fire at the latest: the fault is there from the beginning.
"""
from .case import Case


def counts(*pairs):
    """Counters that grow by so much a sample, for long enough."""
    return {series: f"0+{growth}x200" for series, growth in pairs}


def redis(*values):
    return {f'shortener_dependency_up{{job="shortener",instance="app{i + 1}",dependency="redis"}}': value
            for i, value in enumerate(values)}


def dependency(name, *values):
    return {series.replace('"redis"', f'"{name}"'): value for series, value in redis(*values).items()}


def requests(good, bad, cut=0):
    return counts(('lb_requests_started_total{pool="p"}', good + bad + cut), ('lb_requests_total{pool="p",code="302"}', good),
                  ('lb_requests_total{pool="p",code="503"}', bad),
                  ('lb_request_outcomes_total{pool="p",outcome="cut"}', cut))


def redirects(within, all_):
    return counts(('lb_request_duration_seconds_bucket{pool="p",code_class="3xx",le="0.05"}', within),
                  ('lb_request_duration_seconds_count{pool="p",code_class="3xx"}', all_),
                  # Others are not redirects: whatever they take.
                  ('lb_request_duration_seconds_bucket{pool="p",code_class="2xx",le="0.05"}', 0),
                  ('lb_request_duration_seconds_count{pool="p",code_class="2xx"}', 1000))


def lookups(tier, **results):
    return counts(*((f'shortener_lookup_total{{instance="app1",tier="{tier}",result="{result}"}}', growth)
                    for result, growth in results.items()))


def asked(database, redirect):
    return {**lookups("replica", hit=database), **lookups("primary", hit=0, skipped=1000),
            **counts(('shortener_http_requests_total{instance="app1",route="redirect",code="302"}', redirect))}


def reload_of(job, instance):
    return f'{job}_config_last_reload_successful{{job="{job}",instance="{instance}"}}'


def disk(free, fstype="ext4"):
    """Of 100."""
    labels = f'{{job="node",instance="here",mountpoint="/",fstype="{fstype}"}}'
    return {f"node_filesystem_avail_bytes{labels}": free, f"node_filesystem_size_bytes{labels}": "100x200"}


UP, DOWN = "1x100", "0x100"
BRIEF = "1x20 0x1 1x100"  # away for one scrape
APP1, APP2 = ('up{job="shortener",instance="app%d"}' % number for number in (1, 2))

CASES = {
    # 10 % fail. What is silent: a few of few, and 4 %.
    "ErrorsExtreme": Case(requests(450, 50), [requests(4, 1), requests(960, 40)], "10% of requests failed in the last minute.",
                          at="1m"),
    # Long windows in long steps.
    "ErrorBudgetFast": Case(requests(980, 20), [requests(99400, 600), requests(0.9, 0.02)], at="6m", silent_at="80m", step="1m",
                            summary="2% of requests failed in the last hour; the objective is 0.05%."),
    "ErrorBudgetMedium": Case(requests(9950, 25, cut=25), [requests(9975, 25), requests(0.9, 0.02)], at="35m", silent_at="7h", step="5m",
                              summary="0.5% of requests failed in the last 6 hours; the objective is 0.05%."),
    "ErrorBudgetSlow": Case(requests(9990, 10), [requests(9996, 4), requests(0.9, 0.02)], at="7h", silent_at="20h", step="10m",
                            summary="0.1% of requests failed in the last 3 days; the objective is 0.05%."),
    "RedirectsSlow": Case(redirects(980, 1000), [redirects(990, 1000)], at="6m",
                          summary="2% of redirects took over 50 ms in the last 5 minutes; the objective is 0.1%."),
    "LatencyBudgetMedium": Case(redirects(990, 1000), [redirects(995, 1000)], at="35m", silent_at="7h", step="5m",
                                summary="1% of redirects took over 50 ms in the last 6 hours; the objective is 0.1%."),
    "RedisDown": Case(redis(DOWN, DOWN), [redis(DOWN, UP), redis(BRIEF, BRIEF), {'shortener_dependency_up{job="shortener-worker",dependency="redis"}': DOWN}], "Redis is away for all 2 instances.", at="15s"),
    "RedisSlow": Case(lookups("redis", hit=60, timeout=20, skipped=20),
                      [lookups("redis", hit=90, timeout=5, skipped=5), {**lookups("redis", skipped=100), **redis(DOWN, DOWN)}],
                      "40% of what Redis was to be asked got no answer in time."),
    # Half of them ask; what is silent: a tenth, and half of a few.
    "CacheCold": Case(asked(500, 1000), [asked(100, 1000), asked(50, 100)], "50% of redirects had to ask a database."),
    "PrimaryDown": Case(dependency("primary", DOWN, DOWN), [dependency("primary", UP, DOWN)], at="15s",
                        summary="The primary is away for all 2 instances."),
    "ReplicaDown": Case({**dependency("replica1", DOWN, DOWN), **dependency("replica2", UP, UP)},
                        [dependency("replica", DOWN, UP)], "replica1 is away for all instances.",
                        {"dependency": "replica1"}, at="15s"),
    "NoDatabase": Case({**dependency("primary", DOWN, DOWN), **dependency("replica", DOWN, DOWN)},
                       [{**dependency("primary", DOWN, DOWN), **dependency("replica", DOWN, UP)},
                        {**dependency("primary", UP, DOWN), **dependency("replica", DOWN, DOWN)}],
                       "No instance can use any database.", at="15s"),
    "ReplicaLag": Case({'shortener_replica_lag_seconds{instance="app1",replica="replica"}': "12x100",
                        'shortener_replica_lag_seconds{instance="app2",replica="replica"}': "9x100"},
                       [{'shortener_replica_lag_seconds{instance="app1",replica="replica"}': "9x100"},
                        {'shortener_replica_lag_seconds{instance="app1",replica="replica"}': "0x20 12x1 0x100"}],
                       "replica is 12s behind the primary.", {"replica": "replica"}, at="15s"),
    "PrimaryFallbackSaturated": Case(counts(('shortener_primary_fallback_rejected_total{instance="app1"}', 10)),
                                     [counts(('shortener_primary_fallback_rejected_total{instance="app1"}', 0))],
                                     "2 look-ups a second were refused: the primary's budget for them is spent.", at="80s"),
    "FeedDown": Case({'shortener_invalidation_feed_up{instance="app1"}': DOWN, **dependency("primary", UP, UP)},
                     [{'shortener_invalidation_feed_up{instance="app1"}': DOWN, **dependency("primary", DOWN, DOWN)},
                      {'shortener_invalidation_feed_up{instance="app1"}': UP, **dependency("primary", UP, UP)}],
                     "app1 does not hear of changes, though the primary is there.", {"instance": "app1"}),
    "InstanceDown": Case({APP1: DOWN, APP2: UP}, [{APP1: UP}, {APP1: BRIEF}], "app1 does not answer.",
                         {"job": "shortener", "instance": "app1"}, at="15s"),
    "LbDown": Case({'up{job="lb",instance="lb"}': DOWN}, [{'up{job="lb",instance="lb"}': UP, APP1: DOWN}],
                   "lb's admin port does not answer.", {"job": "lb", "instance": "lb"}, at="15s"),
    "WorkerDown": Case({'up{job="shortener-worker",instance="w"}': DOWN},
                       [{'up{job="shortener-worker",instance="w"}': UP}, {APP1: DOWN}], "w does not answer.",
                       {"job": "shortener-worker", "instance": "w"}, at="20s"),
    "UpstreamEjected": Case({'lb_upstream_state{instance="lb",pool="p",upstream="app1",state="ejected"}': UP},
                            [{'lb_upstream_state{instance="lb",pool="p",upstream="app1",state="draining"}': UP},
                             {'lb_upstream_state{instance="lb",pool="p",upstream="app1",state="ejected"}': "0x20 1x1 0x100"}],
                            "lb sends nothing to app1 of p: it is ejected.",
                            {"pool": "p", "upstream": "app1", "state": "ejected"}, at="15s"),
    "NoHealthyUpstream": Case({'lb_upstream_up{pool="p",upstream="app1"}': DOWN, 'lb_upstream_up{pool="p",upstream="app2"}': DOWN,
                               'lb_upstream_up{pool="q",upstream="app3"}': UP},
                              [{'lb_upstream_up{pool="p",upstream="app1"}': DOWN, 'lb_upstream_up{pool="p",upstream="app2"}': UP}],
                              "No server of p can be used.", {"pool": "p"}, at="10s"),
    "RetryBudgetExhausted": Case(counts(('lb_retries_delayed_total{pool="p"}', 10)), [counts(('lb_retries_delayed_total{pool="p"}', 0))],
                                 "2 retries a second wait for the retry budget of p.", {"pool": "p"}, at="80s"),
    "RequestsCut": Case(requests(100, 0, cut=1), [requests(100, 5)], "12 responses of p ended before they were whole.",
                        {"pool": "p"}, at="2m"),
    "LedgerImbalance": Case({'lb_ledger_imbalance{pool="p"}': "-3x100"}, [{'lb_ledger_imbalance{pool="p"}': "0x100"},
                                                                         {'lb_ledger_imbalance{pool="p"}': "0x20 1x1 0x100"}],
                            "lb's account of p is 3 requests off.", {"pool": "p"}),
    "ConfigReloadFailed": Case({reload_of("lb", "lb"): DOWN},
                               [{reload_of("lb", "lb"): UP, reload_of("prometheus", "prometheus"): BRIEF}],
                               "lb lb has refused its configuration, and goes on with the one before.",
                               labels={"job": "lb", "instance": "lb"}),
    # Nearly full; what is silent: half full and steady, growing slowly, a burst that nobody has watched for half an hour, a file
    # system in memory.
    "DiskFilling": Case(disk("9x200"), [disk("50x200"), disk("50-0.001x200"), disk("49-0.1x200"), disk("1x200", fstype="tmpfs")],
                        "/ of here is nearly full, or will be within 4 hours.",
                        labels={"job": "node", "instance": "here", "mountpoint": "/", "fstype": "ext4"}),
    "DescriptorsLow": Case({'process_open_fds{job="lb",instance="lb"}': "900x100", 'process_max_fds{job="lb",instance="lb"}': "1000x100"},
                           [{'process_open_fds{job="lb",instance="lb"}': "700x100", 'process_max_fds{job="lb",instance="lb"}': "1000x100"}],
                           "lb has 90% of its file descriptors open.", {"job": "lb", "instance": "lb"}),
    "MonitoringBlind": Case({APP1: DOWN}, [{'shortener_build_info{job="shortener",instance="app1"}': UP}], labels={"job": "shortener"}, at="20s",
                            summary="No instance of the shortener is seen at all."),
}
