#include "bench/common/serve.h"

#include <iostream>
#include <optional>
#include <utility>

namespace quipu::bench {
namespace {

Result<std::string> answer_line(const Answer& answer, const std::string& line) {
  QUIPU_TRY(const JsonDocument document, JsonDocument::parse(line));
  QUIPU_TRY(const std::string op, text_of(document.root(), "op"));
  return answer(op, document.root());
}

}  // namespace

int serve(const Answer& answer) {
  std::string line;
  while (std::getline(std::cin, line)) {
    Result<std::string> reply = answer_line(answer, line);
    if (!reply.ok()) {
      std::string text;
      JsonWriter(text).begin_object().key("error").value(reply.error().message).end_object();
      reply = std::move(text);
    }
    std::cout << reply.value() << std::endl;
  }
  return 0;
}

Result<std::string> text_of(JsonView request, std::string_view name) {
  const auto member = request.find(name);
  const auto text = member ? member->as_string() : std::nullopt;
  if (!text) return Error{ErrorCode::kInvalidArgument, "no text '" + std::string(name) + "'"};
  return std::string(*text);
}

Result<std::uint64_t> number_of(JsonView request, std::string_view name) {
  const auto member = request.find(name);
  const auto number = member ? member->as_uint64() : std::nullopt;
  if (!number) return Error{ErrorCode::kInvalidArgument, "no number '" + std::string(name) + "'"};
  return *number;
}

Error unknown_op(std::string_view op) {
  return {ErrorCode::kInvalidArgument, "unknown op '" + std::string(op) + "'"};
}

}  // namespace quipu::bench
