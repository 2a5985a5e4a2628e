#include "quipu/base/sha256.h"

#include <gtest/gtest.h>

#include "quipu/base/bytes.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"

namespace quipu {
namespace {

TEST(Sha256, PiecesGiveWhatTheWholeGives) {
  // FIPS 180-2, the example "abc".
  Sha256 abc;
  abc.update("a");
  abc.update("bc");
  EXPECT_EQ(abc.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Rng rng(test_seed());
  Sha256 digest;
  std::string all;
  EXPECT_EQ(digest.hex(), sha256_hex(""));
  for (int i = 0; i < 40; ++i) {
    std::string piece(rng.below(200), '\0');
    for (char& byte : piece) byte = static_cast<char>(rng.next());
    digest.update(piece);
    all += piece;
    ASSERT_EQ(digest.hex(), sha256_hex(all));  // and it goes on after being asked
  }
}

}  // namespace
}  // namespace quipu
