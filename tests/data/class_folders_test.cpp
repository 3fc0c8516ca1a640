#include "mobileone/data/class_folders.h"

#include <unistd.h>

#include "data/support.h"

namespace mobileone {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> relative_paths(const ImageList& list, const std::string& folder) {
  std::vector<std::string> paths;
  for (int64_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(list.name(i), folder + "/" + list.storage->relative_name(i));
    paths.push_back(list.storage->relative_name(i));
  }
  return paths;
}

TEST(ClassFolders, SortsClassesAndFiles) {
  const TestFolder folder;
  for (const char* name : {"cat/b.JPG", "cat/a.png", "cat/more/0.webp", "ant/z.jpeg", "cat/._a.png",
                           ".cache/x.jpg", "README.md"}) {
    folder.write(name, "");
  }
  const ImageList list = read_image_list(folder.path());
  EXPECT_EQ(list.class_names, (std::vector<std::string>{"ant", "cat"}));
  EXPECT_EQ(relative_paths(list, folder.path()),
            (std::vector<std::string>{"ant/z.jpeg", "cat/a.png", "cat/b.JPG", "cat/more/0.webp"}));
  EXPECT_EQ(list.labels, (std::vector<int32_t>{0, 1, 1, 1}));
  EXPECT_EQ(list.origin, folder.path());
}

TEST(ClassFolders, FollowsLinks) {
  const TestFolder folder;
  folder.write("elsewhere/a.jpg", "");
  folder.write("set/cat/b.jpg", "");
  fs::create_directory_symlink(folder.path("elsewhere"), folder.path("set/dog"));
  const ImageList list = read_image_list(folder.path("set"));
  EXPECT_EQ(list.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(list.size(), 2);
}

TEST(ClassFolders, SaysWhatIsMissing) {
  const TestFolder folder;
  const auto error = [&](const std::string& name) {
    return error_of([&] { read_image_list(folder.path(name)); });
  };
  EXPECT_EQ(error("set"),
            folder.path("set") + ": no such data set (folder, CSV list, tar shards or pack)");

  folder.write("set/a.jpg", "");
  EXPECT_EQ(error("set"), folder.path("set") +
                              ": holds no class folders (expected one folder of images for each "
                              "class)");
  EXPECT_EQ(error("set/a.jpg"),
            folder.path("set/a.jpg") +
                ": expected a folder of class folders, a CSV list (.csv), tar shards (.tar) or a "
                "pack");

  folder.write("set/cat/notes.txt", "");
  EXPECT_EQ(
      error("set"),
      folder.path("set/cat") +
          ": this class folder holds no images (expected .jpg, .png, ...; it holds .txt (1))");
}

/// What reading a folder says on standard error.
std::string said_of(const std::string& folder) {
  testing::internal::CaptureStderr();
  read_class_folders(folder);
  return testing::internal::GetCapturedStderr();
}

TEST(ClassFolders, WhatIsLeftOutIsCountedInOneLine) {
  const TestFolder folder;
  for (const char* name : {"cat/a.jpg", "cat/b.JFIF", "cat/c.heic", "cat/d.HEIC", "cat/more/e.avif",
                           "cat/noending", "dog/f.jpe", "dog/g.jif", "loose.png"}) {
    folder.write(name, "");
  }
  fs::create_symlink("nowhere.jpg", folder.path("dog/h.jpg"));
  fs::create_symlink("i.jpg", folder.path("dog/i.jpg"));  // to itself
  EXPECT_EQ(said_of(folder.path()),
            "warning: " + folder.path() +
                ": left out .heic (2), broken links (2), .avif (1), files without an ending (1), "
                "images in no class folder (1); the first: " +
                folder.path("loose.png") + "\n");
  EXPECT_EQ(read_class_folders(folder.path()).labels, (std::vector<int32_t>{0, 0, 1, 1}));
}

TEST(ClassFolders, LinksInACircleMultiplyNothing) {
  const TestFolder folder;
  folder.write("set/cat/a.jpg", "");
  folder.write("set/cat/more/b.jpg", "");
  folder.write("set/dog/c.jpg", "");
  fs::create_directory_symlink(".", folder.path("set/cat/self"));
  fs::create_directory_symlink("../..", folder.path("set/cat/more/up"));
  fs::create_directory_symlink("more", folder.path("set/cat/twice"));
  const std::string said = said_of(folder.path("set"));
  EXPECT_NE(said.find("left out folders that links lead to twice (3); the first"), said.npos)
      << said;
  EXPECT_EQ(read_class_folders(folder.path("set")).size(), 3);
}

TEST(ClassFolders, AClassThatLeadsNowhereIsAnError) {
  const TestFolder folder;
  folder.write("cat/a.jpg", "");
  fs::create_directory_symlink("gone", folder.path("dog"));
  EXPECT_EQ(error_of([&] { read_class_folders(folder.path()); }),
            folder.path("dog") +
                ": is a link that leads nowhere, expected a class folder; mend or remove it");
}

TEST(ClassFolders, AnUnreadableFolderIsNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read every folder";
  const TestFolder folder;
  folder.write("cat/more/a.jpg", "");
  fs::permissions(folder.path("cat/more"), fs::perms::none);
  EXPECT_EQ(error_of([&] { read_class_folders(folder.path()); }),
            folder.path("cat/more") + ": cannot be read: Permission denied");
  fs::permissions(folder.path("cat/more"), fs::perms::owner_all);
}

TEST(ClassFolders, NamesOfAnyBytesAreLegibleOnOneLine) {
  const TestFolder folder;
  for (const char* name : {"caf\xe9", "a\nb", "\x1b[31m", "caf\xc3\xa9"}) {
    folder.write(std::string(name) + "/a.jpg", "");
  }
  EXPECT_EQ(read_class_folders(folder.path()).class_names,
            (std::vector<std::string>{"\\x1b[31m", "a\\x0ab", "caf\xc3\xa9", "caf\\xe9"}));
}

}  // namespace
}  // namespace mobileone
