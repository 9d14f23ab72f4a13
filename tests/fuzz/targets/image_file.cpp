// One PNG or JPEG, as data sets and `classify` read it.
#include "data/readers.h"
#include "tests/fuzz/support.h"

using namespace adwp;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const int channels = input.number(1) % 2 == 0 ? 3 : 1;
  const std::string path = fuzz::write_file("image", input.rest());
  data::DecodedImage image;
  if (!fuzz::accepts([&] { image = data::decode_image(path, channels); })) return 0;
  fuzz::expect(image.height >= 1 && image.width >= 1 && image.height <= data::most_pixels / image.width,
               "its sides");
  fuzz::expect(image.pixels.size() == static_cast<std::size_t>(image.height * image.width * channels),
               "all pixels");
  if (image.pixels.size() > 100'000) return 0;  // the rest on small ones
  fuzz::expect(data::decode_image(path, channels).pixels == image.pixels, "the same pixels each time");
  for (std::int64_t side : {1, 9, 40}) {
    fuzz::expect(std::ssize(data::read_image(path, channels, side)) == side * side * channels,
                 "the size asked for");
  }
  return 0;
}
