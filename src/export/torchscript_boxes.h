#pragma once

namespace mobileone {

// What a detector does behind its network, as methods of its module in TorchScript; format strings.

/// SSD's coding of boxes: offsets [N,A,4] → edges [N,A,4].
inline constexpr const char* kDecodeCode = R"(
def decode(self, offsets: Tensor) -> Tensor:
    x = torch.to(offsets, {0})
    middle = torch.slice(x, 2, 0, 2) * {1} * self.anchor_sides + self.anchor_centers
    half = torch.clamp_max(torch.slice(x, 2, 2, 4) * {2}, {3})
    half = torch.exp(half) * (0.5 * self.anchor_sides)
    edges = torch.cat([middle - half, middle + half], 2)
    return torch.minimum(torch.clamp_min(edges, 0.0), self.limits)
)";

/// Non-maximum suppression, class by class: boxes [1,A,4] and probabilities [1,A,1+C] → [n,6].
inline constexpr const char* kSuppressCode = R"(
def suppress(self, boxes: Tensor, scores: Tensor) -> Tensor:
    rows = [torch.zeros([0, 6], dtype={4}, device=boxes.device)]
    for label in range(1, torch.size(scores, 2)):
        score = torch.select(torch.select(scores, 0, 0), 1, label)
        places = torch.squeeze(torch.nonzero(torch.gt(score, {0})), 1)
        found = torch.index_select(score, 0, places)
        order = torch.slice(torch.argsort(found, stable=True, dim=0, descending=True), 0, 0, {2})
        found = torch.index_select(found, 0, order)
        own = torch.index_select(torch.select(boxes, 0, 0), 0, torch.index_select(places, 0, order))
        first = torch.slice(own, 1, 0, 2)
        last = torch.slice(own, 1, 2, 4)
        area = torch.prod(last - first, 1)
        begin = torch.maximum(torch.unsqueeze(first, 0), torch.unsqueeze(first, 1))
        end = torch.minimum(torch.unsqueeze(last, 0), torch.unsqueeze(last, 1))
        both = torch.prod(torch.clamp_min(end - begin, 0.0), 2)
        either = torch.unsqueeze(area, 0) + torch.unsqueeze(area, 1) - both
        over = torch.triu(torch.gt(both / either, {1}), 1)
        keep = torch.ones_like(found, dtype=11)
        for i in range(torch.size(found, 0)):
            if bool(keep[i]):
                keep = torch.logical_and(keep, torch.logical_not(over[i]))
        kept = torch.squeeze(torch.nonzero(keep), 1)
        column = torch.unsqueeze(torch.index_select(found, 0, kept), 1)
        name = torch.full_like(column, label - 1)
        rows.append(torch.cat([torch.index_select(own, 0, kept), column, name], 1))
    all = torch.cat(rows, 0)
    best = torch.argsort(torch.select(all, 1, 4), stable=True, dim=0, descending=True)
    return torch.index_select(all, 0, torch.slice(best, 0, 0, {3}))
)";

}  // namespace mobileone
