#include <zlib.h>

#include <array>
#include <limits>

#include "quipu/base/format.h"
#include "quipu/text/documents/document.h"

namespace quipu::text {
namespace {

// Ends the stream on every path.
struct Inflater {
  z_stream stream{};
  bool ready = false;
  // 16 asks zlib for gzip's header and trailer around the largest window.
  Inflater() : ready(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK) {}
  ~Inflater() {
    if (ready) inflateEnd(&stream);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

Error malformed(std::string_view what) {
  return {ErrorCode::kInvalidArgument, quipu::format("damaged gzip file: {}", what),
          "document_malformed"};
}

}  // namespace

Result<std::string> gunzip(std::string_view bytes, std::size_t size_max) {
  if (bytes.size() > std::numeric_limits<uInt>::max()) return malformed("too large");
  Inflater inflater;
  if (!inflater.ready) return Error{ErrorCode::kInternal, "zlib could not be set up"};
  z_stream& stream = inflater.stream;
  // zlib does not write through next_in; its type predates const.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  std::array<char, 65536> buffer;
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    const int state = inflate(&stream, Z_NO_FLUSH);
    if (state != Z_OK && state != Z_STREAM_END) {
      return malformed(stream.msg == nullptr ? "it ends early" : stream.msg);
    }
    text.append(buffer.data(), buffer.size() - stream.avail_out);
    if (text.size() > size_max) {
      return Error{ErrorCode::kResourceExhausted,
                   quipu::format("decompressed, it is over the limit of {} bytes", size_max),
                   "document_too_large"};
    }
    if (state != Z_STREAM_END) continue;
    if (stream.avail_in == 0) return text;
    if (inflateReset(&stream) != Z_OK) return malformed("bad member");
  }
}

}  // namespace quipu::text
