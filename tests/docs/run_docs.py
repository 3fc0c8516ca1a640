"""Runs every command of README.md and docs/*.md (results.md, which is a record, aside).

run_docs.py PROGRAM CLASSIFY   PROGRAM is build/mobileone, CLASSIFY the example's program

A command is what stands in a block that begins with ```sh; one with ```sh no-test sets up a machine
and is left out. Each page runs from its top to its end in a copy of the repository of its own, in
which training and measuring are short, DIR is a drawn data set, SCENES one with masks, COCO a few images
with annotations, TARS holds files of ImageNet's form with few images, and photo.jpg is a photograph.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
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
# Of pictures with masks, without the weights that a configuration starts from.
TINY_SEGMENTATION = [*TINY_RUN, "model.pretrained=", "segment.channels=8"]
TINY_DETECTION = [*TINY_RUN, "model.pretrained=", "schedule.batch_size=4"]
DRAW_SCENES = """
import pathlib, random, sys
from PIL import Image, ImageDraw
random.seed(0)
for split, count in (("train", 16), ("val", 4)):
    for i in range(count):
        image, mask = Image.new("RGB", (64, 48), "gray"), Image.new("L", (64, 48), 0)
        x, y = random.randrange(40), random.randrange(30)
        for canvas, color in ((image, (200, 30, 30)), (mask, 1)):
            ImageDraw.Draw(canvas).rectangle((x, y, x + 20, y + 15), fill=color)
        for kind, canvas in (("", image), ("annot", mask)):
            folder = pathlib.Path(sys.argv[1]) / (split + kind)
            folder.mkdir(parents=True, exist_ok=True)
            canvas.save(folder / f"{i}.png")
"""
FEW_PEERS = ["mobilenetv1_100", "mobilenetv3_small_100", "resnet18", "--size", "64"]


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """Each fenced block's info string and text."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


def write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text("#!/usr/bin/env bash\n" + text)
    path.chmod(0o755)


def write_coco(folder: Path, images: list[Path]) -> None:
    """Images of 48 x 48 px with a square of person each."""
    images_there = folder / "train2017"
    images_there.mkdir(parents=True)
    coco = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    for number, image in enumerate(images):
        shutil.copy(image, images_there)
        coco["images"].append({"id": number, "file_name": image.name, "height": 48, "width": 48})
        coco["annotations"].append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [2, 2, 40, 40], "iscrowd": 0,
             "area": 1600, "segmentation": [[2, 2, 42, 2, 42, 42, 2, 42]]})
    annotations = folder / "annotations/instances_train2017.json"
    annotations.parent.mkdir()
    annotations.write_text(json.dumps(coco))


class Docs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="mobileone_docs_"))
        drawn = cls.folder / "drawn"
        subprocess.run([PROGRAM, "data", "shapes", drawn, "--train", str(TRAIN), "--val", str(VAL),
                        "--size", "48"], check=True, stdout=subprocess.DEVNULL)
        python = ROOT / ".deps/venv/bin/python"
        subprocess.run([python, "-c", DRAW_SCENES, cls.folder / "scenes"], check=True)
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
        for part in ("configs", "scripts", "tools", "examples", "docs", "share"):
            shutil.copytree(ROOT / part, copy / part)
        (copy / ".deps").symlink_to(ROOT / ".deps")
        shutil.copytree(self.folder / "drawn", copy / "DIR")
        (copy / "TARS").symlink_to(self.folder / "tars")
        shutil.copytree(self.folder / "scenes", copy / "SCENES")
        write_coco(copy / "COCO", sorted((copy / "DIR/train/star").iterdir()))
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
  "train configs/segment/"*) exec {program} "$@" {shlex.join(TINY_SEGMENTATION)} ;;
  "train configs/detect/"*) exec {program} "$@" {shlex.join(TINY_DETECTION)} ;;
  "train "*) exec {program} "$@" {shlex.join(TINY_RUN)} ;;
esac
exec {program} "$@"
""")
        (copy / "tools/export_peers.py").write_text(f"""
import runpy, sys
sys.argv += {FEW_PEERS}
runpy.run_path({str(ROOT / "tools/export_peers.py")!r}, run_name="__main__")
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
                self.assertIn(kind, ("sh", "sh no-test", "yaml", "text", "cmake", "cpp", ""), page)
                if kind not in ("sh", "sh no-test"):
                    self.assertNotRegex(text, r"(?m)^\s*[^\s(]*(mobileone|(scripts|tools)/\S+\.sh) ",
                                        page)

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
