#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// A folded network as a list of operations: what a writer of a format, a counter or a quantiser
/// needs to know of it. Nothing here knows torch.
namespace mobileone::graph {

using Shape = std::vector<int64_t>;

int64_t element_count(const Shape& shape);

/// Numbers in row-major order. Copies share them; `values` may point into anything that it keeps
/// alive, such as a tensor. It is null where only the shape is known.
struct Array {
  Shape shape;
  std::shared_ptr<const float> values = nullptr;
};

/// A parameter, by the key that the network's state dict has for it ("stage2.5.se.reduce.bias").
struct NamedArray {
  std::string name;
  Array array;
};

/// What an operation takes or gives: an index into `infer_shapes`.
struct Value {
  int32_t id = -1;
  auto operator<=>(const Value&) const = default;
};

/// A parameter: an index into `Graph::parameters`.
struct Parameter {
  int32_t id = -1;
};

// Operations. Feature maps are [N,C,H,W] of floating point, whose width a writer chooses.

/// A convolution, padded by zeros on all four sides: [N,Cin,H,W] → [N,Cout,H',W'] with
/// H' = (H + 2·padding − dilation·(K − 1) − 1) / stride + 1.
struct Conv {
  Parameter weight = {};  ///< [Cout, Cin/groups, K, K]
  Parameter bias = {};    ///< [Cout]
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
};

/// [N,Cin] → [N,Cout].
struct Linear {
  Parameter weight = {};  ///< [Cout, Cin]
  Parameter bias = {};    ///< [Cout]
};

/// The mean of each channel: [N,C,H,W] → [N,C,1,1] where sizes are kept, else [N,C].
struct GlobalMean {
  bool keep_sizes = false;
};

struct Sigmoid {};

/// The product of two values of one shape, or of [N,C,H,W] and a gate [N,C,1,1].
struct Multiply {};

/// The sum of two values of one shape.
struct Add {};

/// Joins along the second axis: the channels of feature maps of one height and width, or what
/// PerAnchor gives.
struct Concat {};

/// What a map gives for each of the `anchors` of its cells: [N,anchors·K,H,W] → [N,H·W·anchors,K],
/// row by row, a cell's anchors one after the other.
struct PerAnchor {
  int64_t anchors = 1;
};

/// Bilinear with half-pixel centres (torch's align_corners=False), not antialiased: the first input
/// at the height and width of the second, a feature map.
struct Resize {};

/// Over channels: [N,C] or [N,C,H,W]; or where `axis` is 2, over the last of [N,A,C].
struct Softmax {
  int64_t axis = 1;
};

/// What the logarithm of a box's side may be in its anchor's at most, as in torchvision: beyond it
/// sides would overflow.
inline constexpr float kMostLogSide = 4.135166556742356f;  // log(1000 / 16)

/// Boxes of their offsets from anchors, as SSD codes them: [N,A,4] → [N,A,4], left, top, right and
/// bottom in pixels, clipped to an image of `width` x `height`; computed in float32.
struct DecodeBoxes {
  Array anchors;  ///< [A,4], the centre's x and y, width and height, px
  std::array<float, 2> variances = {0.1f, 0.2f};
  float width = 0, height = 0;
};

/// Non-maximum suppression of one image: boxes [1,A,4] and probabilities [1,A,1+C], the background
/// first → detections [n,6] in float32, a row each of left, top, right, bottom, score and class
/// from 0, the best first. Of each class the `candidates` best boxes of a score above `score` are
/// looked at, of which those are dropped that overlap a better one by more than `iou`; of all
/// classes the `detections` best remain.
struct Suppress {
  float score = 0, iou = 0;
  int64_t candidates = 0, detections = 0;
};

/// The channel with the largest value, the first of equals: [N,C,H,W] → uint8 [N,H,W], likewise
/// [N,C] → [N]; of 256 channels at most.
struct ArgMax {};

/// Levels 0 to 255 of images as they are decoded, uint8 [N,H,W,C] → (level − mean) / std in
/// floating point, [N,C,H,W]; computed in float32.
struct Normalize {
  std::vector<float> mean, std;  ///< of each channel, in levels
};

using Operation = std::variant<Conv, Linear, GlobalMean, Sigmoid, Multiply, Add, Concat, PerAnchor,
                               Resize, Softmax, DecodeBoxes, Suppress, ArgMax, Normalize>;

/// What a convolution or a linear layer multiplies by and adds.
struct WeightAndBias {
  Parameter weight, bias;
};

/// Empty for operations without parameters.
std::optional<WeightAndBias> weight_and_bias(const Operation& operation);

struct Node {
  std::string name;  ///< unique; of a parameter's key the part before ".weight"
  Operation operation;
  std::vector<Value> inputs;
  bool relu = false;      ///< what the operation gives is cut off below zero
  std::string unit = {};  ///< the unit that this is part of ("stage2.5"); empty: a node by itself
  Value output = {};      ///< set by `Graph::add`
};

/// What kind of numbers a value has.
enum class Element { kFloat, kUint8 };

/// The images: float [N,C,H,W] or uint8 [N,H,W,C].
struct Input {
  std::string name = "images";
  Element element = Element::kFloat;
  int64_t channels = 3;
  int64_t batch = 0, height = 0, width = 0;  ///< 0: any
  Value value = {0};
};

struct Output {
  std::string name;
  Value value;
};

/// How a value is stored in 8 bits: as an integer q from 0 to 255, for scale · (q − zero).
struct Grid {
  float scale = 1;
  int32_t zero = 0;

  bool operator==(const Grid&) const = default;
};

struct Graph {
  Input input;
  std::vector<Node> nodes;  ///< each after those whose outputs it takes
  std::vector<Output> outputs;
  std::vector<NamedArray> parameters;  ///< in the order of the state dict
  int32_t values = 1;                  ///< how many there are: ids are below

  // Of a quantised network (docs/int8.md).
  std::map<int32_t, Grid> grids = {};  ///< of the values that are stored in 8 bits, by id
  /// Of the weights, by the parameter's id, of each output channel: each weight is scale · q for an
  /// integer q from −127 to 127.
  std::map<int32_t, std::vector<float>> scales = {};

  /// Appends a node and returns its output, a new value.
  Value add(Node node);
  Parameter add_parameter(std::string name, Array array);
  Value new_value() { return {values++}; }

  const Array& operator[](Parameter parameter) const { return parameters[parameter.id].array; }
  /// Null where the value is in floating point.
  const Grid* grid_of(Value value) const;
};

/// "stage2.5.se.reduce" → "stage2.5.se"; empty for a name without a dot.
std::string parent(const std::string& name);

/// What stands beside `name`: ("stage2.5.reparam_conv", "relu") → "stage2.5.relu".
std::string sibling(const std::string& name, const std::string& other);

}  // namespace mobileone::graph
