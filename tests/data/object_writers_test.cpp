#include "mobileone/data/object_writers.h"

#include <filesystem>
#include <utility>

#include "data/object_set_files.h"
#include "mobileone/data/box_cut.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/data/pack.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

class ObjectWriters : public testing::Test {
 protected:
  ObjectWriters() : list_(write_object_pictures(folder_)) {}

  std::string path(const std::string& name) const { return folder_.path(name); }

  ObjectFilesSummary write(DataFormat format, const std::string& output = "out") {
    testing::internal::CaptureStderr();
    const ObjectFilesSummary summary =
        write_object_files(list_, {.output = path(output), .format = format, .threads = 2});
    warning_ = testing::internal::GetCapturedStderr();
    return summary;
  }

  ImageList read(const std::string& name) const {
    testing::internal::CaptureStderr();
    const ImageList list = read_object_list(path(name), "", {});
    testing::internal::GetCapturedStderr();
    return list;
  }

  /// The objects of `found` are those of the set as `expected` has them.
  template <typename Expected>
  void expect_objects(const ImageList& found, Expected expected) const {
    EXPECT_EQ(found.class_names, list_.class_names);
    ASSERT_EQ(found.size(), list_.size());
    for (int64_t i = 0; i < list_.size(); ++i) {
      EXPECT_TRUE(found.read(i).bytes() == list_.read(i).bytes()) << i;
      std::vector<Object> wanted;
      for (const Object& object : list_.objects->of(i)) expected(i, object, wanted);
      const auto own = found.objects->of(i);
      ASSERT_EQ(own.size(), wanted.size()) << i;
      for (size_t k = 0; k < wanted.size(); ++k) {
        const Box &a = own[k].box, &b = wanted[k].box;
        EXPECT_NEAR(a.left, b.left, 1e-9);
        EXPECT_NEAR(a.top, b.top, 1e-9);
        EXPECT_NEAR(a.right, b.right, 1e-9);
        EXPECT_NEAR(a.bottom, b.bottom, 1e-9);
        EXPECT_NEAR(own[k].area, wanted[k].area, 1e-6);
        EXPECT_EQ(own[k].label, wanted[k].label);
        EXPECT_EQ(own[k].crowd, wanted[k].crowd);
        EXPECT_EQ(own[k].difficult, wanted[k].difficult);
      }
    }
  }

  TestFolder folder_;
  ImageList list_;
  std::string warning_;
};

TEST_F(ObjectWriters, CocoKeepsAllButDifficulty) {
  EXPECT_EQ(write(DataFormat::kCoco).objects, std::ssize(list_.objects->objects));
  EXPECT_NE(warning_.find("2 difficult objects are written with \"ignore\": 1"), std::string::npos)
      << warning_;
  for (const char* name : {"out/images", "out/annotations/instances_images.json"}) {
    const ImageList found = read(name);
    EXPECT_EQ(found.objects->image_ids, list_.objects->image_ids);
    EXPECT_EQ(found.objects->category_ids, list_.objects->category_ids);
    expect_objects(found, [](int64_t, Object object, std::vector<Object>& wanted) {
      object.difficult = false;
      wanted.push_back(object);
    });
  }
}

TEST_F(ObjectWriters, VocKeepsAllButCrowdsAndAreas) {
  write(DataFormat::kVoc);
  EXPECT_NE(warning_.find("4 crowds become difficult"), std::string::npos) << warning_;
  for (const char* name : {"out/JPEGImages", "out/ImageSets/Main/all.txt"}) {
    expect_objects(read(name), [](int64_t, Object object, std::vector<Object>& wanted) {
      object.difficult = object.difficult || object.crowd;
      object.crowd = false;
      object.area = object.box.area();
      wanted.push_back(object);
    });
  }
}

TEST_F(ObjectWriters, YoloKeepsWhatIsLearntInsideTheImage) {
  write(DataFormat::kYolo);
  EXPECT_NE(warning_.find("4 crowds are left out, 2 difficult objects are left out"),
            std::string::npos)
      << warning_;
  expect_objects(read("out/images"), [](int64_t i, Object object, std::vector<Object>& wanted) {
    if (object.crowd || object.difficult) return;
    object.box = clipped(object.box, 80, static_cast<double>(60 + i));
    object.area = object.box.area();
    if (object.area > 0) wanted.push_back(object);
  });
}

/// Through all formats and back, what each can say stays.
TEST_F(ObjectWriters, FormatsChain) {
  auto plain = std::make_shared<ObjectTable>(*list_.objects);
  for (Object& object : plain->objects) {
    object.box = clipped(object.box, 80, 60);
    object.area = object.box.area();
    object.crowd = object.difficult = false;
  }
  list_.objects = plain;
  const ImageList original = list_;
  for (const auto& [format, output, images] : {std::tuple{DataFormat::kYolo, "1", "1/images"},
                                               {DataFormat::kVoc, "2", "2/JPEGImages"},
                                               {DataFormat::kCoco, "3", "3/images"}}) {
    write(format, output);
    EXPECT_EQ(warning_, "");
    list_ = read(images);
  }
  const ImageList last = std::exchange(list_, original);
  expect_objects(last, [](int64_t, const Object& object, std::vector<Object>& wanted) {
    wanted.push_back(object);
  });
}

TEST_F(ObjectWriters, ImagesAreLinkedOrCopied) {
  write(DataFormat::kCoco);
  EXPECT_TRUE(fs::equivalent(path("out/images/a/00.png"), path("pictures/a/00.png")));
  write_pack(list_, path("x.pack"), {}, 1);
  list_ = read_pack(path("x.pack"));
  write(DataFormat::kYolo, "of_pack");
  EXPECT_TRUE(read_file(path("of_pack/images/a/00.png")) == read_file(path("pictures/a/00.png")));
  EXPECT_EQ(read_file(path("of_pack/classes.txt")), "cat\ndog & co\nköder\n");
}

TEST_F(ObjectWriters, WholeOrNotAtAll) {
  folder_.write("out/mine.txt", "x");
  EXPECT_EQ(error_of([&] { write(DataFormat::kCoco); }),
            path("out") + ": is there already; move it away, or name another folder");
  testing::internal::GetCapturedStderr();
  folder_.write("pictures/a/03.png", "no picture");
  const std::string error = error_of([&] { write(DataFormat::kVoc, "new"); });
  testing::internal::GetCapturedStderr();
  EXPECT_TRUE(error.starts_with(path("pictures/a/03.png") + ": is text")) << error;
  EXPECT_FALSE(fs::exists(path("new")));
  EXPECT_FALSE(fs::exists(path("new.partial")));
}

TEST_F(ObjectWriters, ImagesMustHaveNamesOfTheirOwn) {
  const auto files = std::make_shared<ImageFiles>(path("pictures/"));
  for (const char* name : {"a/00.png", "a/00.jpg"}) files->add(name);
  list_.storage = files;
  list_.labels.resize(2);
  EXPECT_EQ(error_of([&] { write_object_files(list_, {.output = path("out")}); }),
            path("pictures") + ": the annotations of " + path("pictures/a/00.png") + " and " +
                path("pictures/a/00.jpg") + " would have the same name");
}

TEST_F(ObjectWriters, APackOfPixelsHasNoFiles) {
  write_pack(list_, path("x.pack"), {.decoded = true}, 1);
  list_ = read_pack(path("x.pack"));
  EXPECT_EQ(error_of([&] { write_object_files(list_, {.output = path("out")}); }),
            path("x.pack") + ": holds pixels, not image files, which a folder of images needs");
}

}  // namespace
}  // namespace mobileone
