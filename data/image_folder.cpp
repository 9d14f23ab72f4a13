// DIR/train/CLASS/** and DIR/test/CLASS/**: a folder a class, images in it and below it.
#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "data/readers.h"
#include "framework/core/error.h"

namespace adwp::data {
namespace {

namespace fs = std::filesystem;

std::string ending_of(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return ending;
}

// Files that begin with such an ending are decoded, whatever they hold; what is in them decides how.
bool is_image(const fs::path& path) {
  static const std::set<std::string> endings{".png",  ".jpg", ".jpeg", ".jpe", ".jfif",
                                             ".webp", ".bmp", ".gif",  ".apng"};
  return endings.contains(ending_of(path));
}

// Of editors, file managers, archives and file systems: never a class, never an image.
bool is_hidden(const fs::path& path) {
  static const std::set<std::string> names{"__MACOSX",
                                           "@eaDir",
                                           "#recycle",
                                           "@Recycle",
                                           "$RECYCLE.BIN",
                                           "lost+found",
                                           "System Volume Information",
                                           "__pycache__"};
  const std::string name = path.filename().string();
  return name.starts_with('.') || names.contains(name);
}

[[noreturn]] void fail_to_read(const fs::path& folder, const std::error_code& error) {
  fail("data", "cannot read the folder {}: {}; expected DIR/train/CLASS/*.png|jpg|webp|bmp|gif",
       folder.string(), error.message());
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) fail_to_read(folder, error);
  std::vector<fs::path> paths;
  for (; entries != fs::directory_iterator(); entries.increment(error)) paths.push_back(entries->path());
  if (error) fail_to_read(folder, error);
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Lists one split.
class FolderLister {
 public:
  explicit FolderLister(const fs::path& root) : root_(root) {
    refuse_dangling(root);
    std::error_code error;
    if (!fs::exists(root, error) && !error) {
      fail("data", "no such folder, got {}, expected DIR/train/CLASS/*.png|jpg|webp|bmp|gif; {}",
           root.string(), what_lies_in(root.parent_path()));
    }
    above_ = fs::canonical(root, error);
    for (const fs::path& path : sorted_entries(root)) {
      if (leaves_out(path)) continue;
      std::error_code ignored;
      if (fs::is_directory(path, ignored)) {
        add_class(path);
      } else {
        leave_out(path, "not in a class's folder");
      }
    }
    if (!files.empty()) return;
    const std::size_t classes = listing.classes.size();
    fail("data", "{} holds no {}{}", root.string(),
         classes == 0 ? "class folders with images"
                      : fmt::format("image in any of its {} class folders", classes),
         what_was_left_out());
  }

  std::vector<fs::path> files;
  Listing listing;

 private:
  void leave_out(const fs::path& path, std::string reason) {
    listing.inventory.left_out.push_back({path.string(), std::move(reason)});
  }

  // A link to nowhere is an error: whoever made it wanted what it named.
  static void refuse_dangling(const fs::path& path) {
    std::error_code ignored;
    if (fs::is_symlink(fs::symlink_status(path, ignored)) && !fs::exists(path, ignored)) {
      fail("data", "{} is a link to {}, which is not there; mend or remove it", path.string(),
           fs::read_symlink(path, ignored).string());
    }
  }

  bool leaves_out(const fs::path& path) {
    if (is_hidden(path)) {
      leave_out(path, "hidden");
      return true;
    }
    refuse_dangling(path);
    return false;
  }

  void add_class(const fs::path& folder) {
    const std::size_t before = files.size();
    std::set<fs::path> entered;
    add_images(folder, entered);
    const std::int64_t found = files.size() - before;
    const std::string name = normal_name(folder.filename().string());
    for (const std::string& other : listing.classes) {
      if (other != name) continue;
      fail("data", "{} stands twice, spelt in two ways of Unicode; move the images of one to the other",
           folder.string());
    }
    listing.labels.insert(listing.labels.end(), found, std::int32_t(listing.classes.size()));
    listing.classes.push_back(name);
    listing.inventory.classes.push_back({name, found});
    if (std::ssize(files) > most_images || std::ssize(listing.classes) > most_classes) {
      fail("data", "{} is too large, got {} images in {} classes", root_.string(), files.size(),
           listing.classes.size());
    }
  }

