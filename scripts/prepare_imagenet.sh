#!/usr/bin/env bash
# Turns the official files of ILSVRC2012 into folders that `mobileone train` reads.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/prepare_imagenet.sh TARS DEST [options]

TARS is a folder that holds ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and
ILSVRC2012_devkit_t12.tar.gz. Makes DEST/train/nXXXXXXXX/*.JPEG and DEST/val/nXXXXXXXX/*.JPEG, one
folder for each class. Stopped anywhere, it goes on where it was when it is started again; a folder
DEST/train/nXXXXXXXX and DEST/val are complete as soon as they are there. Needs some 155 GB in DEST.

  --classes N   expect N classes (default 1000)
  --train N     expect N training images (default 1281167)
  --val N       expect N validation images (default 50000), equally many of each class
TEXT
}

fail() { printf 'prepare_imagenet: %s\n' "$*" >&2; exit 2; }
say() { printf 'prepare_imagenet: %s\n' "$*"; }

classes=1000 train_images=1281167 val_images=50000
folders=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --classes | --train | --val)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "$1: expected a number, got '${2:-}'"
      case $1 in
        --classes) classes=$2 ;;
        --train) train_images=$2 ;;
        --val) val_images=$2 ;;
      esac
      shift ;;
    -*) fail "'$1' is no option; see --help" ;;
    *) folders+=("$1") ;;
  esac
  shift
done
[ ${#folders[@]} -eq 2 ] || fail "expected TARS and DEST, got ${#folders[@]} folders; see --help"
tars=${folders[0]} dest=${folders[1]}
train_tar=$tars/ILSVRC2012_img_train.tar
val_tar=$tars/ILSVRC2012_img_val.tar
devkit=$tars/ILSVRC2012_devkit_t12.tar.gz
for file in "$train_tar" "$val_tar" "$devkit"; do
  [ -e "$file" ] || fail "$file: no such file"
  [ -f "$file" ] && [ -r "$file" ] || fail "$file: is no readable file"
done

# DEST/.prepare holds a marker for each class that is done (its number of images), and a folder of
# this very run for all that is not: what a killed run's children still write stays apart.
state=$dest/.prepare
mkdir -p "$dest/train" "$state/done" 2>/dev/null && [ -w "$dest" ] && [ -w "$state" ] ||
  fail "$dest: cannot be made or written"
exec 9>"$state/lock"
flock -w 10 9 || fail "$dest: another run is at work there"
rm -rf "$state"/run.* 2>/dev/null || true
work=$(mktemp -d "$state/run.XXXXXX") || fail "$dest: cannot be written"
trap 'rm -rf "$work"' EXIT
trap 'fail "cannot go on (line $LINENO)"' ERR

# Runs tar without the lock. Its complaints go to a file: a failure is one line.
quiet_tar() { tar "$@" 2>>"$work/errors" 9>&-; }
reason() { sed -n '1{s/^tar: //;p}' "$work/errors"; }
images_in() { find "$1" -maxdepth 1 -type f -name '*.JPEG' -size +0 | wc -l; }

# --- The classes: ids of the ground truth and names of folders.
quiet_tar -xzOf "$devkit" --wildcards '*/data/meta.mat' >"$work/meta.mat" ||
  fail "$devkit: data/meta.mat cannot be read: $(reason)"
quiet_tar -xzOf "$devkit" --wildcards '*/data/ILSVRC2012_validation_ground_truth.txt' \
  >"$work/ground_truth" || fail "$devkit: the ground truth cannot be read: $(reason)"
python3 "$(dirname "$0")/ilsvrc_synsets.py" "$work/meta.mat" "$classes" >"$work/synsets" \
  2>"$work/errors" || fail "$devkit: $(sed "s|$work/||" "$work/errors" | tail -n 1)"

# "wnid<TAB>image" of each validation image; the ground truth's line N is the class of image N.
awk -v OFS='\t' 'NR == FNR { wnid[$1] = $2; next }
  { sub(/\r$/, "") }
  !($1 in wnid) { printf "line %d says \"%s\", expected 1 to %d\n", FNR, $1, length(wnid); exit 1 }
  { printf "%s\tILSVRC2012_val_%08d.JPEG\n", wnid[$1], FNR }' \
  "$work/synsets" "$work/ground_truth" >"$work/val_list" ||
  fail "$devkit: the ground truth's $(tail -n 1 "$work/val_list")"
labels=$(wc -l <"$work/val_list")
[ "$labels" -eq "$val_images" ] ||
  fail "$devkit: its ground truth has $labels lines, expected $val_images"
val_of_class=$((val_images / classes))
uneven=$(cut -f 1 "$work/val_list" | sort | uniq -c | awk -v expected="$val_of_class" \
  '$1 != expected && !found++ { printf "%s %d images, expected %d", $2, $1, expected }')
[ -z "$uneven" ] || fail "$devkit: its ground truth gives $uneven"

