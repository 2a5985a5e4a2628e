// How a patch changes a payload. Pure functions over JSON texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"
#include "quipu/storage/operation.h"

namespace quipu::engine {

// What `patch` makes of the payload `current`: first the deletions, then what is set.
//
// Paths follow Qdrant's rules. What is set at a path is merged into the object there; where there
// is none, objects are made for the path's names; an element of an array that is not there is not
// made, and something else where an array is expected becomes an empty one. Deleting "a[]" empties
// the array, deleting "a[3]" does nothing, since doing it twice would delete two.
// Errors: kCorruption when `current` is no object; kInvalidArgument for a path that cannot be read.
[[nodiscard]] Result<std::string> change_payload(std::string_view current,
                                                 const storage::PatchPoint& patch);

// `current` (an object) without the members named in `erase`, with those of `set` added or replaced
// in place. Errors: kCorruption when `current` is no object.
[[nodiscard]] Result<std::string> merge_payload(std::string_view current,
                                                const std::vector<std::string>& erase,
                                                std::string_view set);

}  // namespace quipu::engine
