#!/usr/bin/env bash
# Two hosts on one machine: network namespaces with names of their own and a cable (a veth pair) between. A search on
# three ranks over TCP must come to the results of one; a cable that is cut must end the run in time, and it goes on.
# Needs root. Usage: two_hosts.sh [BUILD_FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd)
work=$(mktemp -d)
host() { echo "adwp$$$1"; }  # of each, also the name of its namespace
finish() {
  for letter in a b; do ip netns del "$(host $letter)" 2> /dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT

number=0
for letter in a b; do
  number=$((number + 1))
  ip netns add "$(host $letter)"
  ip -n "$(host $letter)" link set lo up
done
ip -n "$(host a)" link add cable type veth peer name cable netns "$(host b)"
for letter in a b; do
  address=10.99.0.$([[ $letter == a ]] && echo 1 || echo 2)
  ip -n "$(host $letter)" addr add "$address/24" dev cable
  ip -n "$(host $letter)" link set cable up
  echo "$address $(host $letter)" >> "$work/hosts"
done

# What mpirun takes for ssh: AGENT HOST COMMAND...
cat > "$work/agent" <<END
#!/bin/sh
host=\$1
shift
exec $work/on \$host sh -c "\$*"
END
# on HOST COMMAND...: there, with the host's name and the names of both.
cat > "$work/on" <<END
#!/bin/sh
host=\$1
shift
exec ip netns exec \$host unshare -u -m sh -c 'hostname "\$0" && mount --bind $work/hosts /etc/hosts && exec "\$@"' \$host "\$@"
END
chmod +x "$work/agent" "$work/on"

search=("$build/apps/search" --data 'synthetic:300?size=16' --batch 32 --validation 0.2 --hyper-epochs 4
        --rank-sample 4 --rank-epochs 2 --population 6 --generations 3 --finalists 4 --finalist-epochs 4
        --halvings 1)
mpirun=(mpirun -q --allow-run-as-root --oversubscribe --mca plm_rsh_agent "$work/agent" --mca btl tcp,self
        --mca oob_tcp_keepalive_time 2 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 2
        --host "$(host a):1,$(host b):2" -n 3 -x OMP_NUM_THREADS)
export OMP_NUM_THREADS=1

equal() {
  python3 - "$work/alone" "$1" "$here/ranks.py" <<'END'
import importlib.util, pathlib, sys
alone, out, path = sys.argv[1:]
sys.argv = [path, "."]
spec = importlib.util.spec_from_file_location("ranks", path)
ranks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ranks)
ranks.require_equal(ranks.facts(pathlib.Path(alone)), pathlib.Path(out), "two hosts")
END
}

"${search[@]}" --out "$work/alone" --quiet > /dev/null
"$work/on" "$(host a)" "${mpirun[@]}" "${search[@]}" --out "$work/both" > /dev/null 2> "$work/err" ||
  { cat "$work/err" >&2; exit 1; }
grep -q "$(host b)" "$work/both/result.json" || { echo "error: [two_hosts] host b took no part" >&2; exit 1; }
equal "$work/both"

# The cable is cut while networks are trained.
"$work/on" "$(host a)" "${mpirun[@]}" "${search[@]}" --out "$work/cut" > /dev/null 2> "$work/err" &
child=$!
until grep -qs '"phase":"rank_sample"' "$work/cut/log.jsonl"; do sleep 0.05; done
ip -n "$(host b)" link set cable down
start=$(date +%s)
status=0
wait $child || status=$?
seconds=$(($(date +%s) - start))
sed 's/^/  /' "$work/err"
echo "a cable was cut: exit status $status after $seconds s"
if ((status == 0 || seconds > 10)); then
  echo "error: [two_hosts] the run did not end within 10 s of the cut" >&2
  exit 1
fi
"${search[@]}" --out "$work/cut" --resume --quiet > /dev/null
equal "$work/cut"
