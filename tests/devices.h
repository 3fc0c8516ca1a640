#pragma once

#include "support/devices.h"  // IWYU pragma: export
