#!/bin/sh
# Alertmanager with config/alertmanager.yml, in which ALARM_WEBHOOK takes the place of the receiver's address.
set -eu
webhook=${ALARM_WEBHOOK:-}
if [ -z "$webhook" ]; then
  echo "ALARM_WEBHOOK is not set: nobody is told of alarms" >&2
  webhook=http://127.0.0.1:9095/
fi
escaped=$(printf '%s' "$webhook" | sed 's/[\\&|]/\\&/g')
sed "s|http://127.0.0.1:9095/|$escaped|" /etc/alertmanager/alertmanager.yml >/tmp/alertmanager.yml
exec alertmanager --config.file=/tmp/alertmanager.yml "$@"
