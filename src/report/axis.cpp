#include "mobileone/report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace mobileone {
namespace {

constexpr double kMargin = 0.04;  // of the values' range, on either side
constexpr double kSame = 1e-9;    // ranges relatively smaller than this are one value
constexpr double kTiny = 1e-290;  // and so are smaller ones; powers of ten underflow below it

std::string superscript(int number) {
  constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text;
  for (const char c : std::to_string(number)) text += c == '-' ? "⁻" : kDigits[c - '0'];
  return text;
}

int decade(double value) { return static_cast<int>(std::floor(std::log10(value) + kSame)); }

/// "12,000" for "12000".
std::string grouped(std::string digits) {
  const size_t whole = std::min(digits.find('.'), digits.size());
  for (size_t i = whole; i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

/// `value` to the precision of `step`; as a power of ten where `largest`, the largest magnitude of
/// the axis, would take many digits.
std::string label(double value, double step, double largest) {
  const double magnitude = std::abs(value);
  if (magnitude < step / 2) return "0";
  const std::string sign = value < 0 ? "−" : "";
  if (largest >= 1e-3 && largest < 1e6) {
    const std::string digits = fmt::format("{:.{}f}", magnitude, std::max(0, -decade(step)));
    return sign + (magnitude < 1e4 ? digits : grouped(digits));
  }
  const int exponent = decade(magnitude);
  const std::string mantissa = fmt::format("{:.{}f}", magnitude / std::pow(10, exponent),
                                           std::max(0, exponent - decade(step)));
  const std::string power = "10" + superscript(exponent);
  return sign + (mantissa == "1" ? power : mantissa + "×" + power);
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `least`.
double round_step(double least) {
  const double power = std::pow(10, decade(least));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - kSame)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

Scale::Scale(const Axis& axis, const std::vector<double>& values) : axis_(axis) {
  std::vector<double> shown;
  std::copy_if(values.begin(), values.end(), std::back_inserter(shown),
               [this](double value) { return shows(value); });
  whole_ = !shown.empty() && std::all_of(shown.begin(), shown.end(),
                                         [](double value) { return value == std::round(value); });
  const auto place = [this](double value) { return axis_.log ? std::log10(value) : value; };
  double low = 0, high = 1;
  if (!shown.empty()) {
    const auto [least, most] = std::minmax_element(shown.begin(), shown.end());
    low = place(*least);
    high = place(*most);
  }
  const double size = std::max(std::abs(low), std::abs(high));
  const bool one_value = high - low <= std::max(kTiny, kSame * size);
  const double margin = !one_value           ? kMargin * (high - low)
                        : whole_ || axis.log ? std::max(0.5, 1e-6 * size)
                        : size > kTiny       ? 0.1 * size
                                             : 1;
  const bool crosses_zero = !axis.log && low >= 0 && low < margin;
  if (!shown.empty()) {
    low = crosses_zero ? 0 : low - margin;
    high += margin;
  }
  from_ = axis.from ? place(*axis.from) : low;
  to_ = axis.to ? place(*axis.to) : high;
  if (to_ <= from_) to_ = from_ + std::max(1.0, std::abs(from_));
}

bool Scale::shows(double value) const {
  constexpr double kLargest = 1e300;  // so that differences stay finite
  return std::abs(value) <= kLargest && (!axis_.log || value > kTiny) &&
         (!axis_.from || value >= *axis_.from) && (!axis_.to || value <= *axis_.to);
}

double Scale::position(double value) const {
  return ((axis_.log ? std::log10(value) : value) - from_) / (to_ - from_);
}

std::vector<Tick> Scale::ticks(int most) const {
  return axis_.log && to_ - from_ >= 1 ? log_ticks(most) : linear_ticks(most);
}

std::vector<Tick> Scale::linear_ticks(int most) const {
  const double low = axis_.log ? std::pow(10, from_) : from_;
  const double high = axis_.log ? std::pow(10, to_) : to_;
  const double slack = kSame * (high - low);
  double step = round_step((high - low) / most);
  if (whole_) step = std::max(step, 1.0);
  const auto first = [&] { return std::ceil((low - slack) / step); };
  const auto last = [&] { return std::floor((high + slack) / step); };
  while (last() - first() >= most) step = round_step(1.5 * step);
  const double largest = step * std::max(std::abs(first()), std::abs(last()));
  std::vector<Tick> ticks;
  double room = -1;  // where a label may stand: on a logarithmic axis they draw together
  for (double index = first(); index <= last(); ++index) {
    const double place = position(index * step);
    if (axis_.log && place < room) continue;
    ticks.push_back({index * step, label(index * step, step, largest)});
    room = place + 0.75 / most;
  }
  return ticks;
}

std::vector<Tick> Scale::log_ticks(int most) const {
  const auto at = [&](const std::vector<int>& factors, int stride) {
    std::vector<Tick> ticks;
    for (int exponent = static_cast<int>(std::floor(from_)); exponent <= to_; ++exponent) {
      if (exponent % stride != 0) continue;
      const double power = std::pow(10, exponent);
      for (const int factor : factors) {
        const double value = factor * power, place = std::log10(value);
        if (place < from_ - kSame || place > to_ + kSame) continue;
        ticks.push_back({value, label(value, power, value)});
      }
    }
    return ticks;
  };
  for (const auto& factors : {std::vector<int>{1, 2, 5}, std::vector<int>{1, 3}}) {
    auto ticks = at(factors, 1);
    if (static_cast<int>(ticks.size()) <= most) return ticks;
  }
  int stride = 1;
  while (static_cast<int>(at({1}, stride).size()) > most) ++stride;
  return at({1}, stride);
}

}  // namespace mobileone
