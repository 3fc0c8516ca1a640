// Packs that were damaged, and packs that lie with check sums that are right.
#include "data/support.h"
#include "mobileone/data/mask_sets.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/data/pack.h"
#include "mobileone/data/png.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/endian.h"

namespace mobileone {
namespace {

constexpr size_t kHeader = 128, kEntry = 32, kFooter = 32;

/// Three images of 2 x 4 pixels in two classes.
std::string small_pack(bool decoded) {
  const TestFolder folder;
  for (int i = 0; i < 3; ++i) {
    write_png(folder.path(fmt::format("{}/{}.png", i < 1 ? "cat" : "dog", i)),
              at::full({2, 4, 3}, 80 * i, at::kByte));
  }
  write_pack(read_image_list(folder.path()), folder.path("x.pack"), {.decoded = decoded}, 1);
  return read_file(folder.path("x.pack"));
}

uint64_t number_at(const std::string& bytes, size_t place, size_t length) {
  return little_endian(bytes, place, length);
}

void set(std::string& bytes, size_t place, uint64_t value, size_t length) {
  std::string number;
  append_little_endian(number, value, length);
  bytes.replace(place, length, number);
}

size_t footer_of(const std::string& bytes) { return bytes.size() - kFooter; }
size_t index_of(const std::string& bytes) { return number_at(bytes, footer_of(bytes), 8); }

/// Makes the check sums of header and index right.
void seal(std::string& bytes) {
  set(bytes, kHeader - 4, crc32c(bytes.substr(0, kHeader - 4)), 4);
  const size_t begin = index_of(bytes), footer = footer_of(bytes);
  if (begin > footer) return;
  set(bytes, footer + 16, crc32c(bytes.substr(begin, footer - begin)), 4);
}

struct Lie {
  const char* what;
  std::function<void(std::string&)> tell;
  const char* message;  // after "x.pack: "
};

/// Sets a number of an entry: 0 offset, 8 size, 16 height, 20 width, 24 label, 28 end of the name.
std::function<void(std::string&)> in_entry(size_t entry, size_t place, uint64_t value) {
  return [=](std::string& bytes) {
    set(bytes, index_of(bytes) + entry * kEntry + place, value, place == 0 ? 8 : 4);
  };
}

#define DAMAGED(what) "is a damaged pack (" what "); make it again with `mobileone data pack`"

const std::vector<Lie>& lies() {
  static const std::vector<Lie> all = {
      {"another version", [](auto& b) { set(b, 8, 4, 4); },
       "is a pack of version 4; this program reads versions 1 to 3"},
      {"objects that are not there", [](auto& b) { set(b, 8, 3, 4); }, nullptr},
      {"masks that are not there", [](auto& b) { set(b, 8, 2, 4); }, nullptr},
      {"no images", [](auto& b) { set(b, 16, 0, 8); }, DAMAGED("it counts wrongly")},
      {"most images", [](auto& b) { set(b, 16, ~uint64_t{0}, 8); }, DAMAGED("it counts wrongly")},
      {"2^59 images", [](auto& b) { set(b, 16, uint64_t{1} << 59, 8); },
       DAMAGED("it counts wrongly")},
      {"one image more", [](auto& b) { set(b, 16, 4, 8); }, nullptr},
      {"one image less", [](auto& b) { set(b, 16, 2, 8); }, nullptr},
      {"the other kind", [](auto& b) { set(b, 12, 1 - number_at(b, 12, 4), 4); },
       DAMAGED("entry 0 of its index is wrong")},
      {"index behind the end", [](auto& b) { set(b, footer_of(b), b.size(), 8); },
       DAMAGED("its index lies outside")},
      {"index in the header", [](auto& b) { set(b, footer_of(b), 64, 8); },
       DAMAGED("its index lies outside")},
      {"index of another size", [](auto& b) { set(b, footer_of(b) + 8, ~uint64_t{0}, 8); },
       DAMAGED("its index lies outside")},
      {"offset in the header", in_entry(0, 0, 0), DAMAGED("entry 0 of its index is wrong")},
      {"offset far away", in_entry(1, 0, ~uint64_t{0} - 7),
       DAMAGED("entry 1 of its index is wrong")},
      {"overlapping records", in_entry(1, 0, 128), DAMAGED("entry 1 of its index is wrong")},
      {"a hole between records", in_entry(1, 0, 320), DAMAGED("entry 1 of its index is wrong")},
      {"largest record", in_entry(2, 8, ~uint32_t{0}), DAMAGED("entry 2 of its index is wrong")},
      {"a height too many", in_entry(1, 16, 3), DAMAGED("entry 1 of its index is wrong")},
      {"a product that overflows", in_entry(1, 16, 0x80000000u),
       DAMAGED("entry 1 of its index is wrong")},
      {"a label without a class", in_entry(2, 24, 2), DAMAGED("entry 2 of its index is wrong")},
      {"a negative label", in_entry(2, 24, ~uint32_t{0}), DAMAGED("entry 2 of its index is wrong")},
      {"a name that ends early", in_entry(1, 28, 0), DAMAGED("entry 1 of its index is wrong")},
      {"a name that ends late", in_entry(2, 28, 1000), DAMAGED("entry 2 of its index is wrong")},
      {"names that are left over", in_entry(2, 28, 20),
       DAMAGED("its index does not fit its records")},
      {"most classes", [](auto& b) { set(b, index_of(b) + 3 * kEntry, ~uint32_t{0}, 4); }, nullptr},
      {"the longest class", [](auto& b) { set(b, index_of(b) + 3 * kEntry + 4, ~uint32_t{0}, 4); },
       DAMAGED("its classes are cut off")},
  };
  return all;
}

TEST(HostilePack, LiesAreRefused) {
  for (const bool decoded : {false, true}) {
    for (const Lie& lie : lies()) {
      std::string bytes = small_pack(decoded);
      lie.tell(bytes);
      seal(bytes);
      const std::string error = error_of([&] { parse_pack(bytes, "x.pack"); });
      if (lie.message != nullptr) {
        EXPECT_EQ(error, std::string("x.pack: ") + lie.message) << lie.what;
      } else {
        EXPECT_TRUE(error.starts_with("x.pack: is a damaged pack (")) << lie.what << ": " << error;
      }
    }
  }
}

/// Three images of 2 x 4 pixels in two classes, whose masks have the labels 0, 1 and 255.
std::string small_masked_pack(bool decoded) {
  const TestFolder folder;
  for (int i = 0; i < 3; ++i) {
    write_png(folder.path(fmt::format("images/{}.png", i)), at::full({2, 4, 3}, i, at::kByte));
    const at::Tensor mask = at::full({2, 4}, i == 2 ? 255 : i, at::kByte);
    folder.write(fmt::format("masks/{}.png", i), encode_png_indices(mask, voc_palette()));
  }
  folder.write("classes.txt", "cat\ndog\n");
  const ImageList list = read_mask_list(folder.path("images"), "", {});
  write_pack(list, folder.path("x.pack"), {.decoded = decoded}, 1);
  return read_file(folder.path("x.pack"));
}

const std::vector<Lie>& lies_of_masks() {
  const auto in_header = [](size_t place, uint64_t value) {
    return [=](std::string& bytes) { set(bytes, place, value, 4); };
  };
  constexpr auto kClasses = DAMAGED("its masks have an impossible number of classes");
  static const std::vector<Lie> all = {
      {"labels instead", in_header(8, 1), nullptr},
      {"no classes", in_header(84, 0), kClasses},
      {"classes without a label", in_header(84, 256), kClasses},
      {"a negative number of classes", in_header(84, ~uint32_t{0}), kClasses},
      {"a class without a name", in_header(84, 3), DAMAGED("it counts its masks' classes wrongly")},
      {"2^58 images", [](auto& b) { set(b, 16, uint64_t{1} << 58, 8); },
       DAMAGED("it counts wrongly")},
      {"as many images as entries", [](auto& b) { set(b, 16, 6, 8); }, nullptr},
      {"a mask over its image", in_entry(1, 0, 128), DAMAGED("entry 0 of its index is wrong")},
      {"a mask that is too high", in_entry(3, 16, 3), DAMAGED("entry 1 of its index is wrong")},
      {"a mask turned round", [](auto& b) { in_entry(3, 16, 4)(b), in_entry(3, 20, 2)(b); },
       DAMAGED("entry 1 of its index is wrong")},
      {"a mask's name that ends early", in_entry(5, 28, 0),
       DAMAGED("entry 2 of its index is wrong")},
  };
  return all;
}

TEST(HostilePack, LiesOfMasksAreRefused) {
  for (const bool decoded : {false, true}) {
    ASSERT_NO_THROW(parse_pack(small_masked_pack(decoded), "x.pack"));
    for (const Lie& lie : lies_of_masks()) {
      std::string bytes = small_masked_pack(decoded);
      lie.tell(bytes);
      seal(bytes);
      const std::string error = error_of([&] { parse_pack(bytes, "x.pack"); });
      const std::string_view expected =
          lie.message == nullptr ? "is a damaged pack (" : lie.message;
      EXPECT_TRUE(error.starts_with(fmt::format("x.pack: {}", expected)))
          << lie.what << ": " << error;
    }
  }
}

/// Three images of 2 x 4 pixels with 2, 0 and 1 objects of two classes.
std::string small_pack_of_objects(bool decoded) {
  const TestFolder folder;
  for (int i = 0; i < 3; ++i) {
    write_png(folder.path(fmt::format("images/{}.png", i)), at::full({2, 4, 3}, i, at::kByte));
  }
  folder.write("labels/0.txt", "0 0.5 0.5 1 1\n1 0.25 0.25 0.5 0.5\n");
  folder.write("labels/2.txt", "1 0.5 0.5 0.5 0.5\n");
  folder.write("classes.txt", "cat\ndog\n");
  const ImageList list = read_object_list(folder.path("images"), "", {});
  write_pack(list, folder.path("x.pack"), {.decoded = decoded}, 1);
  return read_file(folder.path("x.pack"));
}

const std::vector<Lie>& lies_of_objects() {
  constexpr size_t kObject = 48, kObjects = 3 * kEntry, kIds = kObjects + 3 * kObject;
  constexpr size_t kClasses = kIds + 3 * 8, kClassIds = kClasses + 4 + 2 * (4 + 3);
  const auto at_index = [](size_t place, uint64_t value, size_t length) {
    return [=](std::string& bytes) { set(bytes, index_of(bytes) + place, value, length); };
  };
  constexpr uint64_t kNan = 0x7ff8000000000000;
  constexpr auto kCutOff = DAMAGED("its objects are cut off");
  static const std::vector<Lie> all = {
      {"labels instead", [](auto& b) { set(b, 8, 1, 4); }, nullptr},
      {"masks instead", [](auto& b) { set(b, 8, 2, 4); }, nullptr},
      {"most images", [](auto& b) { set(b, 16, ~uint64_t{0}, 8); }, DAMAGED("it counts wrongly")},
      {"most objects", in_entry(1, 24, ~uint32_t{0}), kCutOff},
      {"an object more", in_entry(1, 24, 1), nullptr},
      {"an object less", in_entry(0, 24, 1), nullptr},
      {"a box of what is no number", at_index(kObjects, kNan, 8), DAMAGED("object 0 is wrong")},
      {"an area of what is no number", at_index(kObjects + kObject + 32, kNan, 8),
       DAMAGED("object 1 is wrong")},
      {"a label without a class", at_index(kObjects + 2 * kObject + 40, 2, 4),
       DAMAGED("object 2 is wrong")},
      {"a negative label", at_index(kObjects + 40, ~uint32_t{0}, 4), DAMAGED("object 0 is wrong")},
      {"two images with one id", at_index(kIds + 8, 1, 8), DAMAGED("two images have one id")},
      {"one class", at_index(kClasses, 1, 4), nullptr},
      {"most classes", at_index(kClasses, ~uint32_t{0}, 4), DAMAGED("it counts too many classes")},
      {"two classes with one id", at_index(kClassIds, 2, 8), DAMAGED("two classes have one id")},
  };
  return all;
}

TEST(HostilePack, LiesOfObjectsAreRefused) {
  for (const bool decoded : {false, true}) {
    ASSERT_EQ(parse_pack(small_pack_of_objects(decoded), "x.pack").annotation(0).objects.size(),
              2u);
    for (const Lie& lie : lies_of_objects()) {
      std::string bytes = small_pack_of_objects(decoded);
      lie.tell(bytes);
      seal(bytes);
      const std::string error = error_of([&] { parse_pack(bytes, "x.pack"); });
      const std::string_view expected =
          lie.message == nullptr ? "is a damaged pack (" : lie.message;
      EXPECT_TRUE(error.starts_with(fmt::format("x.pack: {}", expected)))
          << lie.what << ": " << error;
    }
  }
}

/// The pixels of a decoded pack are nobody's to check but the reader's.
TEST(HostilePack, ALabelThatIsNoClassIsNamed) {
  std::string bytes = small_masked_pack(true);
  const size_t record = number_at(bytes, index_of(bytes) + kEntry, 8);
  bytes[record + 5] = 2;
  set(bytes, index_of(bytes) + kEntry + 12, crc32c(bytes.substr(record, 8)), 4);
  seal(bytes);
  const ImageList list = parse_pack(bytes, "x.pack");
  EXPECT_EQ(error_of([&] { list.annotation(0); }),
            "x.pack > 0.png: has label 2, which is none of the 2 classes (0 to 1)");
  EXPECT_EQ(list.annotation(1).mask.max().item<int>(), 1);
}

TEST(HostilePack, CutOffAnywhereIsSaid) {
  const TestFolder folder;
  const std::string whole = small_pack(false);
  for (size_t percent = 0; percent < 100; ++percent) {
    const std::string path =
        folder.write("cut.pack", whole.substr(0, whole.size() * percent / 100));
    const std::string error = error_of([&] { read_image_list(path); });
    EXPECT_TRUE(error.starts_with(path + ": ")) << percent << ": " << error;
  }
}

/// A flipped bit is found out, or lies where nothing is.
TEST(HostilePack, NoFlippedBitChangesAnImage) {
  for (const int kind : {0, 1, 2, 3, 4, 5}) {
    const bool decoded = kind % 2 == 1;
    std::string bytes = kind < 2   ? small_pack(decoded)
                        : kind < 4 ? small_masked_pack(decoded)
                                   : small_pack_of_objects(decoded);
    const std::string original = bytes;
    const ImageList expected = parse_pack(original, "x.pack");
    for (size_t place = 0; place < bytes.size(); ++place) {
      bytes[place] ^= static_cast<char>(1 << place % 8);
      int found = 0;
      try {
        const ImageList list = parse_pack(bytes, "x.pack");
        EXPECT_EQ(list.labels, expected.labels);
        for (int64_t i = 0; i < list.size(); ++i) {
          EXPECT_EQ(list.name(i), expected.name(i));
          try {
            EXPECT_TRUE(read_pixels(list, i).equal(read_pixels(expected, i)));
            if (!list.masks) continue;
            EXPECT_TRUE(list.annotation(i).mask.equal(expected.annotation(i).mask));
          } catch (const Error& error) {
            ++found;
            EXPECT_TRUE(std::string(error.what()).starts_with(list.name(i) + ": fails its check"));
          }
        }
      } catch (const Error&) {
        ++found;
      }
      EXPECT_LE(found, 1);
      if (place < kHeader || place >= index_of(original)) {
        // The four zeros of the footer say nothing.
        const size_t footer = footer_of(original);
        EXPECT_TRUE(found == 1 || (place >= footer + 20 && place < footer + 24)) << place;
      }
      bytes[place] ^= static_cast<char>(1 << place % 8);
    }
  }
}

}  // namespace
}  // namespace mobileone
