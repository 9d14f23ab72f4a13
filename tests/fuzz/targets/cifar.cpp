// CIFAR-10's and CIFAR-100's binary form. Accepted: all of the file's pixels are there, in their places.
#include "data/readers.h"
#include "tests/fuzz/support.h"
#include "tests/support/listed.h"

using namespace adwp;

namespace {

void read(std::string_view bytes, bool hundred) {
  const std::size_t label_bytes = hundred ? 2 : 1, record = label_bytes + 3072;
  test::LabelledImages read;
  if (!fuzz::accepts([&] {
        read = test::read_all(data::list_cifar(fuzz::folder().string(), hundred, data::Split::test));
      }))
    return;
  const data::ImageSet& set = read.images;
  fuzz::expect(static_cast<std::size_t>(set.count()) * record == bytes.size(), "an image a record");
  fuzz::expect(set.pixels.size() == static_cast<std::size_t>(set.count()) * 3072, "3072 pixels an image");
  for (std::size_t n = 0; n < set.labels.size(); ++n) {
    fuzz::expect(set.labels[n] >= 0 && set.labels[n] < std::ssize(read.classes), "labels are classes");
    for (std::size_t p = 0; p < 3072; ++p) {
      const auto stored = static_cast<std::uint8_t>(bytes[n * record + label_bytes + p % 3 * 1024 + p / 3]);
      fuzz::expect(set.pixels[n * 3072 + p] == stored, "planes become channels");
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  fuzz::write_file("test_batch.bin", bytes);
  fuzz::write_file("test.bin", bytes);
  read(bytes, false);
  read(bytes, true);
  return 0;
}
