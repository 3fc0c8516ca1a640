#pragma once

namespace mobileone {

/// Seconds of processor time of this process, all its threads together.
double processor_seconds();

/// The most memory of this process that was resident at a time, MiB.
double peak_rss_mib();

}  // namespace mobileone
