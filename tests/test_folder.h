#pragma once

#include "support/test_folder.h"  // IWYU pragma: export
