// Stands in for libnccl.so.2 in tests: the few functions that framework/parallel/nccl_link.cpp calls, between
// processes of one machine, on memory of the host. Holds every call to what NCCL asks of it; what it finds
// wrong is ncclInvalidArgument or ncclInvalidUsage.
#include <nccl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace {

namespace fs = std::filesystem;

// What each rank says of a call, for the others to read: files NAME-RANK, put in place whole.
void say(const fs::path& folder, const std::string& name, int rank, const std::string& bytes) {
  const fs::path path = folder / (name + "-" + std::to_string(rank));
  const fs::path temporary = path.string() + ".tmp";
  std::ofstream(temporary, std::ios::binary) << bytes;
  fs::rename(temporary, path);
}

std::string hear(const fs::path& folder, const std::string& name, int rank) {
  const fs::path path = folder / (name + "-" + std::to_string(rank));
  while (!fs::exists(path)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

struct ncclComm {
  fs::path folder;
  int ranks = 0, rank = 0, calls = 0;
};

extern "C" {

const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclSuccess           ? "no error"
         : result == ncclInvalidArgument ? "invalid argument"
                                         : "invalid usage";
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  if (id == nullptr) return ncclInvalidArgument;
  std::memset(id->internal, 0, sizeof id->internal);
  std::strcpy(id->internal, (fs::temp_directory_path() / "nccl-stand-in-XXXXXX").c_str());
  return mkdtemp(id->internal) != nullptr ? ncclSuccess : ncclSystemError;
}

ncclResult_t ncclCommInitRank(ncclComm_t* communicator, int ranks, ncclUniqueId id, int rank) {
  if (communicator == nullptr || rank < 0 || rank >= ranks || !fs::exists(id.internal))
    return ncclInvalidArgument;
  *communicator = new ncclComm{id.internal, ranks, rank};
  say(id.internal, "joins", rank, std::to_string(ranks));
  for (int other = 0; other < ranks; ++other) {
    if (hear(id.internal, "joins", other) != std::to_string(ranks)) return ncclInvalidUsage;
  }
  return ncclSuccess;
}

ncclResult_t ncclAllGather(const void* mine, void* all, size_t count, ncclDataType_t type,
                           ncclComm_t communicator, cudaStream_t stream) {
  if (mine == nullptr || all == nullptr || communicator == nullptr || stream == nullptr ||
      type != ncclFloat) {
    return ncclInvalidArgument;
  }
  const size_t bytes = count * sizeof(float);
  char* to = static_cast<char*>(all);
  const char* from = static_cast<const char*>(mine);
  const bool in_place = from == to + communicator->rank * bytes;
  if (!in_place && from < to + communicator->ranks * bytes && to < from + bytes) return ncclInvalidUsage;
  const std::string call = std::to_string(communicator->calls++);
  say(communicator->folder, call, communicator->rank, std::string(from, bytes));
  for (int rank = 0; rank < communicator->ranks; ++rank) {
    const std::string theirs = hear(communicator->folder, call, rank);
    if (theirs.size() != bytes) return ncclInvalidUsage;
    std::memcpy(to + rank * bytes, theirs.data(), bytes);
  }
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t communicator) {
  if (communicator == nullptr) return ncclInvalidArgument;
  say(communicator->folder, "leaves", communicator->rank, "");
  if (communicator->rank == 0) {
    for (int rank = 0; rank < communicator->ranks; ++rank) hear(communicator->folder, "leaves", rank);
    fs::remove_all(communicator->folder);
  }
  delete communicator;
  return ncclSuccess;
}

}  // extern "C"
