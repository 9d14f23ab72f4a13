// The SPEC of --data. Accepted: its parts, put together, mean the same.
#include "data/data_set.h"
#include "tests/fuzz/support.h"

using namespace adwp;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  data::DataSpec spec;
  if (!fuzz::accepts([&] { spec = data::parse_data_spec(text); })) return 0;
  using Kind = data::DataSpec::Kind;
  const char* kinds[] = {"synthetic", "cifar10", "cifar100", "folder", "idx"};
  std::string again = std::string(kinds[static_cast<int>(spec.kind)]) + ":";
  again += spec.kind == Kind::synthetic ? std::to_string(spec.synthetic_images) : spec.directory;
  again += "?";
  if (spec.limit > 0) again += "limit=" + std::to_string(spec.limit) + "&";
  if (spec.size > 0) again += "size=" + std::to_string(spec.size);
  const data::DataSpec other = data::parse_data_spec(again);
  fuzz::expect(spec.text == text, "the text is kept");
  fuzz::expect(spec.kind == other.kind && spec.directory == other.directory && spec.limit == other.limit &&
                   spec.size == other.size && spec.synthetic_images == other.synthetic_images,
               "a fixed point");
  return 0;
}