# --- The class tars in the training tar: "size<TAB>name".
quiet_tar -tvf "$train_tar" >"$work/listing" || fail "$train_tar: is truncated or no tar: $(reason)"
awk -v OFS='\t' '{ print $3, $NF }' "$work/listing" >"$work/class_tars"
odd=$(cut -f 2 "$work/class_tars" | grep -Evx -m 1 'n[0-9]{8}\.tar' || true)
[ -z "$odd" ] || fail "$train_tar: holds '$odd', expected only class tars nXXXXXXXX.tar"
count=$(wc -l <"$work/class_tars")
[ "$count" -eq "$classes" ] || fail "$train_tar: holds $count class tars, expected $classes"
unknown=$(comm -3 <(cut -f 2 "$work/class_tars" | sed 's/\.tar$//' | sort) \
  <(cut -f 2 "$work/synsets" | sort) | sed -n '1{s/\t//;p}')
[ -z "$unknown" ] || fail "class $unknown is in only one of $train_tar and $devkit"

is_done() { [ -f "$state/done/$1" ] && [ -d "$dest/train/$1" ]; }

# --- Disk space: what is still to unpack, and a twentieth for blocks that files do not fill.
bytes=0
while IFS=$'\t' read -r size name; do
  is_done "${name%.tar}" || bytes=$((bytes + size))
done <"$work/class_tars"
[ -d "$dest/val" ] || bytes=$((bytes + $(stat -Lc %s "$val_tar")))
needed=$((bytes / 1024 * 21 / 20))
free=$(df -Pk "$dest" | awk 'NR == 2 { print $4 }')
size() { numfmt --from-unit=1024 --to=iec-i --suffix=B "$1"; }
[ "$free" -ge "$needed" ] ||
  fail "$dest: $(size $needed) are needed, only $(size "$free") are free on its disk"

# --- Training images: each class is unpacked aside, counted, and renamed into place.
total=0 number=0
while IFS=$'\t' read -r _ name; do
  class=${name%.tar} number=$((number + 1))
  if ! is_done "$class"; then
    [ ! -e "$dest/train/$class" ] || [ -f "$state/done/$class" ] ||
      fail "$dest/train/$class: is there, but not from here; remove it and start again"
    mkdir "$work/$class"
    # --occurrence: the search ends at the class.
    quiet_tar -xOf "$train_tar" --occurrence "$name" |
      quiet_tar -xvf - -C "$work/$class" --no-same-owner >"$work/names" ||
      fail "$train_tar: $name cannot be unpacked: $(reason)"
    listed=$(wc -l <"$work/names") unpacked=$(images_in "$work/$class")
    [ "$listed" -gt 0 ] && [ "$unpacked" -eq "$listed" ] ||
      fail "$train_tar: $name lists $listed files, but has $unpacked images (*.JPEG, not empty)"
    printf '%s\n' "$unpacked" >"$work/marker"
    mv -T "$work/marker" "$state/done/$class"
    mv -T "$work/$class" "$dest/train/$class"
    say "train $number/$classes: $class, $unpacked images"
  fi
  expected=$(<"$state/done/$class") found=$(images_in "$dest/train/$class")
  [ "$found" -eq "$expected" ] ||
    fail "$dest/train/$class: has $found images, expected $expected; remove it and start again"
  total=$((total + found))
done <"$work/class_tars"
[ "$total" -eq "$train_images" ] ||
  fail "$train_tar: holds $total training images, expected $train_images"

# --- Validation images: all unpacked aside, moved into their classes, and renamed into place.
if [ ! -d "$dest/val" ]; then
  mkdir "$work/flat" "$work/val"
  quiet_tar -xvf "$val_tar" -C "$work/flat" --no-same-owner >"$work/names" ||
    fail "$val_tar: cannot be unpacked: $(reason)"
  unpacked=$(images_in "$work/flat")
  [ "$unpacked" -eq "$val_images" ] ||
    fail "$val_tar: holds $unpacked images, expected $val_images"
  while read -r class; do
    mkdir "$work/val/$class"
    awk -v class="$class" '$1 == class { print $2 }' "$work/val_list" |
      (cd "$work/flat" && xargs mv -t "../val/$class") 2>>"$work/errors" ||
      fail "$val_tar: lacks an image of class $class: $(tail -n 1 "$work/errors")"
  done < <(cut -f 2 "$work/synsets")
  mv -T "$work/val" "$dest/val"
  say "val: $unpacked images"
fi
while read -r class; do
  found=$(images_in "$dest/val/$class" 2>/dev/null || true)
  [ "$found" -eq "$val_of_class" ] ||
    fail "$dest/val/$class: has $found images, expected $val_of_class; remove $dest/val and start" \
      "again"
done < <(cut -f 2 "$work/synsets")
say "$dest: $total training and $val_images validation images of $classes classes"
