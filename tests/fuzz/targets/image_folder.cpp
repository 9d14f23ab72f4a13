// A data set as folders of images. Each file: a byte for its class, one for its name, two with its length.
#include "data/readers.h"
#include "tests/fuzz/support.h"
#include "tests/support/listed.h"

using namespace adwp;
namespace fs = std::filesystem;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr const char* classes[] = {"a", "b\n", "\xc3\xbc", "\xff", ".", "empty"};
  static constexpr const char* names[] = {"1.png", "2.JPG", "3.jpeg", "notes.txt", "\n.png", ".png"};
  const fs::path root = fuzz::folder() / "test";
  fs::remove_all(root);
  fs::create_directory(root);
  fuzz::Input input(data, size);
  for (int file = 0; file < 8 && !input.empty(); ++file) {
    const std::string name = std::string("test/") + classes[input.number(1) % 6];
    fs::create_directory(fuzz::folder() / name);
    const std::size_t kind = input.number(1) % 6, length = input.number(2);
    fuzz::write_file(name + "/" + names[kind], input.take(length));
  }
  for (std::int64_t side : {0, 6}) {
    test::LabelledImages read;
    if (!fuzz::accepts([&] {
          read = test::read_all(data::list_folder({.directory = fuzz::folder().string()}, data::Split::test),
                                side);
        }))
      continue;
    const data::ImageSet& set = read.images;
    fuzz::expect(set.height == set.width && (side == 0 || set.height == side),
                 "square, of the size asked for");
    fuzz::expect(set.pixels.size() == static_cast<std::size_t>(set.count() * set.image_bytes()),
                 "all pixels");
    fuzz::expect(std::is_sorted(read.classes.begin(), read.classes.end()), "classes in order");
    for (std::int32_t label : set.labels)
      fuzz::expect(label < std::ssize(read.classes), "labels are classes");
  }
  return 0;
}
