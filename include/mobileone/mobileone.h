#pragma once

/// What most programs need of the library: configurations, training, and networks to load, fold,
/// compute with, save and export. The other headers hold the parts that these are made of.
#include "mobileone/api/network.h"
#include "mobileone/config/reader.h"
#include "mobileone/train/trainer.h"
