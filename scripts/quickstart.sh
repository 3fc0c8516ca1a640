#!/usr/bin/env bash
# From nothing to a shipped network: sets up, builds, draws a data set, trains, folds, exports,
# evaluates, predicts, and prints what came of it. Everything goes into quickstart/.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step "set up and build"
scripts/setup.sh
scripts/build.sh mobileone_program
mobileone=build/mobileone
top1() { sed 's/.*"top1":\([0-9.]*\).*/\1/' <<<"$1"; }

step "draw ten classes of shapes"
$mobileone data shapes quickstart/shapes

step "train MobileOne with its branches (configs/quickstart.yaml)"
rm -rf quickstart/run
$mobileone train configs/quickstart.yaml
best=quickstart/run/best.pth folded=quickstart/folded.pth shipped=quickstart/model.pt

step "fold the branches"
fold_report=$($mobileone reparam $best -o $folded --data quickstart/shapes/val)
echo "$fold_report"

step "export TorchScript"
$mobileone export $folded -o $shipped

step "evaluate: with branches, folded, TorchScript"
before=$($mobileone eval $best --data quickstart/shapes/val --json)
after=$($mobileone eval $folded --data quickstart/shapes/val --json)
shipped_result=$($mobileone eval $shipped --data quickstart/shapes/val --json)
echo "$before"; echo "$after"; echo "$shipped_result"

step "predict two images"
$mobileone predict $shipped --top 3 quickstart/shapes/val/star/0000.jpg quickstart/shapes/val/ring/0001.jpg

latency=$($mobileone bench latency $best $folded $shipped)
summary=$($mobileone summary $best)
read -r train_params folded_params folded_macs < <(awk '$1 == "total" {print $3, $4, $5}' <<<"$summary")
train_macs=$(sed -n 's/.*unfolded: \([0-9]*\) MACs.*/\1/p' <<<"$summary")
milliseconds() { awk -v form="$1" '$1 == form {print $3}' <<<"$latency"; }
row() { printf '%-34s %16s %16s %16s\n' "$@"; }

step "what came of it"
row "" "with branches" "folded" "TorchScript"
row "top-1 on 500 validation images, %" "$(top1 "$before")" "$(top1 "$after")" "$(top1 "$shipped_result")"
row "largest logit difference" "" "$(awk '/^real images/ {print $6}' <<<"$fold_report")" ""
row "parameters" "$train_params" "$folded_params" "$folded_params"
row "multiply-adds at 64 px" "$train_macs" "$folded_macs" "$folded_macs"
row "latency, 1 thread, ms" "$(milliseconds unfolded)" "$(milliseconds folded)" "$(milliseconds TorchScript)"
printf '\nThe network: %s. Next: docs/getting-started.md, "A data set of your own".\n' "$shipped"
