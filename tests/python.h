#pragma once

#include "support/python.h"  // IWYU pragma: export
