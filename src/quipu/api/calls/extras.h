// What clients tell of a collection that the engine has no place for: options of other engines that
// are only stored and read back.
//
// They are kept as the payload of a point, by the collection's id (never given twice), in a
// collection of a tenant of its own. A crash between the making of a collection and its extras
// leaves a collection without them, whose making was not acknowledged; one between its end and
// theirs leaves a point that nothing refers to.
//
// Threads: any; concurrent changes of one collection's extras are made one after the other.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "quipu/engine.h"
#include "quipu/ids.h"
#include "quipu/result.h"

namespace quipu::api {

inline constexpr std::string_view kExtrasTenant = "qdrant-surface";
inline constexpr std::string_view kExtrasCollection = "collection-options";

// A JSON object; "{}" when there are none.
[[nodiscard]] Result<std::string> load_extras(Engine& engine, CollectionId id);
// Replaces them by what `change` makes of them. It may be called several times.
[[nodiscard]] Status change_extras(
    Engine& engine, CollectionId id,
    const std::function<Result<std::string>(std::string_view extras)>& change);
[[nodiscard]] Status drop_extras(Engine& engine, CollectionId id);

}  // namespace quipu::api
