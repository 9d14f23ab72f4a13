#!/bin/sh
# Usage: no_mpi_check.sh PROGRAM: one built without MPI says so in one line, however many ranks mpirun starts.
set -u
said=$(mpirun -q --allow-run-as-root --oversubscribe -n 3 "$1" start 2>&1)
status=$?
if [ "$status" != 2 ] || [ "$(echo "$said" | wc -l)" != 1 ] || ! echo "$said" | grep -q 'built without MPI, got 3'; then
  echo "status $status, expected 2 and one line: $said" >&2
  exit 1
fi
echo "$said"
