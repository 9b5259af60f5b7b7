"""Writes down each alarm that an Alertmanager tells it by webhook: a line of JSON each, with the time at which it came.

Run as a program of its own: alarms.py PORT FILE. Standard library only, and no other file of ours.
"""
import datetime
import http.server
import json
import sys

BODY_MAX = 1 << 20


def lines_of(body, received):
    """What one call of the webhook tells."""
    return [{"received": received, "status": alert["status"], "alert": alert["labels"]["alertname"],
             "severity": alert["labels"].get("severity"), "labels": alert["labels"], "began": alert["startsAt"],
             "summary": alert.get("annotations", {}).get("summary")} for alert in json.loads(body)["alerts"]]


class Receiver(http.server.BaseHTTPRequestHandler):
    file = None

    def do_POST(self):
        received = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= BODY_MAX:
            return self.send_error(413)
        try:
            lines = lines_of(self.rfile.read(length), received)
        except (ValueError, KeyError, TypeError):
            return self.send_error(400)
        with open(self.file, "a") as out:
            for line in lines:
                out.write(json.dumps(line) + "\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    Receiver.file = sys.argv[2]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print("ready", flush=True)
    server.serve_forever()
