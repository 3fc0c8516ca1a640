"""Writes the files that the fuzzers of tests/fuzz start from.

make_fuzz_corpus.py FOLDER   writes FOLDER/torch_file, .../safetensors, .../pickle, .../coco,
                             .../coco_results, .../voc_xml, .../yolo_text, .../tar, .../pack,
                             .../frames and a folder for each kind of image, such as .../png

Small files of every container and of what people save in them, and the tests' images. Check sums are
left out of zip files where torch can: a fuzzer would seldom get past them.
"""

import io
import json
import struct
import sys
import tarfile
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

import torch

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16,
          "BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32, "I16": torch.int16,
          "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool}

VOC_BOX = "<bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax>30</xmax><ymax>4e1</ymax></bndbox>"
VOC_XML = f"<annotation><object><name>cat</name>{VOC_BOX}</object></annotation>".encode()


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 1)
        self.norm = torch.nn.BatchNorm2d(2)

    def forward(self, x):
        return self.norm(self.conv(x))


def values():
    net = Block()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.randn(2, 1, 2, 2)).sum().backward()
    optimizer.step()
    base = torch.arange(6.0)
    tagged = torch.ones(2)
    tagged.tag = "kept by _rebuild_from_type_v2"
    return {
        "state": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "dtypes": [torch.arange(2).to(dtype) for dtype in DTYPES.values()],
        "new_dtypes": [torch.zeros(2).to(torch.float8_e5m2), torch.zeros(2, dtype=torch.uint16)],
        "views": [base, base[2:4], base.view(2, 3).t(), torch.zeros(0, 3), torch.tensor(1)],
        "plain": {"a": 1, "b": [2.5, None, True, -(2**40)], "c": ("x", "größe"), 3: {}},
        "others": [torch.Size([2]), {1, 2}, b"ab\xff", bytearray(b"c"), torch.float16,
                   torch.device("cuda:0"), Counter([1, 1, 2]), OrderedDict(a=1),
                   torch.nn.Parameter(torch.ones(1)), tagged],
    }


def write_torch_files(folder):
    torch.serialization.set_crc32_options(False)
    for name, value in values().items():
        torch.save(value, folder / f"{name}.pth")
        torch.save(value, folder / f"{name}.legacy", _use_new_zipfile_serialization=False)
    torch.jit.script(Block()).save(folder / "script.pt")
    torch.jit.freeze(torch.jit.script(Block().eval())).save(folder / "frozen.pt")
    torch.serialization.set_crc32_options(True)


