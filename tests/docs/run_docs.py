"""Runs every command of README.md and docs/*.md (results.md, which is a record, aside).

run_docs.py PROGRAM CLASSIFY   PROGRAM is build/mobileone, CLASSIFY the example's program

A command is what stands in a block that begins with ```sh; one with ```sh no-test sets up a machine
and is left out. Each page runs from its top to its end in a copy of the repository of its own, in
which training and measuring are short, DIR is a drawn data set, TARS holds files of ImageNet's form with few
images, CamVid a few images with masks, and photo.jpg is a photograph.
"""

import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/scripts"))
import tiny_imagenet  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES.remove(ROOT / "docs/results.md")
LEAST_COMMANDS = 35
WNIDS = ["n01440764", "n01443537", "n01484850", "n01491361"]
TRAIN, VAL = 8, 4  # images of a class
TINY_RUN = [
    "model.width_multipliers=[0.25,0.125,0.125,0.125]", "model.depths=[1,1,1,1]",
    "model.branches=2", "data.size=32", "data.eval_resize=36", "data.eval_crop=32",
    "data.workers=1", "schedule.epochs=1", "schedule.batch_size=8", "schedule.warmup_epochs=0",
    "curriculum.stages=[]", "runtime.threads=1",
]
FEW_PEERS = ["mobilenetv1_100", "mobilenetv3_small_100", "resnet18", "--size", "64"]


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """Each fenced block's info string and text."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


def write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text("#!/usr/bin/env bash\n" + text)
    path.chmod(0o755)


def png(rows: list[bytes], kind: int) -> bytes:
    """A PNG file of 8-bit grey (kind 0) or RGB (2) rows of as many pixels as there are rows."""
    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    side = len(rows)
    header = struct.pack(">IIBBBBB", side, side, 8, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)
            + chunk(b"IEND", b""))


def write_camvid(folder: Path) -> None:
    """Images of stripes, each of one of the 11 classes or (11) ignored."""
    side = 48
    for split, images in (("train", TRAIN), ("val", VAL)):
        for part in (split, f"{split}annot"):
            (folder / part).mkdir(parents=True)
        for i in range(images):
            labels = [(i + y // 4) % 12 for y in range(side)]
            image = png([bytes([20 * label, 255 - 20 * label, i] * side) for label in labels], 2)
            (folder / split / f"{i:04}.png").write_bytes(image)
            mask = png([bytes([label] * side) for label in labels], 0)
            (folder / f"{split}annot" / f"{i:04}.png").write_bytes(mask)


class Docs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="mobileone_docs_"))
        drawn = cls.folder / "drawn"
        subprocess.run([PROGRAM, "data", "shapes", drawn, "--train", str(TRAIN), "--val", str(VAL),
                        "--size", "48"], check=True, stdout=subprocess.DEVNULL)
        shapes = sorted(path.name for path in (drawn / "train").iterdir())
        images = lambda split, shape: [
            path.read_bytes() for path in sorted((drawn / split / shape).iterdir())]
        train = {wnid: images("train", shape) for wnid, shape in zip(WNIDS, shapes)}
        classes = list(zip(WNIDS, shapes))
        val = [(wnid, image) for wnid, shape in classes for image in images("val", shape)]
        tiny_imagenet.write_tars(cls.folder / "tars", train, val)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def make_copy(self, name: str) -> Path:
        copy = self.folder / name
        for part in ("configs", "scripts", "examples", "docs", "share"):
            shutil.copytree(ROOT / part, copy / part)
        (copy / ".deps").symlink_to(ROOT / ".deps")
        shutil.copytree(self.folder / "drawn", copy / "DIR")
        (copy / "TARS").symlink_to(self.folder / "tars")
        write_camvid(copy / "CamVid")
        shutil.copy(next((copy / "DIR/val/star").iterdir()), copy / "photo.jpg")
        program = shlex.quote(PROGRAM)
        write_script(copy / "build/mobileone", f"""
case "$1 $2" in
  "bench train") exec {program} "$@" --size 32 ;;
  "launch "*)
    case "$*" in
      *"bench train "*) exec {program} "$@" --size 32 ;;
      *" eval "*) ;;
      *) exec {program} "$@" {shlex.join(TINY_RUN)} ;;
    esac ;;
  "study branches") ;;
  "study "*) exec {program} "$@" latency.rounds=1 latency.size=64 ;;
  "bench data") exec {program} "$@" {shlex.join(TINY_RUN)} --rounds 1 ;;
  "bench latency") exec {program} "$@" --rounds 1 ;;
  "find-lr "*) exec {program} "$@" {shlex.join(TINY_RUN)} --from 0.001 --to 1 --steps 150 ;;
  "train "*) exec {program} "$@" {shlex.join(TINY_RUN)} ;;
esac
exec {program} "$@"
""")
        (copy / "scripts/export_peers.py").write_text(f"""
import runpy, sys
sys.argv += {FEW_PEERS}
runpy.run_path({str(ROOT / "scripts/export_peers.py")!r}, run_name="__main__")
""")
        (copy / "build/examples/deploy").mkdir(parents=True)
        (copy / "build/examples/deploy/classify").symlink_to(CLASSIFY)
        script = shlex.quote(str(ROOT / "scripts/prepare_imagenet.sh"))
        write_script(copy / "scripts/prepare_imagenet.sh", f"""
exec {script} "$@" --classes {len(WNIDS)} --train {len(WNIDS) * TRAIN} --val {len(WNIDS) * VAL}
""")
        return copy

    def run_page(self, page: Path) -> int:
        """Runs a page's commands; their number."""
        blocks = [text for kind, text in blocks_of(page) if kind == "sh"]
        if not blocks:
            return 0
        copy = self.make_copy(page.stem)
        # The trace, of which each line with one plus is a command that ran, goes to a file.
        trace = copy / "trace"
        script = "exec 7>trace; BASH_XTRACEFD=7; set -euxo pipefail\n" + "".join(blocks)
        start = time.time()
        done = subprocess.run(["bash", "-c", script], cwd=copy, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        commands = [line for line in trace.read_text().splitlines() if line.startswith("+ ")]
        self.assertEqual(done.returncode, 0, f"{page.name}: the command\n{commands[-1]}\nended the "
                         f"page; the last of its output:\n{done.stdout[-2000:]}")
        print(f"{page.name}: {len(commands)} commands, {time.time() - start:.1f} s", flush=True)
        return len(commands)

    def test_every_command_runs(self):
        self.assertGreaterEqual(sum(self.run_page(page) for page in PAGES), LEAST_COMMANDS)

    def test_no_command_hides(self):
        for page in PAGES:
            for kind, text in blocks_of(page):
                self.assertIn(kind, ("sh", "sh no-test", "yaml", "text", "cmake", ""), page)
                if kind not in ("sh", "sh no-test"):
                    self.assertNotRegex(text, r"(?m)^\s*[^\s(]*(mobileone|scripts/\S+\.sh) ", page)

    def test_every_link_leads_somewhere(self):
        for page in PAGES:
            for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
                if "://" not in link:
                    self.assertTrue((page.parent / link).exists(), f"{page}: {link}")


def has_python() -> bool:
    python = ROOT / ".deps/venv/bin/python"
    check = [python, "-c", "import torch, PIL, onnxruntime, openvino"]
    return python.exists() and subprocess.run(check, stderr=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    if not has_python():
        print("skipped: needs Python with torch, Pillow, onnxruntime and openvino in .deps/venv: "
              "scripts/setup.sh")
        sys.exit(0)
    PROGRAM, CLASSIFY = (str(Path(argument).resolve()) for argument in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1])
