// Decodes images and prints what came, for check_pictures.py: for each file a line "HEIGHT WIDTH" and the
// pixels as RGB, or a line "error REASON".
#include <cstdio>

#include "data/image_file.h"
#include "framework/core/error.h"

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    try {
      const adwp::data::DecodedImage image = adwp::data::decode_image(argv[i], 3);
      std::printf("%ld %ld\n", static_cast<long>(image.height), static_cast<long>(image.width));
      std::fwrite(image.pixels.data(), 1, image.pixels.size(), stdout);
    } catch (const adwp::Error& error) {
      std::printf("error %s\n", adwp::one_line(error.what()).c_str());
    }
  }
}
