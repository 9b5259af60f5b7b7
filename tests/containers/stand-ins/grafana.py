#!/usr/bin/python3
"""Reads what Grafana reads when it starts, as far as it can be judged without it: the provisioned datasource is named by the
dashboards and answers, and the folder of dashboards has some. Then it answers as Grafana's health check does."""
import glob
import http.server
import json
import os
import signal
import sys
import urllib.request

import yaml

PROVISIONING = "/etc/grafana/provisioning"


def loaded(kind):
    found = []
    for path in glob.glob(f"{PROVISIONING}/{kind}/*.yml"):
        with open(path) as file:
            found.append(yaml.safe_load(file))
    return found


def check():
    if not os.environ.get("GF_SECURITY_ADMIN_PASSWORD"):
        sys.exit("no password for admin")
    sources = [source for file in loaded("datasources") for source in file["datasources"]]
    folders = [provider["options"]["path"] for file in loaded("dashboards") for provider in file["providers"]]
    boards = {path: json.load(open(path)) for folder in folders for path in glob.glob(f"{folder}/*.json")}
    if not sources or not boards:
        sys.exit(f"{len(sources)} datasources and {len(boards)} dashboards")
    if os.environ["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] not in boards:
        sys.exit("the home dashboard is not there")
    with open("/var/lib/grafana/grafana.db", "w") as database:  # as Grafana must be able to
        database.write("")
    return sources, boards


def health(sources):
    urllib.request.urlopen(f"{sources[0]['url']}/-/ready", timeout=2).close()
    return {"database": "ok"}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            body = json.dumps(health(self.server.sources)).encode()
            self.send_response(200)
        except OSError as problem:
            body = str(problem).encode()
            self.send_response(503)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("0.0.0.0", 3000), Handler)
server.sources, dashboards = check()
print(f"{len(server.sources)} datasource, {len(dashboards)} dashboards", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server.serve_forever()
