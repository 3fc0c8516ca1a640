#include "mobileone/data/segment_classes.h"

namespace mobileone {
namespace {

using ClassNames = std::vector<std::string>;

const ClassNames& voc_classes() {
  static const ClassNames names = {
      "background", "aeroplane", "bicycle",     "bird",  "boat",        "bottle", "bus",
      "car",        "cat",       "chair",       "cow",   "diningtable", "dog",    "horse",
      "motorbike",  "person",    "pottedplant", "sheep", "sofa",        "train",  "tvmonitor"};
  return names;
}

const ClassNames& camvid_classes() {
  static const ClassNames names = {"Sky",      "Building",   "Pole",       "Road",
                                   "Pavement", "Tree",       "SignSymbol", "Fence",
                                   "Car",      "Pedestrian", "Bicyclist"};
  return names;
}

/// The first of the synonyms in SceneParsing's objectInfo150.txt.
const ClassNames& ade20k_classes() {
  static const ClassNames names = {"wall",
                                   "building",
                                   "sky",
                                   "floor",
                                   "tree",
                                   "ceiling",
                                   "road",
                                   "bed",
                                   "windowpane",
                                   "grass",
                                   "cabinet",
                                   "sidewalk",
                                   "person",
                                   "earth",
                                   "door",
                                   "table",
                                   "mountain",
                                   "plant",
                                   "curtain",
                                   "chair",
                                   "car",
                                   "water",
                                   "painting",
                                   "sofa",
                                   "shelf",
                                   "house",
                                   "sea",
                                   "mirror",
                                   "rug",
                                   "field",
                                   "armchair",
                                   "seat",
                                   "fence",
                                   "desk",
                                   "rock",
                                   "wardrobe",
                                   "lamp",
                                   "bathtub",
                                   "railing",
                                   "cushion",
                                   "base",
                                   "box",
                                   "column",
                                   "signboard",
                                   "chest of drawers",
                                   "counter",
                                   "sand",
                                   "sink",
                                   "skyscraper",
                                   "fireplace",
                                   "refrigerator",
                                   "grandstand",
                                   "path",
                                   "stairs",
                                   "runway",
                                   "case",
                                   "pool table",
                                   "pillow",
                                   "screen door",
                                   "stairway",
                                   "river",
                                   "bridge",
                                   "bookcase",
                                   "blind",
                                   "coffee table",
                                   "toilet",
                                   "flower",
                                   "book",
                                   "hill",
                                   "bench",
                                   "countertop",
                                   "stove",
                                   "palm",
                                   "kitchen island",
                                   "computer",
                                   "swivel chair",
                                   "boat",
                                   "bar",
                                   "arcade machine",
                                   "hovel",
                                   "bus",
                                   "towel",
                                   "light",
                                   "truck",
                                   "tower",
                                   "chandelier",
                                   "awning",
                                   "streetlight",
                                   "booth",
                                   "television receiver",
                                   "airplane",
                                   "dirt track",
                                   "apparel",
                                   "pole",
                                   "land",
                                   "bannister",
                                   "escalator",
                                   "ottoman",
                                   "bottle",
                                   "buffet",
                                   "poster",
                                   "stage",
                                   "van",
                                   "ship",
                                   "fountain",
                                   "conveyer belt",
                                   "canopy",
                                   "washer",
                                   "plaything",
                                   "swimming pool",
                                   "stool",
                                   "barrel",
                                   "basket",
                                   "waterfall",
                                   "tent",
                                   "bag",
                                   "minibike",
                                   "cradle",
                                   "oven",
                                   "ball",
                                   "food",
                                   "step",
                                   "tank",
                                   "trade name",
                                   "microwave",
                                   "pot",
                                   "animal",
                                   "bicycle",
                                   "lake",
                                   "dishwasher",
                                   "screen",
                                   "blanket",
                                   "sculpture",
                                   "hood",
                                   "sconce",
                                   "vase",
                                   "traffic light",
                                   "tray",
                                   "ashcan",
                                   "fan",
                                   "pier",
                                   "crt screen",
                                   "plate",
                                   "monitor",
                                   "bulletin board",
                                   "shower",
                                   "radiator",
                                   "glass",
                                   "clock",
                                   "flag"};
  return names;
}

}  // namespace

const std::vector<std::string>& segment_class_names(DataFormat format) {
  static const ClassNames none;
  switch (format) {
    case DataFormat::kVoc:
      return voc_classes();
    case DataFormat::kAde20k:
      return ade20k_classes();
    case DataFormat::kCamVid:
      return camvid_classes();
    default:
      return none;
  }
}

}  // namespace mobileone
