#!/bin/sh
# The next event, with nothing but the `nats` command line tool: sh nats_cli.sh tool.creds nats://host:4222
set -eu
ask='{"batch":1,"expires":5000000000}'
# The answer is the event; --raw prints it as it is. Not acknowledged, it comes again after half a minute.
nats --creds "$1" --server "$2" request --raw --timeout 10s '$JS.gate.API.CONSUMER.MSG.NEXT.OUT.me' "$ask"
