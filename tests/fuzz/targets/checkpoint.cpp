// A checkpoint behind its checksum, the pair of the last two, and the trained network in it.
#include "framework/io/checkpoint.h"

#include "nas/network/stored_network.h"
#include "tests/fuzz/host_memory.h"
#include "tests/fuzz/support.h"

using namespace adwp;

namespace {

// The parameters that the seeds hold; whoever fits is taken over whole.
struct Model {
  fuzz::HostMemory memory;
  Arena arena{memory, 1 << 16};
  nn::ParameterStore store;
  Model() {
    store.add("w", Shape{3, 2}, nn::Decay::yes, nn::Initial::he(2));
    store.add("b", Shape{3}, nn::Decay::no, nn::Initial::constant(0));
    store.build(arena, 1);
  }
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Model model, good;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string path = fuzz::write_file("c.safetensors", bytes);
  const io::CheckpointPair pair(path, model.store, nullptr);
  const auto load = [&] { pair.load({}, [](const std::string&) {}); };
  fuzz::accepts(load);
  fuzz::write_file("c.safetensors", bytes);  // load() moves a damaged one away

  // With a good one before it, something is always found, and a damaged one is told of.
  io::save_checkpoint(io::previous_checkpoint(path), good.store, nullptr, {}, {});
  int damaged = 0;
  const auto found = io::read_newest(path, [&](const std::string&, const Error&) { ++damaged; });
  fuzz::expect(found.has_value(), "the one before is used");
  fuzz::expect((found->path == path) == (damaged == 0), "a damaged one is told of");

  // What lies behind the checksum.
  fuzz::accepts([&] {
    io::SafeTensors file = io::SafeTensors::load(path);
    io::seal(file);
    file.save(path);
    fuzz::accepts(load);
    const nas::StoredNetwork network = nas::StoredNetwork::load(path);
    network.save(path);
    const nas::StoredNetwork again = nas::StoredNetwork::load(path);
    fuzz::expect(again.plan.architecture == network.plan.architecture && again.classes == network.classes,
                 "a network comes back");
    for (const auto& [name, tensor] : network.tensors) {
      fuzz::expect(again.tensors.at(name).bytes == tensor.bytes, "its weights come back to the bit");
    }
  });
  return 0;
}
