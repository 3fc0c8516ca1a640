#pragma once

#include <string>
#include <thread>

#include "keys.h"
#include "mobileone/dist/place.h"

namespace mobileone {

/// What a run's processes tell of themselves, so that the one to blame is named where a collective
/// fails: each renews a key as long as it lives, and leaves word of why it ends.
class VitalSigns {
 public:
  /// Gives signs of this process's life by `heart`, which must not share a connection with `store`,
  /// until this is destroyed.
  VitalSigns(StorePointer store, StorePointer heart, Place place);

  /// Tells the others why this process ends. Rank 0, where it serves the keys, waits until they
  /// have read it.
  void report_failure(const std::string& message) const noexcept;

  /// Tells rank 0, where it is the one that failed, that this process knows.
  void note_leaving() const noexcept;

  /// Throws PeerError that says which process is to blame for the fault `what` of a collective.
  [[noreturn]] void blame(const std::string& what) const;

 private:
  StorePointer store_;
  Place place_;
  std::jthread heart_;
};

}  // namespace mobileone
