// A pair of IDX files: two bytes with the length of the labels' file, that file, then the images'.
#include "data/readers.h"
#include "tests/fuzz/support.h"
#include "tests/support/listed.h"

using namespace adwp;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string_view labels = input.take(input.number(2));
  fuzz::write_file("t10k-labels-idx1-ubyte", labels);
  fuzz::write_file("t10k-images-idx3-ubyte", input.rest());
  test::LabelledImages read;
  if (!fuzz::accepts(
          [&] { read = test::read_all(data::list_idx(fuzz::folder().string(), data::Split::test)); }))
    return 0;
  const data::ImageSet& set = read.images;
  fuzz::expect(static_cast<std::size_t>(set.count()) == labels.size() - 8, "an image a label");
  fuzz::expect(set.pixels.size() == static_cast<std::size_t>(set.count() * set.image_bytes()), "all pixels");
  fuzz::expect(set.pixels.size() <= 32 * size, "memory in proportion to the file");
  for (std::int32_t label : set.labels) fuzz::expect(label < std::ssize(read.classes), "labels are classes");
  return 0;
}