def write_pickles(folder):
    for name, value in values().items():
        file = io.BytesIO()
        torch.save(value, file)
        with zipfile.ZipFile(file) as archive:
            (record,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            (folder / name).write_bytes(archive.read(record))


def write_safetensors(folder):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, dtype in DTYPES.items():
        size = 6 * dtype.itemsize
        header[name] = {"dtype": name, "shape": [2, 3],
                        "data_offsets": [len(data), len(data) + size]}
        data += bytes(size)
        text = json.dumps(header).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_jpegs(folder):
    """Followed by what the fuzzer chooses a box by: its place, its size and its scale, 3 for all."""
    for path in (GOLDEN / "data").glob("*.jpg"):
        for scale in range(4):
            choice = struct.pack("<4H4B", 5, 7, 40, 50, scale, 20, 30, scale)
            (folder / f"{path.stem}_{scale}").write_bytes(path.read_bytes() + choice)


def write_images(folder):
    """Of the kind that the folder is named after."""
    endings = {"tiff": ("tif",), "pnm": ("pbm", "pgm", "ppm")}.get(folder.name, (folder.name,))
    for path in [*(GOLDEN / "images").iterdir(), *(GOLDEN / "data").glob("*.webp")]:
        if path.suffix[1:] in endings and not path.name.endswith(".expected.png"):
            (folder / path.name).write_bytes(path.read_bytes())


def write_frames(folder):
    """Two images each, of the kinds that say where they end."""
    images = [path.read_bytes() for path in [GOLDEN / "data" / "420.jpg", GOLDEN / "data" / "rgb.png",
                                             GOLDEN / "data" / "alpha_lossy.webp",
                                             *(GOLDEN / "images").glob("p[bgp]m*.p[bgp]m")]]
    for i, image in enumerate(images):
        (folder / str(i)).write_bytes(image + images[i - 1])


def write_masks(folder):
    for path in (GOLDEN / "masks").glob("*[0-9d].png"):
        (folder / path.name).write_bytes(path.read_bytes())


def write_annotations(folder):
    """A file for each of the tests' annotations."""
    coco = json.loads((GOLDEN / "coco" / "instances.json").read_text())
    for image, annotation in zip(coco["images"], coco["annotations"]):
        one = {"images": [image], "annotations": [annotation], "categories": coco["categories"]}
        (folder / f"{image['id']}.json").write_text(json.dumps(one))


def write_results(folder):
    """Of the images and categories that the fuzzer knows."""
    result = {"image_id": 42, "category_id": 13, "bbox": [1, 2.5, 3e1, 4], "score": 0.5}
    for name, results in (("none", []), ("one", [result]), ("more", [result, {**result, "image_id": 1}]),
                          ("others", [{**result, "segmentation": {"counts": [1], "size": [1, 1]}}])):
        (folder / name).write_text(json.dumps(results))


def write_voc_xmls(folder):
    texts = ("", "<size><width>500</width><height>375</height><depth>3</depth></size>",
             f"<object><name>cat</name><difficult>1</difficult>{VOC_BOX}</object>",
             f"<object><name>a &amp; b&#32;</name><part><name>head</name>{VOC_BOX}</part>{VOC_BOX}</object>",
             f"<!-- x --><object><name><![CDATA[dog]]></name>{VOC_BOX}</object><filename>a.jpg</filename>")
    for i, text in enumerate(texts):
        (folder / f"{i}.xml").write_text(f'<?xml version="1.0"?>\n<annotation>{text}</annotation>\n')
    (folder / "entity.xml").write_text('<!DOCTYPE a [<!ENTITY x "y">]><annotation>&x;</annotation>')
    (folder / "wide.xml").write_text("<annotation><object/></annotation>", encoding="utf-16")


def write_yolo_texts(folder):
    for i, text in enumerate(("", "0 0.5 0.5 1 1\n", "79 .25 .5 1e-3 0.125\r\n\n3 0.1 0.2 0.5 0.2 0.3 0.8",
                              "1 0.5 0.5 0.5 0.5 0.9\n", "80 0.5 0.5 1 1", "0 nan 0.5 1 1")):
        (folder / f"{i}.txt").write_text(text)


def write_tars(folder):
    long = "d" * 120 + "/" + "n" * 90
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(folder / f"{form}.tar", "w", format=form) as tar:
            for name, content in (("1.cls", b"7"), ("1.jpg", b"image"), ("d/2.json", b'{"label": 1}'),
                                  ("d/2.webp", b"x" * 600), (long + ".png", b""),
                                  (long + ".cls", b"0\n"), ("3.mask.png", b"mask"), ("3.png", b"x"),
                                  ("4.a.jpg", b"x"), ("4.a.mask.png", b"mask"),
                                  ("5.jpg", b"x"), ("5.xml", VOC_XML)):
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(content), 1.5
                tar.addfile(member, io.BytesIO(content))


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def write_packs(folder):
    """As include/mobileone/data/pack.h says: of files and of pixels, with labels, masks and objects."""
    mark = b"\x89MPACK\r\n"
    mask = (GOLDEN / "masks" / "grey2.png").read_bytes()
    packs = ((1, 0, [(b"file", 0, 0), (b"", 0, 0), (b"x" * 70, 0, 0)]),
             (1, 1, [(bytes(12), 2, 2), (bytes(3), 1, 1), (b"", 0, 0)]),
             (2, 0, [(b"file", 0, 0), (mask, 0, 0), (b"", 0, 0), (b"", 0, 0)]),
             (2, 1, [(bytes(12), 2, 2), (b"\0\1\1\xff", 2, 2), (b"", 0, 0), (b"", 0, 0)]),
             (3, 0, [(b"file", 0, 0), (b"", 0, 0)]),
             (3, 1, [(bytes(12), 2, 2), (bytes(3), 1, 1)]))
    for version, kind, records in packs:
        header = mark + struct.pack("<IIQIII", version, kind, len(records) // (2 if version == 2 else 1),
                                    256, 0, 0)
        header += b"f" * 40 + (struct.pack("<III", 255, 0, 2) if version == 2 else b"")
        header = header.ljust(124, b"\0")
        data, entries, names = header + struct.pack("<I", crc32c(header)), b"", b""
        for record, height, width in records:
            names += b"cat/%d.jpg" % len(names)
            entries += struct.pack("<QIIIIII", len(data), len(record), crc32c(record), height,
                                   width, version % 2, len(names))
            data = (data + record).ljust(-(-(len(data) + len(record)) // 64) * 64, b"\0")
        index = entries
        if version == 3:  # an object and an id for each image
            index += struct.pack("<5dII", 0, 0, 2, 1.5, 3, 1, 1) * len(records)
            index += struct.pack("<%dQ" % len(records), *range(len(records)))
        index += struct.pack("<I", 2)
        for name in (b"cat", b"dog"):
            index += struct.pack("<I", len(name)) + name
        index += struct.pack("<QQ", 1, 90) if version == 3 else b""
        index += names
        footer = struct.pack("<QQII", len(data), len(index), crc32c(index), 0) + mark
        (folder / f"{version}_{kind}").write_bytes(data + index + footer)


def main():
    for name, write in (("torch_file", write_torch_files), ("pickle", write_pickles),
                        ("safetensors", write_safetensors), ("jpeg", write_jpegs),
                        ("frames", write_frames),
                        ("mask", write_masks), ("coco", write_annotations),
                        ("coco_results", write_results),
                        ("voc_xml", write_voc_xmls), ("yolo_text", write_yolo_texts),
                        ("tar", write_tars), ("pack", write_packs),
                        *((kind, write_images) for kind in ("png", "webp", "tiff", "gif", "bmp", "pnm"))):
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)


if __name__ == "__main__":
    main()
