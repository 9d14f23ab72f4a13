// fuzz_seeds DIR: writes DIR/TARGET/*, the first inputs of every fuzz target, with the project's own writers.
#include <stb/stb_image_write.h>

#include <iterator>
#include <vector>

#include "apps/search/setup.h"
#include "framework/io/checkpoint.h"
#include "nas/network/stored_network.h"
#include "nas/store/run_store.h"
#include "tests/fuzz/host_memory.h"
#include "tests/fuzz/support.h"
#include "tests/support/images.h"

namespace {

using namespace adwp;
namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string little_endian(std::size_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

// DIR/TARGET/NAME for the bytes of a file written by `write(path)`, behind `before`.
class Seeds {
 public:
  explicit Seeds(fs::path directory) : directory_(std::move(directory)) {}

  void text(const std::string& target, const std::string& name, const std::string& bytes) const {
    fs::create_directories(directory_ / target);
    std::ofstream(directory_ / target / name, std::ios::binary) << bytes;
  }
  template <typename Write>
  void file(const std::string& target, const std::string& name, Write&& write) const {
    write(fuzz::folder() / "seed");
    text(target, name, contents(fuzz::folder() / "seed"));
  }

 private:
  fs::path directory_;
};

std::vector<nas::Architecture> architectures(int count) {
  const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
  Random random(1, Purpose::test, 0);
  std::vector<nas::Architecture> all{space.smallest()};
  while (std::ssize(all) < count) all.push_back(space.sample(random));
  return all;
}

void write_data_sets(const Seeds& seeds) {
  seeds.file("cifar", "cifar10", [](const fs::path& path) { test::write_cifar(path, 2, 3); });
  seeds.file("cifar", "cifar100", [](const fs::path& path) {
    test::write_cifar(path, 1, 3);
    std::ofstream(path, std::ios::binary) << '\5' + contents(path);
  });
  test::write_idx(fuzz::folder(), "t10k", 3, 5, 4);
  const std::string labels = contents(fuzz::folder() / "t10k-labels-idx1-ubyte");
  seeds.text("idx", "three",
             little_endian(labels.size(), 2) + labels + contents(fuzz::folder() / "t10k-images-idx3-ubyte"));
  for (const char* spec : {"synthetic", "synthetic:500?limit=9", "cifar10:a/b", "cifar100:x?size=16&limit=7",
                           "folder:/a:b?limit=7&size=16", "idx:."}) {
    seeds.text("data_spec", std::to_string(std::string_view(spec).size()), spec);
  }
}

void write_images(const Seeds& seeds) {
  std::vector<unsigned char> pixels;
  for (int i = 0; i < 9 * 7 * 4; ++i) pixels.push_back(static_cast<unsigned char>(i * 37));
  std::string folder;
  for (int channels = 1; channels <= 4; ++channels) {
    const fs::path png = fuzz::folder() / "i.png", jpeg = fuzz::folder() / "i.jpg";
    stbi_write_png(png.c_str(), 9, 7, channels, pixels.data(), 9 * channels);
    stbi_write_jpg(jpeg.c_str(), 9, 7, channels, pixels.data(), channels % 2 == 0 ? 95 : 40);
    const std::string number = std::to_string(channels);
    seeds.text("image_file", "png" + number, '\0' + contents(png));
    seeds.text("image_file", "grey_png" + number, '\1' + contents(png));
    seeds.text("image_file", "jpeg" + number, '\0' + contents(jpeg));
    // Nothing here writes progressive JPEG; a first scan of it is coded as this one is: SOF2, coefficient 0.
    std::string progressive = contents(jpeg);
    const std::size_t frame = progressive.find("\xff\xc0"), scan = progressive.find("\xff\xda");
    progressive[frame + 1] = '\xc2';
    const auto components = static_cast<std::size_t>(progressive[scan + 4]);
    progressive[scan + 6 + 2 * components] = '\0';
    seeds.text("image_file", "progressive" + number, '\0' + progressive);
    folder += std::string(1, static_cast<char>(channels % 2)) + '\0' + little_endian(contents(png).size(), 2);
    folder += contents(png);
    folder +=
        std::string(1, static_cast<char>(channels % 2)) + '\1' + little_endian(contents(jpeg).size(), 2);
    folder += contents(jpeg);
    if (channels % 2 == 0) seeds.text("image_folder", number, folder);
  }
}

void write_networks(const Seeds& seeds) {
  for (const nas::Architecture& one : architectures(6)) seeds.text("architecture", one.id(), one.to_json());
  seeds.text("search_space", "tiny", nas::SearchSpace::preset("tiny").to_toml());
  seeds.text("search_space", "cifar", nas::SearchSpace::preset("cifar").to_toml());

  io::SafeTensors file;
  file.metadata = {{"a", "b"}, {"\"[", "{\\"}};
  file.tensors["f"] = {Shape{2, 1}, DType::f32, std::vector<std::byte>(8)};
  file.tensors["i"] = {Shape{1}, DType::i32, std::vector<std::byte>(4)};
  file.tensors["u"] = {Shape{2, 0, 1, 3}, DType::u8, {}};
  seeds.file("safetensors", "three", [&](const fs::path& path) { file.save(path); });
  seeds.file("safetensors", "none", [&](const fs::path& path) { io::SafeTensors{}.save(path); });

  fuzz::HostMemory memory;
  Arena arena(memory, 1 << 16);
  nn::ParameterStore store;
  store.add("w", Shape{3, 2}, nn::Decay::yes, nn::Initial::he(2));
  store.add("b", Shape{3}, nn::Decay::no, nn::Initial::constant(0));
  store.build(arena, 1);
  seeds.file("checkpoint", "parameters", [&](const fs::path& path) {
    io::save_checkpoint(path, store, nullptr, {}, {{"epochs", "3"}});
  });

  nas::StoredNetwork network;
  network.classes = {"a", "b\n", "\xc3\xbc"};
  nas::Architecture small;  // its files are short, so that mutations hit what counts
  small.stem_width = 1;
  small.stages = {{1, 1, {nas::Block{}}}};
  network.plan = nas::plan_network(small, {4, 1, 3});
  for (float& deviation : network.norm.deviation) deviation = 0.5f;
  for (const auto& [name, shape] : nas::tensors_of(network.plan)) {
    network.tensors[name] = {shape, DType::f32,
                             std::vector<std::byte>(4 * static_cast<std::size_t>(shape.elements()))};
  }
  seeds.file("checkpoint", "network", [&](const fs::path& path) { network.save(path); });
}

void write_run(const Seeds& seeds) {
  apps::SearchOptions options;
  options.data = "synthetic:500";
  options.out = "runs/a";
  apps::Settings settings("search", "Searches.");
  apps::declare(settings, options);
  settings.found("device", "none");
  seeds.text("settings", "search", settings.toml());
  seeds.text("settings", "short",
             "data = 'idx:x'\nout = \"\\u00fc\"\nseed = 0x1F\nhyper-lr = 1e-3\nresume = true\n");

  for (int generations : {0, 1, 3}) {
    const fs::path path = fuzz::folder() / ("search" + std::to_string(generations) + ".db");
    const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
    {
      nas::RunStore store(path);
      nas::Search search(space, {.population = 3, .generations = 9, .task = {16, 3, 10}, .seed = 3},
                         [](std::span<nas::Candidate> candidates) {
                           for (nas::Candidate& c : candidates) c.score = static_cast<double>(c.hash % 100);
                         });
      while (search.state().next_generation < generations && search.step()) {
        store.save_generation(search.state(), {.seconds = 0.5, .arena_peak = 100});
      }
      if (generations > 0) {
        const nas::Candidate& first = search.state().evaluated.front();
        store.save_rank_network(0, first.architecture,
                                {.params = 7, .macs = 9, .evidence = {.structure = {}, .losses = {1.5}}},
                                {.seconds = 2});
        store.save_finalist(first, 3, {0.5, 1.5}, {});
        store.save({{{first.hash, 1}, 70.5}, {{first.hash, 500}, 9000.25}}, "device", 16);
        store.finish(nas::Phase::hypernetwork, {.seconds = 3});
      }
    }
    seeds.text("run_store", std::to_string(generations), contents(path));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("error: [seeds] got no folder, expected fuzz_seeds DIR\n", stderr);
    return 2;
  }
  const Seeds seeds(argv[1]);
  write_data_sets(seeds);
  write_images(seeds);
  write_networks(seeds);
  write_run(seeds);
}
