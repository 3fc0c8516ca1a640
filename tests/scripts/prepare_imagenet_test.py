"""Runs scripts/prepare_imagenet.sh and scripts/ilsvrc_synsets.py on tiny files of ImageNet's form:
whole, killed and resumed, and with every mistake.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import tiny_imagenet

ROOT = Path(__file__).resolve().parents[2]
CLASSES, IMAGES, VAL = 8, 5, 4
WNIDS = [f"n{10000000 + 7919 * i:08d}" for i in range(CLASSES)]
COUNTS = ["--classes", str(CLASSES), "--train", str(CLASSES * IMAGES), "--val", str(CLASSES * VAL)]


def image(*key) -> bytes:
    return random.Random(repr(key)).randbytes(3000)


def files_below(folder: Path) -> dict[str, bytes]:
    """Contents by path, without what begins with a dot."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for split in ("train", "val")
        for path in (folder / split).rglob("*")
        if path.is_file()
    }


class PrepareImageNet(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="mobileone_imagenet_"))
        self.tars, self.dest = self.folder / "tars", self.folder / "dest"
        train = {wnid: [image(wnid, i) for i in range(IMAGES)] for wnid in WNIDS}
        labels = WNIDS * VAL
        random.Random(1).shuffle(labels)
        val = [(wnid, image("val", i)) for i, wnid in enumerate(labels)]
        self.expected = tiny_imagenet.write_tars(self.tars, train, val)
        self.train_tar = self.tars / "ILSVRC2012_img_train.tar"
        self.val_tar = self.tars / "ILSVRC2012_img_val.tar"
        self.devkit = self.tars / "ILSVRC2012_devkit_t12.tar.gz"

    def tearDown(self):
        shutil.rmtree(self.folder)

    def command(self, *options: str) -> list[str]:
        script = str(ROOT / "scripts/prepare_imagenet.sh")
        return [script, str(self.tars), str(self.dest), *(options or COUNTS)]

    def run_script(self, *options: str, **more) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*options), capture_output=True, text=True, **more)

    def expect_complete(self):
        done = self.run_script()
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stderr)
        self.assertEqual(files_below(self.dest), self.expected)
        return done.stdout

    def expect_refused(self, message: str, *options: str, **more):
        done = self.run_script(*options, **more)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(message, done.stderr)
        self.assertTrue(done.stderr.startswith("prepare_imagenet: "), done.stderr)

    def test_sorts_all_images_into_their_classes(self):
        said = self.expect_complete()
        self.assertEqual(said.count("prepare_imagenet: train "), CLASSES)
        self.assertIn(f"{CLASSES * IMAGES} training and {CLASSES * VAL} validation images", said)
        self.assertNotIn("train 1/", self.expect_complete())  # nothing is unpacked twice
        self.assertEqual(sorted(path.name for path in (self.dest / ".prepare").iterdir()),
                         ["done", "lock"])

    def test_killed_anywhere_it_goes_on(self):
        start = time.monotonic()
        self.expect_complete()
        whole = time.monotonic() - start
        rng = random.Random(2)
        kills = finished = 0
        shutil.rmtree(self.dest)
        while kills < 20:
            process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True, start_new_session=True)
            try:
                process.wait(timeout=rng.uniform(0, 0.8 * whole))
                self.assertEqual(process.returncode, 0, process.stderr.read())
            except subprocess.TimeoutExpired:
                # The script alone, so that its children work on for a while, or all at once.
                if rng.random() < 0.5:
                    process.kill()
                else:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
            process.stderr.close()
            found = files_below(self.dest)
            for wnid in {path.split("/")[1] for path in found if path.startswith("train/")}:
                self.check_whole(f"train/{wnid}/", found)
            if (self.dest / "val").exists():
                self.check_whole("val/", found)
            if found == self.expected and process.returncode == 0:
                shutil.rmtree(self.dest)
                finished += 1
        self.expect_complete()
        print(f"killed {kills} times, completed {finished + 1} times")

    def check_whole(self, prefix: str, found: dict[str, bytes]):
        part = lambda files: {path: files[path] for path in files if path.startswith(prefix)}
        self.assertEqual(part(found), part(self.expected))

    def test_mistakes_in_the_command_line(self):
        def refuse(message, *arguments):
            done = subprocess.run([str(ROOT / "scripts/prepare_imagenet.sh"), *arguments],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr, f"prepare_imagenet: {message}\n")

        refuse("expected TARS and DEST, got 0 folders; see --help")
        refuse("expected TARS and DEST, got 1 folders; see --help", "a")
        refuse("'--fast' is no option; see --help", "--fast")
        refuse("--classes: expected a number, got 'x'", "--classes", "x")
        refuse("--val: expected a number, got ''", "a", "b", "--val")
        shown = subprocess.run([str(ROOT / "scripts/prepare_imagenet.sh"), "--help"],
                               capture_output=True, text=True)
        self.assertEqual(shown.returncode, 0)
        self.assertTrue(shown.stdout.startswith("usage: scripts/prepare_imagenet.sh TARS DEST"))

    def test_missing_and_unreadable_files(self):
        for path in (self.train_tar, self.val_tar, self.devkit):
            aside = path.rename(self.folder / "aside")
            self.expect_refused(f"{path}: no such file")
            path.mkdir()
            self.expect_refused(f"{path}: is no readable file")
            path.rmdir()
            aside.rename(path)
        self.dest.write_text("a file")
        self.expect_refused(f"{self.dest}: cannot be made or written")

    def test_damaged_tars(self):
        train, val, devkit = (p.read_bytes() for p in (self.train_tar, self.val_tar, self.devkit))
        for size in (0, 100, 700, len(train) // 3, len(train) - 15000):
            self.train_tar.write_bytes(train[:size])
            self.expect_refused(f"{self.train_tar}: ")
        self.train_tar.write_bytes(train)
        self.devkit.write_bytes(devkit[: len(devkit) // 2])
        self.expect_refused(f"{self.devkit}: ")
        self.devkit.write_bytes(devkit)
        for size in (0, len(val) // 2):
            self.val_tar.write_bytes(val[:size])
            self.expect_refused(f"{self.val_tar}: ")
            self.assertFalse((self.dest / "val").exists())
        self.val_tar.write_bytes(val)
        self.expect_complete()

    def test_tars_with_other_contents(self):
        one = tiny_imagenet.tar_of({f"{WNIDS[0]}_0.JPEG": image(0)})
        tars = {f"{wnid}.tar": one for wnid in WNIDS}
        write = lambda files: self.train_tar.write_bytes(tiny_imagenet.tar_of(files))
        write(tars | {"readme.txt": b"hello"})
        self.expect_refused("holds 'readme.txt', expected only class tars nXXXXXXXX.tar")
        write(dict(list(tars.items())[1:]))
        self.expect_refused(f"holds {CLASSES - 1} class tars, expected {CLASSES}")
        write(dict(list(tars.items())[1:]) | {"n99999999.tar": one})
        self.expect_refused("is in only one of ")
        write(tars | {f"{WNIDS[3]}.tar": one[:1000]})
        self.expect_refused(f"{WNIDS[3]}.tar cannot be unpacked: ")
        write(tars | {f"{WNIDS[3]}.tar": tiny_imagenet.tar_of({"x.JPEG": b"", "y.JPEG": b"y"})})
        self.expect_refused(f"{WNIDS[3]}.tar lists 2 files, but has 1 images")
        write(tars | {f"{WNIDS[3]}.tar": tiny_imagenet.tar_of({"x.txt": b"x"})})
        self.expect_refused(f"{WNIDS[3]}.tar lists 1 files, but has 0 images")
        write(tars)
        self.expect_refused(f"holds {CLASSES} training images, expected {CLASSES * IMAGES}")

    def test_wrong_totals(self):
        self.expect_refused("has no synset of id 11 (990 of 1000 missing)", "--val", "32")
        self.expect_refused("its ground truth has 32 lines, expected 50000", "--classes",
                            str(CLASSES))
        self.expect_refused("expected 1281167", "--classes", str(CLASSES), "--val", "32")
        names = [f"ILSVRC2012_val_{i:08d}.JPEG" for i in range(1, CLASSES * VAL + 1)]
        self.val_tar.write_bytes(tiny_imagenet.tar_of({name: b"x" for name in names[1:]}))
        self.expect_refused(f"holds {CLASSES * VAL - 1} images, expected {CLASSES * VAL}")
        self.val_tar.write_bytes(
            tiny_imagenet.tar_of({name: b"x" for name in names[1:] + ["other.JPEG"]}))
        self.expect_refused("lacks an image of class ")

    def test_devkits_with_other_contents(self):
        synsets = [(i, wnid) for i, wnid in enumerate(WNIDS, 1)]
        truth = [i % CLASSES + 1 for i in range(CLASSES * VAL)]

        def refuse(message, meta, labels):
            tiny_imagenet.write_devkit(self.tars, meta, "".join(f"{n}\n" for n in labels))
            self.expect_refused(message)

        whole = tiny_imagenet.meta_mat(synsets)
        refuse('ground truth\'s line 1 says "0", expected 1 to 8', whole, [0] + truth[1:])
        refuse('ground truth\'s line 32 says "", expected 1 to 8', whole, truth[:-1] + [""])
        refuse("its ground truth has 31 lines, expected 32", whole, truth[1:])
        refuse(f"gives {WNIDS[0]} 5 images, expected 4", whole, [1] + truth[:1] + truth[2:])
        refuse("meta.mat: is no MATLAB 5 file", b"MATLAB 7.3 MAT-file" + bytes(200), truth)
        refuse("meta.mat: ends early", whole[:-40], truth)
        refuse("meta.mat: is damaged", whole[:250] + bytes(20) + whole[270:], truth)
        refuse("holds no struct array 'synsets'", tiny_imagenet.meta_mat(synsets, name="x"), truth)
        refuse("has no synset of id 8", tiny_imagenet.meta_mat(synsets[:-1]), truth)
        refuse("stands there twice", tiny_imagenet.meta_mat(synsets + [(1, "n00000001")]), truth)
        refuse("WNID 'dog'", tiny_imagenet.meta_mat(synsets[:-1] + [(8, "dog")]), truth)
        refuse("has the id 1.5", tiny_imagenet.meta_mat([(1.5, WNIDS[0])]), truth)

    def test_too_little_space(self):
        (self.folder / "bin").mkdir()
        df = self.folder / "bin/df"
        df.write_text("#!/bin/sh\necho header\necho disk 9 9 3 99% /\n")
        df.chmod(0o755)
        environment = os.environ | {"PATH": f"{df.parent}:{os.environ['PATH']}"}
        self.expect_refused("are needed, only 3.0KiB are free on its disk", env=environment)

    def test_what_it_did_not_make_it_leaves(self):
        (self.dest / "train" / WNIDS[2]).mkdir(parents=True)
        self.expect_refused(f"train/{WNIDS[2]}: is there, but not from here")
        (self.dest / "train" / WNIDS[2]).rmdir()
        self.expect_complete()
        next((self.dest / "train" / WNIDS[0]).iterdir()).unlink()
        self.expect_refused(f"train/{WNIDS[0]}: has {IMAGES - 1} images, expected {IMAGES}")
        shutil.rmtree(self.dest / "train" / WNIDS[0])
        next((self.dest / "val" / WNIDS[0]).iterdir()).unlink()
        self.expect_refused(f"val/{WNIDS[0]}: has {VAL - 1} images, expected {VAL}")

    def test_two_runs_do_not_meet(self):
        both = [subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for _ in range(2)]
        outputs = [process.communicate() for process in both]
        self.assertEqual([process.returncode for process in both], [0, 0], outputs)
        self.assertEqual(files_below(self.dest), self.expected)


class Synsets(unittest.TestCase):
    def print_synsets(self, data: bytes, *classes: str) -> subprocess.CompletedProcess:
        with tempfile.NamedTemporaryFile(suffix=".mat") as file:
            file.write(data)
            file.flush()
            return subprocess.run([sys.executable, ROOT / "scripts/ilsvrc_synsets.py", file.name,
                                   *classes], capture_output=True, text=True)

    def test_prints_a_thousand_classes(self):
        synsets = [(i, f"n{(i * 7919) % 100000000:08d}") for i in range(1, 1861)]
        expected = "".join(f"{i}\t{wnid}\n" for i, wnid in synsets[:1000])
        shuffled = random.Random(3).sample(synsets, len(synsets))
        for compressed in (False, True):
            done = self.print_synsets(tiny_imagenet.meta_mat(shuffled, compressed=compressed))
            self.assertEqual((done.stdout, done.stderr), (expected, ""))

    def test_damaged_files_end_in_one_line(self):
        whole = tiny_imagenet.meta_mat([(i, WNIDS[i - 1]) for i in range(1, 9)], compressed=False)
        rng = random.Random(4)
        sys.path.insert(0, str(ROOT / "scripts"))
        import ilsvrc_synsets
        for _ in range(3000):
            cut = rng.randrange(len(whole)) if rng.random() < 0.3 else len(whole)
            data = bytearray(whole[:cut])
            for _ in range(rng.randrange(4)):
                if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
            try:
                ilsvrc_synsets.read_synsets(bytes(data), 8)
            except (ilsvrc_synsets.MatError, UnicodeDecodeError, OverflowError, ValueError):
                pass

    def test_usage(self):
        script = ROOT / "scripts/ilsvrc_synsets.py"
        for arguments in ([], ["a", "b"], ["a", "1", "2"]):
            done = subprocess.run([sys.executable, script, *arguments], capture_output=True,
                                  text=True)
            self.assertEqual((done.returncode, done.stderr),
                             (2, "usage: ilsvrc_synsets.py META_MAT [CLASSES]\n"))
        done = subprocess.run([sys.executable, script, "none.mat"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr),
                         (2, "ilsvrc_synsets: none.mat: No such file or directory\n"))


if __name__ == "__main__":
    unittest.main()
