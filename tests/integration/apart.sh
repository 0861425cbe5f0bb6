#!/bin/sh
# usage: apart.sh COMMAND...
# Runs a test in a network namespace of its own, where no other test uses a port. Where namespaces cannot be made, the
# test runs as it is; ctest then runs such tests one at a time.
if [ "$1" = --inside ]; then
    shift
    ip link set lo up
    exec "$@"
fi
if unshare --net true 2>/dev/null; then exec unshare --net "$0" --inside "$@"; fi
exec "$@"
