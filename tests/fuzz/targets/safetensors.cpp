// A safetensors file. Accepted: what is saved again is read as the same.
#include "framework/io/safetensors.h"
#include "tests/fuzz/support.h"

using namespace adwp;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = fuzz::write_file("read.safetensors", {reinterpret_cast<const char*>(data), size});
  io::SafeTensors first;
  if (!fuzz::accepts([&] { first = io::SafeTensors::load(path); })) return 0;
  const std::string again = (fuzz::folder() / "again.safetensors").string();
  first.save(again);
  const io::SafeTensors second = io::SafeTensors::load(again);
  fuzz::expect(first.metadata == second.metadata, "the metadata come back");
  fuzz::expect(first.tensors.size() == second.tensors.size(), "no tensor is lost");
  for (const auto& [name, tensor] : first.tensors) {
    const io::HostTensor& other = second.tensors.at(name);
    fuzz::expect(tensor.dtype == other.dtype && tensor.shape == other.shape && tensor.bytes == other.bytes,
                 "tensors come back to the bit");
  }
  return 0;
}
