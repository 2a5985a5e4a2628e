#include "quipu/base/quote.h"

#include "quipu/base/json.h"

namespace quipu {

std::string in_quotes(std::string_view text, std::size_t bytes_max) {
  const bool cut = text.size() > bytes_max;
  if (cut) {
    std::size_t size = bytes_max;
    // Steps back over at most three continuation bytes, so that no character is halved.
    for (int step = 0; step < 3 && size > 0; ++step) {
      if ((static_cast<unsigned char>(text[size]) & 0xC0U) != 0x80U) break;
      --size;
    }
    text = text.substr(0, size);
  }
  std::string out;
  append_json_string(out, text);
  if (cut) out += "...";
  return out;
}

}  // namespace quipu