  // Those of the folder and of all below it, each folder once: links may lead back.
  void add_images(const fs::path& folder, std::set<fs::path>& entered) {
    std::error_code error;
    const fs::path real = fs::canonical(folder, error);
    // Of the split itself, or of what holds it: other classes would come in with it.
    const bool leads_up =
        std::mismatch(real.begin(), real.end(), above_.begin(), above_.end()).first == real.end();
    if (leads_up || !entered.insert(real).second) {
      leave_out(folder, "link that leads back");
      return;
    }
    for (const fs::path& path : sorted_entries(folder)) {
      if (leaves_out(path)) continue;
      std::error_code ignored;
      if (fs::is_directory(path, ignored)) {
        add_images(path, entered);
      } else if (is_image(path)) {
        files.push_back(path);
      } else {
        leave_out(path, path.has_extension() ? ending_of(path) : "no ending");
      }
    }
  }

  std::string what_was_left_out() const {
    const auto& left_out = listing.inventory.left_out;
    return left_out.empty()
               ? ""
               : fmt::format("; left out: {} ({})", left_out.back().path, left_out.back().reason);
  }

  fs::path root_, above_;  // the split's folder, and where it really lies
};

// body(i) for 0 .. n on all cores; one of the threads tells `reading` how far they are.
template <typename Body>
void on_all_cores(std::size_t n, const Reading& reading, Body&& body) {
  const std::size_t workers = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 16);
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> threads;
  for (std::size_t worker = 0; worker < std::min(workers, n); ++worker) {
    threads.emplace_back([&, worker] {
      for (std::size_t i; (i = next++) < n;) {
        body(i);
        if (worker == 0 && reading) reading(i + 1, n);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Reads files of a folder.
class FolderReader {
 public:
  FolderReader(const DataSpec& spec, std::vector<fs::path> files, std::vector<std::int32_t> labels)
      : spec_(spec), files_(std::move(files)), labels_(std::move(labels)) {}

  ReadImages read(std::span<const std::int32_t> indices, std::int64_t size, Inventory& inventory,
                  const Reading& reading) const {
    std::vector<std::string> faults(indices.size());
    std::vector<std::pair<std::int64_t, std::int64_t>> sizes(indices.size());  // height, width
    if (size == 0) {
      on_each(indices, faults, {}, [&](std::size_t i, const fs::path& path) {
        const DecodedImage image = measure_image(path, spec_.orientation);
        sizes[i] = {image.height, image.width};
      });
      size = commonest_side(sizes);
      if (size == 0 && !spec_.skip_bad) refuse(indices, faults);
      size = std::max<std::int64_t>(size, 1);
    }
    ImageSet all{.height = size, .width = size, .channels = 3};
    require_room(std::ssize(indices), size, size, 3);
    all.pixels.resize(indices.size() * all.image_bytes());
    on_each(indices, faults, reading, [&](std::size_t i, const fs::path& path) {
      const DecodedImage image = decode_image(path, 3, spec_.orientation);
      sizes[i] = {image.height, image.width};
      const auto at = all.pixels.begin() + i * all.image_bytes();
      if (image.height == size && image.width == size) {
        std::copy(image.pixels.begin(), image.pixels.end(), at);
      } else {
        const auto pixels = resize(image.pixels.data(), image.height, image.width, 3, size);
        std::copy(pixels.begin(), pixels.end(), at);
      }
    });
    const std::size_t bad = indices.size() - std::count(faults.begin(), faults.end(), std::string());
    if (bad > 0 && !spec_.skip_bad) refuse(indices, faults);
    return without_bad(std::move(all), indices, faults, sizes, inventory);
  }

 private:
  static std::string without_where(const std::string& fault) {
    return fault.starts_with("[") ? fault.substr(std::min(fault.find(' '), fault.size() - 1) + 1) : fault;
  }

  // body(i, path) for each that has no fault yet; what it throws becomes its fault.
  template <typename Body>
  void on_each(std::span<const std::int32_t> indices, std::vector<std::string>& faults,
               const Reading& reading, Body&& body) const {
    on_all_cores(indices.size(), reading, [&](std::size_t i) {
      if (!faults[i].empty()) return;
      try {
        body(i, files_[indices[i]]);
      } catch (const std::exception& error) {
        faults[i] = error.what();
      }
    });
  }

  // The longer side of the commonest size; of equally common ones of the largest. 512 at most: larger
  // networks than any space holds.
  static std::int64_t commonest_side(const std::vector<std::pair<std::int64_t, std::int64_t>>& sizes) {
    std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> counts;
    for (const auto& size : sizes) {
      if (size.first > 0) ++counts[size];
    }
    std::int64_t most = 0, side = 0;
    for (const auto& [size, count] : counts) {
      const std::int64_t longer = std::max(size.first, size.second);
      if (count > most || (count == most && longer > side)) side = longer;
      most = std::max(most, count);
    }
    return std::min<std::int64_t>(side, 512);
  }

  [[noreturn]] void refuse(std::span<const std::int32_t> indices,
                           const std::vector<std::string>& faults) const {
    std::size_t bad = 0, first = 0;
    for (std::size_t i = faults.size(); i-- > 0;) {
      if (faults[i].empty()) continue;
      ++bad;
      if (bad == 1 || files_[indices[i]] < files_[indices[first]]) first = i;
    }
    const std::string reason = without_where(faults[first]);
    if (bad == 1) fail("data", "{}; ?skip-bad leaves such files out", reason);
    fail(
        "data",
        "{} of {} images cannot be used; the first: {}; ?skip-bad leaves them out, inspect --data lists them",
        bad, indices.size(), reason);
  }

  ReadImages without_bad(ImageSet all, std::span<const std::int32_t> indices,
                         const std::vector<std::string>& faults,
                         const std::vector<std::pair<std::int64_t, std::int64_t>>& sizes,
                         Inventory& inventory) const {
    ReadImages result;
    const std::int64_t bytes = all.image_bytes();
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const std::int32_t index = indices[i];
      if (!faults[i].empty()) {
        std::string detail = without_where(faults[i]);
        for (const std::string verb : {"cannot use ", "cannot read "}) {
          const std::string known = verb + one_line(files_[index].string()) + ": ";
          if (detail.starts_with(known)) detail.erase(0, known.size());
        }
        inventory.left_out.push_back({files_[index].string(), "cannot be decoded", detail});
        continue;
      }
      ++inventory.sizes[sizes[i]];
      const std::size_t to = result.indices.size();
      if (to != i) std::copy_n(all.pixels.begin() + i * bytes, bytes, all.pixels.begin() + to * bytes);
      result.indices.push_back(index);
      all.labels.push_back(labels_[index]);
    }
    all.pixels.resize(result.indices.size() * bytes);
    result.images = std::move(all);
    return result;
  }

  DataSpec spec_;
  std::vector<fs::path> files_;
  std::vector<std::int32_t> labels_;
};

// Folders beside train and test that look like splits: whoever made them should know that they are not read.
void add_other_splits(const fs::path& directory, Inventory& inventory) {
  for (const fs::path& path : sorted_entries(directory)) {
    std::string name = path.filename().string();
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    std::error_code ignored;
    const bool is_one = name.starts_with("val") || name.starts_with("test") || name.starts_with("train");
    if (!is_one || path.filename() == "train" || path.filename() == "test") continue;
    if (fs::is_directory(path, ignored)) {
      inventory.left_out.push_back({path.string(), "neither train nor test"});
    }
  }
}

}  // namespace

Listing list_folder(const DataSpec& spec, Split split) {
  FolderLister lister(fs::path(spec.directory) / (split == Split::train ? "train" : "test"));
  Listing listing = std::move(lister.listing);
  if (split == Split::train) add_other_splits(spec.directory, listing.inventory);
  const auto reader = std::make_shared<FolderReader>(spec, std::move(lister.files), listing.labels);
  listing.read = [reader](std::span<const std::int32_t> indices, std::int64_t size, Inventory& inventory,
                          const Reading& reading) { return reader->read(indices, size, inventory, reading); };
  return listing;
}

}  // namespace adwp::data
