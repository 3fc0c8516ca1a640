#include "mobileone/util/system_error.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(SystemError, TellsWhatMayPass) {
  for (const int code : {EMFILE, ENFILE, EIO, ENOMEM, EINTR, ETIMEDOUT, ESTALE, EAGAIN, ENOSPC}) {
    EXPECT_TRUE(may_pass(SystemError(code, "{}", code))) << code;
  }
  for (const int code : {ENOENT, EACCES, EPERM, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG}) {
    EXPECT_FALSE(may_pass(SystemError(code, "{}", code))) << code;
  }
  EXPECT_FALSE(may_pass(Error("damaged")));
}

}  // namespace
}  // namespace mobileone
