#!/usr/bin/env bash
# Runs a program as the two processes of a run, each on a machine of its own as far as it can see: a
# network namespace, joined to the other's by a cable of a given rate. For what one machine cannot
# show: slow networks, and machines that can no longer be reached.
#
#   tools/two_machines.sh [--rate RATE] [--cut SECONDS] PROGRAM [ARGUMENT...]
#
# --rate: of the cable, as tc writes it: 200mbit, 1gbit; without, it is as fast as memory.
# --cut: pulls the cable after so many seconds.
#
# Ends with the status of rank 0, or rank 1's where that of rank 0 is 0. Needs root, and Debian's
# iproute2; ends with 77 where namespaces cannot be made.
set -euo pipefail

say() { printf 'two_machines: %s\n' "$*" >&2; }
rate='' cut=''
usage() { say "$1; usage: two_machines.sh [--rate 1gbit] [--cut SECONDS] PROGRAM [ARGUMENT...]"; exit 2; }
while true; do
  case ${1:-} in
    --rate) rate=${2:-} && [[ $rate =~ ^[0-9]+[kmg]?bit$ ]] || usage "--rate: expected as 200mbit" ;;
    --cut) cut=${2:-} && [[ $cut =~ ^[0-9.]+$ ]] || usage "--cut: expected seconds" ;;
    -*) usage "$1: no such option" ;;
    *) break ;;
  esac
  shift 2
done
command -v "${1:-}" >/dev/null || usage "expected a program, got '${1:-}'"

spaces=("two-machines-$$-0" "two-machines-$$-1")
clean_up() {
  trap - EXIT
  for space in "${spaces[@]}"; do
    ip netns pids "$space" 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
    ip netns delete "$space" 2>/dev/null || true
  done
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if ! { ip netns add "${spaces[0]}" && ip netns add "${spaces[1]}" &&
       ip link add cable netns "${spaces[0]}" type veth peer name cable netns "${spaces[1]}"; } 2>/dev/null
then
  say "cannot make network namespaces; that needs root and iproute2"
  exit 77
fi
for rank in 0 1; do
  ip -n "${spaces[rank]}" address add "10.9.0.$((rank + 1))/24" dev cable
  ip -n "${spaces[rank]}" link set lo up
  ip -n "${spaces[rank]}" link set cable up
  [ -z "$rate" ] ||
    tc -n "${spaces[rank]}" qdisc add dev cable root tbf rate "$rate" burst 256kb latency 100ms
done

processes=()
for rank in 0 1; do
  RANK=$rank WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=1 MASTER_ADDR=10.9.0.1 MASTER_PORT=29500 \
    ip netns exec "${spaces[rank]}" "$@" &
  processes+=($!)
done
if [ -n "$cut" ]; then
  sleep "$cut"
  ip -n "${spaces[1]}" link set cable down
fi
statuses=()
for process in "${processes[@]}"; do
  status=0
  wait "$process" || status=$?
  statuses+=("$status")
done
if [ "${statuses[0]}" -ne 0 ]; then exit "${statuses[0]}"; fi
exit "${statuses[1]}"
