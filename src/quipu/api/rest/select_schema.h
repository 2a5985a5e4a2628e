// The members of request bodies that say what comes back of each point, and paths into payloads.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "quipu/api/schema.h"
#include "quipu/engine.h"

namespace quipu::api::rest {

// true, false, a list of paths, or {"include"} or {"exclude"} with such a list.
struct PayloadSelection {
  bool any = true;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
};
// true, false, or the names of vectors.
struct VectorSelection {
  bool any = false;
  std::vector<std::string> names;
};

// A base of bodies.
struct Selection {
  PayloadSelection with_payload;
  bool with_text = true;
  VectorSelection with_vector;
  [[nodiscard]] Select select() const;
};

[[nodiscard]] SchemaPtr<PayloadSelection> payload_selection();
[[nodiscard]] SchemaPtr<VectorSelection> vector_selection();
// A path into a payload ("a.b", "a[].b"); kept in its canonical spelling.
[[nodiscard]] SchemaPtr<std::string> payload_path();

// Adds them to an object whose struct is a Selection.
template <typename T>
[[nodiscard]] Object<T> select_members(Object<T> object) {
  return std::move(object)
      .optional("with_payload", static_cast<PayloadSelection T::*>(&T::with_payload),
                payload_selection(), "true unless given.")
      .optional("with_text", static_cast<bool T::*>(&T::with_text), boolean(), "true unless given.")
      .optional("with_vector", static_cast<VectorSelection T::*>(&T::with_vector),
                vector_selection(), "false unless given.");
}

}  // namespace quipu::api::rest
