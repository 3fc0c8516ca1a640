#include "mobileone/util/random.h"

#include <bit>
#include <cmath>
#include <numbers>

namespace mobileone {
namespace {

uint64_t splitmix64(uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(uint64_t seed, std::initializer_list<uint64_t> keys) {
  uint64_t mixed = seed;
  for (uint64_t key : keys) {
    uint64_t hashed = splitmix64(mixed);
    mixed = hashed ^ (key * 0xd1342543de82ef95);
  }
  for (auto& word : state_) word = splitmix64(mixed);
}

uint64_t Random::bits() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }

int64_t Random::integer(int64_t n) {
  const auto range = static_cast<uint64_t>(n);
  const uint64_t threshold = (0 - range) % range;
  uint64_t draw = bits();
  while (draw < threshold) draw = bits();
  return static_cast<int64_t>(draw % range);
}

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

}  // namespace mobileone
