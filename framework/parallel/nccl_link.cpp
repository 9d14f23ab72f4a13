#include "framework/parallel/nccl_link.h"

#include <dlfcn.h>
#include <nccl.h>

#include <algorithm>
#include <string>

#include "framework/core/error.h"

namespace adwp::parallel {
namespace {

// The functions of NCCL that are used. The library stays loaded until the process ends.
struct Nccl {
  void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);

  template <typename Function>
  Function find(const char* name) const {
    void* function = library == nullptr ? nullptr : dlsym(library, name);
    require(library == nullptr || function != nullptr, "ranks", "libnccl.so.2 has no {}", name);
    return reinterpret_cast<Function>(function);
  }

#define ADWP_NCCL(name) decltype(&::name) name = find<decltype(&::name)>(#name)
  ADWP_NCCL(ncclGetErrorString);
  ADWP_NCCL(ncclGetUniqueId);
  ADWP_NCCL(ncclCommInitRank);
  ADWP_NCCL(ncclCommDestroy);
  ADWP_NCCL(ncclAllGather);
#undef ADWP_NCCL

  void check(ncclResult_t status, const char* what) const {
    require(status == ncclSuccess, "ranks", "NCCL, {}: {}", what, ncclGetErrorString(status));
  }
};

class Link : public NcclLink {
 public:
  Link(const Nccl& nccl, Group& group) : nccl_(nccl), ranks_(group.size()) {
    ncclUniqueId id{};
    if (group.rank() == 0) nccl_.check(nccl_.ncclGetUniqueId(&id), "a number for the group");
    const std::string bytes = group.broadcast(std::string(id.internal, sizeof id.internal));
    bytes.copy(id.internal, sizeof id.internal);
    nccl_.check(nccl_.ncclCommInitRank(&communicator_, ranks_, id, group.rank()), "joining the ranks");
  }
  ~Link() override { nccl_.ncclCommDestroy(communicator_); }

  void gather(const Tensor& mine, const Tensor& all) override {
    require(all.elements() == mine.elements() * ranks_, "ranks", "no room, got {}, expected {} times {}",
            all.text(), ranks_, mine.text());
    const auto stream = static_cast<cudaStream_t>(mine.arena().memory().stream());
    nccl_.check(nccl_.ncclAllGather(mine.data<float>(), all.data<float>(), mine.elements(), ncclFloat,
                                    communicator_, stream),
                "ncclAllGather");
  }

 private:
  Nccl nccl_;
  int ranks_;
  ncclComm_t communicator_ = nullptr;
};

}  // namespace

std::unique_ptr<NcclLink> NcclLink::open(Group& group, Memory& memory) {
  Nccl nccl;
  const bool here = memory.stream() != nullptr && nccl.library != nullptr;
  const std::vector<std::string> everywhere = group.gather(here ? "yes" : "no");
  if (std::count(everywhere.begin(), everywhere.end(), "yes") < group.size()) return nullptr;
  return std::make_unique<Link>(nccl, group);
}

}  // namespace adwp::parallel
