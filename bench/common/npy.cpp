#include "bench/common/npy.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>
#include <utility>

namespace quipu::bench {
namespace {

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);
constexpr std::size_t kPrefixBytes = 10;  // magic, version, header length

Error not_such_an_array(const std::string& path, std::string_view why) {
  return {ErrorCode::kCorruption,
          "'" + path + "' is not a float32 .npy matrix: " + std::string(why)};
}

// Reads the two numbers of "'shape': (rows, dim)".
bool read_shape(std::string_view header, std::size_t& rows, std::size_t& dim) {
  const std::size_t at = header.find("'shape': (");
  if (at == std::string_view::npos) return false;
  const char* cursor = header.data() + at + std::strlen("'shape': (");
  const char* const end = header.data() + header.size();
  const auto first = std::from_chars(cursor, end, rows);
  if (first.ec != std::errc() || end - first.ptr < 2 || first.ptr[0] != ',') return false;
  const auto second = std::from_chars(first.ptr + 2, end, dim);
  return second.ec == std::errc() && second.ptr != end && *second.ptr == ')';
}

}  // namespace

Result<NpyMatrix> NpyMatrix::map(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return Error{ErrorCode::kNotFound, "cannot open '" + path + "'"};
  struct stat status = {};
  const bool known = ::fstat(file, &status) == 0;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const bytes =
      known && size != 0 ? ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
  ::close(file);
  if (bytes == MAP_FAILED) return Error{ErrorCode::kIo, "cannot map '" + path + "'"};
  NpyMatrix matrix;
  matrix.mapping_ = std::shared_ptr<const void>(
      bytes, [size](const void* start) { ::munmap(const_cast<void*>(start), size); });

  const std::string_view text(static_cast<const char*>(bytes), size);
  if (size < kPrefixBytes || text.substr(0, kMagic.size()) != kMagic) {
    return not_such_an_array(path, "no .npy version 1 magic");
  }
  const std::size_t header_bytes = static_cast<std::uint8_t>(text[8]) |
                                   static_cast<std::size_t>(static_cast<std::uint8_t>(text[9]))
                                       << 8;
  const std::size_t start = kPrefixBytes + header_bytes;
  if (start > size) return not_such_an_array(path, "cut within its header");
  const std::string_view header = text.substr(kPrefixBytes, header_bytes);
  if (header.find("'<f4'") == std::string_view::npos ||
      header.find("'fortran_order': False") == std::string_view::npos) {
    return not_such_an_array(path, "not little-endian float32 in C order");
  }
  if (!read_shape(header, matrix.rows_, matrix.dim_) || matrix.dim_ == 0) {
    return not_such_an_array(path, "its shape is not (rows, dim)");
  }
  if ((size - start) / sizeof(float) / matrix.dim_ < matrix.rows_) {
    return not_such_an_array(path, "shorter than its shape says");
  }
  // NumPy pads the header to a multiple of 64, so the floats are aligned within the page.
  if (start % alignof(float) != 0) return not_such_an_array(path, "its header is not padded");
  matrix.values_ = reinterpret_cast<const float*>(text.data() + start);
  return matrix;
}

Status write_npy(const std::string& path, std::span<const float> values, std::size_t dim) {
  QUIPU_ASSERT(dim != 0);
  QUIPU_ASSERT(values.size() % dim == 0);
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(values.size() / dim) + ", " + std::to_string(dim) + "), }";
  header.append(64 - (kPrefixBytes + header.size() + 1) % 64, ' ');
  header += '\n';
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(kMagic.data(), static_cast<std::streamsize>(kMagic.size()));
  const char length[2] = {static_cast<char>(header.size() & 0xff),
                          static_cast<char>(header.size() >> 8)};
  out.write(length, 2);
  out << header;
  out.write(reinterpret_cast<const char*>(values.data()),
            static_cast<std::streamsize>(values.size_bytes()));
  out.flush();
  if (!out) return Error{ErrorCode::kIo, "cannot write '" + path + "'"};
  return ok_status();
}

}  // namespace quipu::bench
